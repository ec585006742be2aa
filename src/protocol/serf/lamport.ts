/** A Lamport clock (wire/gossip.md §10.2): starts at 1, moves past whatever it witnesses. */
import type { LTime } from "./message.ts";

/** Go's counter is an unsigned 64-bit integer; one more wraps to 0. */
const MASK = 0xffff_ffff_ffff_ffffn;

export class LamportClock {
  #time: LTime = 1n;

  time(): LTime {
    return this.#time;
  }

  increment(): LTime {
    this.#time = (this.#time + 1n) & MASK;
    return this.#time;
  }

  witness(seen: LTime): void {
    if (seen >= this.#time) this.#time = (seen + 1n) & MASK;
  }
}
