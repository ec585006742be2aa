/**
 * Addresses as Nomad's users write them: plain, or templates of go-sockaddr such as
 * `{{ GetPrivateIP }}` and `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}`,
 * in Go's template language (tested against the real module over several layouts of interfaces).
 *
 * @module
 */
import type { InterfaceAddress } from "../host/interfaces.ts";
import { BUILTIN_NAMES } from "../template/builtins.ts";
import { evaluateTemplate } from "../template/evaluate.ts";
import { parseTemplate } from "../template/parse.ts";
import { TemplateError } from "../template/tokens.ts";
import { isList, type TemplateFunction, type Value } from "../template/value.ts";
import { IfAddr } from "./sockaddr/interface-address.ts";
import {
  exclude,
  include,
  limit,
  offset,
  type Selection,
  sortBy,
  unique,
} from "./sockaddr/selection.ts";

/** Where the addresses come from. */
export interface Interfaces {
  /** In the order of the kernel. */
  readonly all: readonly InterfaceAddress[];
  /** The name of the one with the default route. */
  readonly defaultName: string | undefined;
}

/** What a text stands for, or why it stands for nothing. */
type Rendered =
  | { readonly text: string; readonly error: undefined }
  | { readonly text: undefined; readonly error: string };

/** Plain texts pass through. */
export function renderAddress(text: string, interfaces: () => Interfaces): Rendered {
  if (!text.includes("{{")) return { text, error: undefined };
  try {
    const functions = new Functions(interfaces());
    const names = new Set([...functions.table.keys(), ...BUILTIN_NAMES]);
    const execution = { dot: functions.all, functions: functions.table };
    return { text: evaluateTemplate(parseTemplate(text, names), execution), error: undefined };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { text: undefined, error: error.message };
  }
}

class Functions {
  readonly all: Selection;
  readonly #defaultName: string | undefined;
  readonly table: ReadonlyMap<string, TemplateFunction>;

  constructor({ all, defaultName }: Interfaces) {
    this.all = all.map((one) => IfAddr.of(one));
    this.#defaultName = defaultName;
    this.table = new Map<string, TemplateFunction>([
      ...this.#sources(),
      ["include", taking(["text", "text", "list"], ([a, b, c]) => include(a, b, c))],
      ["exclude", taking(["text", "text", "list"], ([a, b, c]) => exclude(a, b, c))],
      ["sort", taking(["text", "list"], ([by, list]) => sortBy(by, list, this.#defaultName))],
      ["unique", taking(["text", "list"], ([by, list]) => unique(by, list))],
      ["limit", taking(["count", "list"], ([count, list]) => limit(count, list))],
      ["offset", taking(["integer", "list"], ([count, list]) => offset(count, list))],
      ["join", taking(["text", "text", "list"], ([name, by, list]) => join(name, by, list))],
      ["attr", taking(["text", "any"], ([name, value]) => attribute(name, value))],
      [
        "math",
        taking(["text", "text", "list"], ([operation, value, list]) =>
          list.map((one) => one.calculate(operation, value)),
        ),
      ],
    ]);
  }

  #sources(): readonly (readonly [string, TemplateFunction])[] {
    const none = (give: () => Value): TemplateFunction => taking([], give);
    const named = (give: (list: Selection) => Value): TemplateFunction =>
      taking(["text"], ([name]) => give(include("name", name, this.all)));
    const bySize = (list: Selection): Selection => sortBy("type,size", list, undefined);
    return [
      ["GetAllInterfaces", none(() => this.all)],
      ["GetDefaultInterfaces", none(() => this.#default())],
      ["GetPrivateInterfaces", none(() => include("rfc", "6890", this.#usable()))],
      ["GetPublicInterfaces", none(() => exclude("rfc", "6890", this.#usable()))],
      ["GetPrivateIP", none(() => first(include("rfc", "6890", this.#usable())))],
      ["GetPublicIP", none(() => first(exclude("rfc", "6890", this.#usable())))],
      ["GetPrivateIPs", none(() => every(forwardable(include("rfc", "6890", bySize(this.all)))))],
      ["GetPublicIPs", none(() => every(exclude("rfc", "6890", bySize(this.all))))],
      ["GetInterfaceIP", named((list) => first(bySize(forwardable(list))))],
      ["GetInterfaceIPs", named((list) => every(bySize(list)))],
    ];
  }

  #default(): Selection {
    const name = this.#defaultName;
    if (name === undefined) throw new TemplateError("No default interface found");
    return this.all.filter((one) => one.name === name);
  }

  /** What others could reach, the default interface first. */
  #usable(): Selection {
    const up = include("flags", "up", forwardable(this.all));
    return sortBy("default,type,size", up, this.#defaultName);
  }
}

function forwardable(list: Selection): Selection {
  return include("flags", "forwardable", list);
}

function first([one]: Selection): string {
  return one?.attribute("address") ?? "";
}

function every(list: Selection): string {
  return list.map((one) => one.attribute("address")).join(" ");
}

function join(name: string, by: string, list: Selection): string {
  return list.map((one) => one.attribute(name)).join(by);
}

function attribute(name: string, value: Value): string {
  const one = isList(value) ? value[0] : value;
  if (isList(value) && value.length === 0) return "";
  if (one instanceof IfAddr) return one.attribute(name);
  throw new TemplateError(`unable to obtain attribute ${name} from ${String(one)}`);
}

/** What a function takes, by the names of the kinds. */
interface Kinds {
  readonly text: string;
  readonly count: number;
  readonly integer: number;
  readonly list: Selection;
  readonly any: Value;
}

type Taken<Names extends readonly (keyof Kinds)[]> = {
  readonly [At in keyof Names]: Kinds[Names[At]];
};

const READ: { readonly [Name in keyof Kinds]: (value: Value) => Kinds[Name] | undefined } = {
  text: (value) => (typeof value === "string" ? value : undefined),
  count: (value) => (isInteger(value) && value >= 0 ? value : undefined),
  integer: (value) => (isInteger(value) ? value : undefined),
  list: (value) => (isSelection(value) ? value : undefined),
  any: (value) => value,
};

function isInteger(value: Value): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

function isSelection(value: Value): value is Selection {
  return isList(value) && value.every((one) => one instanceof IfAddr);
}

/** A function with its arguments checked, as Go checks them. */
function taking<const Names extends readonly (keyof Kinds)[]>(
  names: Names,
  give: (args: Taken<Names>) => Value,
): TemplateFunction {
  return (args) => {
    if (args.length !== names.length) {
      const counts = `want ${names.length} got ${args.length}`;
      throw new TemplateError(`wrong number of args: ${counts}`);
    }
    const taken = names.map((name, at) => {
      const value = READ[name](args[at]);
      if (value !== undefined || name === "any") return value;
      throw new TemplateError(`wrong type of argument ${at + 1}: it must be a ${name}`);
    });
    if (!isTaken(taken, names)) throw new TemplateError("wrong arguments");
    return give(taken);
  };
}

function isTaken<Names extends readonly (keyof Kinds)[]>(
  taken: readonly unknown[],
  names: Names,
): taken is Taken<Names> {
  return taken.length === names.length;
}
