/**
 * Filter expressions of list endpoints, asked of one item after another as go-bexpr does (v0.1.16).
 * An item is JSON: what it is made of decides how a text is compared with it.
 *
 * @module
 */
import { compileExpression } from "./expression.ts";
import { type Expression, type Match, parseFilter } from "./filter-parse.ts";
import type { JsonValue } from "./msgpack-json.ts";

/** Comparisons of one item: loops in loops over long lists would take for ever. */
const STEPS_MAX = 10_000;

/** Its fields; what is not among them is a mistake, other than a key that a map lacks. */
export type Item = Readonly<Record<string, JsonValue>>;

/** A name within `any` or `all`: another place of the item, or a key or index itself. */
interface Local {
  readonly name: string;
  readonly path?: readonly string[];
  readonly value?: string | number;
}

class Fault extends Error {}

/** A map lacks this key. */
const ABSENT = Symbol("absent");

export class Filter {
  readonly #tree: Expression;
  readonly #patterns = new Map<string, (value: string) => boolean>();
  /**
   * The fields that it looks at, names within `any` and `all` among them, and the keys in each;
   * undefined: it looks at all of it.
   */
  readonly fields: ReadonlyMap<string, ReadonlySet<string> | undefined>;
  #steps = 0;

  private constructor(tree: Expression) {
    this.#tree = tree;
    this.fields = fieldsOf(pathsOf(tree));
  }

  /** @returns a text: why it is none */
  static parse(text: string): Filter | string {
    const tree = parseFilter(text);
    return typeof tree === "string" ? tree : new Filter(tree);
  }

  /** @returns a text: why that cannot be told of this item */
  matches(item: Item): boolean | string {
    this.#steps = 0;
    try {
      return this.#test(this.#tree, item, []);
    } catch (error) {
      if (error instanceof Fault) return error.message;
      throw error;
    }
  }

  #test(tree: Expression, item: Item, locals: readonly Local[]): boolean {
    this.#steps += 1;
    if (this.#steps > STEPS_MAX) throw new Fault("the filter takes too long: loops in loops");
    switch (tree.kind) {
      case "not":
        return !this.#test(tree.inner, item, locals);
      case "and":
        return tree.parts.every((one) => this.#test(one, item, locals));
      case "or":
        return tree.parts.some((one) => this.#test(one, item, locals));
      case "match":
        return this.#compare(tree, valueAt(item, tree.path, locals)) !== tree.negated;
      default:
        return this.#each(tree, item, locals);
    }
  }

  #each(
    tree: Extract<Expression, { kind: "any" | "all" }>,
    item: Item,
    locals: readonly Local[],
  ): boolean {
    const { kind, path, name, index, item: itemName, inner } = tree;
    const found = valueAt(item, path, locals);
    if (found === ABSENT || found === null) return kind === "all";
    if (typeof found !== "object") throw new Fault(`${path.join(".")} is not a list or a map`);
    const isList = Array.isArray(found);
    for (const key of Object.keys(found)) {
      if (index !== "" && index === itemName) {
        throw new Fault(`${JSON.stringify(index)} cannot stand for both the index and the value`);
      }
      const value = isList ? Number(key) : key;
      const place = [...path, key];
      const more: Local[] = [
        ...(name === "" ? [] : [isList ? { name, path: place } : { name, value }]),
        ...(index === "" ? [] : [{ name: index, value }]),
        ...(itemName === "" ? [] : [{ name: itemName, path: place }]),
      ];
      if (this.#test(inner, item, [...locals, ...more]) === (kind === "any")) {
        return kind === "any";
      }
    }
    return kind === "all";
  }

  /** What a map lacks equals nothing, holds nothing, and is empty. */
  #compare(match: Match, found: JsonValue | typeof ABSENT): boolean {
    const { operator, value, path } = match;
    if (found === ABSENT) return operator === "empty" || operator === "nil";
    const cannot = (): never => {
      throw new Fault(`cannot tell of ${path.join(".")} whether it ${WORDS[operator]}`);
    };
    switch (operator) {
      case "==":
        return isEqual(found, value) ?? cannot();
      case "in":
        return holds(found, value) ?? cannot();
      case "matches":
        return typeof found === "string" ? this.#pattern(value)(found) : cannot();
      case "empty":
        if (found === null || found === "") return true;
        if (typeof found === "string") return false;
        return typeof found === "object" ? Object.keys(found).length === 0 : cannot();
      case "nil":
        return typeof found === "object" ? found === null : cannot();
    }
  }

