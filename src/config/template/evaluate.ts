/**
 * Go's text/template, executed: control flow, variables, and the functions that every template has.
 * What values there are, and which functions besides, is the caller's business.
 *
 * @module
 */
import type { Command, Node, Operand, Pipe, Term } from "./parse.ts";
import { TemplateError } from "./tokens.ts";

/** A value of the caller's own kinds. */
export interface Thing {
  /** As `{{ . }}` prints it. */
  readonly text: string;
  /** A field, or a method without arguments. @throws TemplateError when there is none */
  field(name: string, args: readonly Value[]): Value;
}

export type Value = string | number | boolean | undefined | Thing | readonly Value[];
export type TemplateFunction = (args: readonly Value[]) => Value;

class Broken {
  readonly kind: "break" | "continue";

  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

/** Loops over numbers end, but not before they have written a lot. */
const OUTPUT_MAX = 64 * 1024;
const RANGE_MAX = 100_000;

/** @throws TemplateError */
export function evaluateTemplate(
  nodes: readonly Node[],
  dot: Value,
  functions: ReadonlyMap<string, TemplateFunction>,
): string {
  const run = new Run(functions, dot);
  run.list(nodes, dot);
  return run.output;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isThing(value: Value): value is Thing {
  return typeof value === "object" && !isList(value);
}

class Run {
  readonly #functions: ReadonlyMap<string, TemplateFunction>;
  readonly #variables: [string, Value][];
  output = "";

  constructor(functions: ReadonlyMap<string, TemplateFunction>, dot: Value) {
    this.#functions = functions;
    this.#variables = [["$", dot]];
  }

  /** @returns how it was left early */
  list(nodes: readonly Node[], dot: Value): Broken | undefined {
    for (const node of nodes) {
      const broken = this.#node(node, dot);
      if (broken !== undefined) return broken;
    }
    return undefined;
  }

  #node(node: Node, dot: Value): Broken | undefined {
    switch (node.kind) {
      case "text":
        return this.#write(node.text);
      case "output": {
        const value = this.#pipe(node.pipe, dot);
        return node.pipe.variables.length > 0 ? undefined : this.#write(printed(value));
      }
      case "break":
      case "continue":
        return new Broken(node.kind);
      case "range":
        return this.#scope(() => this.#range(node.pipe, node.body, node.otherwise, dot));
      default:
        return this.#scope(() => {
          const value = this.#pipe(node.pipe, dot);
          if (!isTrue(value)) return this.list(node.otherwise, dot);
          return this.list(node.body, node.kind === "with" ? value : dot);
        });
    }
  }

  #write(text: string): undefined {
    this.output += text;
    if (this.output.length > OUTPUT_MAX) throw new TemplateError("it writes too much");
  }

  #scope<Result>(inside: () => Result): Result {
    const before = this.#variables.length;
    const result = inside();
    this.#variables.length = before;
    return result;
  }

  #range(
    pipe: Pipe,
    body: readonly Node[],
    otherwise: readonly Node[],
    dot: Value,
  ): Broken | undefined {
    const value = this.#commands(pipe, dot);
    const isCount = typeof value === "number" && Number.isSafeInteger(value);
    const items = isCount ? Array.from({ length: Math.min(value, RANGE_MAX) }, (_, i) => i) : value;
    if (!isList(items)) throw new TemplateError(`range can't iterate over ${printed(value)}`);
    if (items.length === 0) return this.list(otherwise, dot);
    for (const [at, item] of items.entries()) {
      const [one, two] = pipe.variables;
      const broken = this.#scope(() => {
        if (two !== undefined) this.#set(two, item, pipe.declares);
        if (one !== undefined) this.#set(one, two === undefined ? item : at, pipe.declares);
        return this.list(body, item);
      });
      if (broken?.kind === "break") break;
    }
    return undefined;
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    const value = this.#commands(pipe, dot);
    for (const name of pipe.variables) this.#set(name, value, pipe.declares);
    return value;
  }

  #commands({ commands }: Pipe, dot: Value): Value {
    let last: readonly Value[] = [];
    for (const command of commands) last = [this.#command(command, dot, last)];
    return last[0];
  }

  #set(name: string, value: Value, declares: boolean): void {
    const known = this.#variables.findLast(([one]) => one === name);
    if (declares || known === undefined) this.#variables.push([name, value]);
    else known[1] = value;
  }

  /** @param last what the command before it gave, as the last argument */
  #command([first, ...rest]: Command, dot: Value, last: readonly Value[]): Value {
    const args = (): readonly Value[] => [...rest.map((term) => this.#term(term, dot)), ...last];
    const { operand, fields } = first;
    if (operand.kind === "literal" && operand.value === undefined) {
      throw new TemplateError("nil is not a command");
    }
    if (operand.kind === "function" && fields.length === 0) {
      if (operand.name === "and" || operand.name === "or") return this.#logic(operand.name, args());
      return this.#call(operand.name, args());
    }
    if (fields.length === 0 && rest.length + last.length > 0) {
      throw new TemplateError("can't give argument to non-function");
    }
    return this.#term(first, dot, args());
  }

  #logic(name: "and" | "or", args: readonly Value[]): Value {
    const stop = args.findIndex((one) => isTrue(one) === (name === "or"));
    return args[stop < 0 ? args.length - 1 : stop];
  }

  #term({ operand, fields }: Term, dot: Value, args: readonly Value[] = []): Value {
    return fields.reduce(
      (value: Value, name, at) => {
        if (!isThing(value))
          throw new TemplateError(`can't evaluate field ${name} in ${printed(value)}`);
        return value.field(name, at === fields.length - 1 ? args : []);
      },
      this.#operand(operand, dot),
    );
  }

  #operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return dot;
      case "function":
        return this.#call(operand.name, []);
      case "variable":
        return this.#variables.findLast(([name]) => name === operand.name)?.[1];
      case "pipe":
        return this.#pipe(operand.pipe, dot);
    }
  }

  #call(name: string, args: readonly Value[]): Value {
    const found = this.#functions.get(name) ?? BUILTINS.get(name);
    if (found === undefined) throw new TemplateError(`function "${name}" not defined`);
    return found(args);
  }
}

