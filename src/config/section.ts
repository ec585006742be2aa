/**
 * Typed reading of one block, as Nomad decodes and merges it. All files are read at once: each key
 * is asked of every file in order. A later file wins, but what is nothing (false, 0, an empty text)
 * takes nothing back; within a file the last one counts, whatever it is.
 *
 * What is read is what is known: a key that nobody asked for is an error with the nearest known
 * key. Every mistake is kept, and reading goes on.
 *
 * @module
 */
import { parseDurationMs } from "../wire/duration.ts";
import { type Block, type Found, indexOf, isEmptyBody, keyAt, valueAt } from "./block.ts";
import { homeOf } from "./homes.ts";
import type { IgnoredKeys } from "./ignored.ts";
import { type Body, type Node, withoutKey } from "./outline.ts";
import type { Position } from "./problem.ts";
import { isSecretName, nameToShow, valueToShow } from "./redact.ts";
import type { Report } from "./report.ts";
import { BOOL, DURATION, FLOAT, INT, type Rule, SCALARS } from "./scalars.ts";
import type { SourceText } from "./source-text.ts";
import { nearest } from "./suggest.ts";

const NOWHERE: Position = { file: "", line: 0, column: 0, length: 1 };

interface SectionOptions {
  /** A key may be there once in a block. */
  readonly once: boolean;
  /** What a key is that nobody asked for; Nomad does not look at the keys of some blocks. */
  readonly unknown?: "error" | "warning";
  /** Keys that may be there again nevertheless. */
  readonly repeatable?: readonly string[];
  /** Keys that Nomad drops silently, and the block that they belong into. */
  readonly misplaced?: Readonly<Record<string, string>>;
}

export class Section {
  readonly #layers: readonly (readonly Block[])[];
  readonly #path: string;
  readonly #report: Report;
  readonly #options: SectionOptions;
  readonly #known = new Set<string>();
  readonly #effective = new Map<string, Found>();
  #index: ReadonlyMap<string, readonly (readonly Found[])[]> | undefined;
  /** Where the block stands; undefined if it is not there. */
  readonly at: Position | undefined;

  /** @param layers for every file, in order, this block as often as it is there */
  constructor(
    layers: readonly (readonly Block[])[],
    path: string,
    report: Report,
    options: SectionOptions = { once: true },
  ) {
    this.#layers = layers;
    this.#path = path;
    this.#report = report;
    this.#options = options;
    this.at = layers.flat()[0]?.at;
  }

  has(key: string): boolean {
    return this.#find(key).length > 0;
  }

  /** Every key that is there, as it is written: labels of blocks, say. */
  names(): readonly string[] {
    const items = this.#layers.flat().flatMap(({ body }) => body.items);
    return [...new Set(items.flatMap(({ keys: [key] }) => key?.text ?? []))];
  }

  /** Where the value of `key` that counts stands, for a mistake that is found later. */
  position(key: string): Position {
    const found = this.#effective.get(key) ?? this.#find(key).at(-1)?.at(-1);
    return found === undefined ? NOWHERE : valueAt(found);
  }

  text(key: string): string | undefined {
    const isUnset = (value: string): boolean => value === "";
    return this.#scalar(key, { expected: "a string", accept: (text) => text, isUnset });
  }

