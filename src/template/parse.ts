/** Go's text/template, parsed: actions, pipelines, variables, `if`, `with`, `range`, `define`. */
import { type Place, TemplateError, type Token, tokenize } from "./tokens.ts";

export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "pipe"; readonly pipe: Pipe };

/** An operand, and the fields that are asked of it in turn; errors are about its place. */
export interface Term extends Place {
  readonly operand: Operand;
  readonly fields: readonly string[];
  /** Where Go sees it: with several fields behind the first. */
  readonly column: number;
}

export type Command = readonly [Term, ...Term[]];

export interface Pipe {
  /** Variables that get the value, with the dollar; two in a `range`. */
  readonly variables: readonly string[];
  /** `:=`, not `=`. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly pipe: Pipe }
  | { readonly kind: "break" | "continue" }
  | (Place & {
      readonly kind: "template";
      readonly name: string;
      /** What it gets as its dot. */
      readonly pipe: Pipe | undefined;
      readonly column: number;
    })
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

export interface Template {
  readonly source: string;
  readonly nodes: readonly Node[];
  /** By the names of their `define`. */
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

/** Deeper than anybody nests by hand, and far from the end of the stack. */
const DEPTH_MAX = 50;

/** @param functions every name that may be called. @throws TemplateError */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Template {
  const parser = new Parser(source, functions);
  const { nodes, end, at } = parser.list(0, false);
  if (end !== undefined) throw new TemplateError(`unexpected {{${end}}}`, at);
  return { source, nodes, defined: parser.defined };
}

interface Listed {
  readonly nodes: readonly Node[];
  /** By what it has ended; undefined: by the end of the text. */
  readonly end: "end" | "else" | undefined;
  /** Where that is. */
  readonly at: number;
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  readonly defined = new Map<string, readonly Node[]>();
  /** Those that are in sight; Go knows them while it parses, too. */
  #variables: readonly string[] = ["$"];
  #at = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#tokens = tokenize(source);
    this.#functions = functions;
  }

