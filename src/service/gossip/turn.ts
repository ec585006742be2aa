/**
 * Work on what anybody may send, so much in one turn of the loop: the rest waits for the next
 * turns, behind whatever else has come, such as a heartbeat of Raft's.
 */
import type { Clock } from "../../host/host.ts";

/** About 2 ms of copying and of trying one key. */
const TURN_BYTES_MAX = 1024 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly work: () => void;
}

export class Turn {
  readonly #clock: Clock;
  #left = TURN_BYTES_MAX;
  #renewing = false;
  #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns false: not in this turn; give it to `later` */
  take(bytes: number): boolean {
    if (this.#left <= 0 || this.#waiting.length > 0) return false;
    this.#left -= bytes;
    this.#renew();
    return true;
  }

  later(bytes: number, work: () => void): void {
    this.#waiting.push({ bytes, work });
    this.#renew();
  }

  #renew(): void {
    if (this.#renewing) return;
    this.#renewing = true;
    this.#clock.schedule(this.#clock.now(), () => {
      this.#renewing = false;
      this.#left = TURN_BYTES_MAX;
      while (this.#left > 0) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        this.#left -= next.bytes;
        this.#renew();
        next.work();
      }
    });
  }
}
