/**
 * Streaming RPC (mode 05): a method's name, yes or no, its request, then values until either side
 * has enough. Calls for other servers are passed on byte by byte (wire/rpc-and-raft.md §7).
 *
 * @module
 */
import { errorText } from "../host/error-text.ts";
import type { ByteStream } from "../host/host.ts";
import { streamPair } from "../host/stream-pair.ts";
import { encodeValue } from "../wire/codec.ts";
import {
  encodeFrameError,
  type MonitorRequest,
  monitorRequest,
  type StreamFrame,
  streamAck,
  streamFrame,
  streamHeader,
} from "../wire/rpc-stream.ts";
import type { Monitor } from "./monitor.ts";
import type { RpcCounters } from "./rpc-counters.ts";
import type { RpcForwarder } from "./rpc-forward.ts";
import type { PoolTarget } from "./rpc-pool.ts";
import { StreamReader } from "./stream-reader.ts";

const MONITOR = "Agent.Monitor";
/** For a header, an answer, a request. */
const HANDSHAKE_MS = 10_000;

export interface StreamMethodsInit {
  readonly region: string;
  readonly monitor: Monitor;
  /** Undefined on an agent that is a client only. */
  readonly forwarder: RpcForwarder | undefined;
  readonly counters: RpcCounters;
  /** Which server a name, an id or "leader" means: "self", one to be asked, or none. */
  readonly server: (id: string) => PoolTarget | "self" | undefined;
}

export class StreamMethods {
  readonly #init: StreamMethodsInit;

  constructor(init: StreamMethodsInit) {
    this.#init = init;
  }

  /** Serves one stream behind its mode byte. */
  async serve(stream: ByteStream): Promise<void> {
    const { counters } = this.#init;
    counters.streaming += 1;
    try {
      await this.#serve(stream);
    } finally {
      counters.streaming -= 1;
    }
  }

  async #serve(stream: ByteStream): Promise<void> {
    const reader = new StreamReader(stream);
    const header = await reader.next(streamHeader, HANDSHAKE_MS);
    if (header === undefined) return stream.destroy();
    if (header.Method !== MONITOR) {
      stream.write(encodeValue(streamAck, { Error: `Unknown rpc method: "${header.Method}"` }));
      return stream.end();
    }
    stream.write(encodeValue(streamAck, { Error: "" }));
    const request = await reader.next(monitorRequest, HANDSHAKE_MS);
    if (request === undefined) return stream.destroy();
    await this.#monitor(stream, request);
  }

  /** A streaming call of our own: answered here or by the server that it names. */
  async monitor(
    request: MonitorRequest,
    frame: (frame: StreamFrame) => Promise<void> | undefined,
    stop: AbortSignal,
  ): Promise<void> {
    const [near, far] = streamPair();
    stop.addEventListener("abort", () => near.destroy());
    void this.serve(far);
    near.write(encodeValue(streamHeader, { Method: MONITOR }));
    const reader = new StreamReader(near);
    const ack = await reader.next(streamAck, HANDSHAKE_MS);
    if (ack === undefined || ack.Error !== "") throw new Error(ack?.Error ?? "no answer");
    near.write(encodeValue(monitorRequest, request));
    for (;;) {
      const next = await reader.next(streamFrame, 0);
      if (next === undefined) return near.destroy();
      await frame(next);
    }
  }

  async #monitor(stream: ByteStream, request: MonitorRequest): Promise<void> {
    const { region, monitor, server } = this.#init;
    const fail = (code: number, message: string): void => {
      stream.write(encodeFrameError(code, message));
      stream.end();
    };
    if (request.NodeID !== "" && request.ServerID !== "") {
      return fail(400, "Cannot target node and server simultaneously");
    }
    if (request.Region !== "" && request.Region !== region) {
      if (request.Forwarded) return fail(500, "No path to region");
      return this.#pass(stream, request.Region, { ...request, Forwarded: true }, fail);
    }
    if (request.NodeID !== "") return fail(404, `Unknown node "${request.NodeID}"`);
    if (request.ServerID !== "") {
      const target = server(request.ServerID);
      if (target === undefined) return fail(400, `unknown Nomad server ${request.ServerID}`);
      if (target !== "self") {
        return this.#pass(stream, target, { ...request, ServerID: "", Forwarded: true }, fail);
      }
    }
    return monitor.serve(stream, request);
  }

  async #pass(
    stream: ByteStream,
    to: PoolTarget | string,
    request: MonitorRequest,
    fail: (code: number, message: string) => void,
  ): Promise<void> {
    const { forwarder } = this.#init;
    if (forwarder === undefined) return fail(500, "No path to region");
    let far: ByteStream;
    try {
      far = await forwarder.streamTo(to);
    } catch (error) {
      return fail(500, errorText(error));
    }
    far.write(encodeValue(streamHeader, { Method: MONITOR }));
    const reader = new StreamReader(far);
    const ack = await reader.next(streamAck, HANDSHAKE_MS);
    if (ack === undefined || ack.Error !== "") {
      far.destroy();
      return fail(500, ack?.Error ?? "the other server did not answer");
    }
    far.write(encodeValue(monitorRequest, request));
    stream.write(reader.rest());
    await splice(stream, far);
  }
}

/** Everything that comes on one goes out on the other, until both have ended. */
function splice(one: ByteStream, other: ByteStream): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      one.destroy();
      other.destroy();
      resolve();
    };
    const join = (from: ByteStream, to: ByteStream): void => {
      from.listen({
        data: (chunk) => {
          if (!to.write(chunk)) from.pause();
        },
        ended: () => to.end(),
        closed: over,
        drained: () => to.resume(),
      });
    };
    join(one, other);
    join(other, one);
  });
}
