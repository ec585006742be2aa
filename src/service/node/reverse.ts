/**
 * Streams that a server opens towards a client node: one call each, or a streaming one
 * (wire/rpc-and-raft.md §6.5). Nothing is left without an answer: the server waits for ever.
 *
 * @module
 */
import type { ByteStream, Clock } from "../../host/host.ts";
import type { StreamMethods } from "../methods/stream-methods.ts";
import type { RpcCounters } from "../rpc/counters.ts";
import { RpcMode } from "../rpc/mode.ts";
import { ByteBudget, serveCalls } from "../rpc/server/serve.ts";
import type { ClientMethods } from "./client-methods.ts";

/** For the first byte, and for a request behind it. */
const FIRST_MS = 10_000;
const NEXT_MS = 60_000;
/** Requests that are not whole yet, on all streams. */
const PENDING_BYTES_MAX = 1024 * 1024;

interface ReverseInit {
  readonly methods: ClientMethods;
  readonly streams: StreamMethods;
  readonly counters: RpcCounters;
  readonly clock: Clock;
}

export class ReverseCalls {
  readonly #init: ReverseInit;
  readonly #budget = new ByteBudget(PENDING_BYTES_MAX);

  constructor(init: ReverseInit) {
    this.#init = init;
  }

  async serve(stream: ByteStream): Promise<void> {
    const { methods, streams, counters, clock } = this.#init;
    const mode = await stream.takeFirst(FIRST_MS);
    const caller = { names: undefined };
    if (mode === RpcMode.streaming) return streams.serve(stream, caller);
    if (mode !== RpcMode.nomad) return stream.destroy();
    serveCalls(stream, {
      ...{ methods, counters, clock, caller, firstMs: FIRST_MS, idleMs: NEXT_MS },
      refuse: () => stream.destroy(),
      budget: this.#budget,
    });
  }
}
