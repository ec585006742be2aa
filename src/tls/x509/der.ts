/**
 * DER as Go reads it: definite and shortest lengths, shortest integers, no tags above 30. Anything
 * else is a `DerError`, which the reader of the whole certificate turns into a refusal.
 *
 * @module
 */

export class DerError extends Error {
  override readonly name = "DerError";
}

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value with its tag. */
interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag and length included. */
  readonly whole: Uint8Array;
}

/** Reads one value after the other; views into the bytes, no copies. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Is the next value of this tag? */
  peeks(tag: number): boolean {
    return this.#bytes[this.#at] === tag;
  }

  any(): Element {
    const start = this.#at;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new DerError("a tag of several bytes");
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new DerError("a value longer than what holds it");
    const content = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return { tag, content, whole: this.#bytes.subarray(start, end) };
  }

  element(tag: number, what: string): Element {
    if (!this.peeks(tag)) throw new DerError(`malformed ${what}`);
    return this.any();
  }

  content(tag: number, what: string): Uint8Array {
    return this.element(tag, what).content;
  }

  /** The values inside a value. */
  inside(tag: number, what: string): DerReader {
    return new DerReader(this.content(tag, what));
  }

  /** undefined: it is not there. */
  optional(tag: number): Element | undefined {
    return this.peeks(tag) ? this.any() : undefined;
  }

  objectId(what: string): string {
    return readObjectId(this.content(Tag.objectId, what));
  }

  boolean(what: string): boolean {
    const content = this.content(Tag.boolean, what);
    const [byte] = content;
    if (content.length !== 1 || (byte !== 0 && byte !== 0xff))
      throw new DerError(`malformed ${what}`);
    return byte === 0xff;
  }

  /** As it is written, in the shortest form; negative when the first bit is set. */
  integer(what: string): Uint8Array {
    const content = this.content(Tag.integer, what);
    const [first = 0, second = 0] = content;
    const padded = content.length > 1 && (first === 0 || first === 0xff);
    if (content.length === 0 || (padded && (first & 0x80) === (second & 0x80))) {
      throw new DerError(`malformed ${what}`);
    }
    return content;
  }

  /** A length or a version: not negative, below 2^31. */
  count(what: string): number {
    const bytes = this.integer(what);
    if (bytes.length > 4 || ((bytes[0] ?? 0) & 0x80) !== 0) {
      throw new DerError(`malformed ${what}`);
    }
    return bytes.reduce((value, byte) => value * 256 + byte, 0);
  }

  bitString(what: string): BitString {
    const content = this.content(Tag.bitString, what);
    const [unused = 8] = content;
    const bytes = content.subarray(1);
    const last = bytes.at(-1) ?? 0;
    const hasBits = unused === 0 || bytes.length > 0;
    if (unused > 7 || !hasBits || (last & ((1 << unused) - 1)) !== 0) {
      throw new DerError(`malformed ${what}`);
    }
    return { bytes, unused };
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new DerError("a value that is cut off");
    this.#at += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError("a length in no known form");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    const shortest = length >= 0x80 && length >= 256 ** (count - 1);
    if (!shortest) throw new DerError("a length that is not the shortest");
    return length;
  }
}

export interface BitString {
  readonly bytes: Uint8Array;
  /** Bits of the last byte that do not count. */
  readonly unused: number;
}

/** Bit 0 is the first one. */
export function hasBit({ bytes, unused }: BitString, bit: number): boolean {
  if (bit >= bytes.length * 8 - unused) return false;
  return (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
}

function readObjectId(bytes: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  let fresh = true;
  for (const byte of bytes) {
    if (fresh && byte === 0x80) throw new DerError("malformed object identifier");
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    fresh = (byte & 0x80) === 0;
    if (!fresh) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first] = arcs;
  if (first === undefined || !fresh || bytes.length > OBJECT_ID_BYTES_MAX) {
    throw new DerError("malformed object identifier");
  }
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...arcs.slice(1)].join(".");
}

const OBJECT_ID_BYTES_MAX = 128;

/** RFC 5280 §4.1.2.5, and the offsets that Go takes, too. @returns milliseconds since 1970 */
export function readTime(reader: DerReader): number {
  const short = reader.peeks(Tag.utcTime);
  const { content } = short
    ? reader.any()
    : reader.element(Tag.generalizedTime, "time of validity");
  const text = String.fromCharCode(...content.subarray(0, TIME_BYTES_MAX + 1));
  const form = short ? UTC_TIME : GENERALIZED_TIME;
  const parts = form.exec(text);
  if (content.length > TIME_BYTES_MAX || parts === null) throw new DerError("malformed time");
  const [, years = "", month = "", day = "", hour = "", minute = "", second = "00", zone = "Z"] =
    parts;
  const year = short ? String(Number(years) + (Number(years) >= 50 ? 1900 : 2000)) : years;
  const offset = zone === "Z" ? "Z" : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  // A day that the month does not have becomes one of the next month, if it is not compared.
  const local = new Date(ms + offsetMs(zone));
  if (Number.isNaN(ms) || local.getUTCDate() !== Number(day)) throw new DerError("malformed time");
  return ms;
}

const TIME_BYTES_MAX = 19;
const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(Z|[+-]\d{4})$/;

function offsetMs(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  return (zone.startsWith("-") ? -minutes : minutes) * 60_000;
}
