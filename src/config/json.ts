/**
 * JSON configuration to its outline, as HCL 1 reads JSON: a list of objects says the same as that
 * many blocks, a key may be there several times, and a comma may stand behind the last of anything.
 *
 * @module
 */
import { type Parsed, refused } from "./hcl.ts";
import {
  type Body,
  DEPTH_MAX,
  type Fault,
  type Item,
  isFault,
  type Key,
  type Node,
} from "./outline.ts";
import type { SourceText } from "./source-text.ts";

export function looksLikeJson(text: string): boolean {
  return /^\uFEFF?\s*\{/.test(text);
}

export function parseJson(source: SourceText): Parsed {
  const read = new JsonReader(source.text).read();
  return isFault(read) ? refused(source, read) : { body: read, problems: [] };
}

type Place = "key" | "value" | "behind";

/** An object or a list that is being read. */
class Open {
  readonly at: number;
  readonly isObject: boolean;
  readonly items: Item[] = [];
  readonly nodes: Node[] = [];
  /** Of the value that comes next. */
  key: Key | undefined;

  constructor(at: number, isObject: boolean) {
    this.at = at;
    this.isObject = isObject;
  }

  add(node: Node): void {
    if (!this.isObject) {
      this.nodes.push(node);
      return;
    }
    const keys = this.key === undefined ? [] : [this.key];
    for (const value of blocksOf(node) ?? [node]) this.items.push({ keys, value });
  }

  close(end: number): Node {
    const { at, items, nodes } = this;
    const span = { at, length: end - at };
    return this.isObject ? { kind: "body", items, ...span } : { kind: "list", nodes, ...span };
  }
}

/** The blocks that a list of objects stands for. */
function blocksOf(node: Node): readonly Body[] | undefined {
  if (node.kind !== "list" || node.nodes.length === 0) return undefined;
  const bodies = node.nodes.flatMap((one) => (one.kind === "body" ? [one] : []));
  return bodies.length === node.nodes.length ? bodies : undefined;
}

const BLANK = /[\s\uFEFF]*/y;
/** Up to what a string may end with; of a pattern for all of it, a long string is too much. */
const IN_STRING = /[^"\\\n]*/y;
const ESCAPE = /\\(?:u([\da-fA-F]{4})|(.))/g;
const NO_ESCAPE = /\\(?!["\\/bfnrt]|u[\da-fA-F]{4})/;
const ESCAPED: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)\b/y;

function unescapeOne(_all: string, code: string | undefined, char: string | undefined): string {
  if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
  return ESCAPED[char ?? ""] ?? char ?? "";
}

class JsonReader {
  readonly #text: string;
  /** With a stack of its own: nesting is as deep as the operator makes it. */
  readonly #open: Open[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Body | Fault {
    let place: Place = "value";
    for (;;) {
      this.#match(BLANK);
      const inside = this.#open.at(-1);
      const next = this.#step(place, inside);
      if (typeof next === "object") return next;
      place = next;
    }
  }

  #step(place: Place, inside: Open | undefined): Place | Body | Fault {
    const char = this.#text[this.#at];
    if (inside !== undefined && char === (inside.isObject ? "}" : "]") && !this.#hangs(inside)) {
      return this.#close(inside);
    }
    switch (place) {
      case "key":
        return this.#key(inside);
      case "behind":
        if (char !== ",")
          return this.#wrong(inside?.isObject === true ? '"," or "}"' : '"," or "]"');
        this.#at += 1;
        return inside?.isObject === true ? "key" : "value";
      case "value":
        return this.#value(inside);
    }
  }

  /** A key without its value. */
  #hangs(inside: Open): boolean {
    return inside.key !== undefined;
  }

  #close(inside: Open): Place | Body | Fault {
    this.#at += 1;
    this.#open.pop();
    const node = inside.close(this.#at);
    const outer = this.#open.at(-1);
    if (outer !== undefined) return this.#add(outer, node);
    this.#match(BLANK);
    if (this.#at < this.#text.length) return this.#wrong("the end of the file");
    return node.kind === "body" ? node : this.#wrong("an object");
  }

  #add(outer: Open, node: Node): Place {
    outer.add(node);
    outer.key = undefined;
    return "behind";
  }

  #key(inside: Open | undefined): Place | Fault {
    const at = this.#at;
    const text = this.#string();
    if (text === undefined) return this.#wrong("a key in double quotes");
    if (typeof text === "object") return text;
    const length = this.#at - at;
    this.#match(BLANK);
    if (this.#text[this.#at] !== ":") return this.#wrong('":"');
    this.#at += 1;
    if (inside !== undefined) inside.key = { text, at, length };
    return "value";
  }

  #value(inside: Open | undefined): Place | Fault {
    const at = this.#at;
    const char = this.#text[at];
    if (char === "{" || (char === "[" && inside !== undefined)) {
      this.#at += 1;
      this.#open.push(new Open(at, char === "{"));
      if (this.#open.length <= DEPTH_MAX) return char === "{" ? "key" : "value";
      return { at, length: 1, message: `nested more than ${DEPTH_MAX} levels deep` };
    }
    if (inside === undefined) return this.#wrong("an object");
    const interpolationAt = undefined;
    const text = this.#string();
    if (typeof text === "object") return text;
    if (text !== undefined) {
      const length = this.#at - at;
      return this.#add(inside, { kind: "scalar", type: "text", text, at, length, interpolationAt });
    }
    const literal = this.#match(LITERAL);
    if (literal === undefined || literal === "") return this.#wrong("a value");
    const span = { at, length: literal.length, interpolationAt };
    // To HCL 1 it is an empty text.
    if (literal === "null")
      return this.#add(inside, { kind: "scalar", type: "text", text: "", ...span });
    const type = literal === "true" || literal === "false" ? "bool" : "number";
    return this.#add(inside, { kind: "scalar", type, text: literal, ...span });
  }

  #string(): string | undefined | Fault {
    const at = this.#at;
    if (this.#text[at] !== '"') return undefined;
    if (!this.#skipString()) {
      const message = "a string without an end: its closing quote is missing on this line";
      return { at, length: 1, message };
    }
    const inner = this.#text.slice(at + 1, this.#at - 1);
    if (!inner.includes("\\")) return inner;
    const wrong = NO_ESCAPE.exec(inner.replaceAll("\\\\", "  "));
    if (wrong === null) return inner.replaceAll(ESCAPE, unescapeOne);
    const message = "a backslash begins an escape, and there is no such escape";
    return { at: at + 1 + wrong.index, length: 2, message, help: "write \\\\ for a backslash" };
  }

  /** @returns whether it has an end */
  #skipString(): boolean {
    this.#at += 1;
    for (;;) {
      this.#match(IN_STRING);
      const char = this.#text[this.#at];
      if (char === undefined || char === "\n") return false;
      this.#at += char === "\\" ? 2 : 1;
      if (char === '"') return true;
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0];
  }

  /** What is said never repeats what was written: it may be a secret without its quotes. */
  #wrong(expected: string): Fault {
    const found = this.#text[this.#at];
    const signs = '{}[]:,"';
    const what =
      found === undefined
        ? "the end of the file"
        : signs.includes(found)
          ? `'${found}'`
          : "something else";
    const message = `invalid JSON: expected ${expected}, found ${what}`;
    return { at: this.#at, length: 1, message };
  }
}
