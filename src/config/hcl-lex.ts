/**
 * The words of HCL 1, the dialect that Nomad reads its agent's files in (hcl2-parser reads HCL 2):
 * what a key, a number, a string, a heredoc and a comment are there. Escapes are only respelled as
 * HCL 2 has them; what they mean is for the parser to say.
 *
 * @module
 */
import type { Fault, Span } from "./outline.ts";

export type Token =
  | (Span & { readonly type: "word" | "number"; readonly text: string })
  | (Span & Text & { readonly type: "text" | "heredoc" })
  | (Span & { readonly type: "{" | "}" | "[" | "]" | "=" | "," | "end" })
  | (Fault & { readonly type: "fault" });

interface Text {
  /** The value, unless there are `pieces`. */
  readonly text: string;
  /** Of a string with escapes: plain text and, in every second place, an escape as HCL 2 has it. */
  readonly pieces: readonly string[] | undefined;
  readonly interpolationAt: number | undefined;
}

const BLANK = /[ \t\r\n]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const WORD = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const NUMBER = /-?0[xX][0-9a-fA-F]+|-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+/y;
const MORE = /[\p{L}\p{N}_.]+/uy;
/** By far most strings: nothing in them needs a second look. */
const PLAIN_STRING = /"[^"\\$\n]*"/y;
const ESCAPE = /^\\(?:[abfnrtv\\"]|[0-7]{3}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8})/;
const HEREDOC = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy;

export class HclLexer {
  readonly #source: string;
  #at = 0;

  /** @param source valid text without NUL; a byte order mark is passed over */
  constructor(source: string) {
    this.#source = source;
    if (source.startsWith("\uFEFF")) this.#at = 1;
  }

  next(): Token {
    while (this.#match(BLANK) !== undefined);
    const at = this.#at;
    const char = this.#source[at];
    switch (char) {
      case undefined:
        return { type: "end", at, length: 1 };
      case "{":
      case "}":
      case "[":
      case "]":
      case "=":
      case ",":
        this.#at += 1;
        return { type: char, at, length: 1 };
      case '"':
        return this.#string();
      case "<":
        return this.#heredoc();
      default:
        return this.#bare(at);
    }
  }

  #bare(at: number): Token {
    const word = this.#match(WORD);
    if (word !== undefined) return { type: "word", text: word, at, length: word.length };
    const number = this.#match(NUMBER);
    return number === undefined ? strange(this.#source, at) : this.#number(number, at);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0];
  }

  #number(text: string, at: number): Token {
    const more = this.#match(MORE);
    if (more !== undefined) {
      const message = "a number with something behind it";
      return fault(at, text.length + more.length, message, "put it into double quotes");
    }
    if (/^-?0\d*[89]\d*$/.test(text)) {
      const message = "a number that starts with a zero is octal, and has no digit 8 or 9";
      return fault(at, text.length, message, "leave the zero out");
    }
    return { type: "number", text, at, length: text.length };
  }

  #string(): Token {
    const at = this.#at;
    const plain = this.#match(PLAIN_STRING);
    if (plain !== undefined) {
      const { length } = plain;
      return text(plain.slice(1, -1), undefined, undefined, { at, length });
    }
    const reader = new StringReader(this.#source, at + 1);
    const wrong = reader.read();
    if (wrong !== undefined) return { type: "fault", ...wrong };
    this.#at = reader.at;
    const span = { at, length: this.#at - at };
    const raw = this.#source.slice(at + 1, this.#at - 1).replaceAll("\r\n", "\n");
    const pieces = reader.pieces.length > 1 ? reader.pieces : undefined;
    return text(raw, pieces, reader.interpolationAt, span);
  }

  #heredoc(): Token {
    const at = this.#at;
    HEREDOC.lastIndex = at;
    const opening = HEREDOC.exec(this.#source);
    if (opening === null) {
      const message = "a heredoc is <<WORD (or <<-WORD) with its text on the next lines";
      return fault(at, 2, message);
    }
    const [head, dash, word = ""] = opening;
    const start = at + head.length;
    // HCL 1 takes the dash for a part of the word when it compares lengths: some indent it must be.
    const closing = new RegExp(`^[ \\t]${dash === "" ? "*" : "+"}${word}\\r*$`, "gm");
    closing.lastIndex = start;
    // The line of the closing word ends with a newline, not with the file.
    let end = closing.exec(this.#source);
    while (end !== null && this.#source[end.index + end[0].length] !== "\n") {
      end = closing.exec(this.#source);
    }
    if (end === null) {
      const message = "a heredoc without an end";
      // Without its end of the line, a secret may be a part of the word.
      const shown = /^[A-Z]{1,8}$/.test(word) ? word : "that word";
      const help = `close it with a line that has only ${shown} in it${dash === "" ? "" : ", indented"}`;
      return fault(at, head.trimEnd().length, message, help);
    }
    this.#at = end.index + end[0].length + 1;
    const lines = this.#source.slice(start, end.index).replaceAll("\r\n", "\n");
    const indent = /^[ \t]*/.exec(end[0])?.[0] ?? "";
    const value = dash === "" ? lines + indent : withoutIndent(lines, indent);
    const { length } = head.trimEnd();
    const [pieces, interpolationAt] = [undefined, undefined];
    return { type: "heredoc", text: value, pieces, interpolationAt, at, length };
  }
}

/** A quoted string with something in it that needs a look: an escape, or a `${ }`. */
class StringReader {
  readonly pieces: string[] = [];
  interpolationAt: number | undefined;
  at: number;
  readonly #source: string;
  #braces = 0;
  /** Where the plain text begins that is being read. */
  #from: number;

  /** @param at behind the opening quote */
  constructor(source: string, at: number) {
    this.#source = source;
    this.at = at;
    this.#from = at;
  }

  /** Up to and with the closing quote. Within `${ }` there are no quotes and no escapes. */
  read(): Fault | undefined {
    const start = this.at - 1;
    for (;;) {
      const char = this.#source[this.at];
      if (char === undefined || (char === "\n" && this.#braces === 0)) {
        const message = "a string without an end: its closing quote is missing on this line";
        return { message, at: start, length: this.at - start };
      }
      if (char === '"' && this.#braces === 0) break;
      if (char === "\\") {
        const wrong = this.#escape();
        if (wrong !== undefined) return wrong;
        continue;
      }
      this.#count(char);
      this.at += 1;
    }
    this.pieces.push(this.#plain());
    this.at += 1;
    return undefined;
  }

  /** What was read since the last escape. */
  #plain(): string {
    return this.#source.slice(this.#from, this.at).replaceAll("\r\n", "\n");
  }

  #count(char: string): void {
    if (char === "{" && (this.#braces > 0 || this.#source[this.at - 1] === "$")) {
      if (this.#braces === 0 && this.#source[this.at - 2] !== "$") {
        this.interpolationAt ??= this.at - 1;
      }
      this.#braces += 1;
    } else if (char === "}" && this.#braces > 0) this.#braces -= 1;
  }

  #escape(): Fault | undefined {
    const rest = this.#source.slice(this.at, this.at + 10);
    const match = ESCAPE.exec(rest);
    const [found] = match ?? [];
    const spelling = found === undefined ? undefined : spellEscape(found);
    if (found === undefined || spelling === undefined) {
      const message = `a backslash begins an escape, and there is no such escape`;
      return { message, at: this.at, length: 2, help: "write \\\\ for a backslash" };
    }
    if (this.#braces === 0) this.pieces.push(this.#plain(), spelling);
    this.at += found.length;
    if (this.#braces === 0) this.#from = this.at;
    return undefined;
  }
}

const SPELLED: Readonly<Record<string, string>> = {
  "\\a": "\\u0007",
  "\\b": "\\u0008",
  "\\f": "\\u000c",
  "\\v": "\\u000b",
};

/** HCL 2 knows the escapes `\n \r \t \" \\ \u \U` and no others. */
function spellEscape(written: string): string | undefined {
  const known = SPELLED[written];
  if (known !== undefined) return known;
  if (/^\\[nrt"\\]$/.test(written)) return written;
  const kind = written[1] ?? "";
  if (!/[0-7xuU]/.test(kind)) return undefined;
  const octal = /[0-7]/.test(kind);
  const code = octal ? Number.parseInt(written.slice(1), 8) : Number.parseInt(written.slice(2), 16);
  const bytes = octal || kind === "x";
  if (code > (bytes ? 0xff : 0x10_ffff)) return undefined;
  if (code >= 0xd800 && code <= 0xdfff) return "\\ufffd";
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** `<<-`: the indent of the closing word goes, where every line has it. */
function withoutIndent(lines: string, indent: string): string {
  const all = lines.split("\n").slice(0, -1);
  if (!all.every((line) => line.startsWith(indent))) return lines;
  return all.map((line) => `${line.slice(indent.length)}\n`).join("");
}

function strange(source: string, at: number): Token {
  const char = String.fromCodePoint(source.codePointAt(at) ?? 0);
  const { length } = char;
  switch (char) {
    case "'":
      return fault(at, length, "Invalid character: strings have double quotes, not single ones");
    case "/":
      return fault(at, length, "Invalid character: a comment that never ends, or a stray slash");
    case ":":
      return fault(at, length, "Invalid character", 'a key and its value have "=" between them');
    case ";":
      return fault(at, length, "Invalid character", "arguments are apart by a space or a new line");
    default:
      return fault(at, length, "Invalid character", "strings stand in double quotes");
  }
}

function text(
  value: string,
  pieces: readonly string[] | undefined,
  interpolationAt: number | undefined,
  span: Span,
): Token {
  return { type: "text", text: value, pieces, interpolationAt, ...span };
}

function fault(at: number, length: number, message: string, help?: string): Token {
  return { type: "fault", at, length, message, help };
}
