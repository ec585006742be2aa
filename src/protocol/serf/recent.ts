/**
 * What was seen lately, in a ring of Lamport times: slot = time mod size (wire/gossip.md §10.6).
 *
 * A peer chooses the times and what comes with them, so a slot holds a limited number of things,
 * and all slots together a limited number of bytes: the oldest make room, and count as long past.
 *
 * @module
 */
import type { LTime } from "./message.ts";

interface Slot<T> {
  readonly lTime: LTime;
  readonly seen: T[];
  bytes: number;
}

interface RecentInit<T> {
  /** Lamport times that are remembered. */
  readonly size: number;
  readonly same: (a: T, b: T) => boolean;
  readonly bytesOf: (item: T) => number;
  readonly perTimeMax: number;
  readonly bytesMax: number;
}

/** News; seen before or too old; or one more than is kept of its time. */
type Noted = "news" | "old" | "too-many";

export class RecentByTime<T> {
  readonly #init: RecentInit<T>;
  readonly #slots: (Slot<T> | null)[];
  #timeMin: LTime = 0n;
  #bytes = 0;

  constructor(init: RecentInit<T>) {
    this.#init = init;
    this.#slots = new Array<Slot<T> | null>(init.size).fill(null);
  }

  /** Everything before it is old news. */
  raiseMinimum(lTime: LTime): void {
    if (lTime > this.#timeMin) this.#timeMin = lTime;
  }

  /** @param clock the current time of its clock */
  note(lTime: LTime, item: T, clock: LTime): Noted {
    const { same, bytesOf, perTimeMax, bytesMax } = this.#init;
    const size = BigInt(this.#slots.length);
    if (lTime < this.#timeMin) return "old";
    if (clock > size && lTime < clock - size) return "old";
    const index = Number(lTime % size);
    let slot = this.#slots[index] ?? null;
    if (slot?.lTime !== lTime) {
      this.#empty(index);
      slot = { lTime, seen: [], bytes: 0 };
      this.#slots[index] = slot;
    }
    if (slot.seen.some((known) => same(known, item))) return "old";
    if (slot.seen.length >= perTimeMax) return "too-many";
    const bytes = bytesOf(item);
    slot.seen.push(item);
    slot.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > bytesMax) this.#forgetOldest();
    return "news";
  }

  slots(): readonly ({ readonly lTime: LTime; readonly seen: readonly T[] } | null)[] {
    return this.#slots;
  }

  #forgetOldest(): void {
    let oldest: LTime | undefined;
    for (const slot of this.#slots) {
      if (slot !== null && (oldest === undefined || slot.lTime < oldest)) oldest = slot.lTime;
    }
    if (oldest === undefined) return;
    this.#empty(Number(oldest % BigInt(this.#slots.length)));
    this.raiseMinimum(oldest + 1n);
  }

  #empty(index: number): void {
    this.#bytes -= this.#slots[index]?.bytes ?? 0;
    this.#slots[index] = null;
  }
}
