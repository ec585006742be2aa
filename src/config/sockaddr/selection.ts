/** Choosing and ordering addresses: go-sockaddr's include, exclude, sort, unique, limit, offset. */

import { TemplateError } from "../../template/tokens.ts";
import { compileExpression } from "../../wire/expression.ts";
import { type IfAddr, InterfaceFlag } from "./interface-address.ts";
import { contains, networkText, parseNetwork, widthOf } from "./ip-network.ts";
import { FORWARDING_BLACKLIST, isKnownRfc, isOfRfc } from "./rfcs.ts";

export type Selection = readonly IfAddr[];

/** Those that match, and those that do not: both may name an address several times. */
interface Split {
  readonly matched: Selection;
  readonly rest: Selection;
}

export function include(selector: string, value: string, from: Selection): Selection {
  return split("include", selector, value, from).matched;
}

export function exclude(selector: string, value: string, from: Selection): Selection {
  return split("exclude", selector, value, from).rest;
}

function split(step: string, selector: string, value: string, from: Selection): Split {
  switch (selector.toLowerCase()) {
    case "address":
      return byExpression("address", value, from, ({ ip }) => networkText(ip));
    case "name":
      return byExpression("name", value, from, ({ name }) => name);
    case "port":
      return byExpression("port", value, from, ({ ip }) => String(ip.port));
    case "flag":
    case "flags":
      return divide(from, flagTest(value));
    case "network":
      return each(value, (one) => byNetwork(one, from));
    case "rfc":
    case "rfcs":
      return each(value, (one) => byRfc(one, from));
    case "size":
      return bySize(value, from);
    case "type":
      return byType(value, from);
    default:
      throw new TemplateError(`invalid ${step} selector "${selector}"`);
  }
}

function divide(from: Selection, test: (one: IfAddr) => boolean): Split {
  return { matched: from.filter(test), rest: from.filter((one) => !test(one)) };
}

function each(values: string, split: (value: string) => Split): Split {
  const splits = values.split("|").map(split);
  return {
    matched: splits.flatMap(({ matched }) => matched),
    rest: splits.flatMap(({ rest }) => rest),
  };
}

function byExpression(
  what: string,
  expression: string,
  from: Selection,
  of: (one: IfAddr) => string,
): Split {
  const matches = compileExpression(expression);
  if (typeof matches !== "string") return divide(from, (one) => matches(of(one)));
  const shown = JSON.stringify(expression);
  throw new TemplateError(`Unable to compile ${what} regexp ${shown}: ${matches}`);
}

function byNetwork(text: string, from: Selection): Split {
  const network = parseNetwork(text);
  if (network === undefined) {
    throw new TemplateError(`unable to create an IP address from ${JSON.stringify(text)}`);
  }
  return divide(from, ({ ip }) => contains(network, ip));
}

function byRfc(text: string, from: Selection): Split {
  const number = /^\d+$/.test(text) ? Number(text) : undefined;
  if (number === undefined) throw new TemplateError(`unable to parse RFC number "${text}"`);
  if (!isKnownRfc(number)) throw new TemplateError(`unsupported RFC ${number}`);
  return divide(from, ({ ip }) => isOfRfc(number, ip));
}

function bySize(text: string, from: Selection): Split {
  const bits = /^\d+$/.test(text) ? Number(text) : undefined;
  if (bits === undefined) throw new TemplateError(`invalid size argument ("${text}")`);
  for (const { ip } of from) {
    if (bits <= widthOf(ip.version)) continue;
    throw new TemplateError(`mask size out of bounds for IPv${ip.version} address: ${bits}`);
  }
  return divide(from, ({ ip }) => ip.bits === bits);
}

/** With several types, an address is counted for each of them, on one side or the other. */
function byType(text: string, from: Selection): Split {
  const types = text.toLowerCase().split("|");
  const unknown = types.find((type) => !["ip", "ipv4", "ipv6", "unix"].includes(type));
  if (unknown !== undefined) throw new TemplateError(`unsupported type "${unknown}" "${text}"`);
  const pairs = from.flatMap((one) => types.map((type) => ({ one, type })));
  const fits = ({ one, type }: { one: IfAddr; type: string }): boolean =>
    type === "ip" || type === `ipv${one.ip.version}`;
  const matched = pairs.filter(fits).map(({ one }) => one);
  return { matched, rest: pairs.filter((pair) => !fits(pair)).map(({ one }) => one) };
}

type FlagTest = (one: IfAddr) => boolean;

const inBlock = (text: string): FlagTest => {
  const block = parseNetwork(text);
  return ({ ip }) => block !== undefined && contains(block, { ...ip, bits: widthOf(ip.version) });
};
const either =
  (...tests: readonly FlagTest[]): FlagTest =>
  (one) =>
    tests.some((test) => test(one));