  /** Up to `{{end}}` or `{{else`, which is taken; the rest of an else is not. */
  list(depth: number, inRange: boolean): Listed {
    if (depth > DEPTH_MAX) this.#fail("nested too deep");
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      const at = token?.at ?? this.#end;
      if (token === undefined) return { nodes, end: undefined, at };
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      const word = this.#peekWord();
      if (word === "end" || word === "else") {
        this.#at += 1;
        if (word === "end") this.#close("end");
        return { nodes, end: word, at };
      }
      const node = this.#action(word, depth, inRange);
      if (node !== undefined) nodes.push(node);
    }
  }

  #action(word: string | undefined, depth: number, inRange: boolean): Node | undefined {
    switch (word) {
      case "if":
      case "with":
      case "range":
        this.#at += 1;
        return this.#block(word, depth, inRange || word === "range");
      case "break":
      case "continue":
        if (!inRange) this.#fail(`{{${word}}} outside {{range}}`);
        this.#at += 1;
        this.#close(word);
        return { kind: word };
      case "define":
        return this.#define(depth);
      case "template":
      case "block":
        return this.#template(word, depth);
      default: {
        const pipe = this.#pipe("command", depth, false);
        this.#close("command");
        return { kind: "output", pipe };
      }
    }
  }

  #define(depth: number): undefined {
    if (depth > 0) this.#fail("unexpected <define> in command");
    this.#at += 1;
    const name = this.#name("define clause");
    this.#close("define clause");
    this.#body(name, depth);
  }

  /** What a name stands for, up to its `{{end}}`. It sees none of the variables around it. */
  #body(name: string, depth: number): void {
    const before = this.#variables;
    this.#variables = ["$"];
    const { nodes, end } = this.list(depth + 1, false);
    if (end !== "end") this.#fail(end === undefined ? "unexpected EOF" : "unexpected {{else}}");
    this.#variables = before;
    this.defined.set(name, nodes);
  }

  /** `block` defines what it stands for, too. */
  #template(kind: "template" | "block", depth: number): Node {
    const at = this.#tokens[this.#at - 1]?.at ?? 0;
    this.#at += 1;
    const column = this.#tokens[this.#at]?.at ?? at;
    const name = this.#name(`${kind} clause`);
    const isAlone = this.#tokens[this.#at]?.kind === "close";
    const hasPipe = kind === "block" || !isAlone;
    const pipe = hasPipe ? this.#pipe(`${kind} clause`, depth, false) : undefined;
    const end = this.#close(`${kind} clause`);
    if (kind === "block") this.#body(name, depth);
    return { kind: "template", name, pipe, at: at - "{{".length, end, column };
  }

  #name(where: string): string {
    const token = this.#next();
    return token?.kind === "string" ? token.text : this.#unexpected(token, where);
  }

  #block(kind: "if" | "with" | "range", depth: number, inRange: boolean): Node {
    const before = this.#variables;
    const pipe = this.#pipe(kind, depth, kind === "range");
    this.#close(kind);
    const then = this.list(depth + 1, inRange);
    let otherwise: readonly Node[] = [];
    if (then.end === "else") otherwise = this.#otherwise(kind, depth, inRange);
    else if (then.end === undefined) this.#fail("unexpected EOF");
    this.#variables = before;
    return { kind, pipe, body: then.nodes, otherwise };
  }

  #otherwise(kind: string, depth: number, inRange: boolean): readonly Node[] {
    const word = this.#peekWord();
    if ((word === "if" || word === "with") && word === kind) {
      // {{else if}} has one {{end}} with the {{if}} that it belongs to.
      this.#at += 1;
      return [this.#block(word, depth + 1, inRange)];
    }
    this.#close("else");
    const { nodes, end } = this.list(depth + 1, inRange);
    if (end === "else") this.#fail("expected end; found {{else}}");
    if (end === undefined) this.#fail("unexpected EOF");
    return nodes;
  }

  /** @param where what it belongs to, for errors */
  #pipe(where: string, depth: number, isRange: boolean): Pipe {
    if (depth > DEPTH_MAX) this.#fail("nested too deep");
    const { variables, declares } = this.#declaration(isRange);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command(where, depth));
      if (!this.#takesSign("|")) break;
    }
    const useless = commands.findIndex(
      ([{ operand, fields }], at) => at > 0 && operand.kind === "literal" && fields.length === 0,
    );
    if (useless > 0) this.#fail(`non executable command in pipeline stage ${useless + 1}`);
    if (declares) this.#variables = [...this.#variables, ...variables];
    return { variables, declares, commands };
  }

  #declaration(isRange: boolean): Pick<Pipe, "variables" | "declares"> {
    const start = this.#at;
    const variables: string[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== "variable") break;
      variables.push(token.text);
      this.#at += 1;
      const declares = this.#takesSign(":=");
      if (declares || this.#takesSign("=")) {
        if (variables.length > (isRange ? 2 : 1)) this.#fail("too many declarations in command");
        if (!declares) for (const one of variables) this.#mustKnow(one);
        return { variables, declares };
      }
      if (!this.#takesSign(",")) break;
    }
    this.#at = start;
    return { variables: [], declares: false };
  }

  #command(where: string, depth: number): Command {
    const first = this.#term(depth);
    if (first === undefined) return this.#fail(`missing value for ${where}`);
    const terms: [Term, ...Term[]] = [first];
    for (;;) {
      const term = this.#term(depth);
      if (term === undefined) return terms;
      terms.push(term);
    }
  }

  #term(depth: number): Term | undefined {
    const start = this.#tokens[this.#at];
    const operand = this.#operand(depth);
    if (operand === undefined || start === undefined) return undefined;
    const fields: string[] = [];
    let column = start.at;
    for (;;) {
      const token = this.#tokens[this.#at];
      // The dot of a first field is its own; one that stands alone has none behind a space.
      const first = start.kind === "field" && fields.length === 0;
      if (token?.kind !== "field" || !(token.glued || first)) break;
      if (operand.kind === "literal" || start.kind === "sign") {
        const isOpen = operand.kind === "pipe";
        const term = JSON.stringify(this.#source.slice(start.at, start.end));
        if (!isOpen) this.#fail(`unexpected . after term ${term}`);
      }
      if (column === start.at && !first) column = token.at;
      fields.push(token.text);
      this.#at += 1;
    }
    const end = this.#tokens[this.#at - 1]?.end ?? start.end;
    const next = this.#tokens[this.#at];
    const isDot = next?.kind === "sign" && next.text === ".";
    if (isDot && next.at === end) this.#fail("unexpected <.> in operand");
    return { operand, fields, at: start.at, end, column };
  }

  #operand(depth: number): Operand | undefined {
    const token = this.#tokens[this.#at];
    switch (token?.kind) {
      case "string":
        this.#at += 1;
        return { kind: "literal", value: token.text };
      case "number":
        this.#at += 1;
        return { kind: "literal", value: token.value };
      case "variable":
        this.#at += 1;
        this.#mustKnow(token.text);
        return { kind: "variable", name: token.text };
      case "field":
        return { kind: "dot" }; // The field itself comes next.
      case "word":
        this.#at += 1;
        return this.#word(token.text);
      case "sign":
        if (this.#takesSign(".")) return { kind: "dot" };
        if (!this.#takesSign("(")) return undefined;
        return this.#parenthesis(depth);
      default:
        return undefined;
    }
  }

  #parenthesis(depth: number): Operand {
    const pipe = this.#pipe("parenthesized pipeline", depth + 1, false);
    if (!this.#takesSign(")")) this.#fail("unclosed left paren");
    return { kind: "pipe", pipe };
  }

  #word(name: string): Operand {
    if (name === "true" || name === "false") return { kind: "literal", value: name === "true" };
    if (name === "nil") return { kind: "literal", value: null };
    if (this.#functions.has(name)) return { kind: "function", name };
    return this.#fail(`function "${name}" not defined`);
  }

  #mustKnow(variable: string): void {
    if (!this.#variables.includes(variable)) this.#fail(`undefined variable "${variable}"`);
  }

  #takesSign(text: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "sign" || token.text !== text) return false;
    this.#at += 1;
    return true;
  }

  #peekWord(): string | undefined {
    const token = this.#tokens[this.#at];
    return token?.kind === "word" ? token.text : undefined;
  }

  #next(): Token | undefined {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    return token;
  }

  /** @returns where it ends */
  #close(where: string): number {
    const token = this.#next();
    if (token?.kind === "close") return token.end;
    return this.#unexpected(token, where);
  }

  get #end(): number {
    return this.#tokens.at(-1)?.end ?? 0;
  }

  #unexpected(token: Token | undefined, where: string): never {
    const found = token === undefined ? "EOF" : this.#source.slice(token.at, token.end);
    if (found === ")") this.#fail("unexpected right paren");
    return this.#fail(`unexpected ${JSON.stringify(found)} in ${where}`);
  }

  #fail(why: string): never {
    throw new TemplateError(why, this.#tokens[this.#at - 1]?.at ?? this.#end);
  }
}
