/** Go's text/template, parsed: actions, pipelines, variables, `if`, `with`, `range`. */
import { TemplateError, type Token, tokenize } from "./tokens.ts";

export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | undefined }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "pipe"; readonly pipe: Pipe };

/** An operand, and the fields that are asked of it in turn. */
export interface Term {
  readonly operand: Operand;
  readonly fields: readonly string[];
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
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** Deeper than anybody nests by hand, and far from the end of the stack. */
const DEPTH_MAX = 50;

/** @param functions every name that may be called. @throws TemplateError */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly Node[] {
  const parser = new Parser(tokenize(source), functions);
  const { nodes, end } = parser.list(0, false);
  if (end !== undefined) throw new TemplateError(`unexpected {{${end}}}`);
  return nodes;
}

type End = "end" | "else" | undefined;

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  /** Those that are in sight; Go knows them while it parses, too. */
  #variables: readonly string[] = ["$"];
  #at = 0;

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  /** Up to `{{end}}` or `{{else`, which is taken; the rest of an else is not. */
  list(depth: number, inRange: boolean): { readonly nodes: readonly Node[]; readonly end: End } {
    if (depth > DEPTH_MAX) throw new TemplateError("nested too deep");
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token === undefined) return { nodes, end: undefined };
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      const word = this.#peekWord();
      if (word === "end" || word === "else") {
        this.#at += 1;
        if (word === "end") this.#close();
        return { nodes, end: word };
      }
      nodes.push(this.#action(word, depth, inRange));
    }
  }

  #action(word: string | undefined, depth: number, inRange: boolean): Node {
    switch (word) {
      case "if":
      case "with":
      case "range":
        this.#at += 1;
        return this.#block(word, depth, inRange || word === "range");
      case "break":
      case "continue":
        if (!inRange) throw new TemplateError(`{{${word}}} outside {{range}}`);
        this.#at += 1;
        this.#close();
        return { kind: word };
      case "define":
      case "template":
      case "block":
        throw new TemplateError(`{{${word}}} has no use in an address`);
      default: {
        const pipe = this.#pipe(depth, false);
        this.#close();
        return { kind: "output", pipe };
      }
    }
  }

  #block(kind: "if" | "with" | "range", depth: number, inRange: boolean): Node {
    const before = this.#variables;
    const pipe = this.#pipe(depth, kind === "range");
    this.#close();
    const then = this.list(depth + 1, inRange);
    let otherwise: readonly Node[] = [];
    if (then.end === "else") otherwise = this.#otherwise(kind, depth, inRange);
    else if (then.end === undefined) throw new TemplateError(`{{${kind}}} without {{end}}`);
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
    this.#close();
    const { nodes, end } = this.list(depth + 1, inRange);
    if (end !== "end") throw new TemplateError(`{{${kind}}} without {{end}}`);
    return nodes;
  }

  #pipe(depth: number, isRange: boolean): Pipe {
    if (depth > DEPTH_MAX) throw new TemplateError("nested too deep");
    const { variables, declares } = this.#declaration(isRange);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command(depth));
      if (!this.#takesSign("|")) break;
    }
    const [, ...later] = commands;
    const useless = later.find(
      ([{ operand, fields }]) => operand.kind === "literal" && fields.length === 0,
    );
    if (useless !== undefined) throw new TemplateError("non executable command in pipeline");
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
        if (variables.length > (isRange ? 2 : 1)) throw new TemplateError("too many declarations");
        if (!declares) for (const one of variables) this.#mustKnow(one);
        return { variables, declares };
      }
      if (!this.#takesSign(",")) break;
    }
    this.#at = start;
    return { variables: [], declares: false };
  }

  #command(depth: number): Command {
    const first = this.#term(depth);
    if (first === undefined) throw new TemplateError("missing value for command");
    const terms: [Term, ...Term[]] = [first];
    for (;;) {
      const term = this.#term(depth);
      if (term === undefined) return terms;
      terms.push(term);
    }
  }

  #term(depth: number): Term | undefined {
    const operand = this.#operand(depth);
    if (operand === undefined) return undefined;
    const fields: string[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      const first = operand.kind === "dot" && fields.length === 0;
      if (token?.kind !== "field" || !(token.glued || first)) break;
      if (operand.kind === "literal") throw new TemplateError(`unexpected .${token.text}`);
      fields.push(token.text);
      this.#at += 1;
    }
    return { operand, fields };
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
    const pipe = this.#pipe(depth + 1, false);
    if (!this.#takesSign(")")) throw new TemplateError("unclosed left paren");
    return { kind: "pipe", pipe };
  }

  #word(name: string): Operand {
    if (name === "true" || name === "false") return { kind: "literal", value: name === "true" };
    if (name === "nil") return { kind: "literal", value: undefined };
    if (this.#functions.has(name)) return { kind: "function", name };
    throw new TemplateError(`function "${name}" not defined`);
  }

  #mustKnow(variable: string): void {
    if (this.#variables.includes(variable)) return;
    throw new TemplateError(`undefined variable "${variable}"`);
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

  #close(): void {
    const token = this.#next();
    if (token?.kind === "close") return;
    const found = token !== undefined && "text" in token ? ` ${JSON.stringify(token.text)}` : "";
    throw new TemplateError(`unexpected${found} in the action`);
  }
}
