/**
 * One multiplexed connection to each server that we talk to, shared by all calls, as Nomad's pool:
 * made when needed, closed when idle, and replaced when the TLS settings change or the server asks.
 *
 * @module
 */
import { errorText } from "../../../host/error-text.ts";
import type { ByteStream, Clock, Log } from "../../../host/host.ts";
import { formatAddress } from "../../../host/ip.ts";
import type { Address, Instant, Prng } from "../../../protocol/ports.ts";
import { CallStream, RpcLostError, RpcRemoteError } from "../call.ts";
import { RpcMode } from "../mode.ts";
import { Mux } from "../mux.ts";
import type { MuxStream } from "../mux-stream.ts";
import { Backoff } from "./backoff.ts";
import type { ConnectionTls, RpcDialer } from "./dial.ts";

/** Nomad's servers keep a session for so long after its last use. */
const IDLE_MS = 120_000;
const SWEEP_MS = 10_000;
/** Streams kept for the next calls, a session. */
const IDLE_STREAMS_MAX = 64;
const DIAL_TIMEOUT_MS = 10_000;
const BACKOFF_MIN_MS = 100;
/** Whose lost sessions are counted. */
const ADDRESSES_MAX = 1024;

export interface PoolTarget {
  readonly address: Address;
  /** Its certificate must name it. */
  readonly region: string;
}

/** What an operator sees of a session. */
export interface PoolReport {
  readonly address: string;
  readonly tls: ConnectionTls | undefined;
  readonly streams: number;
  /** It ends when its last call does. */
  readonly retiring: boolean;
  readonly openedAtMs: number;
}

interface RpcPoolInit {
  readonly dialer: Pick<RpcDialer, "connect">;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** A stream that a server opens towards us (reverse RPC). */
  readonly onStream?: (stream: MuxStream) => void;
}

interface Session {
  readonly key: string;
  readonly mux: Mux;
  readonly tls: ConnectionTls | undefined;
  readonly idle: CallStream[];
  readonly openedAtMs: number;
  busy: number;
  /** The server has answered on it; or it was lost before, and that has been noted. */
  answered: boolean;
  lost: boolean;
  usedAt: Instant;
  retiring: boolean;
}

export class RpcPool {
  readonly #init: RpcPoolInit;
  readonly #current = new Map<string, Session>();
  readonly #retiring = new Set<Session>();
  readonly #dialling = new Map<string, Promise<Session>>();
  readonly #backoff: Backoff;
  /** Sessions in a row that were lost before any answer, by address. */
  readonly #unanswered = new Map<string, number>();
  #generation = 0;
  #closed = false;
  #sweep: (() => void) | undefined;

  constructor(init: RpcPoolInit) {
    this.#init = init;
    this.#backoff = new Backoff(init.clock, init.prng, BACKOFF_MIN_MS);
  }

  /**
   * One call on a stream of its own.
   *
   * @param repeat may it be sent again when its connection broke before the answer: reads may
   * @param signal aborted when nobody waits for the answer: the server is told, too
   * @throws RpcRemoteError with the server's text, RpcLostError, or what dialling met
   */
  async call(
    target: PoolTarget,
    method: string,
    body: Uint8Array,
    timeoutMs: number,
    repeat: boolean,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    for (let attempt = 0; ; attempt++) {
      const session = await this.#session(target);
      const fresh = session.idle.length === 0;
      const stream = this.#take(session);
      try {
        if (stream === undefined) throw new RpcLostError("rpc error: session shutdown");
        const answer = await stream.call(method, body, timeoutMs, signal);
        this.#heard(session);
        return answer;
      } catch (error) {
        if (error instanceof RpcRemoteError) this.#heard(session);
        // An idle connection may have died unnoticed, and one that retires refuses streams.
        const isOver = signal?.aborted === true || /timeout/.test(errorText(error));
        const again = error instanceof RpcLostError && !isOver;
        const refused = error instanceof Error && error.message.includes("reset by the peer");
        const unsent = stream === undefined || (fresh && refused);
        if (again && stream !== undefined) this.#unheard(session, error);
        if (attempt > 0 || !again || !(repeat || unsent)) throw error;
        this.#retire(session);
      } finally {
        this.#give(session, stream);
      }
    }
  }

  /** A stream for a streaming method; its first byte is out. */
  async stream(target: PoolTarget): Promise<ByteStream> {
    for (let attempt = 0; ; attempt++) {
      const session = await this.#session(target);
      const stream = session.mux.openStream();
      if (stream === undefined) {
        this.#retire(session);
        if (attempt > 0) throw new RpcLostError("rpc error: session shutdown");
        continue;
      }
      session.usedAt = this.#init.clock.now();
      session.answered = true; // What comes on it is not heard here.
      stream.write(Uint8Array.of(RpcMode.streaming));
      return stream;
    }
  }

  /** New connections from now on: the TLS settings have changed. Living calls go on. */
  retireAll(): void {
    this.#generation += 1;
    this.#backoff.clear();
    this.#unanswered.clear();
    for (const session of [...this.#current.values()]) this.#retire(session);
  }

  /** Something has changed at that server: it may be dialled at once again. */
  forgive(address: Address): void {
    this.#backoff.forgive(formatAddress(address));
    this.#unanswered.delete(formatAddress(address));
  }

  reports(): readonly PoolReport[] {
    return [...this.#current.values(), ...this.#retiring].map((session) => ({
      address: session.key,
      tls: session.tls,
      streams: session.mux.streams,
      retiring: session.retiring,
      openedAtMs: session.openedAtMs,
    }));
  }

