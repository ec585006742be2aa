/**
 * Requests that another server has to answer: the leader, or any of another region
 * (wire/rpc-and-raft.md §4.2).
 *
 * @module
 */
import { errorText } from "../../../host/error-text.ts";
import type { ByteStream, Clock } from "../../../host/host.ts";
import type { Prng } from "../../../protocol/ports.ts";
import { randomInt } from "../../../protocol/prng.ts";
import { markForwarded, type QueryOptions } from "../../../wire/rpc-status.ts";
import { queryHeldMs } from "../../blocking-query.ts";
import { RpcLostError, RpcRemoteError } from "../call.ts";
import type { RpcCounters } from "../counters.ts";
import { callerGone, RpcMethodError } from "../method-error.ts";
import type { PoolTarget, RpcPool } from "./pool.ts";

/** For a leader to be there (Nomad's RPCHoldTimeout), asked again at least so often. */
const HOLD_MS = 5000;
const HOLD_JITTER_MS = 312;
/** Raft's word of a leader that is none any more: what it was asked to write is not in the log. */
const NOT_LEADER = "node is not the leader";
/** For an answer, beyond what a blocking query may wait. */
const ANSWER_MS = 60_000;
/** Servers of another region that are tried. */
const TRIES_MAX = 3;

interface RpcForwarderInit {
  readonly pool: Pick<RpcPool, "call" | "stream">;
  readonly counters: RpcCounters;
  readonly clock: Clock;
  readonly prng: Prng;
  /** Living servers of a region, ourselves not among them. */
  readonly servers: (region: string) => readonly PoolTarget[];
  /** "self", the leader of our region, or undefined while there is none. */
  readonly leader: () => PoolTarget | "self" | undefined;
}

/** A call as it came. */
export interface ForwardedRequest {
  readonly name: string;
  readonly body: Uint8Array;
  /** Of its body. */
  readonly options: QueryOptions;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal | undefined;
}

export class RpcForwarder {
  readonly #init: RpcForwarderInit;

  constructor(init: RpcForwarderInit) {
    this.#init = init;
  }

  /** @throws RpcMethodError */
  async toRegion(region: string, request: ForwardedRequest): Promise<Uint8Array> {
    const { prng, servers } = this.#init;
    const known = [...servers(region)];
    if (known.length === 0) throw new RpcMethodError("No path to region", false);
    for (let tries = 1; ; tries++) {
      const [target] = known.splice(randomInt(prng, known.length), 1);
      if (target === undefined) throw new RpcMethodError("No path to region", false);
      try {
        return await this.#pass(target, request);
      } catch (error) {
        // A server that cannot be reached has not heard the request: another one may.
        const answered = error instanceof RpcRemoteError;
        if (answered || !isRead(request.options) || tries === TRIES_MAX || known.length === 0) {
          throw asMethodError(error);
        }
      }
    }
  }

  /**
   * @param lead runs it here, if we are or become the leader
   * @param verify fails when we do not lead any more: then somebody else does, or will
   * @throws RpcMethodError
   */
  async toLeader(
    request: ForwardedRequest,
    lead: () => Uint8Array | Promise<Uint8Array>,
    verify?: () => Promise<unknown>,
  ): Promise<Uint8Array> {
    const { clock, prng } = this.#init;
    const until = clock.now() + HOLD_MS;
    for (;;) {
      const leader = this.#init.leader();
      let why = "No cluster leader";
      try {
        if (leader === "self") {
          if (verify === undefined || (await succeeds(verify()))) return await lead();
        } else if (leader !== undefined) {
          return await this.#pass(leader, request);
        }
      } catch (error) {
        if (!isUndone(error, request.options)) {
          throw leader === "self" ? error : asMethodError(error);
        }
        if (!isNoLeader(error)) why = errorText(error);
      }
      const left = until - clock.now();
      if (request.signal?.aborted === true) throw callerGone();
      if (left <= 0) throw new RpcMethodError(why, false);
      const wait = Math.min(left, prng.next() * HOLD_JITTER_MS);
      await new Promise<void>((resolve) => void clock.schedule(clock.now() + wait, resolve));
    }
  }

  /** One of our region's other servers whose answer is a yes, if there is one. */
  async whoSays(
    region: string,
    name: string,
    body: Uint8Array,
    isYes: (answer: Uint8Array) => boolean,
  ): Promise<PoolTarget | undefined> {
    const { pool, servers } = this.#init;
    const answers = servers(region).map(async (target) => {
      const answer = await pool.call(target, name, body, HOLD_MS, true);
      if (!isYes(answer)) throw new Error("no");
      return target;
    });
    return Promise.any(answers).catch(() => undefined);
  }

  /** As it came, to this server of our region. @throws RpcMethodError */
  async toServer(target: PoolTarget, request: ForwardedRequest): Promise<Uint8Array> {
    return this.#pass(target, request).catch((error: unknown) => {
      throw asMethodError(error);
    });
  }

  /** A streaming call's other half, at a server of `region`. @throws RpcMethodError */
  async streamTo(target: PoolTarget | string): Promise<ByteStream> {
    const { pool, prng, servers, counters } = this.#init;
    const known = typeof target === "string" ? servers(target) : [target];
    const one = known[randomInt(prng, known.length)];
    if (one === undefined) throw new RpcMethodError("No path to region", false);
    counters.forwarded += 1;
    return pool.stream(one).catch((error: unknown) => {
      throw asMethodError(error);
    });
  }

  async #pass(target: PoolTarget, request: ForwardedRequest): Promise<Uint8Array> {
    const { pool, counters } = this.#init;
    const { name, body, options, signal } = request;
    counters.forwarded += 1;
    const repeat = isRead(options);
    const withinMs = answerWithinMs(options);
    return pool.call(target, name, markForwarded(body), withinMs, repeat, signal);
  }
}

/** A read for sure: requests that change something carry WriteRequest, which has neither field. */
function isRead(options: QueryOptions): boolean {
  return options.AllowStale || options.MinQueryIndex > 0n;
}

/**
 * Nothing has come of the request, and asking again does no harm: whoever was taken for the leader
 * is none any more, was not reached, or has ended before its answer to a question.
 */
function isUndone(error: unknown, options: QueryOptions): boolean {
  if (isNoLeader(error)) return true;
  if (error instanceof RpcRemoteError || error instanceof RpcMethodError) return false;
  return !(error instanceof RpcLostError) || isRead(options);
}

function isNoLeader(error: unknown): boolean {
  const text = errorText(error);
  return text.includes("No cluster leader") || text.includes(NOT_LEADER);
}

/** How long an answer may take: a blocking query is held open by whoever answers it. */
function answerWithinMs(options: QueryOptions): number {
  return ANSWER_MS + queryHeldMs(options);
}

/** One prefix for each hop, but none for an error with a code (wire/rpc-and-raft.md §4.3). */
function asMethodError(error: unknown): RpcMethodError {
  const text = errorText(error);
  const prefixed = text.startsWith("RPC Error:: ") || !(error instanceof RpcRemoteError);
  return new RpcMethodError(prefixed ? text : `rpc error: ${text}`, false);
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
