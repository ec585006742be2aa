/** The log that is not compacted away, in memory; the disk has the same. */
import type { LogEntry, SnapshotMeta } from "./message.ts";

/** The same one each time: who says nothing twice is seen to. */
const NO_ENTRIES: readonly LogEntry[] = [];

export class RaftLog {
  /** The entry before the first one here. */
  #baseIndex: number;
  #baseTerm: number;
  #entries: LogEntry[];
  #snapshot: SnapshotMeta | undefined;

  /** @param entries without a gap; may begin before the snapshot's end */
  constructor(entries: readonly LogEntry[], snapshot: SnapshotMeta | undefined) {
    const last = entries.at(-1);
    // A crash between a leader's snapshot and the end of the old log: the snapshot counts.
    const stale = snapshot !== undefined && last !== undefined && last.index < snapshot.index;
    const atEnd = entries.find((one) => one.index === snapshot?.index);
    const other = atEnd !== undefined && atEnd.term !== snapshot?.term;
    this.#entries = stale || other ? [] : [...entries];
    const first = this.#entries[0];
    this.#snapshot = snapshot;
    const follows = first !== undefined && first.index === (snapshot?.index ?? 0) + 1;
    this.#baseIndex = first === undefined ? (snapshot?.index ?? 0) : first.index - 1;
    this.#baseTerm = first === undefined || follows ? (snapshot?.term ?? 0) : 0;
  }

  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  get firstIndex(): number {
    return this.#baseIndex + 1;
  }

  get lastIndex(): number {
    return Math.max(this.#baseIndex + this.#entries.length, this.#snapshot?.index ?? 0);
  }

  get lastTerm(): number {
    return this.term(this.lastIndex) ?? 0;
  }

  entry(index: number): LogEntry | undefined {
    return this.#entries[index - this.#baseIndex - 1];
  }

  /** undefined: compacted away, or not there yet. 0 before the first entry of all. */
  term(index: number): number | undefined {
    if (index === 0) return 0;
    const entry = this.entry(index);
    if (entry !== undefined) return entry.term;
    if (index === this.#snapshot?.index) return this.#snapshot.term;
    return index === this.#baseIndex && this.#baseTerm > 0 ? this.#baseTerm : undefined;
  }

  /** At most `max` from `index` on. */
  slice(index: number, max: number): readonly LogEntry[] {
    const from = index - this.#baseIndex - 1;
    return from < 0 || from >= this.#entries.length
      ? NO_ENTRIES
      : this.#entries.slice(from, from + max);
  }

  /** What one call carries from `index` on: one entry at least, however large it is. */
  batch(index: number, entriesMax: number, bytesMax: number): readonly LogEntry[] {
    const entries = this.slice(index, entriesMax);
    let bytes = 0;
    const tooMuch = entries.findIndex(({ data }, i) => {
      bytes += data.length;
      return i > 0 && bytes > bytesMax;
    });
    return tooMuch < 0 ? entries : entries.slice(0, tooMuch);
  }

  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.lastIndex + 1) {
        throw new Error(`log gap: ${entry.index} behind ${this.lastIndex}`);
      }
      if (this.#entries.length === 0) {
        this.#baseTerm = this.term(entry.index - 1) ?? 0;
        this.#baseIndex = entry.index - 1;
      }
      this.#entries.push(entry);
    }
  }

  /** Takes the entries from `index` on out. */
  truncate(index: number): void {
    this.#entries.length = Math.max(0, index - this.#baseIndex - 1);
  }

  /** A snapshot of our own stands for everything up to its index; some entries stay. */
  compact(meta: SnapshotMeta, trailing: number): number {
    this.#snapshot = meta;
    const upTo = Math.min(meta.index, this.lastIndex - trailing);
    if (upTo <= this.#baseIndex) return this.#baseIndex;
    const term = this.term(upTo) ?? 0;
    this.#entries.splice(0, upTo - this.#baseIndex);
    this.#baseIndex = upTo;
    this.#baseTerm = term;
    return upTo;
  }

  /** A leader's snapshot: nothing before its index is known any more. */
  restore(meta: SnapshotMeta, keepsLog: boolean): void {
    this.#entries = keepsLog ? [...this.slice(meta.index + 1, this.#entries.length)] : [];
    this.#snapshot = meta;
    this.#baseIndex = meta.index;
    this.#baseTerm = meta.term;
  }
}
