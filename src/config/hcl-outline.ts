/**
 * HCL 1 text to its outline, and to text that hcl2-parser takes.
 *
 * The parser costs tens of microseconds for every word, so it is not asked the same twice: of
 * things in one body that have the same form it is shown one, under a short name, with a stand-in
 * for what is plain (`""`, `0`); and it is asked once what each escape means. So a megabyte of
 * `name = "value"` lines is one short line to it.
 *
 * @module
 */
import { HclLexer, type Token } from "./hcl-lex.ts";
import type { Body, Fault, Item, Key, List, Node } from "./outline.ts";
import { DEPTH_MAX } from "./outline.ts";

export interface HclOutline {
  readonly body: Body;
  /** What hcl2-parser is to judge, in HCL 2. */
  readonly forms: string;
  /** Texts with escapes, which wait for what those mean. */
  readonly waiting: readonly WaitingText[];
}

interface WaitingText {
  /** Plain text and, in every second place, an escape as HCL 2 has it. */
  readonly pieces: readonly string[];
  readonly target: { text: string };
}

/** @returns the outline, or the first thing that is not HCL 1 */
export function outlineHcl(source: string): HclOutline | Fault {
  const reader = new OutlineReader(source);
  const wrong = reader.read();
  if (wrong !== undefined) return wrong;
  const { root, waiting } = reader;
  return { body: root.node(source.length), forms: root.lines(), waiting };
}

/** A body that is being read. */
class OpenBody {
  readonly kind = "body";
  readonly items: Item[] = [];
  readonly at: number;
  /** Those that it belongs to; none: it is the file. */
  readonly keys: readonly Key[];
  /** One comma may stand behind an argument or a block. */
  takesComma = false;
  readonly #forms = new Set<string>();

  constructor(at: number, keys: readonly Key[]) {
    this.at = at;
    this.keys = keys;
  }

  add(item: Item, form: string): void {
    this.items.push(item);
    this.#forms.add(form);
    this.takesComma = true;
  }

  /** @param end behind its brace */
  node(end: number): Body {
    return { kind: "body", items: this.items, at: this.at, length: end - this.at };
  }

  form(): string {
    return `{${[...this.#forms].map((form, i) => `k${i}=${form}`).join(",")}}`;
  }

  lines(): string {
    return [...this.#forms].map((form, i) => `k${i}=${form}\n`).join("");
  }
}

interface Span {
  readonly at: number;
  readonly length: number;
}

/** A list that is being read, and the key that it belongs to. */
class OpenList {
  readonly kind = "list";
  readonly nodes: Node[] = [];
  readonly at: number;
  readonly keys: readonly Key[];
  needsComma = false;
  readonly #forms = new Set<string>();

  constructor(at: number, keys: readonly Key[]) {
    this.at = at;
    this.keys = keys;
  }

  add(node: Node, form: string): void {
    this.nodes.push(node);
    this.#forms.add(form);
    // HCL 1 wants no comma behind a list in a list.
    this.needsComma = node.kind !== "list";
  }

  /** @param end behind its bracket */
  node(end: number): List {
    return { kind: "list", nodes: this.nodes, at: this.at, length: end - this.at };
  }

  form(): string {
    return `[${[...this.#forms].join(",")}]`;
  }
}

class OutlineReader {
  readonly root = new OpenBody(0, []);
  readonly waiting: WaitingText[] = [];
  readonly #source: string;
  readonly #lexer: HclLexer;
  readonly #open: (OpenBody | OpenList)[] = [this.root];

  constructor(source: string) {
    this.#source = source;
    this.#lexer = new HclLexer(source);
  }

  /** With a stack of its own: nesting is as deep as the operator makes it. */
  read(): Fault | undefined {
    for (;;) {
      const token = this.#lexer.next();
      const inside = this.#open.at(-1) ?? this.root;
      if (token.type === "end" && inside === this.root) return undefined;
      const wrong =
        inside.kind === "body" ? this.#inBody(inside, token) : this.#inList(inside, token);
      if (wrong !== undefined) return wrong;
    }
  }

  #inBody(body: OpenBody, first: Token): Fault | undefined {
    const { takesComma } = body;
    body.takesComma = false;
    if (first.type === "," && takesComma) return undefined;
    if (first.type === "}" && body !== this.root) return this.#close(body, first);
    const keys: Key[] = [];
    let token = first;
    while (token.type === "text" || isName(token)) {
      keys.push(this.#key(token));
      token = this.#lexer.next();
    }
    if (keys.length === 0) return this.#unexpected(token, "a key");
    if (token.type === "{") return this.#enter(new OpenBody(token.at, keys), token);
    if (token.type !== "=") {
      return this.#missing(keys.at(-1) ?? first, token, '"=" or "{" after the key');
    }
    if (keys.length > 1) return this.#unexpected(token, '"{" after a key and its labels');
    return this.#value(keys, token, body);
  }

