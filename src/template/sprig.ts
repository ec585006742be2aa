/**
 * Functions of the sprig library, by the names that Nomad gives them in `-t`: those for texts, lists,
 * maps, numbers and JSON that people use. The rest is refused by name.
 *
 * @module
 */
import { goQuote } from "./format.ts";
import { TemplateError } from "./tokens.ts";
import {
  isList,
  isMap,
  isTrue,
  printed,
  sortedEntries,
  type TemplateFunction,
  toJson,
  toValue,
  typeName,
  type Value,
} from "./value.ts";

/** Of sprig's strval: texts as they are, nil as nothing in a list. */
function text(value: Value): string {
  return typeof value === "string" ? value : printed(value);
}

function number(value: Value): number {
  const found = typeof value === "string" ? Number(value) : value;
  if (typeof found === "boolean") return found ? 1 : 0;
  return typeof found === "number" && Number.isFinite(found) ? Math.trunc(found) : 0;
}

function list(value: Value): readonly Value[] {
  if (isList(value)) return value;
  throw new TemplateError(`it wants a list, and found ${typeName(value)}`);
}

function map(value: Value): ReadonlyMap<string, Value> {
  if (isMap(value)) return value;
  throw new TemplateError(`it wants a map, and found ${typeName(value)}`);
}

function count(value: Value): number {
  const found = number(value);
  if (found >= 0 && found <= 100_000) return found;
  throw new TemplateError(`${found} is no count from 0 to 100000`);
}

/** Lists as they are; a text is one; nil is none. */
function strings(value: Value): readonly string[] {
  if (isList(value)) return value.filter((one) => one !== null && one !== undefined).map(text);
  return value === null || value === undefined ? [] : [text(value)];
}

/** JSON as Go writes it: maps in order. */
function json(value: Value, escapes: boolean, indent?: number): string {
  const written = JSON.stringify(toJson(value), null, indent);
  if (!escapes) return written;
  const hex = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return written.replaceAll(/[<>&\u2028\u2029]/g, hex);
}

function fromJson(value: Value): Value {
  try {
    return toValue(JSON.parse(text(value)));
  } catch {
    return undefined;
  }
}

function indent(size: Value, given: Value): string {
  const pad = " ".repeat(count(size));
  return `${pad}${text(given).replaceAll("\n", `\n${pad}`)}`;
}

function truncated(size: Value, given: Value): string {
  const wanted = number(size);
  const all = text(given);
  return wanted >= 0 ? all.slice(0, wanted) : all.slice(wanted);
}

function unique(given: Value): readonly Value[] {
  const seen = new Set<string>();
  return list(given).filter((one) => {
    const key = `${typeName(one)} ${json(one, false)}`;
    return !seen.has(key) && seen.add(key).size > 0;
  });
}

function pairs(args: readonly Value[]): ReadonlyMap<string, Value> {
  const out = new Map<string, Value>();
  for (let at = 0; at < args.length; at += 2) out.set(text(args[at]), args[at + 1] ?? "");
  return out;
}

function chosen(keys: readonly Value[], from: Value, wanted: boolean): Value {
  const names = new Set(keys.map(text));
  return new Map([...map(from)].filter(([key]) => names.has(key) === wanted));
}

function divided(a: Value, b: Value, how: (x: number, y: number) => number): number {
  const by = number(b);
  if (by === 0) throw new TemplateError("integer divide by zero");
  return how(number(a), by);
}

const TEXTS: Readonly<Record<string, TemplateFunction>> = {
  lower: ([one]) => text(one).toLowerCase(),
  upper: ([one]) => text(one).toUpperCase(),
  trim: ([one]) => text(one).trim(),
  trimAll: ([cut, one]) => trimmed(text(cut), text(one)),
  trimPrefix: ([cut, one]) => withoutStart(text(one), text(cut)),
  trimSuffix: ([cut, one]) => withoutEnd(text(one), text(cut)),
  nospace: ([one]) => text(one).replaceAll(/\s/gu, ""),
  contains: ([part, one]) => text(one).includes(text(part)),
  hasPrefix: ([part, one]) => text(one).startsWith(text(part)),
  hasSuffix: ([part, one]) => text(one).endsWith(text(part)),
  replace: ([from, to, one]) => text(one).split(text(from)).join(text(to)),
  repeat: ([times, one]) => text(one).repeat(count(times)),
  substr: ([from, to, one]) => {
    const [start, end] = [number(from), number(to)];
    return start < 0 ? text(one).slice(0, end) : text(one).slice(start, end < 0 ? undefined : end);
  },
  trunc: ([size, one]) => truncated(size, one),
  abbrev: ([size, one]) => {
    const [wide, all] = [number(size), text(one)];
    return wide < 4 || all.length <= wide ? all : `${all.slice(0, wide - 3)}...`;
  },
  quote: (args) => strings(args).map(goQuote).join(" "),
  squote: (args) =>
    strings(args)
      .map((one) => `'${one}'`)
      .join(" "),
  cat: (args) => strings(args).join(" "),
  indent: ([size, one]) => indent(size, one),
  nindent: ([size, one]) => `\n${indent(size, one)}`,
  toStrings: ([one]) => strings(one),
  b64enc: ([one]) => Buffer.from(text(one), "utf8").toString("base64"),
  b64dec: ([one]) => Buffer.from(text(one), "base64").toString("utf8"),
  join: ([by, all]) => strings(all).join(text(by)),
  splitList: ([by, one]) => text(one).split(text(by)),
};

