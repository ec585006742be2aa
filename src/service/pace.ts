/**
 * Work on what many may ask for, so long in one turn of the loop: the rest waits for the next ones,
 * behind whatever else has come. A leader that answers for half a second without a look at its
 * heartbeats is none any more, and a valid certificate is enough to ask for that much.
 */
import type { Clock } from "../host/host.ts";
import { afterThisTurn } from "../host/timer.ts";

const TURN_MS = 5;

export class Pace {
  readonly #clock: Pick<Clock, "now">;
  #spentMs = 0;
  #renewing = false;
  #waiting: (() => void)[] = [];

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Not in this turn, or not before others: give it to `later`. */
  get isOver(): boolean {
    return this.#spentMs >= TURN_MS || this.#waiting.length > 0;
  }

  /** Does it now, and counts the time. */
  spend<Result>(work: () => Result): Result {
    const startedAt = this.#clock.now();
    try {
      return work();
    } finally {
      this.#spentMs += this.#clock.now() - startedAt;
      if (this.#spentMs >= TURN_MS) this.#renew();
    }
  }

  /** Those who wait come one after another; what each does is to be counted by `spend`. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#renew();
  }

  /**
   * The result, at once or in a later turn.
   *
   * @param signal nobody waits for it any more: rejects with its reason
   */
  run<Result>(work: () => Result, signal?: AbortSignal): Result | Promise<Result> {
    if (!this.isOver) return this.spend(work);
    return new Promise((resolve, reject) => {
      this.later(() => {
        if (signal?.aborted === true) return reject(signal.reason);
        try {
          resolve(this.spend(work));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** A turn for what goes on by itself: it will take about `costMs`. Rejects as `run` does. */
  async turn(costMs: number, signal?: AbortSignal): Promise<void> {
    await this.begin(costMs, signal);
  }

  /** As `turn`, for what is asked most. @returns undefined: it may go on at once */
  begin(costMs: number, signal?: AbortSignal): Promise<void> | undefined {
    if (this.isOver) return this.#turnLater(costMs, signal);
    this.#take(costMs);
    return undefined;
  }

  async #turnLater(costMs: number, signal?: AbortSignal): Promise<void> {
    await this.run(() => this.#take(costMs), signal);
  }

  #take(costMs: number): void {
    this.#spentMs += costMs;
    if (this.#spentMs >= TURN_MS) this.#renew();
  }

  #renew(): void {
    if (this.#renewing) return;
    this.#renewing = true;
    afterThisTurn(() => {
      this.#renewing = false;
      this.#spentMs = 0;
      this.#next();
    });
  }

  /** Whoever waits again meanwhile comes behind all the others. */
  #next(): void {
    const due = this.#waiting;
    this.#waiting = [];
    let done = 0;
    while (done < due.length && this.#spentMs < TURN_MS) due[done++]?.();
    if (done < due.length) this.#waiting = [...due.slice(done), ...this.#waiting];
    if (this.#waiting.length > 0) this.#renew();
  }
}
