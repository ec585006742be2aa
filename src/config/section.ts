/**
 * Typed reading of one block. What is read is what is known: a key that nobody asked for is an
 * error with the nearest known key. Every mistake is kept, and reading goes on.
 *
 * @module
 */
import { parseDurationMs } from "../wire/duration.ts";
import type { Position, Problem } from "./problem.ts";
import { nearest } from "./suggest.ts";
import type { Entry, Tree, Value } from "./tree.ts";

const NOWHERE: Position = { file: "", line: 0, column: 0, length: 1 };
const EMPTY: Tree = new Map();

export class Section {
  readonly #tree: Tree;
  readonly #path: string;
  readonly #problems: Problem[];
  readonly #known = new Set<string>();
  /** Where the block stands; undefined if it is not there. */
  readonly at: Position | undefined;

  constructor(tree: Tree | undefined, path: string, problems: Problem[], at?: Position) {
    this.#tree = tree ?? EMPTY;
    this.#path = path;
    this.#problems = problems;
    this.at = at;
  }

  has(key: string): boolean {
    this.#known.add(key);
    return this.#tree.has(key);
  }

  /** Where the value of `key` stands, for a mistake that is found later. */
  position(key: string): Position {
    return this.#tree.get(key)?.valueAt ?? NOWHERE;
  }

  text(key: string): string | undefined {
    return this.#scalar(key, "a string", (value) =>
      typeof value === "string" ? value : undefined,
    );
  }

  /** A text that must be one of `words`, in any case. */
  word<Word extends string>(key: string, words: readonly Word[]): Word | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const found = words.find((word) => word.toLowerCase() === text.toLowerCase());
    if (found !== undefined) return found;
    const guess = nearest(text, words);
    const help = guess === undefined ? undefined : `did you mean "${guess}"?`;
    this.mistake(key, `must be one of ${words.join(", ")}, found "${text}"`, help);
    return undefined;
  }

  bool(key: string): boolean | undefined {
    return this.#scalar(key, "true or false", (value) => {
      if (value === "true" || value === "false") return value === "true";
      return typeof value === "boolean" ? value : undefined;
    });
  }

  /** An integer within the range; also as a string, as Nomad takes it. */
  int(key: string, min: number, max: number): number | undefined {
    const value = this.#scalar(key, "a whole number", (raw) => {
      const number = typeof raw === "string" && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      return typeof number === "number" && Number.isInteger(number) ? number : undefined;
    });
    return this.#within(key, value, min, max);
  }

  /** A number within the range, whole or not. */
  number(key: string, min: number, max: number): number | undefined {
    const value = this.#scalar(key, "a number", (raw) => {
      const number = typeof raw === "string" && /^-?\d+(\.\d+)?$/.test(raw) ? Number(raw) : raw;
      return typeof number === "number" && Number.isFinite(number) ? number : undefined;
    });
    return this.#within(key, value, min, max);
  }

  #within(key: string, value: number | undefined, min: number, max: number): number | undefined {
    if (value === undefined || (value >= min && value <= max)) return value;
    this.mistake(key, `must be between ${min} and ${max}, found ${value}`);
    return undefined;
  }

  durationMs(key: string): number | undefined {
    const example = "a duration such as 30s, 500ms or 1h30m";
    return this.#scalar(key, example, (value) =>
      typeof value === "string" ? parseDurationMs(value) : undefined,
    );
  }

  texts(key: string): readonly string[] | undefined {
    const entry = this.#take(key);
    if (entry === undefined) return undefined;
    const { value } = entry;
    const items = value.kind === "list" ? value.items : [value];
    const texts = items.flatMap((item) =>
      item.kind === "scalar" && typeof item.scalar === "string" ? [item.scalar] : [],
    );
    if (texts.length === items.length) return texts;
    this.mistake(key, "must be a list of strings");
    return undefined;
  }

  /** A map of strings, such as `meta`. */
  textMap(key: string): Readonly<Record<string, string>> | undefined {
    const entry = this.#take(key);
    if (entry === undefined) return undefined;
    if (entry.value.kind !== "tree") {
      this.mistake(key, 'must be a block of key = "value" lines');
      return undefined;
    }
    const map: Record<string, string> = {};
    for (const [name, { value, valueAt }] of entry.value.tree) {
      if (value.kind === "scalar" && value.scalar !== null) map[name] = String(value.scalar);
      else this.#add(`${this.#name(key)}.${name} must be a string`, valueAt);
    }
    return map;
  }

  /** A block that may stand once; an empty section if it is not there. */
  block(key: string): Section {
    const entry = this.#take(key);
    const path = this.#name(key);
    if (entry === undefined) return new Section(undefined, path, this.#problems);
    const { value } = entry;
    if (value.kind === "tree") return new Section(value.tree, path, this.#problems, entry.keyAt);
    if (value.kind === "list" && isRepeatedBlock(value)) {
      this.#add(`only one "${key}" block is allowed, found ${value.items.length}`, entry.keyAt);
    } else {
      this.#add(`"${path}" must be a block: ${key} { ... }`, entry.keyAt);
    }
    return new Section(undefined, path, this.#problems, entry.keyAt);
  }

  /** Keys of Nomad's that mean nothing here. @returns those that are set */
  ignore(keys: readonly string[]): readonly string[] {
    return keys.filter((key) => this.has(key)).map((key) => this.#name(key));
  }

  /** Call last: whatever was not asked for is unknown. */
  finish(): void {
    for (const [key, entry] of this.#tree) {
      if (this.#known.has(key)) continue;
      const where = this.#path === "" ? "" : ` in block "${this.#path}"`;
      const guess = nearest(key, this.#known);
      const help = guess === undefined ? undefined : `did you mean "${guess}"?`;
      this.#add(`unknown key "${key}"${where}`, entry.keyAt, help);
    }
  }

  mistake(key: string, what: string, help?: string): void {
    this.#add(`${this.#name(key)}: ${what}`, this.position(key), help);
  }

  #add(message: string, at: Position, help?: string): void {
    this.#problems.push({ severity: "error", message, at, help });
  }

  #name(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }

  #take(key: string): Entry | undefined {
    this.#known.add(key);
    return this.#tree.get(key);
  }

  #scalar<T>(
    key: string,
    expected: string,
    accept: (value: string | number | boolean) => T | undefined,
  ): T | undefined {
    const entry = this.#take(key);
    if (entry === undefined) return undefined;
    const { value } = entry;
    if (value.kind === "scalar" && value.scalar === null) return undefined;
    const raw = value.kind === "scalar" ? value.scalar : null;
    const accepted = raw === null ? undefined : accept(raw);
    if (accepted === undefined) this.mistake(key, `must be ${expected}, found ${describe(value)}`);
    return accepted;
  }
}

function isRepeatedBlock(value: Value): boolean {
  return (
    value.kind === "list" && value.items.length > 1 && value.items.every((i) => i.kind === "tree")
  );
}

function describe(value: Value): string {
  if (value.kind === "list") return "a list";
  if (value.kind === "tree") return "a block";
  return JSON.stringify(value.scalar);
}
