/**
 * Go's text/template, executed: control flow, variables, fields, calls. What values there are, and
 * which functions besides those of every template, is the caller's business.
 *
 * @module
 */
import { BUILTINS } from "./builtins.ts";
import type { Command, Node, Operand, Pipe, Template, Term } from "./parse.ts";
import { type Place, TemplateError } from "./tokens.ts";
import {
  isList,
  isMap,
  isThing,
  isTrue,
  printed,
  sortedEntries,
  type TemplateFunction,
  type Value,
} from "./value.ts";

class Broken {
  readonly kind: "break" | "continue";

  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

interface Execution {
  readonly dot: Value;
  readonly functions: ReadonlyMap<string, TemplateFunction>;
  /** In characters: loops over numbers end, but not before they have written a lot. */
  readonly outputMax?: number;
}

const OUTPUT_MAX = 64 * 1024;
const RANGE_MAX = 100_000;
/** Templates that call themselves; the stack has room for more. */
const CALLS_MAX = 200;

/** @throws TemplateError */
export function evaluateTemplate(template: Template, execution: Execution): string {
  const run = new Run(template, execution);
  run.list(template.nodes, execution.dot);
  return run.output;
}

class Run {
  readonly #template: Template;
  readonly #functions: ReadonlyMap<string, TemplateFunction>;
  readonly #outputMax: number;
  #variables: [string, Value][];
  #calls = 0;
  output = "";

  constructor(template: Template, { dot, functions, outputMax = OUTPUT_MAX }: Execution) {
    this.#template = template;
    this.#functions = functions;
    this.#outputMax = outputMax;
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
        const value = this.#pipe(node.pipe, dot) ?? undefined;
        if (node.pipe.variables.length > 0) return undefined;
        return this.#write(value === undefined ? "<no value>" : printed(value));
      }
      case "break":
      case "continue":
        return new Broken(node.kind);
      case "template":
        return this.#call(node, dot);
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
    if (this.output.length > this.#outputMax) throw new TemplateError("it writes too much");
  }

  #scope<Result>(inside: () => Result): Result {
    const before = this.#variables.length;
    const result = inside();
    this.#variables.length = before;
    return result;
  }

