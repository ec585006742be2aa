/**
 * msgpack values off a stream without framing: where each ends is found as its bytes come, so that
 * nothing is decoded before it is whole, and nothing twice.
 *
 * @module
 */
import { ValueScanner } from "../wire/msgpack-scan.ts";
import { ByteQueue } from "./byte-queue.ts";

export class ValueQueue {
  readonly #queue = new ByteQueue();
  readonly #scanner = new ValueScanner();
  /** Bytes that were looked at. */
  #at = 0;
  /** Where the values end that were found. */
  #ends: number[] = [];

  get length(): number {
    return this.#queue.length;
  }

  /**
   * Nothing has been looked at since the last value: whoever expects a short one whole may try it
   * once, before it is gone through byte by byte.
   */
  get isFresh(): boolean {
    return this.#at === 0;
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  /** How many bytes the first `count` values that wait take together. */
  end(count: number): number | "more" | "malformed" {
    if (this.#ends.length >= count) return this.#ends[count - 1] ?? 0;
    const bytes = this.#queue.peek();
    while (this.#ends.length < count) {
      this.#at = this.#scanner.read(bytes, this.#at);
      if (this.#scanner.bad) return "malformed";
      if (!this.#scanner.done) return "more";
      this.#ends.push(this.#at);
      this.#scanner.reset();
    }
    return this.#at;
  }

  /** What the value that is coming will take at least, those before it included. */
  get needed(): number {
    return this.#at + this.#scanner.missing;
  }

  /** Everything, as a view that is good until the next `push`. */
  peek(): Uint8Array {
    return this.#queue.peek();
  }

  /** What is behind `bytes` begins with a new value. */
  drop(bytes: number): void {
    this.#queue.drop(bytes);
    this.#scanner.reset();
    this.#at = 0;
    this.#ends = [];
  }
}
