/**
 * hcl2-parser: HashiCorp's own HCL 2 library, compiled to JavaScript.
 *
 * The package is loaded only when a file is read: it takes tens of milliseconds, and tens of
 * megabytes that an agent would keep (cli/hcl-child.ts parses in a process of its own). It hands
 * its errors out as empty objects, so the text is caught as it is made: every Go string of this
 * build comes out of String.fromCharCode. The version is pinned, and a test checks that line and
 * column arrive.
 *
 * @module
 */
import { errorText } from "../host/error-text.ts";
import { isObject } from "./tree.ts";

type HclParser = (text: string) => ParserAnswer;

/** JSON text, or why there is none (with positions, see hcl.ts). */
export interface ParserAnswer {
  readonly json: string | undefined;
  readonly error: string;
}

const PREFIX = "parse config: ";

/** In this process. */
export const parseInProcess: HclParser = (text) => {
  const parseToString = loadParser();
  const original = String.fromCharCode;
  let error = "";
  String.fromCharCode = (...codes: number[]): string => {
    const made = original(...codes);
    if (made.startsWith(PREFIX)) error = made.slice(PREFIX.length);
    return made;
  };
  try {
    const [json, problem] = parseToString(text);
    return problem === null ? { json, error } : { json: undefined, error };
  } catch (thrown) {
    // A Go panic of the converter, e.g. one block with and one without a label.
    const detail = errorText(thrown);
    return { json: undefined, error: error === "" ? detail : error };
  } finally {
    String.fromCharCode = original;
  }
};

type ParseToString = (text: string) => readonly [json: string, error: unknown];

let loaded: ParseToString | undefined;

/** Loads the package and undoes what it does to the process. */
function loadParser(): ParseToString {
  if (loaded !== undefined) return loaded;
  const limit = Error.stackTraceLimit;
  const globals = new Set(Object.keys(globalThis));
  const library: unknown = require("hcl2-parser");
  Error.stackTraceLimit = limit;
  for (const name of Object.keys(globalThis)) {
    if (!globals.has(name)) Reflect.deleteProperty(globalThis, name);
  }
  if (!isObject(library)) throw new Error("hcl2-parser did not load");
  const parse = library["parseToString"];
  if (typeof parse !== "function") throw new Error("hcl2-parser has no parseToString");
  loaded = (text) => {
    const answer: unknown = parse(text);
    if (!Array.isArray(answer)) throw new Error("hcl2-parser gave no answer");
    const [json, error]: readonly unknown[] = answer;
    return [typeof json === "string" ? json : "", error ?? null];
  };
  return loaded;
}
