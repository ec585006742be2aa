/** Offsets in a file as line and column, for people: both from 1, columns in characters. */
import type { Position } from "./problem.ts";

export class SourceText {
  readonly file: string;
  readonly text: string;
  readonly #lineStarts: readonly number[];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  at(offset: number, length = 1): Position {
    let line = this.#lineStarts.findLastIndex((start) => start <= offset);
    if (line < 0) line = 0;
    const column = offset - (this.#lineStarts[line] ?? 0) + 1;
    return { file: this.file, line: line + 1, column, length: Math.max(1, length) };
  }

  lines(): readonly string[] {
    return this.text.split(/\r?\n/);
  }

  /** The file as a whole. */
  whole(): Position {
    return { file: this.file, line: 0, column: 0, length: 1 };
  }
}
