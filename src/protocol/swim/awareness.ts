/** Local health score of Lifeguard (§IV-A): 0 is healthy; slows our own probing when we are not. */
export class Awareness {
  readonly #max: number;
  #score = 0;

  /** @param max scores stay below it */
  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  apply(delta: number): void {
    this.#score = Math.min(Math.max(this.#score + delta, 0), Math.max(0, this.#max - 1));
  }

  scale(timeMs: number): number {
    return timeMs * (this.#score + 1);
  }
}
