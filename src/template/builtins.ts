/** The functions that every template of Go's has, on JSON's values. */
import { goPrint, goPrintf } from "./format.ts";
import { TemplateError } from "./tokens.ts";
import {
  isList,
  isMap,
  isThing,
  isTrue,
  type TemplateFunction,
  typeName,
  type Value,
} from "./value.ts";

type Basic = string | number | boolean;

function isBasic(value: Value): value is Basic {
  return ["string", "number", "boolean"].includes(typeof value);
}

function mismatch(a: Value, b: Value): TemplateError {
  return new TemplateError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}

function compare([a, b]: readonly Value[]): number {
  if (!isBasic(a) || !isBasic(b) || typeof a === "boolean") {
    throw new TemplateError("invalid type for comparison");
  }
  if (typeof a !== typeof b) throw mismatch(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first against each of the others, as Go does; nil is no value and the same as nil. */
function equals([first, ...others]: readonly Value[]): boolean {
  return others.some((one) => {
    const [a, b] = [first ?? undefined, one ?? undefined];
    if (a === undefined || b === undefined) return a === b;
    if (isBasic(a) !== isBasic(b)) throw mismatch(a, b);
    if (!isBasic(a)) throw new TemplateError(`non-comparable type ${typeName(a)}`);
    if (typeof a !== typeof b) throw mismatch(a, b);
    return a === b;
  });
}

function length([value]: readonly Value[]): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (isList(value)) return value.length;
  if (isMap(value)) return value.size;
  if (value === undefined || value === null) throw new TemplateError("len of nil pointer");
  throw new TemplateError(`len of type ${isThing(value) ? value.text : typeName(value)}`);
}

function index([value, ...at]: readonly Value[]): Value {
  if (value === undefined || value === null) throw new TemplateError("index of untyped nil");
  return at.reduce(indexOnce, value);
}

function indexOnce(value: Value, at: Value): Value {
  if (value === undefined || value === null) throw new TemplateError("index of untyped nil");
  if (isMap(value)) {
    if (typeof at === "string") return value.get(at);
    throw new TemplateError(`value has type ${typeName(at)}; should be string`);
  }
  const isText = typeof value === "string";
  if (!isList(value) && !isText) {
    throw new TemplateError(`can't index item of type ${typeName(value)}`);
  }
  if (typeof at !== "number" || !Number.isInteger(at)) {
    throw new TemplateError(`cannot index slice/array with type ${typeName(at)}`);
  }
  const items: readonly Value[] = isText ? [...new TextEncoder().encode(value)] : value;
  if (at < 0 || at >= items.length) throw new TemplateError(`index out of range: ${at}`);
  return items[at];
}

function slice([value, from = 0, to]: readonly Value[]): Value {
  if (!isList(value) && typeof value !== "string") {
    throw new TemplateError(`can't slice item of type ${typeName(value)}`);
  }
  const size = length([value]);
  const [start, end] = [from, to ?? size].map((one) => {
    if (typeof one !== "number" || !Number.isInteger(one)) {
      throw new TemplateError(`cannot index slice/array with type ${typeName(one)}`);
    }
    if (one < 0 || one > size) throw new TemplateError(`index out of range: ${one}`);
    return one;
  });
  if (start === undefined || end === undefined || start > end) {
    throw new TemplateError(`invalid slice index: ${start} > ${end}`);
  }
  if (isList(value)) return value.slice(start, end);
  return new TextDecoder().decode(new TextEncoder().encode(value).subarray(start, end));
}

/** As the three that escape print their arguments. */
function shown(args: readonly Value[]): string {
  return goPrint(args.map((one) => one ?? "<no value>"));
}

const HTML: Readonly<Record<string, string>> = {
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\0": "\uFFFD",
};

function jsEscaped(text: string): string {
  return text.replaceAll(/[\\'"]|[<>&=\p{Cc}\u2028\u2029]/gu, (char) => {
    if (/[\\'"]/.test(char)) return `\\${char}`;
    return `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

function queryEscaped(text: string): string {
  const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, hex)
    .replaceAll("%20", "+");
}

/** With the count of arguments checked, and errors with the function's name, as Go has them. */
function checked(
  name: string,
  [min, max]: readonly [number, number],
  give: TemplateFunction,
): [string, TemplateFunction] {
  const wanted = min === max ? `${min}` : `at least ${min}`;
  return [
    name,
    (args) => {
      if (args.length < min || args.length > max) {
        throw new TemplateError(
          `wrong number of args for ${name}: want ${wanted} got ${args.length}`,
        );
      }
      try {
        return give(args);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        throw new TemplateError(`error calling ${name}: ${error.message}`);
      }
    },
  ];
}

const MANY = Number.POSITIVE_INFINITY;

export const BUILTINS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  checked("not", [1, 1], ([value]) => !isTrue(value)),
  checked("eq", [1, MANY], (args) => {
    if (args.length < 2) throw new TemplateError("missing argument for comparison");
    return equals(args);
  }),
  checked("ne", [2, 2], (args) => !equals(args)),
  checked("lt", [2, 2], (args) => compare(args) < 0),
  checked("le", [2, 2], (args) => compare(args) <= 0),
  checked("gt", [2, 2], (args) => compare(args) > 0),
  checked("ge", [2, 2], (args) => compare(args) >= 0),
  checked("len", [1, 1], length),
  checked("index", [1, MANY], index),
  checked("slice", [1, MANY], slice),
  checked("print", [0, MANY], goPrint),
  checked("println", [0, MANY], (args) => `${args.map((one) => goPrint([one])).join(" ")}\n`),
  checked("printf", [1, MANY], goPrintf),
  checked("html", [0, MANY], (args) => shown(args).replaceAll(/["'&<>\0]/g, (c) => HTML[c] ?? c)),
  checked("js", [0, MANY], (args) => jsEscaped(shown(args))),
  checked("urlquery", [0, MANY], (args) => queryEscaped(shown(args))),
]);

/** Names that may be called besides the caller's own. */
export const BUILTIN_NAMES: readonly string[] = ["and", "or", ...BUILTINS.keys()];