  #pattern(text: string): (value: string) => boolean {
    const known = this.#patterns.get(text) ?? compileExpression(text);
    if (typeof known === "string") {
      throw new Fault(`failed to compile regular expression ${JSON.stringify(text)}: ${known}`);
    }
    this.#patterns.set(text, known);
    return known;
  }
}

const WORDS: Readonly<Record<Match["operator"], string>> = {
  "==": "equals something",
  in: "contains something",
  matches: "matches something",
  empty: "is empty",
  nil: "is nil",
};

/** @throws Fault where there can be no such thing */
function valueAt(
  item: Item,
  selector: readonly string[],
  locals: readonly Local[],
): JsonValue | typeof ABSENT {
  let path = selector;
  for (const { name, path: place, value } of [...locals].reverse()) {
    if (path[0] !== name) continue;
    if (value !== undefined) {
      if (path.length === 1) return value;
      throw new Fault(`${name} is a key or an index: there is no ${path.join(".")}`);
    }
    path = [...(place ?? []), ...path.slice(1)];
  }
  let found: JsonValue = item;
  for (const [i, part] of path.entries()) {
    const missing = (): never => {
      throw new Fault(
        `error finding value in datum: there is no /${path.slice(0, i + 1).join("/")}`,
      );
    };
    // Of Go's structs some are pointers, and maps may be nil: both hold nothing.
    if (found === null && i > 0) return ABSENT;
    if (typeof found !== "object" || found === null) return missing();
    const isThere: boolean =
      Object.hasOwn(found, part) && (!Array.isArray(found) || /^\d+$/.test(part));
    const next: JsonValue | undefined = isThere ? Reflect.get(found, part) : undefined;
    if (next === undefined) {
      const isKey = !Array.isArray(found) && i === path.length - 1 && i > 0;
      return isKey ? ABSENT : missing();
    }
    found = next;
  }
  return found;
}

/** undefined: a text cannot be compared with it. */
function isEqual(found: JsonValue, value: string): boolean | undefined {
  if (typeof found === "string") return found === value;
  const read = readAs(found, value);
  if (read instanceof Fault) throw read;
  return read === undefined ? undefined : read === found;
}

function holds(found: JsonValue, value: string): boolean | undefined {
  if (found === null) return false;
  if (typeof found === "string") return found.includes(value);
  if (!Array.isArray(found))
    return typeof found === "object" ? Object.hasOwn(found, value) : undefined;
  const list: readonly JsonValue[] = found;
  for (const one of list) {
    const read = typeof one === "string" ? value : readAs(one, value);
    if (read === undefined) return undefined;
    // A text that is no number is in no list of numbers.
    if (read === one) return true;
  }
  return false;
}

/** The text as what it is compared with; undefined: that is neither number nor truth. */
function readAs(found: JsonValue, text: string): number | boolean | Fault | undefined {
  if (typeof found === "boolean") {
    if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
    if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
    return new Fault(`${JSON.stringify(text)} is neither true nor false`);
  }
  if (typeof found !== "number") return undefined;
  return (
    readNumber(text, Number.isInteger(found)) ??
    new Fault(`${JSON.stringify(text)} is not a number`)
  );
}

/** Go's whole numbers in all their forms, or decimal fractions. */
function readNumber(text: string, whole: boolean): number | undefined {
  const [, sign, rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  const plain = /^(?:0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])*|[1-9](?:_?\d)*)$/;
  const factor = sign === "-" ? -1 : 1;
  if (whole && plain.test(rest) && !/^0[oO]$/.test(rest)) {
    const digits = rest.replaceAll("_", "").replace(/^0[oO]?(?=[0-7])/, "0o");
    return factor * Number(digits);
  }
  if (!whole && /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(rest)) return factor * Number(rest);
  return undefined;
}

/** Of all comparisons and loops. */
function pathsOf(tree: Expression): readonly (readonly string[])[] {
  switch (tree.kind) {
    case "and":
    case "or":
      return tree.parts.flatMap(pathsOf);
    case "not":
      return pathsOf(tree.inner);
    case "match":
      return [tree.path];
    default:
      // What is in the list is looked at under other names.
      return [tree.path.slice(0, 1), ...pathsOf(tree.inner)];
  }
}

function fieldsOf(paths: readonly (readonly string[])[]): Filter["fields"] {
  const fields = new Map<string, Set<string> | undefined>();
  for (const [field = "", key] of paths) {
    const known = fields.get(field);
    const isWhole = key === undefined || (fields.has(field) && known === undefined);
    fields.set(field, isWhole ? undefined : (known ?? new Set<string>()).add(key));
  }
  return fields;
}
