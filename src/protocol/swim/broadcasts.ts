/**
 * Transmit-limited broadcasts (wire/gossip.md §9): the least often sent first, then the longest,
 * then the newest; each goes out a number of times that grows with the logarithm of the cluster.
 *
 * @module
 */
import { retransmitLimit } from "./formulas.ts";

/** What became of a queued message; "finished" also when something newer took its place. */
export interface BroadcastHandle {
  readonly finished: boolean;
}

interface Entry<T> {
  readonly message: T;
  readonly bytes: number;
  readonly name: string | undefined;
  readonly id: number;
  transmits: number;
  finished: boolean;
}

interface BroadcastsInit<T> {
  readonly mult: number;
  readonly nodes: () => number;
  readonly sizeOf: (message: T) => number;
  /** A longer message fits no packet: it would wait for ever, and is not queued. */
  readonly bytesMax?: number;
  /** At once; what is beyond it goes as `prune` picks it. */
  readonly lengthMax?: number;
}

export class Broadcasts<T> {
  readonly #init: BroadcastsInit<T>;
  /** Index: transmits so far. Each tier is sorted by length, then age, longest and newest first. */
  readonly #tiers: Entry<T>[][] = [];
  readonly #named = new Map<string, Entry<T>>();
  #idNext = 1;
  #length = 0;

  constructor(init: BroadcastsInit<T>) {
    this.#init = init;
  }

  get length(): number {
    return this.#length;
  }

  /** @param name replaces the queued message of that name; undefined never replaces */
  queue(message: T, name?: string): BroadcastHandle {
    if (name !== undefined) {
      const old = this.#named.get(name);
      if (old !== undefined) this.#finish(old);
    }
    const id = this.#idNext++;
    const { sizeOf, bytesMax, lengthMax } = this.#init;
    const bytes = sizeOf(message);
    if (bytesMax !== undefined && bytes > bytesMax) return { finished: true };
    const entry: Entry<T> = { message, bytes, name, id, transmits: 0, finished: false };
    if (name !== undefined) this.#named.set(name, entry);
    this.#insert(entry);
    if (lengthMax !== undefined) this.prune(lengthMax);
    return entry;
  }

  /**
   * Takes what fits: each message costs its bytes plus `overheadBytes`.
   * Counts the transmission; a message that reached the limit is gone.
   */
  take(overheadBytes: number, limitBytes: number): T[] {
    const taken: Entry<T>[] = [];
    let used = 0;
    for (let tier = 0; tier < this.#tiers.length; tier++) {
      const entries = this.#tiers[tier] ?? [];
      for (;;) {
        const free = limitBytes - used - overheadBytes;
        if (free <= 0) break;
        const index = firstThatFits(entries, free);
        const entry = entries[index];
        if (entry === undefined) break;
        entries.splice(index, 1);
        this.#length -= 1;
        used += entry.bytes + overheadBytes;
        taken.push(entry);
      }
    }
    const limit = retransmitLimit(this.#init.mult, this.#init.nodes());
    for (const entry of taken) {
      entry.transmits += 1;
      if (entry.transmits < limit) this.#insert(entry);
      else this.#forget(entry);
    }
    return taken.map((entry) => entry.message);
  }

  /** Drops from the other end (most sent, shortest, oldest) until `lengthMax` are left. */
  prune(lengthMax: number): void {
    for (let tier = this.#tiers.length - 1; tier >= 0 && this.#length > lengthMax; tier--) {
      const entries = this.#tiers[tier] ?? [];
      while (this.#length > lengthMax) {
        const entry = entries.at(-1);
        if (entry === undefined) break;
        this.#finish(entry);
      }
    }
  }

  #insert(entry: Entry<T>): void {
    while (this.#tiers.length <= entry.transmits) this.#tiers.push([]);
    const entries = this.#tiers[entry.transmits] ?? [];
    entries.splice(position(entries, entry), 0, entry);
    this.#length += 1;
  }

  #finish(entry: Entry<T>): void {
    const entries = this.#tiers[entry.transmits] ?? [];
    const index = position(entries, entry);
    if (entries[index] === entry) {
      entries.splice(index, 1);
      this.#length -= 1;
    }
    this.#forget(entry);
  }

  #forget(entry: Entry<T>): void {
    entry.finished = true;
    if (entry.name !== undefined && this.#named.get(entry.name) === entry) {
      this.#named.delete(entry.name);
    }
  }
}

/** Binary search in a tier: where `entry` is, or belongs. */
function position<T>(entries: readonly Entry<T>[], entry: Entry<T>): number {
  return lowerBound(entries, (other) => {
    return other.bytes > entry.bytes || (other.bytes === entry.bytes && other.id > entry.id);
  });
}

function firstThatFits<T>(entries: readonly Entry<T>[], bytesMax: number): number {
  return lowerBound(entries, (entry) => entry.bytes > bytesMax);
}

function lowerBound<T>(
  entries: readonly Entry<T>[],
  isBefore: (entry: Entry<T>) => boolean,
): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && isBefore(entry)) low = middle + 1;
    else high = middle;
  }
  return low;
}
