/**
 * What texts in a configuration are, as HCL 1 decodes them for Go: a number or a boolean may stand
 * in quotes, and a number or a boolean may stand where a text is meant.
 *
 * @module
 */
import { parseDurationMs } from "../wire/duration.ts";

/** How a scalar is read: undefined where it is not one; and which value counts as not set. */
export interface Rule<T> {
  readonly expected: string;
  readonly accept: (text: string, type: "text" | "number" | "bool") => T | undefined;
  readonly isUnset: (value: T) => boolean;
}

const never = (): boolean => false;

export const BOOL: Rule<boolean> = {
  expected: "true or false",
  accept: (text) => {
    const word = text.toLowerCase();
    if (word === "true" || word === "1") return true;
    return word === "false" || word === "0" ? false : undefined;
  },
  isUnset: never,
};

export const INT: Rule<number> = {
  expected: "a whole number",
  accept: (text, type) => (type === "bool" ? undefined : parseGoInt(text)),
  isUnset: never,
};

export const FLOAT: Rule<number> = {
  expected: "a number",
  accept: (text, type) => (type === "number" ? parseGoFloat(text) : undefined),
  isUnset: (value) => value === 0,
};

export const DURATION: Rule<string> = {
  expected: "a duration such as 30s, 500ms or 1h30m",
  accept: (text) => (text === "" || parseDurationMs(text) !== undefined ? text : undefined),
  isUnset: (text) => text === "",
};

/** Of keys that are only looked at (ignored.ts), by what Nomad takes there. */
export const SCALARS: Readonly<Record<string, Pick<Rule<unknown>, "expected" | "accept">>> = {
  flag: BOOL,
  int: INT,
  float: FLOAT,
  duration: DURATION,
};

/** With a prefix (0x, 0o, 0b, or a 0 alone for octal) and with underscores, as Go's base 0. */
function parseGoInt(text: string): number | undefined {
  const match =
    /^([+-]?)(?:(0x(?:_?[\da-f])+)|(0b(?:_?[01])+)|0o?((?:_?[0-7])+)|([1-9](?:_?\d)*|0))$/i.exec(
      text,
    );
  if (match === null) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  const digits = (hex ?? binary ?? decimal ?? `0o${octal ?? ""}`).replaceAll("_", "");
  const value = Number(digits.toLowerCase());
  if (!Number.isSafeInteger(value)) return undefined;
  return sign === "-" && value !== 0 ? -value : value;
}

/** Decimal, with or without an exponent. */
function parseGoFloat(text: string): number | undefined {
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
