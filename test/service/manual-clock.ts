/** Time that passes when a test says so. */
import type { Clock } from "../../src/host/host.ts";

export class ManualClock implements Clock {
  #now = 0;
  readonly #due: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  /** How many are armed. */
  get timers(): number {
    return this.#due.length;
  }

  wallMs(): number {
    return 1_800_000_000_000 + this.#now;
  }

  schedule(at: number, run: () => void): () => void {
    const entry = { at, run };
    this.#due.push(entry);
    return () => {
      const index = this.#due.indexOf(entry);
      if (index >= 0) this.#due.splice(index, 1);
    };
  }

  /** Time goes by and nothing runs: a long stretch of work, or a machine that stood still. */
  stall(ms: number): void {
    this.#now += ms;
  }

  /** Runs what falls due on the way, in order, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due.splice(this.#due.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
  }
}

/** Everything that can go on without time does. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
