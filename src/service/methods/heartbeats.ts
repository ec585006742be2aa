/**
 * Which client nodes still live, as the leader sees it: each has until its deadline to say so, and
 * some grace (Nomad's server heartbeats).
 *
 * @module
 */
import type { HeartbeatConfig } from "../../config/config.ts";
import type { Clock } from "../../host/host.ts";
import { Deadlines } from "../../protocol/deadlines.ts";
import type { Instant, Prng } from "../../protocol/ports.ts";
import { Driver } from "../drive.ts";

export interface HeartbeatsInit {
  readonly config: HeartbeatConfig;
  readonly clock: Clock;
  readonly prng: Prng;
  /** It has not been heard in time. */
  readonly missed: (id: string) => void;
}

/** One timer for all of them: there may be thousands, and nearly all are heard in time. */
export class Heartbeats {
  readonly #init: HeartbeatsInit;
  readonly #driver: Driver<string>;
  #deadlines = new Deadlines();
  #late: string[] = [];

  constructor(init: HeartbeatsInit) {
    this.#init = init;
    const machine = {
      deadline: () => this.#deadlines.next(),
      drain: () => this.#late.splice(0),
      expire: (now: Instant) => {
        for (let id = this.#deadlines.due(now); id !== undefined; id = this.#deadlines.due(now)) {
          this.#late.push(id);
        }
      },
    };
    this.#driver = new Driver(machine, init.clock, init.missed);
  }

  get active(): number {
    return this.#deadlines.size;
  }

  /** @returns until when it has to be heard again, milliseconds from now */
  heard(id: string): number {
    const { config, prng } = this.#init;
    const spread = (this.active * 1000) / config.maxPerSecond;
    const least = Math.max(config.minTtlMs, spread);
    // Up to twice as long, so that nodes which began together do not come back together.
    const ttlMs = least + prng.next() * least;
    this.#driver.tell((now) => this.#deadlines.set(id, now + ttlMs + config.graceMs));
    return ttlMs;
  }

  /** A new leader: nobody knows when these were heard last. */
  takeOver(ids: Iterable<string>): void {
    const { failoverTtlMs } = this.#init.config;
    this.#driver.tell((now) => {
      for (const id of ids) this.#deadlines.set(id, now + failoverTtlMs);
    });
  }

  forget(id: string): void {
    this.#driver.tell(() => this.#deadlines.clear(id));
  }

  stop(): void {
    this.#driver.tell(() => {
      this.#deadlines = new Deadlines();
    });
  }
}
