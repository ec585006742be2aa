/**
 * msgpack as JSON shows it, for what nobody here knows the type of: a node's resources, a driver's
 * details. Bytes that are a Go time become RFC 3339, other bytes text.
 *
 * @module
 */
import { type GoTime, YEAR_1970 } from "./codec.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { decodeText } from "./text.ts";

const DEPTH_MAX = 64;
const TIME_BYTES = 15;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

declare global {
  interface JSON {
    /** What becomes JSON as it is written here. */
    rawJSON(text: string): { readonly rawJSON: string };
  }
}

/** How whole numbers are read. */
type Whole = (value: bigint) => JsonValue;

/**
 * For what only has to become text: numbers above 2^53 keep their digits, and are no numbers to
 * reckon with.
 */
export function exactJsonOf(bytes: Uint8Array): JsonValue | undefined {
  return wholeJsonOf(bytes, (value) => {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : JSON.rawJSON(String(value));
  });
}

/** undefined: the bytes are no msgpack. */
export function jsonOf(bytes: Uint8Array): JsonValue | undefined {
  return wholeJsonOf(bytes, Number);
}

function wholeJsonOf(bytes: Uint8Array, whole: Whole): JsonValue | undefined {
  const reader = new MsgpackReader(bytes);
  const value = read(reader, 0, whole);
  return reader.ok ? value : undefined;
}

/**
 * The same of a map, with some of its keys only: nobody wants to wait for the hundred attributes of
 * ten thousand nodes. What is no map is read whole.
 */
export function jsonOfKeys(bytes: Uint8Array, keys: ReadonlySet<string>): JsonValue | undefined {
  const reader = new MsgpackReader(bytes);
  if (!isMap(reader.peek())) return jsonOf(bytes);
  const wanted = [...keys].map((key) => [key, new TextEncoder().encode(key)] as const);
  const value: Record<string, JsonValue> = Object.create(null);
  for (let left = reader.map(); left > 0 && reader.ok; left--) {
    const raw = reader.raw();
    const found = wanted.find(([, name]) => {
      return raw?.length === name.length && name.every((byte, i) => byte === raw[i]);
    });
    if (found === undefined) reader.skip();
    else value[found[0]] = read(reader, 1, Number);
  }
  return reader.ok ? value : undefined;
}

function isMap(head: number): boolean {
  return (head & 0xf0) === 0x80 || head === 0xde || head === 0xdf;
}

function read(reader: MsgpackReader, depth: number, whole: Whole): JsonValue {
  const head = reader.peek();
  if (depth > DEPTH_MAX) {
    reader.refuse();
    return null;
  }
  if (reader.nil()) return null;
  if (head === 0xc2 || head === 0xc3) return reader.bool();
  if (head === 0xca || head === 0xcb) return reader.float64();
  if (isMap(head)) return readMap(reader, depth, whole);
  if ((head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd)
    return readList(reader, depth, whole);
  if (head <= 0x7f || head >= 0xe0 || (head >= 0xcc && head <= 0xd3)) {
    return whole(head === 0xcf ? reader.uint64() : reader.int64());
  }
  return readBytes(reader.raw() ?? new Uint8Array(0));
}

function readMap(reader: MsgpackReader, depth: number, whole: Whole): JsonValue {
  // Without a prototype: a key may be called anything.
  const value: Record<string, JsonValue> = Object.create(null);
  for (let left = reader.map(); left > 0 && reader.ok; left--) {
    value[reader.text()] = read(reader, depth + 1, whole);
  }
  return value;
}

function readList(reader: MsgpackReader, depth: number, whole: Whole): JsonValue {
  const values: JsonValue[] = [];
  for (let left = reader.array(); left > 0 && reader.ok; left--)
    values.push(read(reader, depth + 1, whole));
  return values;
}

/** A text never begins with 1 and a zero; a time of the next thousands of years does. */
function readBytes(bytes: Uint8Array): JsonValue {
  if (bytes.length !== TIME_BYTES || bytes[0] !== 1 || bytes[1] !== 0) return decodeText(bytes);
  const seconds = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(1) - YEAR_1970;
  return timeText(Number(seconds)) ?? decodeText(bytes);
}

/** RFC 3339 in UTC, with as many digits behind the seconds as there are. */
export function goTimeText({ seconds, nanos }: GoTime): string {
  const text = timeText(Number(seconds - YEAR_1970)) ?? "0001-01-01T00:00:00Z";
  const fraction = String(nanos).padStart(9, "0").replace(/0+$/, "");
  return fraction === "" ? text : text.replace("Z", `.${fraction}Z`);
}

const DAY_SECONDS = 86_400;
/** In 400 years of the Gregorian calendar, in four, and in one. */
const [ERA_DAYS, FOUR_YEARS_DAYS, YEAR_DAYS] = [146_097, 1461, 365];
/** From 1 March of the year 0 to 1970. */
const DAYS_TO_1970 = 719_468;

/** RFC 3339 in UTC; undefined: it has no year of four digits. */
function timeText(unixSeconds: number): string | undefined {
  const days = Math.floor(unixSeconds / DAY_SECONDS);
  const seconds = unixSeconds - days * DAY_SECONDS;
  // Years from March on: a leap day is the last one of its year.
  const era = Math.floor((days + DAYS_TO_1970) / ERA_DAYS);
  const inEra = days + DAYS_TO_1970 - era * ERA_DAYS;
  const leaps = Math.floor(inEra / (FOUR_YEARS_DAYS - 1)) - Math.floor(inEra / 36_524);
  const yearOfEra = Math.floor((inEra - leaps - Math.floor(inEra / (ERA_DAYS - 1))) / YEAR_DAYS);
  const centuries = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = inEra - (YEAR_DAYS * yearOfEra + centuries);
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 1 || year > 9999) return undefined;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(two).join(":");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${clock}Z`;
}
