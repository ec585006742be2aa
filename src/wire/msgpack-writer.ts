/**
 * msgpack as HashiCorp's go-msgpack writes it: the dialect before str 8 and bin existed.
 *
 * Strings and byte strings are both "raw" (a0, da, db), signed fields use signed forms even for
 * positive values (d1 0080, never cc 80), floats are always doubles. A stock msgpack library gets
 * each of these wrong (wire/gossip.md §3.1, wire/rpc-and-raft.md §3.1).
 *
 * @module
 */
import { encodeText } from "./text.ts";

const UINT32 = 0x1_0000_0000;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

export class MsgpackWriter {
  #bytes: Uint8Array;
  /** For wide numbers; made when the first one comes. */
  #view: DataView | undefined;
  #length = 0;

  constructor(bytesInitial = 256) {
    this.#bytes = new Uint8Array(bytesInitial);
  }

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written so far. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** One byte as it is: a type byte in front of a message. */
  byte(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Bytes as they are, without a header. */
  append(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  nil(): this {
    return this.byte(0xc0);
  }

  bool(value: boolean): this {
    return this.byte(value ? 0xc3 : 0xc2);
  }

  /** An unsigned Go field: shortest of fixint, cc, cd, ce, cf. */
  uint(value: number | bigint): this {
    if (typeof value === "bigint") return this.#uint64(value);
    if (value < 0x80) return this.byte(value);
    if (value <= 0xff) return this.byte(0xcc).byte(value);
    if (value <= 0xffff) return this.byte(0xcd).#u16(value);
    if (value < UINT32) return this.byte(0xce).#u32(value);
    return this.#uint64(BigInt(value));
  }

  /** A signed Go field: fixint, then d0 (negatives only), d1, d2, d3. */
  int(value: number | bigint): this {
    if (typeof value === "bigint") {
      const small = BigInt.asIntN(32, value) === value;
      if (small) return this.int(Number(value));
      this.byte(0xd3).#room(8);
      this.#wide().setBigInt64(this.#length, value);
      this.#length += 8;
      return this;
    }
    if (value >= -32 && value <= 127) return this.byte(value & 0xff);
    if (value >= -128 && value < 0) return this.byte(0xd0).byte(value & 0xff);
    if (value >= -0x8000 && value <= 0x7fff) return this.byte(0xd1).#u16(value & 0xffff);
    if (value >= -0x8000_0000 && value <= 0x7fff_ffff) return this.byte(0xd2).#u32(value >>> 0);
    return this.int(BigInt(value));
  }

  float64(value: number): this {
    this.byte(0xcb).#room(8);
    this.#wide().setFloat64(this.#length, value);
    this.#length += 8;
    return this;
  }

  /** A Go string: never nil. */
  text(value: string): this {
    return this.raw(encodeText(value));
  }

  /** A Go []byte: nil and empty differ. */
  raw(value: Uint8Array | null): this {
    if (value === null) return this.nil();
    return this.#header(value.length, 0xa0, 31, 0xda).append(value);
  }

  array(length: number): this {
    return this.#header(length, 0x90, 15, 0xdc);
  }

  map(length: number): this {
    return this.#header(length, 0x80, 15, 0xde);
  }

  /** A struct key: ASCII, and mostly shorter than 32 bytes, so that one loop does. */
  key(name: string): this {
    if (name.length > 31) return this.text(name);
    this.#room(name.length + 1);
    this.#bytes[this.#length++] = 0xa0 | name.length;
    for (let i = 0; i < name.length; i++) this.#bytes[this.#length++] = name.charCodeAt(i);
    return this;
  }

  #header(length: number, fix: number, fixMax: number, wide: number): this {
    if (length <= fixMax) return this.byte(fix | length);
    if (length <= 0xffff) return this.byte(wide).#u16(length);
    return this.byte(wide + 1).#u32(length);
  }

  #uint64(value: bigint): this {
    if (value < BigInt(UINT32)) return this.uint(Number(value));
    this.byte(0xcf).#room(8);
    this.#wide().setBigUint64(this.#length, value & UINT64_MAX);
    this.#length += 8;
    return this;
  }

  #u16(value: number): this {
    this.#room(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value & 0xff;
    return this;
  }

  #u32(value: number): this {
    return this.#u16(value >>> 16).#u16(value & 0xffff);
  }

  #wide(): DataView {
    this.#view ??= new DataView(this.#bytes.buffer);
    return this.#view;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = undefined;
  }
}
