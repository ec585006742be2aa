/**
 * Text that somebody else may have chosen, for a terminal or a log: what would move the cursor,
 * hide or turn text around, or begin a line of its own is shown as its escape. Escapes are those of
 * JSON, so that a text in JSON stays one.
 *
 * @module
 */

/** Controls (C0, DEL, C1), the separators of lines and paragraphs, and what turns text around. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** In one line. */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** In the lines and columns that the text has. */
export function visibleLines(text: string): string {
  return text.replace(UNSEEN, (char) => (char === "\n" || char === "\t" ? char : escaped(char)));
}

function escaped(char: string): string {
  return SHORT[char] ?? `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
}
