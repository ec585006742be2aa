/** Flags as a configuration tree, so that they merge and are checked like a file's keys. */
import type { Position } from "../config/problem.ts";
import { type Entry, mergeTrees, type Tree, type Value } from "../config/tree.ts";

/** Dotted path to value; undefined: the flag was not given. */
export type FlagValues = Readonly<
  Record<
    string,
    string | boolean | readonly string[] | Readonly<Record<string, string>> | undefined
  >
>;

const FROM_FLAGS: Position = { file: "the command line", line: 0, column: 0, length: 1 };

export function flagTree(values: FlagValues): Tree {
  let tree: Tree = new Map();
  for (const [path, value] of Object.entries(values)) {
    if (value !== undefined) tree = mergeTrees(tree, nested(path.split("."), toValue(value)));
  }
  return tree;
}

function nested(path: readonly string[], value: Value): Tree {
  const [key = "", ...rest] = path;
  const inner: Value = rest.length === 0 ? value : { kind: "tree", tree: nested(rest, value) };
  return new Map([[key, entry(inner)]]);
}

function toValue(value: NonNullable<FlagValues[string]>): Value {
  if (typeof value === "string" || typeof value === "boolean") return scalar(value);
  if (isList(value)) return { kind: "list", items: value.map(scalar) };
  const tree = new Map(Object.entries(value).map(([key, one]) => [key, entry(scalar(one))]));
  return { kind: "tree", tree };
}

function isList(value: NonNullable<FlagValues[string]>): value is readonly string[] {
  return Array.isArray(value);
}

function scalar(value: string | boolean): Value {
  return { kind: "scalar", scalar: value };
}

function entry(value: Value): Entry {
  return { value, keyAt: FROM_FLAGS, valueAt: FROM_FLAGS };
}
