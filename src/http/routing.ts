/** Which methods a path has, for requests that no endpoint takes. */
import type { Declared, Method } from "./endpoint.ts";
import { twinsOf } from "./endpoint.ts";

/** What is said to a method that a path has not. */
export interface Otherwise {
  readonly status: number;
  readonly text: string;
  /** Those that it has. */
  readonly methods: readonly Method[];
  readonly cors: boolean;
}

export const INVALID_METHOD = { status: 405, text: "Invalid method" };

export class Routing {
  readonly #fixed = new Map<string, Declared[]>();
  readonly #forms = new Map<string, { readonly form: RegExp; readonly all: Declared[] }>();

  constructor(table: readonly Declared[]) {
    for (const endpoint of table) this.#of(endpoint.path).push(endpoint);
  }

  /** undefined: nothing is at that path. */
  otherwise(path: string): Otherwise | undefined {
    const found = this.#fixed.get(path) ?? this.#formed(path);
    const [first] = found ?? [];
    if (found === undefined || first === undefined) return undefined;
    const methods = found.flatMap((one) => [one.method, ...twinsOf(one, one.method)]);
    const cors = found.some((one) => one.cors === true);
    return { ...(first.otherwise ?? INVALID_METHOD), methods: [...new Set(methods)], cors };
  }

  #of(path: string): Declared[] {
    if (!/[:*]/.test(path)) return entry(this.#fixed, path, () => []);
    const form = new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+").replace("*", ".+")}$`);
    return entry(this.#forms, path, () => ({ form, all: [] })).all;
  }

  #formed(path: string): Declared[] | undefined {
    for (const { form, all } of this.#forms.values()) if (form.test(path)) return all;
    return undefined;
  }
}

function entry<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}

/** A path, and the methods that it has. */
interface Shadowed {
  readonly path: string;
  readonly methods: readonly Method[];
}

/**
 * Paths without names in them that others, with names at their ends, stand for, too. It is asked at
 * each start: nothing is matched.
 */
export function shadowed(table: readonly Declared[]): readonly Shadowed[] {
  const folders = new Set<string>();
  for (const { path } of table) if (/\/(?::\w+|\*)$/.test(path)) folders.add(folderOf(path));
  const found = new Map<string, Declared[]>();
  for (const endpoint of table) {
    const { path } = endpoint;
    if (/[:*]/.test(path) || !folders.has(folderOf(path))) continue;
    entry(found, path, () => []).push(endpoint);
  }
  return [...found].map(([path, all]) => ({
    path,
    methods: all.flatMap((one) => [one.method, ...twinsOf(one, one.method)]),
  }));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