const isLoopback = either(inBlock("127.0.0.0/8"), inBlock("::1"));
const isLinkLocal = either(inBlock("169.254.0.0/16"), inBlock("fe80::/10"));
const isMulticast = either(inBlock("224.0.0.0/4"), inBlock("ff00::/8"));
const isUnspecified = either(inBlock("0.0.0.0"), inBlock("::"));
const isBroadcast = inBlock("255.255.255.255");
/** ff01::, ff02::, whatever the flags in between. */
const hasScope =
  (scope: bigint): FlagTest =>
  (one) =>
    one.ip.version === 6 && isMulticast(one) && (one.ip.address >> 112n) % 16n === scope;

/** What is asked of the address; the rest is asked of the interface. */
const ADDRESS_FLAGS: Readonly<Record<string, FlagTest>> = {
  "global unicast": (one) =>
    !either(isLoopback, isLinkLocal, isMulticast, isUnspecified, isBroadcast)(one),
  "interface-local multicast": hasScope(1n),
  "link-local multicast": either(hasScope(2n), inBlock("224.0.0.0/24")),
  "link-local unicast": isLinkLocal,
  loopback: isLoopback,
  multicast: isMulticast,
  unspecified: isUnspecified,
  forwardable: ({ ip }) => !isOfRfc(FORWARDING_BLACKLIST, ip),
};
/** 0: asked for, and asking nothing. */
const INTERFACE_FLAGS: Readonly<Record<string, number>> = {
  ...InterfaceFlag,
  down: 0,
  running: -1,
};

/** As go-sockaddr has it: all flags of the interface together, or any one of the address's. */
function flagTest(text: string): FlagTest {
  let wanted: number | undefined;
  const tests: FlagTest[] = [];
  for (const flag of text.toLowerCase().split("|")) {
    const bit = INTERFACE_FLAGS[flag];
    const test = ADDRESS_FLAGS[flag];
    if (test === undefined && (bit === undefined || bit < 0)) {
      throw new TemplateError(`Unknown interface flag: ${JSON.stringify(flag)}`);
    }
    // `down` takes `up` back, if that came first.
    if (bit !== undefined)
      wanted = bit === 0 ? (wanted ?? 0) & ~InterfaceFlag.up : (wanted ?? 0) | bit;
    if (test !== undefined) tests.push(test);
  }
  const mask = wanted;
  return (one) =>
    (mask !== undefined && (one.flags & mask) === mask) || tests.some((test) => test(one));
}

type Comparison = (a: IfAddr, b: IfAddr) => number;

const order = <T>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
const sameVersion =
  (compare: Comparison): Comparison =>
  (a, b) =>
    a.ip.version === b.ip.version ? compare(a, b) : 0;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  address: sameVersion((a, b) => order(a.ip.address, b.ip.address)),
  name: (a, b) => order(a.name, b.name),
  port: (a, b) => order(a.ip.port, b.ip.port),
  private: (a, b) => {
    const [left, right] = [isOfRfc(6890, a.ip), isOfRfc(6890, b.ip)];
    if (a.ip.version !== b.ip.version) return left ? -1 : 0;
    return order(Number(right), Number(left));
  },
  /** The larger the network, the earlier. */
  size: sameVersion((a, b) => order(a.ip.bits, b.ip.bits)),
  type: (a, b) => order(a.ip.version, b.ip.version),
};

/**
 * @param by comma-separated, `-` in front turns an order round
 * @param defaultInterface undefined: there is no default route, and so no such order
 */
export function sortBy(
  by: string,
  from: Selection,
  defaultInterface: string | undefined,
): Selection {
  const comparisons = by.split(",").map((clause): Comparison => {
    const [, sign, name = ""] = /^([+-]?)(.*)$/.exec(clause.trim().toLowerCase()) ?? [];
    const isDefault = ({ name: own }: IfAddr): boolean => own === defaultInterface;
    const compare: Comparison | undefined =
      name === "default"
        ? (a, b) => order(Number(isDefault(b)), Number(isDefault(a)))
        : COMPARISONS[name];
    if (compare === undefined || !Object.hasOwn({ ...COMPARISONS, default: 1 }, name)) {
      throw new TemplateError(`unknown sort type: "${clause}"`);
    }
    return sign === "-" ? (a, b) => -compare(a, b) : compare;
  });
  return [...from].sort((a, b) => {
    return comparisons.reduce((found, compare) => found || compare(a, b), 0);
  });
}

/** Neighbours with the same address or name are one. */
export function unique(selector: string, from: Selection): Selection {
  const name = selector.toLowerCase();
  if (from.length > 0 && name !== "address" && name !== "name") {
    throw new TemplateError(`unsupported unique constraint ${JSON.stringify(selector)}`);
  }
  const key = (one: IfAddr): string => (name === "name" ? one.name : networkText(one.ip));
  return from.filter((one, at) => {
    const before = from[at - 1];
    return before === undefined || key(before) !== key(one);
  });
}

export function limit(count: number, from: Selection): Selection {
  return from.slice(0, count);
}

/** A negative offset counts from the end. */
export function offset(count: number, from: Selection): Selection {
  if (Math.abs(count) <= from.length) return from.slice(count);
  throw new TemplateError(
    "unable to seek past the end of the interface array: " +
      `offset (${Math.abs(count)}) exceeds the number of interfaces (${from.length})`,
  );
}
