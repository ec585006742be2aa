/**
 * Text that came over the wire, without losing a byte.
 *
 * Names and tags are byte strings in Go: usually UTF-8, but nothing enforces it, and two names that
 * differ in one invalid byte are different nodes. So bytes that are not UTF-8 travel through our
 * strings as lone surrogates U+DC80..U+DCFF (the "surrogateescape" idea of PEP 383) and come out as
 * the bytes they were.
 *
 * @module
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const ESCAPE_BASE = 0xdc00;

/** Bytes to a string; every byte string has exactly one, see the module text. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

/** The inverse of {@link decodeText}. */
export function encodeText(text: string): Uint8Array {
  if (!hasEscapes(text)) return encoder.encode(text);
  const out: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff) out.push(code - ESCAPE_BASE);
    else out.push(...encoder.encode(char));
  }
  return Uint8Array.from(out);
}

/** For people and JSON: what is not UTF-8 shows as U+FFFD. */
export function printable(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

function hasEscapes(text: string): boolean {
  return !text.isWellFormed();
}

/** Greedy: the longest valid UTF-8 run, then one escaped byte, and so on. */
function decodeEscaped(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0));
      at += 1;
    } else {
      text += strict.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}
