/**
 * Where things stand in an HCL file. hcl2-parser says what a file means but not where; this scanner
 * says where and nothing else: it walks keys, braces, strings, comments and heredocs, and never
 * fails, since the parser has the last word on what is valid.
 *
 * @module
 */

export interface Found {
  /** Keys from the top; a block's repetition and labels are parts of their own, as in the JSON. */
  readonly path: readonly string[];
  readonly kind: "attribute" | "block";
  readonly keyAt: number;
  readonly keyQuoted: boolean;
  readonly valueAt: number;
  valueEnd: number;
}

/** Something in a value that the parser takes silently and the operator did not mean. */
export interface Trap {
  readonly kind: "octal" | "bareword" | "interpolation";
  readonly at: number;
  readonly text: string;
}

export interface Scan {
  readonly found: readonly Found[];
  readonly traps: readonly Trap[];
  /** Braces of blocks whose direct keys are quoted: HCL1 allows it, HCL2 wants `name = {`. */
  readonly quotedKeyBlocks: readonly number[];
}

const IDENTIFIER = /[\p{L}_][\p{L}\p{N}_.-]*/uy;
const NUMBER = /-?\d[\w.]*/y;
const DEPTH_MAX = 64;

export function scanHcl(source: string): Scan {
  const scanner = new Scanner(source);
  scanner.body([], undefined, 0);
  return scanner;
}

class Scanner implements Scan {
  readonly found: Found[] = [];
  readonly traps: Trap[] = [];
  readonly quotedKeyBlocks: number[] = [];
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** @param braceAt where the body's `{` stands, if it is a block's */
  body(path: readonly string[], braceAt: number | undefined, depth: number): void {
    const repeated = new Map<string, number>();
    let quoted = false;
    for (;;) {
      this.#blank(true);
      const char = this.#source[this.#at];
      if (char === undefined) break;
      if (char === "}") {
        this.#at += 1;
        break;
      }
      const before = this.#at;
      const key = this.#word();
      if (key === undefined) {
        this.#at = Math.max(this.#at, before + 1);
        continue;
      }
      const kind = this.#entry(path, key, repeated, depth);
      if (key.quoted && kind === "attribute") quoted = true;
    }
    if (quoted && braceAt !== undefined) this.quotedKeyBlocks.push(braceAt);
  }

