/** Go's fmt on JSON's values: the verbs that people use. */
import { TemplateError } from "./tokens.ts";
import {
  exponentText,
  isList,
  isMap,
  isThing,
  printed,
  sortedEntries,
  typeName,
  type Value,
} from "./value.ts";

/** Go's Print puts spaces between what is no text on either side. */
export function goPrint(args: readonly Value[]): string {
  return args.reduce((out: string, one, at) => {
    const before = args[at - 1];
    const spaced = at > 0 && typeof one !== "string" && typeof before !== "string";
    return `${out}${spaced ? " " : ""}${printed(one)}`;
  }, "");
}

interface Verb {
  readonly flags: string;
  readonly width: number;
  /** undefined: none is given. */
  readonly precision: number | undefined;
  readonly letter: string;
}

/** Wider than any terminal. */
const WIDTH_MAX = 1000;
/** Nil inside of something is always shown as it. */
const ANY: Verb = { flags: "", width: 0, precision: undefined, letter: "v" };

/** @throws TemplateError for what is not supported, and for a format that is no text */
export function goPrintf([format, ...args]: readonly Value[]): string {
  if (typeof format !== "string") {
    throw new TemplateError(`wrong type for value; expected string; got ${typeName(format)}`);
  }
  let at = 0;
  const pattern = /%(?:([-+# 0]*)(\d*)(?:\.(\d*))?([a-zA-Z%])|([\s\S]|$))/g;
  const text = format.replaceAll(pattern, (all, flags = "", width = "", precision, letter, odd) => {
    if (odd !== undefined) return noVerb(all, String(odd));
    if (letter === "%") return "%";
    if (at >= args.length) return `%!${letter}(MISSING)`;
    const verb = {
      flags: String(flags),
      width: Number(width),
      precision: precision === undefined ? undefined : Number(precision),
      letter: String(letter),
    };
    at += 1;
    return formatted(verb, args[at - 1]);
  });
  if (at >= args.length) return text;
  const extra = args.slice(at).map((one) => {
    return one === null || one === undefined ? "<nil>" : `${typeName(one)}=${printed(one)}`;
  });
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}

function noVerb(all: string, found: string): string {
  if (found === "") return "%!(NOVERB)";
  throw new TemplateError(`printf: ${JSON.stringify(all)} is not supported here`);
}

function formatted(verb: Verb, value: Value): string {
  if (verb.width > WIDTH_MAX || (verb.precision ?? 0) > WIDTH_MAX) {
    throw new TemplateError(`printf: wider than ${WIDTH_MAX}`);
  }
  if (verb.letter === "v" && verb.flags.includes("#")) {
    throw new TemplateError("printf: %#v is not supported here");
  }
  if (verb.letter === "T") return padded(verb, typeName(value));
  const inner = (one: Value): string =>
    formatted(one === null || one === undefined ? ANY : verb, one);
  if (isList(value)) return `[${value.map(inner).join(" ")}]`;
  if (isMap(value)) {
    const pairs = sortedEntries(value).map(
      ([name, one]) => `${formatted(verb, name)}:${inner(one)}`,
    );
    return `map[${pairs.join(" ")}]`;
  }
  const text = scalar(verb, isThing(value) ? value.text : value);
  return text ?? `%!${verb.letter}(${typeName(value)}=${printed(value)})`;
}

/** undefined: the verb is for values of another kind. */
function scalar(verb: Verb, value: string | number | boolean | null | undefined) {
  if (value === undefined || value === null) return nilText(verb);
  if (typeof value === "string") return ofText(verb, value);
  if (typeof value === "boolean") {
    return /[tv]/.test(verb.letter) ? padded(verb, String(value)) : undefined;
  }
  const isFloat = /[eEfFgG]/.test(verb.letter);
  if (isFloat && Number.isInteger(value)) return ofFloat(verb, value);
  return Number.isInteger(value) ? ofInteger(verb, value) : ofFloat(verb, value);
}

function nilText(verb: Verb): string {
  return verb.letter === "v" ? padded(verb, "<nil>") : `%!${verb.letter}(<nil>)`;
}

function ofText(verb: Verb, value: string): string | undefined {
  const { letter, precision, flags } = verb;
  const cut = precision === undefined ? value : [...value].slice(0, precision).join("");
  switch (letter) {
    case "s":
    case "v":
      return padded(verb, cut);
    case "q":
      if (flags.includes("#") && !cut.includes("`")) return padded(verb, `\`${cut}\``);
      return padded(verb, goQuote(cut));
    case "x":
    case "X": {
      const hex = Buffer.from(value, "utf8").toString("hex");
      return padded(verb, letter === "X" ? hex.toUpperCase() : hex);
    }
    default:
      return undefined;
  }
}

/** As strconv.Quote; what a terminal shows stays. */
export function goQuote(text: string): string {
  const named: Readonly<Record<string, string>> = {
    ...{ "\x07": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t" },
    ...{ "\v": "\\v", '"': '\\"', "\\": "\\\\" },
  };
  const escaped = text.replaceAll(/["\\]|[^\P{C}]|[\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (char) => {
    const known = named[char];
    if (known !== undefined) return known;
    const code = char.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x80) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}

function character(value: number): string {
  return value >= 0 && value <= 0x10ffff ? String.fromCodePoint(value) : "\uFFFD";
}

const BASES: Readonly<Record<string, readonly [base: number, prefix: string]>> = {
  b: [2, "0b"],
  d: [10, ""],
  o: [8, "0"],
  v: [10, ""],
  x: [16, "0x"],
  X: [16, "0X"],
};

function ofInteger(verb: Verb, value: number): string | undefined {
  const { letter, flags, precision } = verb;
  if (letter === "c") return padded(verb, character(value));
  if (letter === "U") return padded(verb, `U+${value.toString(16).toUpperCase().padStart(4, "0")}`);
  if (letter === "q") {
    const inner = goQuote(character(value)).slice(1, -1);
    return padded(verb, `'${inner.replace('\\"', '"').replace("'", "\\'")}'`);
  }
  const [base, prefix] = BASES[letter] ?? [];
  if (base === undefined) return undefined;
  const digits = Math.abs(value)
    .toString(base)
    .padStart(precision ?? 1, "0");
  const shown = letter === "X" ? digits.toUpperCase() : digits;
  return padNumber(verb, signOf(verb, value), `${flags.includes("#") ? prefix : ""}${shown}`);
}

function ofFloat(verb: Verb, value: number): string | undefined {
  const { letter, precision } = verb;
  const size = Math.abs(value);
  const digits = floatDigits(letter, size, precision);
  if (digits === undefined) return undefined;
  const shown = letter === letter.toUpperCase() ? digits.toUpperCase() : digits;
  return padNumber(verb, signOf(verb, value), shown);
}

function floatDigits(
  letter: string,
  size: number,
  precision: number | undefined,
): string | undefined {
  const withExponent = (text: string): string => {
    const [digits = "", power = "0"] = text.split("e");
    return `${digits}e${exponentText(Number(power))}`;
  };
  switch (letter) {
    case "f":
    case "F":
      return size.toFixed(Math.min(precision ?? 6, 100));
    case "e":
    case "E":
      return withExponent(size.toExponential(Math.min(precision ?? 6, 100)));
    case "g":
    case "G":
    case "v": {
      const given = precision === 0 ? 1 : precision;
      const exact = size.toExponential(given === undefined ? undefined : Math.min(given, 100) - 1);
      const [, power = "0"] = exact.split("e");
      const exponent = Number(power);
      const limit = given ?? 21;
      if (size === 0) return "0";
      const isShort = exponent >= -4 && exponent < (given === undefined ? 6 : limit);
      const rounded = Number(exact);
      if (isShort) return plainDigits(rounded);
      const [digits = ""] = exact.split("e");
      const trimmed = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
      return `${trimmed}e${exponentText(exponent)}`;
    }
    default:
      return undefined;
  }
}

/** Without an exponent: what JavaScript writes with one is longer. */
function plainDigits(value: number): string {
  return value >= 1e-6 ? String(value) : value.toFixed(20).replace(/0+$/, "");
}

function signOf({ flags }: Verb, value: number): string {
  if (value < 0) return "-";
  return flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
}

function padNumber(verb: Verb, sign: string, digits: string): string {
  const fills = verb.flags.includes("0") && !verb.flags.includes("-");
  const isWhole = verb.precision !== undefined && !/[eEfFgGv]/.test(verb.letter);
  if (!fills || isWhole)
    return padded({ ...verb, flags: verb.flags.replace("0", "") }, `${sign}${digits}`);
  return `${sign}${digits.padStart(verb.width - sign.length, "0")}`;
}

function padded({ flags, width }: Verb, text: string): string {
  const missing = " ".repeat(Math.max(0, width - [...text].length));
  return flags.includes("-") ? `${text}${missing}` : `${missing}${text}`;
}