  /** What should follow is looked for where `before` is, not lines below it. */
  #missing({ at, length }: Span, token: Token, expected: string): Fault {
    const wrong = this.#unexpected(token, expected);
    const isBelow = this.#source.slice(at, token.at).includes("\n");
    return isBelow && wrong.at === token.at && /[}\]]|end/.test(token.type)
      ? { ...wrong, at, length }
      : wrong;
  }

  #value(keys: readonly Key[], assign: Span, body: OpenBody): Fault | undefined {
    const token = this.#lexer.next();
    if (token.type === "{") return this.#enter(new OpenBody(token.at, keys), token);
    if (token.type === "[") return this.#enter(new OpenList(token.at, keys), token);
    const scalar = this.#scalar(token);
    if (scalar === undefined) return this.#missing(assign, token, 'a value after "="');
    body.add({ keys, value: scalar.node }, scalar.form);
    return undefined;
  }

  #inList(list: OpenList, token: Token): Fault | undefined {
    if (token.type === "]") return this.#close(list, token);
    if (token.type === ",") {
      list.needsComma = false;
      return undefined;
    }
    if (list.needsComma) return this.#unexpected(token, '"," or "]" in the list');
    if (token.type === "{") return this.#enter(new OpenBody(token.at, list.keys), token);
    if (token.type === "[") return this.#enter(new OpenList(token.at, list.keys), token);
    const scalar = this.#scalar(token);
    if (scalar === undefined) return this.#unexpected(token, 'a value or "]" in the list');
    list.add(scalar.node, scalar.form);
    return undefined;
  }

  #enter(inner: OpenBody | OpenList, { at }: Token): Fault | undefined {
    this.#open.push(inner);
    if (this.#open.length <= DEPTH_MAX) return undefined;
    return { at, length: 1, message: `nested more than ${DEPTH_MAX} levels deep` };
  }

  #close(inner: OpenBody | OpenList, { at }: Token): Fault | undefined {
    this.#open.pop();
    const [node, form] = [inner.node(at + 1), inner.form()];
    const outer = this.#open.at(-1) ?? this.root;
    if (outer.kind === "list") outer.add(node, form);
    else outer.add({ keys: inner.keys, value: node }, form);
    return undefined;
  }

  #key(token: Token & { readonly text: string }): Key {
    const key = { text: token.text, at: token.at, length: token.length };
    if (token.type === "text") this.#wait(token.pieces, key);
    return key;
  }

  #scalar(token: Token): { readonly node: Node; readonly form: string } | undefined {
    const { at, length } = token;
    const interpolationAt = undefined;
    switch (token.type) {
      case "text":
      case "heredoc": {
        const { text } = token;
        const node = { kind: "scalar", type: "text", text, at, length } as const;
        const scalar = { ...node, interpolationAt: token.interpolationAt };
        this.#wait(token.pieces, scalar);
        return { node: scalar, form: '""' };
      }
      case "number": {
        const { text } = token;
        const node = { kind: "scalar", type: "number", text, at, length, interpolationAt } as const;
        return { node, form: "0" };
      }
      case "word": {
        const { text } = token;
        if (isName(token)) return undefined;
        const node = { kind: "scalar", type: "bool", text, at, length, interpolationAt } as const;
        return { node, form: text };
      }
      default:
        return undefined;
    }
  }

  #wait(pieces: readonly string[] | undefined, target: { text: string }): void {
    if (pieces !== undefined) this.waiting.push({ pieces, target });
  }

  /** What is said never repeats what was written: it may be a secret without its quotes. */
  #unexpected(token: Token, expected: string): Fault {
    if (token.type === "fault") return token;
    const { at, length } = token;
    const inside = this.#open.at(-1) ?? this.root;
    if (token.type === "end" && inside !== this.root) {
      const [what, sign] = inside.kind === "list" ? ["list", "]"] : ["block", "}"];
      const message = `the ${what} that begins here is never closed`;
      return { at: inside.at, length: 1, message, help: `is a "${sign}" missing?` };
    }
    if (token.type === "word" && expected.startsWith("a value")) {
      const message =
        "a value without quotes: an agent configuration has no variables or functions";
      const help = "strings stand in double quotes; the only words are true and false";
      return { at, length, message, help };
    }
    return { at, length, message: `expected ${expected}, found ${describe(token)}` };
  }
}

/** A word that is a key: `true` and `false` are values. */
function isName(token: Token): token is Token & { readonly type: "word"; readonly text: string } {
  return token.type === "word" && token.text !== "true" && token.text !== "false";
}

function describe(token: Token): string {
  switch (token.type) {
    case "text":
    case "heredoc":
      return "a string";
    case "word":
      return "a word";
    case "number":
      return "a number";
    case "end":
      return "the end of the file";
    default:
      return `"${token.type}"`;
  }
}