  /** A text that must be one of `words`, in any case. */
  word<Word extends string>(key: string, words: readonly Word[]): Word | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const found = words.find((word) => word.toLowerCase() === text.toLowerCase());
    if (found !== undefined) return found;
    const guess = nearest(text, words);
    const help = guess === undefined ? undefined : `did you mean "${guess}"?`;
    this.mistake(key, `must be one of ${words.join(", ")}, found ${valueToShow(text)}`, help);
    return undefined;
  }

  bool(key: string): boolean | undefined {
    return this.#scalar(key, { ...BOOL, isUnset: (value) => !value });
  }

  /** A boolean that a later file may set to false again. */
  ownBool(key: string): boolean | undefined {
    return this.#scalar(key, BOOL);
  }

  /** An integer within the range; 0 is as if it were not there. */
  int(key: string, min: number, max: number): number | undefined {
    return this.#within(
      key,
      this.#scalar(key, { ...INT, isUnset: (value) => value === 0 }),
      min,
      max,
    );
  }

  /** An integer that may be 0. */
  ownInt(key: string, min: number, max: number): number | undefined {
    return this.#within(key, this.#scalar(key, INT), min, max);
  }

  /** A number, whole or not; 0 is as if it were not there. */
  number(key: string): number | undefined {
    return this.#scalar(key, FLOAT);
  }

  #within(key: string, value: number | undefined, min: number, max: number): number | undefined {
    if (value === undefined || (value >= min && value <= max)) return value;
    this.mistake(key, `must be between ${min} and ${max}, found ${value}`);
    return undefined;
  }

  /** An empty text is as if it were not there; so is "0s", unless it is `meantIfZero`. */
  durationMs(key: string, meantIfZero = false): number | undefined {
    const isUnset = (text: string): boolean =>
      text === "" || (!meantIfZero && parseDurationMs(text) === 0);
    const text = this.#scalar(key, { ...DURATION, isUnset });
    return text === undefined ? undefined : parseDurationMs(text);
  }

  /** Lists grow over files, or the last one counts. */
  texts(key: string, over: "append" | "replace" = "append"): readonly string[] | undefined {
    const layers = this.#find(key).map((layer) =>
      layer.flatMap((found) => this.#items(key, found)),
    );
    if (layers.length === 0) return undefined;
    if (over === "append") return layers.flat();
    return layers.findLast((layer) => layer.length > 0) ?? [];
  }

  #items(key: string, found: Found): string[] {
    const { node } = found;
    if (isEmptyBody(node)) return [];
    if (node.kind !== "list") {
      this.#add(`${this.#name(key)}: must be a list of strings: ["...", "..."]`, valueAt(found));
      return [];
    }
    return node.nodes.flatMap((item) => {
      const one = { ...found, node: item };
      if (item.kind === "scalar") return this.#isLiteral(one) ? [item.text] : [];
      this.#add(`${this.#name(key)}: must be a list of strings`, valueAt(one));
      return [];
    });
  }

  /** A map of strings, such as `meta`. */
  textMap(key: string): Readonly<Record<string, string>> | undefined {
    const all = this.#find(key).flat();
    if (all.length === 0) return undefined;
    const map = new Map<string, string>();
    for (const found of all) {
      if (found.node.kind === "body") this.#readMap(key, found, found.node, map);
      else this.mistake(key, 'must be a block of key = "value" lines');
    }
    return Object.fromEntries(map);
  }

  #readMap(key: string, { source }: Found, body: Body, map: Map<string, string>): void {
    for (const item of body.items) {
      const [name] = item.keys;
      if (name === undefined) continue;
      const node = withoutKey(item);
      const found = { node, source, keyAt: name.at, keyLength: name.length };
      if (node.kind !== "scalar") {
        this.#add(`every value in ${this.#name(key)} must be a string`, valueAt(found));
      } else if (this.#isLiteral(found)) map.set(name.text, node.text);
    }
  }

  /** A block of its own; empty if it is not there. */
  block(key: string, options: SectionOptions = { once: true }): Section {
    const path = this.#name(key);
    const layers = this.#find(key).map((layer) =>
      layer.flatMap((found): Block[] => {
        const { node: body, source } = found;
        if (body.kind === "body") return [{ source, body, at: keyAt(found) }];
        this.#add(`"${path}" must be a block: ${key} { ... }`, keyAt(found));
        return [];
      }),
    );
    return new Section(layers, path, this.#report, options);
  }

  /** Keys of Nomad's that have no effect here: only their names and types are looked at. */
  ignore(keys: IgnoredKeys): void {
    for (const [key, kind] of Object.entries(keys)) {
      const all = this.#find(key).flat();
      if (all.length === 0) continue;
      this.#report.ignored.add(this.#name(key));
      if (typeof kind === "object") {
        const repeatable = Object.keys(kind).filter((inner) => kind[inner] === "any");
        this.block(key, { once: true, repeatable }).#ignoreWithin(kind);
      } else {
        for (const found of all) this.#checkIgnored(key, kind, found);
      }
    }
  }

  #ignoreWithin(keys: IgnoredKeys): void {
    for (const [key, kind] of Object.entries(keys)) {
      for (const found of this.#find(key).flat()) {
        if (typeof kind === "string") this.#checkIgnored(key, kind, found);
      }
    }
    this.finish();
  }

  #checkIgnored(key: string, kind: string, { node, ...found }: Found): void {
    const at = valueAt({ node, ...found });
    const wrong = (expected: string): void =>
      this.#add(`${this.#name(key)}: must be ${expected}, found ${describe(key, node)}`, at);
    if (kind === "any" || (node.kind === "scalar" && node.interpolationAt !== undefined)) return;
    if (kind === "list") {
      if (node.kind !== "list" && !isEmptyBody(node)) wrong("a list");
    } else if (node.kind !== "scalar") wrong(SCALARS[kind]?.expected ?? "a string");
    else {
      const rule = SCALARS[kind];
      if (rule !== undefined && rule.accept(node.text, node.type) === undefined)
        wrong(rule.expected);
    }
  }

  /** Call last: whatever was not asked for is unknown. */
  finish(): void {
    for (const { source, body } of this.#layers.flat()) {
      const first = new Map<string, number>();
      for (const { keys } of body.items) {
        const [key] = keys;
        if (key === undefined) continue;
        const name = key.text.toLowerCase();
        const before = first.get(name);
        if (!this.#known.has(name)) this.#unknown(source, key.text, key.at, key.length);
        else if (before === undefined) first.set(name, key.at);
        else this.#again(name, source, key.at, before);
      }
    }
  }

  #again(name: string, source: SourceText, at: number, before: number): void {
    const { once, repeatable = [] } = this.#options;
    if (!once || repeatable.includes(name)) return;
    const { line, column } = source.at(before);
    const message = `"${this.#name(name)}" is set a second time (first at ${line}:${column})`;
    this.#add(message, source.at(at, name.length), "keep one");
  }

  #unknown(source: SourceText, text: string, at: number, length: number): void {
    const place = source.at(at, length);
    const home = Object.hasOwn(this.#options.misplaced ?? {}, text.toLowerCase())
      ? this.#options.misplaced?.[text.toLowerCase()]
      : undefined;
    if (home !== undefined) {
      const message = `"${text}" has no effect here: it belongs into the block "${home}"`;
      this.#report.warn(message, place);
      return;
    }
    const where = this.#path === "" ? "" : ` in block "${this.#path}"`;
    if (this.#options.unknown === "warning") {
      this.#report.warn(`unknown key ${nameToShow(text)}${where}: it has no effect`, place);
      return;
    }
    const block = homeOf(text);
    const guess = this.#report.isFull ? undefined : nearest(text, this.#known);
    const nearby = guess === undefined ? undefined : `did you mean "${guess}"?`;
    const help = block === undefined ? nearby : `it belongs into the block "${block}"`;
    this.#add(`unknown key ${nameToShow(text)}${where}`, place, help);
  }

  mistake(key: string, what: string, help?: string): void {
    this.#add(`${this.#name(key)}: ${what}`, this.position(key), help);
  }

  warn(key: string, what: string): void {
    this.#report.warn(`${this.#name(key)}: ${what}`, this.position(key));
  }

  /** With the whole text of what is wrong. */
  fail(key: string, message: string): void {
    this.#add(message, this.position(key));
  }

  #add(message: string, at: Position, help?: string): void {
    this.#report.fail(message, at, help);
  }

  #name(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }

  /** In every file that has it, as often as it is there; keys are the same in any case. */
  #find(key: string): readonly (readonly Found[])[] {
    this.#known.add(key);
    this.#index ??= indexOf(this.#layers);
    return this.#index.get(key) ?? [];
  }

  #scalar<T>(key: string, rule: Rule<T>): T | undefined {
    let chosen: { readonly value: T; readonly found: Found } | undefined;
    for (const layer of this.#find(key)) {
      let last: { readonly value: T; readonly found: Found } | undefined;
      for (const found of layer) {
        const value = this.#accept(key, found, rule);
        if (value !== undefined) last = { value, found };
      }
      if (last === undefined) continue;
      const takesBack = chosen !== undefined && rule.isUnset(last.value);
      if (chosen === undefined || !takesBack) chosen = last;
      else if (!rule.isUnset(chosen.value)) {
        this.#report.keep(this.#name(key), valueAt(last.found), valueAt(chosen.found));
      }
    }
    if (chosen === undefined) return undefined;
    this.#effective.set(key, chosen.found);
    return rule.isUnset(chosen.value) ? undefined : chosen.value;
  }

  #accept<T>(key: string, found: Found, rule: Rule<T>): T | undefined {
    const { node } = found;
    if (node.kind === "scalar" && !this.#isLiteral(found)) return undefined;
    const value = node.kind === "scalar" ? rule.accept(node.text, node.type) : undefined;
    if (value === undefined) {
      const message = `must be ${rule.expected}, found ${describe(key, node)}`;
      this.#add(`${this.#name(key)}: ${message}`, valueAt(found));
    }
    return value;
  }

  /** Nomad leaves a `${ }` as it stands, which nobody wants who writes one. */
  #isLiteral({ node, source }: Found): boolean {
    if (node.kind !== "scalar" || node.interpolationAt === undefined) return true;
    const message = "${ } is not evaluated: an agent configuration has no interpolation";
    const help = "write the value itself, or $${ } for the plain characters";
    this.#add(message, source.at(node.interpolationAt, 2), help);
    return false;
  }
}

function describe(key: string, node: Node): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "body") return "a block";
  if (isSecretName(key)) return "something else";
  return node.type === "text" ? valueToShow(node.text) : node.text;
}
