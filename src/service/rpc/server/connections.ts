/** The server port's open connections: counted, and those in the clear ended when TLS is a must. */
import type { Clock } from "../../../host/host.ts";
import type { SocketStream } from "../../../host/network.ts";
import type { RpcCounters } from "../counters.ts";
import type { Mux } from "../mux.ts";

/** Longer than any blocking query: 5 minutes and a sixteenth. */
const DRAIN_MS = 330_000;
const LOOK_MS = 200;
/** At the end, how often, where no call takes long. */
const LOOK_LAST_MS = 25;

interface Connection {
  readonly stream: SocketStream;
  plain: boolean;
  /** What it is for is not known yet: its handshake goes on. */
  begins: boolean;
  mux: Mux | undefined;
}

export class RpcConnections {
  readonly #counters: RpcCounters;
  readonly #clock: Clock;
  readonly #open = new Map<SocketStream, Connection>();
  /** By TLS on top of what was accepted. */
  readonly #secured = new WeakMap<SocketStream, Connection>();
  #draining: (() => void) | undefined;
  #ending = false;

  constructor(counters: RpcCounters, clock: Clock) {
    this.#counters = counters;
    this.#clock = clock;
  }

  add(stream: SocketStream): void {
    this.#open.set(stream, { stream, plain: false, begins: true, mux: undefined });
    this.#counters.open += 1;
  }

  remove(stream: SocketStream): void {
    const connection = this.#open.get(stream);
    if (connection === undefined) return;
    this.#open.delete(stream);
    this.#counters.open -= 1;
    if (connection.plain) this.#counters.openPlain -= 1;
  }

  isPlain(stream: SocketStream): void {
    const connection = this.#open.get(stream);
    if (connection === undefined) return;
    connection.plain = true;
    this.#counters.openPlain += 1;
  }

  isSecured(plain: SocketStream, stream: SocketStream): void {
    const connection = this.#open.get(plain);
    if (connection !== undefined) this.#secured.set(stream, connection);
  }

  /** @param stream what was accepted, or TLS on top of it; what it is for is known */
  hasBegun(stream: SocketStream): void {
    const connection = this.#find(stream);
    if (connection !== undefined) connection.begins = false;
  }

  /** @param stream as for `hasBegun` */
  isMultiplexed(stream: SocketStream, mux: Mux): void {
    const connection = this.#find(stream);
    if (connection !== undefined) connection.mux = mux;
    if (this.#ending) mux.goAway();
  }

  /** Asks for no new streams, and ends each connection in the clear when its last stream ends. */
  drainPlain(): void {
    for (const { plain, mux } of this.#open.values()) if (plain) mux?.goAway();
    this.#draining?.();
    const now = this.#clock.now();
    // A moment for the peer to hear of it: a stream that is on its way must find us here.
    this.#draining = this.#clock.schedule(now + LOOK_MS, () => this.#drain(now + DRAIN_MS));
  }

  /** Asks for no new streams. Resolves when the last has ended, or the time is over. */
  drainAll(withinMs: number): Promise<void> {
    this.#ending = true;
    for (const { mux } of this.#open.values()) mux?.goAway();
    const until = this.#clock.now() + withinMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const now = this.#clock.now();
        const busy = [...this.#open.values()].some(({ begins, mux }) => {
          return begins || (mux?.streams ?? 0) > 0;
        });
        if (busy && now < until) this.#clock.schedule(now + LOOK_LAST_MS, look);
        else resolve();
      };
      // A request that is on its way when they hear of it comes first.
      this.#clock.schedule(this.#clock.now() + LOOK_LAST_MS, look);
    });
  }

  #find(stream: SocketStream): Connection | undefined {
    return this.#open.get(stream) ?? this.#secured.get(stream);
  }

  #drain(until: number): void {
    const now = this.#clock.now();
    let left = 0;
    for (const { plain, mux, stream } of [...this.#open.values()]) {
      if (!plain) continue;
      const quiet = mux !== undefined && mux.streams === 0;
      if (!quiet && now < until) left += 1;
      else if (mux !== undefined) mux.close();
      else stream.destroy();
    }
    this.#draining =
      left === 0 ? undefined : this.#clock.schedule(now + LOOK_MS, () => this.#drain(until));
  }

  close(): void {
    this.#draining?.();
    this.#draining = undefined;
    for (const { stream, mux } of [...this.#open.values()]) {
      mux?.close();
      stream.destroy();
    }
  }
}
