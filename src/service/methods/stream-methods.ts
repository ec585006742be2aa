/**
 * Streaming RPC (mode 05): a method's name, yes or no, its request, then values until either side
 * has enough. Calls for other servers are passed on byte by byte (wire/rpc-and-raft.md §7).
 *
 * @module
 */
import { FAREWELL_MS, finish } from "../../host/finish.ts";
import type { ByteStream } from "../../host/host.ts";
import { streamPair } from "../../host/stream-pair.ts";
import { encodeValue } from "../../wire/codec.ts";
import { streamAck, streamHeader } from "../../wire/rpc-stream.ts";
import type { RpcForwarder } from "../rpc/client/forward.ts";
import type { PoolTarget } from "../rpc/client/pool.ts";
import type { RpcCounters } from "../rpc/counters.ts";
import type { RpcCaller } from "../rpc/method-error.ts";
import {
  type Budget,
  HEADER_BYTES_MAX,
  REQUEST_BYTES_MAX,
  ValueStream,
} from "../rpc/value-stream.ts";

/** For a header, an answer, a request. */
export const HANDSHAKE_MS = 10_000;

export interface StreamMethod {
  /** Behind the "yes": reads its request off `values`, answers on `stream`, and ends it. */
  serve(stream: ByteStream, values: ValueStream, caller: RpcCaller): Promise<void>;
}

/** A call that was taken: what comes back, and where more goes. */
export interface StreamCall {
  readonly stream: ByteStream;
  readonly values: ValueStream;
}

interface StreamMethodsInit {
  readonly methods: ReadonlyMap<string, StreamMethod>;
  readonly counters: RpcCounters;
}

export class StreamMethods {
  readonly #init: StreamMethodsInit;

  constructor(init: StreamMethodsInit) {
    this.#init = init;
  }

  /**
   * Serves one stream behind its mode byte.
   *
   * @param budget what its connection may have us keep
   */
  async serve(stream: ByteStream, caller: RpcCaller, budget?: Budget): Promise<void> {
    const { counters } = this.#init;
    const values = new ValueStream(stream, budget);
    counters.streaming += 1;
    try {
      await this.#serve({ stream, values }, caller);
    } finally {
      values.release();
      counters.streaming -= 1;
    }
  }

  /** A call of our own, as if it had come to our port. @throws Error when it is refused */
  async open(name: string, request: Uint8Array, stop?: AbortSignal): Promise<StreamCall> {
    const [near, far] = streamPair();
    stop?.addEventListener("abort", () => near.destroy());
    void this.serve(far, { names: undefined });
    return begin(near, name, request);
  }

  async #serve({ stream, values }: StreamCall, caller: RpcCaller): Promise<void> {
    const header = await values.next(streamHeader, HANDSHAKE_MS, HEADER_BYTES_MAX);
    if (header === undefined) return stream.destroy();
    const method = this.#init.methods.get(header.Method);
    if (method === undefined) {
      stream.write(encodeValue(streamAck, { Error: `Unknown rpc method: "${header.Method}"` }));
      return void finish(stream, FAREWELL_MS);
    }
    stream.write(encodeValue(streamAck, { Error: "" }));
    await method.serve(stream, values, caller);
  }
}

/**
 * Lets another server answer: everything goes through as it comes, until both sides have ended.
 *
 * @param to a server, or a region: any of its servers
 * @throws Error as long as nothing has been passed on
 */
export async function passOn(
  call: StreamCall,
  forwarder: RpcForwarder,
  to: PoolTarget | string,
  name: string,
  request: Uint8Array,
): Promise<void> {
  await passOver(call, await forwarder.streamTo(to), name, request);
}

/** The same, where there is a stream to whoever answers. @throws Error */
export async function passOver(
  call: StreamCall,
  to: ByteStream,
  name: string,
  request: Uint8Array,
): Promise<void> {
  const far = await begin(to, name, request);
  call.stream.write(far.values.rest());
  far.stream.write(call.values.rest());
  await splice(call.stream, far.stream);
}

async function begin(stream: ByteStream, name: string, request: Uint8Array): Promise<StreamCall> {
  stream.write(encodeValue(streamHeader, { Method: name }));
  const values = new ValueStream(stream);
  const ack = await values.next(streamAck, HANDSHAKE_MS, REQUEST_BYTES_MAX);
  if (ack?.Error !== "") {
    stream.destroy();
    throw new Error(ack?.Error ?? "the other server did not answer");
  }
  stream.write(request);
  return { stream, values };
}

/** Everything that comes on one goes out on the other, until the server has answered. */
function splice(caller: ByteStream, server: ByteStream): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      caller.destroy();
      server.destroy();
      resolve();
    };
    const join = (from: ByteStream, to: ByteStream, ended: () => void): void => {
      from.listen({
        data: (chunk) => {
          if (!to.write(chunk)) from.pause();
        },
        ended,
        closed: over,
        drained: () => to.resume(),
      });
    };
    // Without more to say a caller may still listen; behind an answer's end nothing follows.
    join(caller, server, () => server.end());
    join(server, caller, () => void Promise.all([finish(caller), finish(server)]).then(over));
    // Whoever read before us may have had enough.
    caller.resume();
    server.resume();
  });
}