  /** Of `{{template}}`: its own variables, and of those around it none. */
  #call(node: Node & { readonly kind: "template" }, dot: Value): undefined {
    const nodes = this.#template.defined.get(node.name);
    const value = node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot);
    this.#about(node, node.column, () => {
      if (nodes === undefined) throw new TemplateError(`template "${node.name}" not defined`);
      if (this.#calls >= CALLS_MAX) {
        throw new TemplateError(`exceeded maximum template depth (${CALLS_MAX})`);
      }
    });
    const before = this.#variables;
    this.#variables = [["$", value]];
    this.#calls += 1;
    this.list(nodes ?? [], value);
    this.#calls -= 1;
    this.#variables = before;
  }

  #range(
    pipe: Pipe,
    body: readonly Node[],
    otherwise: readonly Node[],
    dot: Value,
  ): Broken | undefined {
    const value = this.#commands(pipe, dot);
    const [last] = pipe.commands.at(-1) ?? [];
    const isPair = pipe.variables.length > 1;
    const items = this.#about(last, last?.column, () => itemsOf(value, isPair));
    if (items.length === 0) return this.list(otherwise, dot);
    for (const [key, item] of items) {
      const [one, two] = pipe.variables;
      const broken = this.#scope(() => {
        if (two !== undefined) this.#set(two, item, pipe.declares);
        if (one !== undefined) this.#set(one, two === undefined ? item : key, pipe.declares);
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
  #command(command: Command, dot: Value, last: readonly Value[]): Value {
    const [first, ...rest] = command;
    const { operand, fields } = first;
    const args = (): readonly Value[] => [...rest.map((term) => this.#term(term, dot)), ...last];
    if (operand.kind === "function" && fields.length === 0) {
      const whole = { at: first.at, end: command.at(-1)?.end ?? first.end };
      const { name } = operand;
      if (name !== "and" && name !== "or") return this.#apply(name, args(), whole);
      const later = last.map((one) => () => one);
      return this.#logic(
        name,
        [...rest.map((term) => () => this.#term(term, dot)), ...later],
        whole,
      );
    }
    this.#about(first, first.at, () => {
      if (operand.kind === "literal" && operand.value === null) {
        throw new TemplateError("nil is not a command");
      }
      if (fields.length === 0 && rest.length + last.length > 0) {
        const text = this.#template.source.slice(first.at, first.end);
        throw new TemplateError(`can't give argument to non-function ${text}`);
      }
    });
    return this.#term(first, dot, args());
  }

  /** Those behind the one that decides are not looked at. */
  #logic(name: "and" | "or", args: readonly (() => Value)[], whole: Place): Value {
    this.#about(whole, whole.at, () => {
      if (args.length > 0) return;
      throw new TemplateError(`wrong number of args for ${name}: want at least 1 got 0`);
    });
    let value: Value;
    for (const arg of args) {
      value = arg();
      if (isTrue(value) === (name === "or")) break;
    }
    return value;
  }

  #term(term: Term, dot: Value, args: readonly Value[] = []): Value {
    const { operand, fields } = term;
    const start = this.#operand(operand, dot, term);
    if (fields.length === 0) return start;
    const reach = (value: Value, name: string, at: number): Value =>
      fieldOf(value, name, at === fields.length - 1 ? args : []);
    return this.#about(term, term.column, () => fields.reduce(reach, start));
  }

  #operand(operand: Operand, dot: Value, place: Place): Value {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return dot;
      case "function":
        return this.#apply(operand.name, [], place);
      case "variable":
        return this.#variables.findLast(([name]) => name === operand.name)?.[1];
      case "pipe":
        return this.#pipe(operand.pipe, dot);
    }
  }

  #apply(name: string, args: readonly Value[], place: Place): Value {
    return this.#about(place, place.at, () => {
      const own = this.#functions.get(name);
      if (own !== undefined) return own(args);
      const builtin = BUILTINS.get(name);
      if (builtin === undefined) throw new TemplateError(`function "${name}" not defined`);
      return builtin(args);
    });
  }

  /** Errors in it are about that part of the source. */
  #about<Result>(
    place: Place | undefined,
    column: number | undefined,
    inside: () => Result,
  ): Result {
    try {
      return inside();
    } catch (error) {
      if (error instanceof TemplateError && error.at === undefined && place !== undefined) {
        const part = this.#template.source.slice(place.at, place.end);
        error.at = column ?? place.at;
        // Without all of its arguments no function is called: Go names the function only.
        error.part = error.message.startsWith("wrong number of args")
          ? part.split(" ", 1)[0]
          : part;
      }
      throw error;
    }
  }
}

/** What `range` goes through, with what it calls each. @throws TemplateError */
function itemsOf(value: Value, isPair: boolean): readonly (readonly [Value, Value])[] {
  if (value === undefined || value === null) return [];
  if (isList(value)) return value.map((one, at) => [at, one] as const);
  if (isMap(value)) return sortedEntries(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) {
    if (isPair)
      throw new TemplateError(`can't use ${value} to iterate over more than one variable`);
    return Array.from({ length: Math.min(Math.max(value, 0), RANGE_MAX) }, (_, at) => [at, at]);
  }
  throw new TemplateError(`range can't iterate over ${printed(value)}`);
}

/** What is not there has no fields, and is not there, either. @throws TemplateError */
function fieldOf(value: Value, name: string, args: readonly Value[]): Value {
  if (isThing(value)) return value.field(name, args);
  if (value === undefined) return undefined;
  if (value === null) throw new TemplateError(`nil pointer evaluating interface {}.${name}`);
  if (!isMap(value)) throw new TemplateError(`can't evaluate field ${name} in type interface {}`);
  if (args.length > 0) throw new TemplateError(`${name} is not a method but has arguments`);
  return value.get(name);
}
