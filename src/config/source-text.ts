/**
 * A file's text, and offsets in it as line and column for people: both from 1, columns in
 * characters.
 *
 * @module
 */
import type { Fault } from "./outline.ts";
import type { Position } from "./problem.ts";

export class SourceText {
  readonly file: string;
  readonly text: string;
  #lineStarts: readonly number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** @param offset below 0: the file as a whole */
  at(offset: number, length = 1): Position {
    if (offset < 0) return this.whole();
    const starts = this.#starts();
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const before = this.text.slice(starts[low] ?? 0, offset);
    const column = characters(before) + 1;
    const shown = this.text.slice(offset, offset + length).split("\n")[0] ?? "";
    return { file: this.file, line: low + 1, column, length: Math.max(1, characters(shown)) };
  }

  /** @param number from 1 */
  line(number: number): string | undefined {
    const starts = this.#starts();
    const start = starts[number - 1];
    if (start === undefined) return undefined;
    const end = starts[number];
    return this.text.slice(start, end === undefined ? undefined : end - 1).replace(/\r$/, "");
  }

  /** The file as a whole. */
  whole(): Position {
    return { file: this.file, line: 0, column: 0, length: 1 };
  }

  #starts(): readonly number[] {
    if (this.#lineStarts !== undefined) return this.#lineStarts;
    const starts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) {
      starts.push(at + 1);
    }
    this.#lineStarts = starts;
    return starts;
  }
}

/** Text of a file's bytes. @returns the fault with its place, and what is readable of the text */
export function decodeText(bytes: Uint8Array): { readonly text: string; readonly fault?: Fault } {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    const message = "a null character: a configuration is text";
    return { text, fault: { at: nul, length: 1, message } };
  }
  if (!text.includes("\uFFFD")) return { text };
  // Somebody may have meant the replacement character: what is the same again was valid.
  const same = new TextEncoder().encode(text);
  const wrong = same.findIndex((byte, i) => byte !== bytes[i]);
  if (wrong < 0 && same.length === bytes.length) return { text };
  const at = new TextDecoder("utf-8", { ignoreBOM: true }).decode(same.subarray(0, wrong)).length;
  const message = "bytes that are not UTF-8: a configuration is text in UTF-8";
  return { text, fault: { at, length: 1, message } };
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