  #entry(
    path: readonly string[],
    key: { text: string; at: number; quoted: boolean },
    repeated: Map<string, number>,
    depth: number,
  ): "attribute" | "block" | undefined {
    const labels: string[] = [];
    for (;;) {
      this.#blank(false);
      const char = this.#source[this.#at];
      if (char === "=" || char === ":") {
        this.#at += 1;
        this.#attribute([...path, key.text], key, depth);
        return "attribute";
      }
      if (char === "{") {
        const name = [...path, key.text, ...labels];
        const joined = name.join("\0");
        const index = repeated.get(joined) ?? 0;
        repeated.set(joined, index + 1);
        this.#block([...name, String(index)], key, depth);
        return "block";
      }
      const label = this.#word();
      if (label === undefined) return undefined;
      labels.push(label.text);
    }
  }

  #block(path: readonly string[], key: { at: number; quoted: boolean }, depth: number): void {
    const braceAt = this.#at;
    const entry: Found = {
      path,
      kind: "block",
      keyAt: key.at,
      keyQuoted: key.quoted,
      valueAt: braceAt,
      valueEnd: braceAt + 1,
    };
    this.found.push(entry);
    this.#at += 1;
    if (depth < DEPTH_MAX) this.body(path, braceAt, depth + 1);
    entry.valueEnd = this.#at;
  }

  #attribute(path: readonly string[], key: { at: number; quoted: boolean }, depth: number): void {
    this.#blank(false);
    const entry: Found = {
      path,
      kind: "attribute",
      keyAt: key.at,
      keyQuoted: key.quoted,
      valueAt: this.#at,
      valueEnd: this.#at,
    };
    this.found.push(entry);
    this.#value(path, depth);
    entry.valueEnd = this.#at;
  }

  /** One expression: up to the end of the line, or to the closing bracket around it. */
  #value(path: readonly string[], depth: number): void {
    let brackets = 0;
    for (;;) {
      const char = this.#source[this.#at];
      if (char === undefined) return;
      if (char === "\n" && brackets === 0) return;
      if ((char === "}" || char === ",") && brackets === 0) return;
      if (char === '"') this.#string();
      else if (char === "<" && this.#heredoc()) continue;
      else if (this.#comment()) continue;
      else if (char === "{" && depth < DEPTH_MAX) {
        this.#at += 1;
        this.#object(path, depth + 1);
      } else if (char === "[" || char === "(" || char === "{") {
        brackets += 1;
        this.#at += 1;
      } else if (char === "]" || char === ")" || char === "}") {
        brackets -= 1;
        this.#at += 1;
      } else if (!this.#literal()) this.#at += 1;
    }
  }

  /** An object value: its keys count as keys, for positions. */
  #object(path: readonly string[], depth: number): void {
    for (;;) {
      this.#blank(true);
      const char = this.#source[this.#at];
      if (char === undefined) return;
      if (char === "}") {
        this.#at += 1;
        return;
      }
      const before = this.#at;
      const key = this.#word();
      this.#blank(false);
      const sign = this.#source[this.#at];
      if (key !== undefined && (sign === "=" || sign === ":")) {
        this.#at += 1;
        this.#attribute([...path, key.text], key, depth);
      } else {
        this.#at = Math.max(this.#at, before + 1);
      }
    }
  }

  #literal(): boolean {
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.#source);
    if (number !== null) {
      const [text] = number;
      if (/^-?0\d/.test(text)) this.traps.push({ kind: "octal", at: this.#at, text });
      this.#at += text.length;
      return true;
    }
    IDENTIFIER.lastIndex = this.#at;
    const word = IDENTIFIER.exec(this.#source);
    if (word === null) return false;
    const [text] = word;
    if (!["true", "false", "null"].includes(text)) {
      this.traps.push({ kind: "bareword", at: this.#at, text });
    }
    this.#at += text.length;
    return true;
  }

  #word(): { text: string; at: number; quoted: boolean } | undefined {
    const at = this.#at;
    if (this.#source[at] === '"') {
      this.#string();
      return { text: unquote(this.#source.slice(at, this.#at)), at, quoted: true };
    }
    IDENTIFIER.lastIndex = at;
    const match = IDENTIFIER.exec(this.#source);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return { text: match[0], at, quoted: false };
  }

  #string(): void {
    this.#at += 1;
    for (let char = this.#source[this.#at]; char !== undefined; char = this.#source[this.#at]) {
      if (char === '"' || char === "\n") break;
      if (char === "\\") this.#at += 1;
      else this.#interpolation(char);
      this.#at += 1;
    }
    this.#at += 1;
  }

  #interpolation(char: string): void {
    if (this.#source[this.#at + 1] !== "{" || (char !== "$" && char !== "%")) return;
    if (this.#source[this.#at - 1] === char) return;
    const end = this.#source.indexOf("}", this.#at);
    const text = this.#source.slice(this.#at, end < 0 ? this.#at + 2 : end + 1);
    this.traps.push({ kind: "interpolation", at: this.#at, text });
  }

  #heredoc(): boolean {
    const match = /^<<-?([\w.-]+)[^\n]*\n/.exec(this.#source.slice(this.#at, this.#at + 256));
    if (match === null) return false;
    const end = new RegExp(`^[ \\t]*${match[1]}[ \\t]*\\r?$`, "m");
    const rest = this.#source.slice(this.#at + match[0].length);
    const found = end.exec(rest);
    this.#at += match[0].length + (found === null ? rest.length : found.index + found[0].length);
    return true;
  }

  #blank(newlines: boolean): void {
    for (let char = this.#source[this.#at]; char !== undefined; char = this.#source[this.#at]) {
      const isSpace = char === " " || char === "\t" || char === "\r" || char === "\uFEFF";
      if (isSpace || (newlines && (char === "\n" || char === ","))) this.#at += 1;
      else if (!this.#comment()) return;
    }
  }

  #comment(): boolean {
    const two = this.#source.slice(this.#at, this.#at + 2);
    if (two === "/*") {
      const end = this.#source.indexOf("*/", this.#at + 2);
      this.#at = end < 0 ? this.#source.length : end + 2;
      return true;
    }
    if (two[0] !== "#" && two !== "//") return false;
    const end = this.#source.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#source.length : end;
    return true;
  }
}

function unquote(text: string): string {
  return text.replaceAll(/^"|"$/g, "").replaceAll(/\\(.)/g, "$1");
}
