/**
 * JSON configuration: JSON.parse says what it means; a scanner says where keys stand and where a
 * mistake is, since JSON.parse gives no position.
 *
 * @module
 */
import type { Parsed } from "./hcl.ts";
import type { Position } from "./problem.ts";
import type { SourceText } from "./source-text.ts";
import { isObject, treeFromJson } from "./tree.ts";

export function looksLikeJson(text: string): boolean {
  return text
    .trimStart()
    .replace(/^\uFEFF/, "")
    .startsWith("{");
}

export function parseJson(source: SourceText): Parsed {
  const scanner = new JsonScanner(source.text);
  scanner.scan();
  let json: unknown;
  try {
    json = JSON.parse(source.text.replace(/^\uFEFF/, ""));
  } catch {
    const { at, expected } = scanner.mistake ?? { at: 0, expected: "JSON" };
    const found = source.text.slice(at, at + 1);
    const what = found === "" ? "the end of the file" : JSON.stringify(found);
    const message = `invalid JSON: expected ${expected}, found ${what}`;
    const help = expected.startsWith("a key") ? "is there a comma too many above?" : undefined;
    const problem = { severity: "error", message, at: source.at(at), help } as const;
    return { ok: false, tree: new Map(), problems: [problem] };
  }
  if (!isObject(json)) return { ok: true, tree: new Map(), problems: [] };
  const positionOf = (path: readonly string[]): { key: Position; value: Position } => {
    const one = scanner.keys.get(path.join("\0"));
    if (one === undefined) return { key: source.whole(), value: source.whole() };
    const key = source.at(one.keyAt, (path.at(-1)?.length ?? 0) + 2);
    return { key, value: source.at(one.valueAt, one.valueLength) };
  };
  return { ok: true, tree: treeFromJson(json, positionOf), problems: [] };
}

const DEPTH_MAX = 128;

class JsonScanner {
  readonly keys = new Map<string, { keyAt: number; valueAt: number; valueLength: number }>();
  mistake: { at: number; expected: string } | undefined;
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    this.#value([]);
    this.#blank();
    if (this.#at < this.#text.length) this.#wrong("the end of the file");
  }

  #value(path: readonly string[]): void {
    this.#blank();
    const char = this.#text[this.#at];
    if (path.length > DEPTH_MAX) return this.#wrong("fewer levels");
    if (char === "{") return this.#object(path);
    if (char === "[") return this.#list(path);
    const literal = /(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)/y;
    literal.lastIndex = this.#at;
    const match = literal.exec(this.#text);
    if (match === null) return this.#wrong("a value");
    this.#at += match[0].length;
  }

  #object(path: readonly string[]): void {
    this.#at += 1;
    this.#blank();
    if (this.#take("}")) return;
    while (this.mistake === undefined) {
      this.#blank();
      const keyAt = this.#at;
      const text = /"(?:[^"\\]|\\.)*"/y;
      text.lastIndex = keyAt;
      const match = text.exec(this.#text);
      if (match === null) return this.#wrong("a key in double quotes");
      this.#at += match[0].length;
      this.#blank();
      if (!this.#take(":")) return this.#wrong('":"');
      this.#blank();
      const valueAt = this.#at;
      const here = [...path, match[0].slice(1, -1)];
      this.#value(here);
      this.keys.set(here.join("\0"), { keyAt, valueAt, valueLength: this.#at - valueAt });
      this.#blank();
      if (this.#take("}")) return;
      if (!this.#take(",")) return this.#wrong('"," or "}"');
    }
  }

  #list(path: readonly string[]): void {
    this.#at += 1;
    this.#blank();
    if (this.#take("]")) return;
    for (let i = 0; this.mistake === undefined; i++) {
      this.#value([...path, String(i)]);
      this.#blank();
      if (this.#take("]")) return;
      if (!this.#take(",")) return this.#wrong('"," or "]"');
    }
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #blank(): void {
    while (/[\s\uFEFF]/.test(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #wrong(expected: string): void {
    this.mistake ??= { at: this.#at, expected };
  }
}
