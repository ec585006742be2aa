/**
 * A configuration as it was written: keys, values and where each stands. Files become trees, trees
 * merge in order (later wins), and one tree is parsed; so there is one place for defaults.
 *
 * @module
 */
import type { Position } from "./problem.ts";

export type Scalar = string | number | boolean | null;

export type Value =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | { readonly kind: "tree"; readonly tree: Tree };

export interface Entry {
  readonly value: Value;
  readonly keyAt: Position;
  readonly valueAt: Position;
}

export type Tree = ReadonlyMap<string, Entry>;

/** Lists that grow over files instead of being replaced, as in Nomad. */
const APPENDING = new Set([
  "server.retry_join",
  "server.start_join",
  "client.servers",
  "server.enabled_schedulers",
]);

/** Later wins; blocks merge key by key. */
export function mergeTrees(earlier: Tree, later: Tree, path = ""): Tree {
  const merged = new Map(earlier);
  for (const [key, entry] of later) {
    const here = path === "" ? key : `${path}.${key}`;
    const known = merged.get(key);
    merged.set(key, known === undefined ? entry : mergeEntries(known, entry, here));
  }
  return merged;
}

function mergeEntries(earlier: Entry, later: Entry, path: string): Entry {
  const [a, b] = [earlier.value, later.value];
  if (a.kind === "tree" && b.kind === "tree") {
    return { ...later, value: { kind: "tree", tree: mergeTrees(a.tree, b.tree, path) } };
  }
  if (a.kind === "list" && b.kind === "list" && APPENDING.has(path)) {
    return { ...later, value: { kind: "list", items: [...a.items, ...b.items] } };
  }
  return later;
}

export type PositionOf = (path: readonly string[]) => { key: Position; value: Position };

/**
 * A tree from parsed JSON.
 *
 * HCL blocks come as lists of objects: one becomes the block itself, more stay a list (which is an
 * error for the blocks that may stand only once, and the reader says so).
 */
export function treeFromJson(
  json: Readonly<Record<string, unknown>>,
  positionOf: PositionOf,
  path: readonly string[] = [],
): Tree {
  const tree = new Map<string, Entry>();
  for (const [key, raw] of Object.entries(json)) {
    const here = [...path, key];
    const only = Array.isArray(raw) && raw.length === 1 && isObject(raw[0]) ? raw[0] : undefined;
    const at = positionOf(here);
    const place = only === undefined ? here : [...here, "0"];
    const value = only === undefined ? valueFromJson(raw, positionOf, here) : undefined;
    tree.set(key, {
      value: value ?? { kind: "tree", tree: treeFromJson(only ?? {}, positionOf, place) },
      keyAt: at.key,
      valueAt: at.value,
    });
  }
  return tree;
}

function valueFromJson(raw: unknown, positionOf: PositionOf, path: readonly string[]): Value {
  if (Array.isArray(raw)) {
    const items = raw.map((item, i) => valueFromJson(item, positionOf, [...path, String(i)]));
    return { kind: "list", items };
  }
  if (isObject(raw)) return { kind: "tree", tree: treeFromJson(raw, positionOf, path) };
  if (typeof raw === "string" || typeof raw === "number" || typeof raw === "boolean") {
    return { kind: "scalar", scalar: raw };
  }
  return { kind: "scalar", scalar: null };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
