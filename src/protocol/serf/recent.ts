/**
 * What was seen lately, in a ring of Lamport times: slot = time mod size (wire/gossip.md §10.6).
 *
 * @module
 */
import type { LTime } from "./message.ts";

interface Slot<T> {
  readonly lTime: LTime;
  readonly seen: T[];
}

export class RecentByTime<T> {
  readonly #slots: (Slot<T> | null)[];
  readonly #same: (a: T, b: T) => boolean;
  #timeMin: LTime = 0n;

  constructor(size: number, same: (a: T, b: T) => boolean) {
    this.#slots = new Array<Slot<T> | null>(size).fill(null);
    this.#same = same;
  }

  /** Everything before it is old news. */
  raiseMinimum(lTime: LTime): void {
    if (lTime > this.#timeMin) this.#timeMin = lTime;
  }

  /** @returns true if this is the first time; `clock` is the current time of its clock */
  note(lTime: LTime, item: T, clock: LTime): boolean {
    const size = BigInt(this.#slots.length);
    if (lTime < this.#timeMin) return false;
    if (clock > size && lTime < clock - size) return false;
    const index = Number(lTime % size);
    const slot = this.#slots[index] ?? null;
    if (slot !== null && slot.lTime === lTime) {
      if (slot.seen.some((known) => this.#same(known, item))) return false;
      slot.seen.push(item);
      return true;
    }
    this.#slots[index] = { lTime, seen: [item] };
    return true;
  }

  slots(): readonly ({ readonly lTime: LTime; readonly seen: readonly T[] } | null)[] {
    return this.#slots;
  }
}
