/**
 * The words of a Go text/template: text outside of `{{ }}`, and tokens inside, with the spaces that
 * `{{-` and `-}}` take away already gone.
 *
 * @module
 */

export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** Where in the source; undefined: not known, or nowhere. */
  at: number | undefined;
  /** Of an error while it is executed: the part of the source that Go names. */
  part: string | undefined;

  constructor(message: string, at?: number) {
    super(message);
    this.at = at;
  }
}

export type Token = TokenKind & Place;

/** Offsets in the source; the second is behind the last character. */
export interface Place {
  readonly at: number;
  readonly end: number;
}

type TokenKind =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "open" | "close" }
  /** An identifier or a keyword. */
  | { readonly kind: "word"; readonly text: string }
  /** `.Name`, without the dot. */
  | { readonly kind: "field"; readonly text: string; readonly glued: boolean }
  /** `$name`, with the dollar. */
  | { readonly kind: "variable"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly value: number }
  /** `.` `|` `(` `)` `:=` `=` `,` */
  | { readonly kind: "sign"; readonly text: string };

const WHITE = /[ \t\r\n]/;

/** @throws TemplateError */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trim = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? undefined : open);
    const place = { at, end: at + text.length };
    if (trim) text = text.replace(/^[ \t\r\n]+/, "");
    if (open < 0) {
      if (text !== "") tokens.push({ kind: "text", text, ...place });
      return tokens;
    }
    let inside = open + 2;
    if (source[inside] === "-" && WHITE.test(source[inside + 1] ?? "")) {
      text = text.replace(/[ \t\r\n]+$/, "");
      inside += 2;
    }
    if (text !== "") tokens.push({ kind: "text", text, ...place });
    const action = new Action(source, inside);
    tokens.push(...action.read());
    ({ end: at, trim } = action);
  }
}

/** Signs of two characters first. */
const SIGNS = [":=", "=", "|", "(", ")", ","];
const WORD = /[\p{L}\p{Nd}_]+/uy;
const NUMBER = new RegExp(
  `[+-]?(?:${[
    ...["0[xX][\\da-fA-F_]+", "0[oO][0-7_]+", "0[bB][01_]+"],
    "(?:\\d[\\d_]*(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?",
  ].join("|")})(?![\\p{L}\\p{Nd}_])`,
  "uy",
);

/** A 0 in front is octal, as in Go. */
function numberOf(text: string): number {
  const octal = /^([+-]?)0([0-7]+)$/.exec(text);
  if (octal === null) return Number(text);
  const value = Number.parseInt(octal[2] ?? "", 8);
  return octal[1] === "-" ? -value : value;
}

class Action {
  readonly #source: string;
  #at: number;
  /** Behind the closing braces. */
  end = 0;
  /** They take the spaces behind them away. */
  trim = false;

  constructor(source: string, at: number) {
    this.#source = source;
    this.#at = at;
  }

  read(): readonly Token[] {
    if (this.#comment()) return [];
    const tokens: Token[] = [{ kind: "open", at: this.#at, end: this.#at }];
    for (;;) {
      this.#spaces();
      const at = this.#at;
      if (this.#closes()) return [...tokens, { kind: "close", at, end: this.end }];
      const token = { ...this.#token(), at, end: this.#at };
      if (["field", "variable", "word"].includes(token.kind)) this.#mustEnd();
      tokens.push(token);
    }
  }

  #spaces(): void {
    while (WHITE.test(this.#source[this.#at] ?? "")) this.#at += 1;
  }

  #closes(): boolean {
    const source = this.#source;
    const trims = source.startsWith("-}}", this.#at) && WHITE.test(source[this.#at - 1] ?? "");
    if (!trims && !source.startsWith("}}", this.#at)) return false;
    this.end = this.#at + (trims ? 3 : 2);
    this.trim = trims;
    return true;
  }

  /** A name ends where nothing more of one can stand. */
  #mustEnd(): void {
    const next = this.#source[this.#at];
    if (next === undefined || /[\s.,|:()]/.test(next)) return;
    if (this.#source.startsWith("}}", this.#at)) return;
    const code = this.#source.codePointAt(this.#at) ?? 0;
    const shown = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
    const char = String.fromCodePoint(code);
    throw new TemplateError(`bad character ${shown} '${char}'`, this.#at);
  }

  /** Only by itself, right behind the braces. */
  #comment(): boolean {
    if (!this.#source.startsWith("/*", this.#at)) return false;
    const end = this.#source.indexOf("*/", this.#at + 2);
    if (end < 0) throw new TemplateError("unclosed comment", this.#at);
    this.#at = end + 2;
    this.#spaces();
    if (!this.#closes()) {
      throw new TemplateError("comment ends before closing delimiter", this.#at);
    }
    return true;
  }

  #token(): TokenKind {
    const source = this.#source;
    const char = source[this.#at];
    if (char === undefined) throw new TemplateError("unclosed action", this.#at);
    if (char === '"' || char === "`" || char === "'") return this.#quoted(char);
    const number = this.#match(NUMBER);
    if (number !== undefined)
      return { kind: "number", value: numberOf(number.replaceAll("_", "")) };
    if (char === ".") return this.#dot();
    if (char === "$") {
      this.#at += 1;
      return { kind: "variable", text: `$${this.#match(WORD) ?? ""}` };
    }
    const word = this.#match(WORD);
    if (word !== undefined) return { kind: "word", text: word };
    const sign = SIGNS.find((one) => source.startsWith(one, this.#at));
    if (sign === undefined) {
      throw new TemplateError(`unexpected ${JSON.stringify(char)} in operand`, this.#at);
    }
    this.#at += sign.length;
    return { kind: "sign", text: sign };
  }

  #dot(): TokenKind {
    const glued = !/[\s|(,=]/.test(this.#source[this.#at - 1] ?? " ");
    this.#at += 1;
    const text = this.#match(WORD);
    return text === undefined ? { kind: "sign", text: "." } : { kind: "field", text, glued };
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** `'x'` is the number of a character, as in Go. */
  #quoted(quote: string): TokenKind {
    const start = this.#at;
    let at = start + 1;
    for (;;) {
      const char = this.#source[at];
      const ends = char === undefined || (char === "\n" && quote !== "`");
      if (ends)
        throw new TemplateError(
          quote === "`" ? "unterminated raw quoted string" : "unterminated quoted string",
          start,
        );
      if (char === quote) break;
      at += char === "\\" && quote !== "`" ? 2 : 1;
    }
    this.#at = at + 1;
    const body = this.#source.slice(start + 1, at);
    if (quote === "`") return { kind: "string", text: body.replaceAll("\r", "") };
    const text = unquote(body);
    if (quote === '"') return { kind: "string", text };
    const [char, ...more] = text;
    if (char === undefined || more.length > 0) throw new TemplateError("invalid syntax in quotes");
    return { kind: "number", value: char.codePointAt(0) ?? 0 };
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|([\s\S]|$))/g;

function unquote(body: string): string {
  return body.replaceAll(ESCAPE, (all, x, u, long, octal, simple) => {
    const hex: unknown = x ?? u ?? long;
    const code =
      typeof hex === "string" ? Number.parseInt(hex, 16) : Number.parseInt(String(octal), 8);
    if (!Number.isNaN(code)) {
      if (code > 0x10ffff) throw new TemplateError(`invalid syntax in ${all}`);
      return String.fromCodePoint(code);
    }
    const plain = ESCAPES[String(simple)];
    if (plain === undefined) throw new TemplateError(`invalid syntax: ${all} is no escape`);
    return plain;
  });
}