/** Go's truth: not empty, not 0. */
function isTrue(value: Value): boolean {
  return isList(value) ? value.length > 0 : Boolean(value);
}

function printed(value: Value): string {
  if (isList(value)) return `[${value.map(printed).join(" ")}]`;
  if (value === undefined) return "<no value>";
  return isThing(value) ? value.text : String(value);
}

function basic(value: Value): string | number | boolean {
  if (value === undefined || typeof value === "object") {
    throw new TemplateError(`incompatible types for comparison: ${printed(value)}`);
  }
  return value;
}

function compare(args: readonly Value[]): number {
  const [a, b] = [basic(args[0]), basic(args[1])];
  if (typeof a !== typeof b || typeof a === "boolean") {
    throw new TemplateError("incompatible types for comparison");
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first against each of the others, as Go does. */
function equals([first, ...others]: readonly Value[]): boolean {
  if (others.length === 0) throw new TemplateError("missing argument for comparison");
  const wanted = basic(first);
  return others.some((one) => {
    const value = basic(one);
    if (typeof value !== typeof wanted)
      throw new TemplateError("incompatible types for comparison");
    return value === wanted;
  });
}

function length([value]: readonly Value[]): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (isList(value ?? 0) && isList(value)) return value.length;
  throw new TemplateError(`len of ${printed(value)}`);
}

function index([value, ...at]: readonly Value[]): Value {
  return at.reduce((list: Value, one) => {
    const found = isList(list) && typeof one === "number" ? list[one] : undefined;
    if (found === undefined) throw new TemplateError(`index out of range: ${printed(one)}`);
    return found;
  }, value);
}

function slice([value, from = 0, to]: readonly Value[]): Value {
  const size = length([value]);
  const [start, end] = [Number(from), to === undefined ? size : Number(to)];
  if (!(start >= 0 && start <= end && end <= size)) throw new TemplateError("index out of range");
  return typeof value === "string" || isList(value) ? value.slice(start, end) : undefined;
}

/** Go's Print puts spaces between what is no text on either side. */
function print(args: readonly Value[]): string {
  return args.reduce((out: string, one, at) => {
    const before = args[at - 1];
    const spaced = at > 0 && typeof one !== "string" && typeof before !== "string";
    return `${out}${spaced ? " " : ""}${printed(one)}`;
  }, "");
}

function printf([format, ...args]: readonly Value[]): string {
  let at = 0;
  const text = printed(format ?? "").replaceAll(
    /%([#+\- 0]*\d*)([a-zA-Z%])/g,
    (all, _flags, verb) => {
      if (verb === "%") return "%";
      const value = args[at];
      at += 1;
      if (at > args.length) return `%!${verb}(MISSING)`;
      if (verb === "q") return JSON.stringify(printed(value));
      if (verb === "x" && typeof value === "number") return value.toString(16);
      return /[svdt]/.test(verb) ? printed(value) : all;
    },
  );
  return at < args.length ? `${text}%!(EXTRA)` : text;
}

const BUILTINS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["not", ([value]) => !isTrue(value)],
  ["eq", equals],
  ["ne", (args) => !equals(args.slice(0, 2))],
  ["lt", (args) => compare(args) < 0],
  ["le", (args) => compare(args) <= 0],
  ["gt", (args) => compare(args) > 0],
  ["ge", (args) => compare(args) >= 0],
  ["len", length],
  ["index", index],
  ["slice", slice],
  ["print", print],
  ["println", (args) => `${args.map(printed).join(" ")}\n`],
  ["printf", printf],
]);

/** Names that may be called besides the caller's own. */
export const BUILTIN_NAMES: readonly string[] = ["and", "or", ...BUILTINS.keys()];
