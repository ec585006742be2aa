/**
 * msgpack as JSON shows it, for what nobody here knows the type of: a node's resources, a driver's
 * details. Bytes that are a Go time become RFC 3339, other bytes text.
 *
 * @module
 */
import { YEAR_1970 } from "../wire/codec.ts";
import { MsgpackReader } from "../wire/msgpack-reader.ts";
import { decodeText } from "../wire/text.ts";

const DEPTH_MAX = 64;
const TIME_BYTES = 15;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** undefined: the bytes are no msgpack. */
export function jsonOf(bytes: Uint8Array): JsonValue | undefined {
  const reader = new MsgpackReader(bytes);
  const value = read(reader, 0);
  return reader.ok ? value : undefined;
}

function read(reader: MsgpackReader, depth: number): JsonValue {
  const head = reader.peek();
  if (depth > DEPTH_MAX) {
    reader.refuse();
    return null;
  }
  if (reader.nil()) return null;
  if (head === 0xc2 || head === 0xc3) return reader.bool();
  if (head === 0xca || head === 0xcb) return reader.float64();
  if ((head & 0xf0) === 0x80 || head === 0xde || head === 0xdf) return readMap(reader, depth);
  if ((head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd) return readList(reader, depth);
  if (head <= 0x7f || head >= 0xe0 || (head >= 0xcc && head <= 0xd3)) {
    return Number(head === 0xcf ? reader.uint64() : reader.int64());
  }
  return readBytes(reader.raw() ?? new Uint8Array(0));
}

function readMap(reader: MsgpackReader, depth: number): JsonValue {
  // Without a prototype: a key may be called anything.
  const value: Record<string, JsonValue> = Object.create(null);
  for (let left = reader.map(); left > 0 && reader.ok; left--) {
    value[reader.text()] = read(reader, depth + 1);
  }
  return value;
}

function readList(reader: MsgpackReader, depth: number): JsonValue {
  const values: JsonValue[] = [];
  for (let left = reader.array(); left > 0 && reader.ok; left--)
    values.push(read(reader, depth + 1));
  return values;
}

/** A text never begins with 1 and a zero; a time of the next thousands of years does. */
function readBytes(bytes: Uint8Array): JsonValue {
  if (bytes.length !== TIME_BYTES || bytes[0] !== 1 || bytes[1] !== 0) return decodeText(bytes);
  const seconds = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(1) - YEAR_1970;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return decodeText(bytes);
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
