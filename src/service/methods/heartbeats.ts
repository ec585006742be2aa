/**
 * Which client nodes still live, as the leader sees it: each has until its deadline to say so, and
 * some grace (Nomad's server heartbeats).
 *
 * @module
 */
import type { HeartbeatConfig } from "../../config/config.ts";
import type { Clock } from "../../host/host.ts";
import type { Prng } from "../../protocol/ports.ts";

export interface HeartbeatsInit {
  readonly config: HeartbeatConfig;
  readonly clock: Clock;
  readonly prng: Prng;
  /** It has not been heard in time. */
  readonly missed: (id: string) => void;
}

export class Heartbeats {
  readonly #init: HeartbeatsInit;
  readonly #cancels = new Map<string, () => void>();

  constructor(init: HeartbeatsInit) {
    this.#init = init;
  }

  get active(): number {
    return this.#cancels.size;
  }

  /** @returns until when it has to be heard again, milliseconds from now */
  heard(id: string): number {
    const { config, prng } = this.#init;
    const spread = (this.#cancels.size * 1000) / config.maxPerSecond;
    const least = Math.max(config.minTtlMs, spread);
    // Up to twice as long, so that nodes which began together do not come back together.
    const ttlMs = least + prng.next() * least;
    this.#arm(id, ttlMs + config.graceMs);
    return ttlMs;
  }

  /** A new leader: nobody knows when these were heard last. */
  takeOver(ids: Iterable<string>): void {
    for (const id of ids) this.#arm(id, this.#init.config.failoverTtlMs);
  }

  forget(id: string): void {
    this.#cancels.get(id)?.();
    this.#cancels.delete(id);
  }

  stop(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  #arm(id: string, waitMs: number): void {
    const { clock, missed } = this.#init;
    this.#cancels.get(id)?.();
    const cancel = clock.schedule(clock.now() + waitMs, () => {
      this.#cancels.delete(id);
      missed(id);
    });
    this.#cancels.set(id, cancel);
  }
}