function trimmed(cut: string, all: string): string {
  let [start, end] = [0, all.length];
  while (start < end && cut.includes(all[start] ?? "\0\0")) start += 1;
  while (end > start && cut.includes(all[end - 1] ?? "\0\0")) end -= 1;
  return all.slice(start, end);
}

function withoutStart(all: string, cut: string): string {
  return all.startsWith(cut) ? all.slice(cut.length) : all;
}

function withoutEnd(all: string, cut: string): string {
  return cut !== "" && all.endsWith(cut) ? all.slice(0, -cut.length) : all;
}

const NUMBERS: Readonly<Record<string, TemplateFunction>> = {
  add: (args) => args.reduce((sum: number, one) => sum + number(one), 0),
  add1: ([one]) => number(one) + 1,
  sub: ([a, b]) => number(a) - number(b),
  mul: ([first, ...others]) =>
    others.reduce((all: number, one) => all * number(one), number(first)),
  div: ([a, b]) => divided(a, b, (x, y) => Math.trunc(x / y)),
  mod: ([a, b]) => divided(a, b, (x, y) => x % y),
  max: ([first, ...others]) => Math.max(number(first), ...others.map(number)),
  min: ([first, ...others]) => Math.min(number(first), ...others.map(number)),
  int: ([one]) => number(one),
  int64: ([one]) => number(one),
  atoi: ([one]) => number(one),
  floor: ([one]) => Math.floor(Number(one)),
  ceil: ([one]) => Math.ceil(Number(one)),
};

const LISTS: Readonly<Record<string, TemplateFunction>> = {
  list: (args) => args,
  first: ([all]) => list(all)[0],
  last: ([all]) => list(all).at(-1),
  rest: ([all]) => list(all).slice(1),
  initial: ([all]) => list(all).slice(0, -1),
  append: ([all, one]) => [...list(all), one],
  prepend: ([all, one]) => [one, ...list(all)],
  concat: (args) => args.flatMap(list),
  reverse: ([all]) => [...list(all)].reverse(),
  uniq: ([all]) => unique(all),
  has: ([one, all]) => list(all).some((each) => json(each, false) === json(one, false)),
  without: ([all, ...gone]) => {
    const out = gone.map((one) => json(one, false));
    return list(all).filter((one) => !out.includes(json(one, false)));
  },
  compact: ([all]) => list(all).filter(isTrue),
  sortAlpha: ([all]) => [...strings(all)].sort(),
  until: ([size]) => Array.from({ length: count(size) }, (_, at) => at),
  dict: (args) => pairs(args),
  get: ([all, key]) => map(all).get(text(key)) ?? "",
  hasKey: ([all, key]) => map(all).has(text(key)),
  keys: (args) => args.flatMap((one) => sortedEntries(map(one)).map(([key]) => key)),
  values: ([all]) => sortedEntries(map(all)).map(([, one]) => one),
  pick: ([all, ...keys]) => chosen(keys, all, true),
  omit: ([all, ...keys]) => chosen(keys, all, false),
  pluck: ([key, ...all]) =>
    all.flatMap((one) => (map(one).has(text(key)) ? [map(one).get(text(key))] : [])),
};

const OTHERS: Readonly<Record<string, TemplateFunction>> = {
  default: ([other, one]) => (isTrue(one) ? one : other),
  empty: ([one]) => !isTrue(one),
  coalesce: (args) => args.find(isTrue),
  ternary: ([yes, no, which]) => (isTrue(which) ? yes : no),
  all: (args) => args.every(isTrue),
  any: (args) => args.some(isTrue),
  fail: ([why]) => {
    throw new TemplateError(text(why));
  },
  kindOf: ([one]) => kindOf(one),
  typeOf: ([one]) => typeName(one),
  toJson: ([one]) => json(one, true),
  toPrettyJson: ([one]) => json(one, true, 2),
  toRawJson: ([one]) => json(one, false),
  fromJson: ([one]) => fromJson(one),
};

function kindOf(value: Value): string {
  if (isList(value)) return "slice";
  if (isMap(value)) return "map";
  return value === null || value === undefined ? "invalid" : typeName(value);
}

const PREFIX = "sprig_";
const ALL: readonly (readonly [string, TemplateFunction])[] = [
  ...Object.entries({ ...TEXTS, ...NUMBERS, ...LISTS, ...OTHERS }),
  ["toString", ([one]) => text(one)],
];

export const SPRIG: ReadonlyMap<string, TemplateFunction> = new Map(
  ALL.map(([name, give]) => {
    const whole = `${PREFIX}${name}`;
    const named: TemplateFunction = (args) => {
      try {
        return give(args);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        throw new TemplateError(`error calling ${whole}: ${error.message}`);
      }
    };
    return [whole, named] as const;
  }),
);

/** For an error about a function that is not there. */
export function sprigHint(message: string): string {
  const [, name] = /function "(sprig_\w+)" not defined/.exec(message) ?? [];
  return name === undefined
    ? ""
    : `\nOf sprig's functions there are ${[...SPRIG.keys()].map(short).sort().join(", ")}, ` +
        `with "${PREFIX}" before them`;
}

function short(name: string): string {
  return name.slice(PREFIX.length);
}
