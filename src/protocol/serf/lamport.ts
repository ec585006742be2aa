/** A Lamport clock (wire/gossip.md §10.2): starts at 1, moves past whatever it witnesses. */
import { Headroom, type HeadroomLimits } from "../headroom.ts";
import type { Instant } from "../ports.ts";
import type { LTime } from "./message.ts";

/** Go's counter is an unsigned 64-bit integer; one more wraps to 0. */
const MASK = 0xffff_ffff_ffff_ffffn;
/**
 * Who joins learns in one step what the cluster's clock says, after however many years; from then
 * on a message moves it by one. At this pace the end of the range is half a million years away.
 */
const AHEAD: HeadroomLimits = { max: 2 ** 40, perSecond: 2 ** 20 };

export class LamportClock {
  readonly #now: (() => Instant) | undefined;
  #headroom: Headroom | undefined;
  #time: LTime = 1n;

  /** @param now undefined: it believes everything, as the real one does */
  constructor(now?: () => Instant) {
    this.#now = now;
  }

  time(): LTime {
    return this.#time;
  }

  increment(): LTime {
    this.#time = (this.#time + 1n) & MASK;
    return this.#time;
  }

  /** @returns false if no honest node's clock can say so; nothing has moved then */
  witness(seen: LTime): boolean {
    if (seen < this.#time) return true;
    if (!this.#plausible(seen)) return false;
    this.#time = (seen + 1n) & MASK;
    return true;
  }

  #plausible(seen: LTime): boolean {
    if (this.#now === undefined) return true;
    const now = this.#now();
    this.#headroom ??= new Headroom(AHEAD, now);
    return this.#headroom.take(Number(seen - this.#time), now);
  }
}