  close(): void {
    this.#closed = true;
    this.#sweep?.();
    for (const session of [...this.#current.values(), ...this.#retiring]) session.mux.close();
  }

  #take(session: Session): CallStream | undefined {
    session.usedAt = this.#init.clock.now();
    for (let idle = session.idle.pop(); idle !== undefined; idle = session.idle.pop()) {
      if (!idle.usable) continue;
      session.busy += 1;
      return idle;
    }
    const stream = session.mux.openStream();
    if (stream === undefined) return undefined;
    session.busy += 1;
    stream.write(Uint8Array.of(RpcMode.nomad));
    return new CallStream(stream, session.tls !== undefined);
  }

  #give(session: Session, stream: CallStream | undefined): void {
    session.usedAt = this.#init.clock.now();
    if (stream === undefined) return;
    session.busy -= 1;
    const keep = stream.usable && !session.retiring && session.idle.length < IDLE_STREAMS_MAX;
    if (keep) session.idle.push(stream);
    else stream.close();
    if (session.retiring) this.#settle(session);
  }

  async #session(target: PoolTarget): Promise<Session> {
    const key = formatAddress(target.address);
    const known = this.#current.get(key);
    if (known?.mux.open === true) return known;
    if (known !== undefined) this.#retire(known);
    const dialling = this.#dialling.get(key);
    if (dialling !== undefined) return dialling;
    const refusal = this.#backoff.refusal(key);
    if (refusal !== undefined) throw refusal.error;
    const started = this.#open(key, target);
    this.#dialling.set(key, started);
    try {
      return await started;
    } finally {
      this.#dialling.delete(key);
    }
  }

  async #open(key: string, { address, region }: PoolTarget): Promise<Session> {
    const { dialer, clock, onStream } = this.#init;
    const generation = this.#generation;
    try {
      const mode = RpcMode.multiplexV2;
      const { stream, tls } = await dialer.connect(address, region, mode, DIAL_TIMEOUT_MS);
      const mux = new Mux({
        stream,
        dialer: true,
        clock,
        onStream: onStream ?? ((one) => one.destroy()),
        onClosed: () => this.#lost(session),
        onGoAway: () => this.#retire(session),
      });
      const session: Session = {
        key,
        mux,
        tls,
        idle: [],
        openedAtMs: clock.wallMs(),
        busy: 0,
        answered: false,
        lost: false,
        usedAt: clock.now(),
        retiring: false,
      };
      mux.start();
      if (this.#closed) mux.close();
      else this.#current.set(key, session);
      // Dialled with settings of before a reload: good for whoever waits, not for the next.
      if (generation !== this.#generation) queueMicrotask(() => this.#retire(session));
      this.#schedule();
      return session;
    } catch (error) {
      this.#backoff.failed(key, error);
      this.#init.log.debug("cannot dial a server", { address: key, error: errorText(error) });
      throw error;
    }
  }

  #heard(session: Session): void {
    if (session.answered) return;
    session.answered = true;
    this.#unanswered.delete(session.key);
    this.#backoff.forgive(session.key);
  }

  /**
   * With TLS 1.3 a server refuses our certificate only when we believe that we are connected. Once
   * may be chance: a server that is just ending its connections.
   */
  #unheard(session: Session, error: unknown): void {
    if (session.answered || session.lost || session.retiring) return;
    session.lost = true;
    const before = this.#unanswered.get(session.key) ?? 0;
    if (this.#unanswered.size >= ADDRESSES_MAX) this.#unanswered.clear();
    this.#unanswered.set(session.key, before + 1);
    if (before > 0) this.#backoff.failed(session.key, error);
  }

  #retire(session: Session): void {
    if (session.retiring) return;
    session.retiring = true;
    if (this.#current.get(session.key) === session) this.#current.delete(session.key);
    this.#retiring.add(session);
    for (const idle of session.idle.splice(0)) idle.close();
    session.mux.goAway();
    this.#settle(session);
  }

  /** A retired session ends with its last stream. */
  #settle(session: Session): void {
    if (session.busy > 0) return;
    if (session.mux.streams > 0) return; // A streaming call: the sweep comes back.
    session.mux.close();
  }

  #lost(session: Session): void {
    this.#retiring.delete(session);
    if (this.#current.get(session.key) === session) this.#current.delete(session.key);
  }

  #schedule(): void {
    if (this.#closed || this.#sweep !== undefined) return;
    const { clock } = this.#init;
    this.#sweep = clock.schedule(clock.now() + SWEEP_MS, () => {
      this.#sweep = undefined;
      const now = clock.now();
      for (const session of [...this.#current.values()]) {
        const quiet = session.busy === 0 && session.mux.streams === session.idle.length;
        if (quiet && now - session.usedAt >= IDLE_MS) this.#retire(session);
      }
      for (const session of [...this.#retiring]) this.#settle(session);
      if (this.#current.size + this.#retiring.size > 0) this.#schedule();
    });
  }
}
