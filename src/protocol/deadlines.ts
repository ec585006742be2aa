/**
 * Keyed deadlines: each key at most once, the earliest on top.
 *
 * Every machine owns one and shows only its top, so the caller arms a single timer and there are no
 * stale timers, tokens or cancellations to get wrong (quinn-proto's `timer.rs` has the same idea).
 *
 * @module
 */
import type { Instant } from "./ports.ts";

interface Entry {
  readonly key: string;
  at: Instant;
  /** Order of equal instants: first set, first due. */
  order: number;
  index: number;
}

export class Deadlines {
  readonly #heap: Entry[] = [];
  readonly #byKey = new Map<string, Entry>();
  #orderNext = 0;

  /** Sets or moves the deadline of `key`. */
  set(key: string, at: Instant): void {
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      known.at = at;
      known.order = this.#orderNext++;
      this.#down(this.#up(known.index));
      return;
    }
    const entry: Entry = { key, at, order: this.#orderNext++, index: this.#heap.length };
    this.#heap.push(entry);
    this.#byKey.set(key, entry);
    this.#up(entry.index);
  }

  clear(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    last.index = entry.index;
    this.#heap[entry.index] = last;
    this.#down(this.#up(last.index));
  }

  get size(): number {
    return this.#heap.length;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** The earliest deadline, if any. */
  next(): Instant | undefined {
    return this.#heap[0]?.at;
  }

  /** Takes the earliest key that is due at `now`; call until undefined. */
  due(now: Instant): string | undefined {
    const top = this.#heap[0];
    if (top === undefined || top.at > now) return undefined;
    this.clear(top.key);
    return top.key;
  }

  #up(from: number): number {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) break;
      this.#swap(index, parent);
      index = parent;
    }
    return index;
  }

  #down(from: number): void {
    let index = from;
    for (;;) {
      const left = index * 2 + 1;
      let first = index;
      if (this.#before(left, first)) first = left;
      if (this.#before(left + 1, first)) first = left + 1;
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }

  #before(index: number, other: number): boolean {
    const a = this.#heap[index];
    const b = this.#heap[other];
    if (a === undefined || b === undefined) return false;
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(index: number, other: number): void {
    const a = this.#heap[index];
    const b = this.#heap[other];
    if (a === undefined || b === undefined) return;
    this.#heap[index] = b;
    this.#heap[other] = a;
    a.index = other;
    b.index = index;
  }
}
