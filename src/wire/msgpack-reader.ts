/**
 * Reads msgpack from untrusted bytes without ever throwing.
 *
 * After the first problem the reader is stuck: every further read returns a zero value and `state`
 * says what happened. "short" means the bytes ended too early (on a stream: wait for more), "bad"
 * that they cannot be what was asked for. Accepts every encoding that go-msgpack v2 accepts
 * (wire/gossip.md §3.4): any integer width, str 8 and bin, nil for anything, structs as arrays.
 *
 * @module
 */
import { decodeText } from "./text.ts";

type ReaderState = "ok" | "short" | "bad";

/** Nesting of values that are skipped unread; a hostile peer can nest without end. */
const DEPTH_MAX = 64;
const EMPTY = new Uint8Array(0);

export class MsgpackReader {
  readonly #bytes: Uint8Array;
  /** For the few wide numbers: most messages have none, and a view costs more than they do. */
  #view: DataView | undefined;
  #at: number;
  #state: ReaderState = "ok";
  #wanted = 0;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  get state(): ReaderState {
    return this.#state;
  }

  /** When short: the length of input below which it makes no sense to try again. */
  get wanted(): number {
    return this.#wanted;
  }

  get ok(): boolean {
    return this.#state === "ok";
  }

  /** Marks the input as unusable; for checks that only the caller can make. */
  refuse(): void {
    if (this.#state === "ok") this.#state = "bad";
  }

  /** Is the next value nil? Consumes it if so. */
  nil(): boolean {
    if (this.#peek() !== 0xc0) return false;
    this.#at += 1;
    return true;
  }

  /** One byte as it is: a type in front of a value. */
  byte(): number {
    return this.#u8();
  }

  /** The next byte, unconsumed; for a union of types. */
  peek(): number {
    return this.#peek() ?? 0xc0;
  }

  bool(): boolean {
    const head = this.#u8();
    if (head === 0xc3 || head === 0x01) return true;
    if (head !== 0xc2 && head !== 0x00 && head !== 0xc0) this.refuse();
    return false;
  }

  /** An unsigned integer of at most `max`; nil is 0. */
  uint(max: number): number {
    const value = this.#integer();
    if (typeof value === "number" && value >= 0 && value <= max) return value;
    this.refuse();
    return 0;
  }

  /** A signed integer within the safe range; nil is 0. */
  int(min: number, max: number): number {
    const value = this.#integer();
    if (typeof value === "number" && value >= min && value <= max) return value;
    this.refuse();
    return 0;
  }

  uint64(): bigint {
    const value = BigInt(this.#integer());
    if (value >= 0n && value <= 0xffff_ffff_ffff_ffffn) return value;
    this.refuse();
    return 0n;
  }

  int64(): bigint {
    const value = BigInt(this.#integer());
    if (BigInt.asIntN(64, value) === value) return value;
    this.refuse();
    return 0n;
  }

  float64(): number {
    const head = this.#peek();
    if (head === 0xcb) return this.#skip(1).#advance(8) ? this.#wide().getFloat64(this.#at - 8) : 0;
    if (head === 0xca) return this.#skip(1).#advance(4) ? this.#wide().getFloat32(this.#at - 4) : 0;
    return Number(this.#integer());
  }

  /** A Go string; nil is "". */
  text(): string {
    return decodeText(this.#raw() ?? EMPTY);
  }

  /** A Go []byte as a view into the input (copy what must outlive it); nil stays null. */
  raw(): Uint8Array | null {
    return this.#raw();
  }

  /** Number of elements, or -1 for nil. Never allocate by it: each element costs a byte. */
  array(): number {
    const head = this.#u8();
    if (head >= 0x90 && head <= 0x9f) return head & 0x0f;
    if (head === 0xdc) return this.#u16();
    if (head === 0xdd) return this.#u32();
    if (head !== 0xc0) this.refuse();
    return -1;
  }

  /** Number of pairs, or -1 for nil. */
  map(): number {
    const head = this.#u8();
    if (head >= 0x80 && head <= 0x8f) return head & 0x0f;
    if (head === 0xde) return this.#u16();
    if (head === 0xdf) return this.#u32();
    if (head !== 0xc0) this.refuse();
    return -1;
  }

  /**
   * A struct: a map by name in any order, an array in declaration order, or nil (all zero).
   * Unknown fields are skipped. `field` must consume exactly one value.
   */
  struct(names: readonly string[], field: (name: string) => void): void {
    const head = this.#peek();
    if (head !== undefined && (head === 0xdc || head === 0xdd || (head >= 0x90 && head <= 0x9f))) {
      this.#structArray(names, field);
      return;
    }
    const pairs = this.map();
    let expected = 0;
    for (let i = 0; i < pairs && this.ok; i++) {
      // Names mostly come in one order, so that the next one is often the one that is next.
      const index = this.#fieldIndex(names, expected);
      const name = names[index];
      if (name === undefined) this.skip();
      else {
        expected = index + 1;
        field(name);
      }
    }
  }

  /** The bytes of one value of any type, unread; a copy. */
  skipped(): Uint8Array {
    const start = this.#at;
    this.skip();
    return this.ok ? this.#bytes.slice(start, this.#at) : EMPTY;
  }

  /** Skips one value of any type. */
  skip(depth = 0): void {
    const head = this.#u8();
    if (!this.ok) return;
    if (depth > DEPTH_MAX) {
      this.refuse();
      return;
    }
    const scalar = scalarBytes(head);
    if (scalar >= 0) {
      this.#skip(scalar);
      return;
    }
    this.#at -= 1;
    if (isRawHead(head)) {
      this.#at += 1;
      this.#skip(this.#rawLength(head));
      return;
    }
    if (isExtHead(head)) {
      this.#ext(head);
      return;
    }
    const isMap = (head & 0xf0) === 0x80 || head === 0xde || head === 0xdf;
    const isArray = (head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd;
    if (!isMap && !isArray) {
      this.refuse();
      return;
    }
    const count = isMap ? this.map() * 2 : this.array();
    for (let i = 0; i < count && this.ok; i++) this.skip(depth + 1);
  }

  #structArray(names: readonly string[], field: (name: string) => void): void {
    const count = this.array();
    for (let i = 0; i < count && this.ok; i++) {
      const name = names[i];
      if (name === undefined) this.skip();
      else field(name);
    }
  }

  /** Which of `names` the next value is, from `first` on and around; -1: none. Consumes it. */
  #fieldIndex(names: readonly string[], first: number): number {
    const head = this.#bytes[this.#at] ?? 0;
    const length = head & 0x1f;
    if ((head & 0xe0) !== 0xa0 || this.#at + 1 + length > this.#bytes.length) {
      return names.indexOf(this.text());
    }
    for (let tries = 0; tries < names.length; tries++) {
      const index = (first + tries) % names.length;
      const name = names[index] ?? "";
      if (name.length !== length || !this.#isNext(name)) continue;
      this.#at += 1 + length;
      return index;
    }
    this.#at += 1 + length;
    return -1;
  }

  /** Are the bytes behind the head this ASCII text? */
  #isNext(name: string): boolean {
    for (let i = 0; i < name.length; i++) {
      if (this.#bytes[this.#at + 1 + i] !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #raw(): Uint8Array | null {
    const head = this.#u8();
    if (head === 0xc0) return null;
    if (isRawHead(head)) return this.#slice(this.#rawLength(head));
    this.#at -= 1;
    return this.#bytesFromArray();
  }

  /** Of a raw value whose head has been read. */
  #rawLength(head: number): number {
    if (head <= 0xbf) return head & 0x1f;
    if (head === 0xd9 || head === 0xc4) return this.#u8();
    return head === 0xda || head === 0xc5 ? this.#u16() : this.#u32();
  }

  /** go-msgpack takes an array of small integers for a byte string. */
  #bytesFromArray(): Uint8Array {
    const count = this.array();
    const out: number[] = [];
    for (let i = 0; i < count && this.ok; i++) out.push(this.uint(0xff));
    return Uint8Array.from(out);
  }

  #integer(): number | bigint {
    const head = this.#u8();
    if (head <= 0x7f) return head;
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return 0;
      case 0xcc:
        return this.#u8();
      case 0xcd:
        return this.#u16();
      case 0xce:
        return this.#u32();
      case 0xcf:
        return this.#advance(8) ? narrow(this.#wide().getBigUint64(this.#at - 8)) : 0;
      case 0xd0:
        return (this.#u8() << 24) >> 24;
      case 0xd1:
        return (this.#u16() << 16) >> 16;
      case 0xd2:
        return this.#u32() | 0;
      case 0xd3:
        return this.#advance(8) ? narrow(this.#wide().getBigInt64(this.#at - 8)) : 0;
    }
    this.refuse();
    return 0;
  }

  #ext(head: number): void {
    this.#at += 1;
    if (head >= 0xd4 && head <= 0xd8) {
      this.#skip(1 + (1 << (head - 0xd4)));
      return;
    }
    const size = head === 0xc7 ? this.#u8() : head === 0xc8 ? this.#u16() : this.#u32();
    this.#skip(1 + size);
  }

  #peek(): number | undefined {
    if (this.#state !== "ok") return undefined;
    const head = this.#bytes[this.#at];
    if (head === undefined) this.#advance(1);
    return head;
  }

  #u8(): number {
    return this.#advance(1) ? this.#byte(1) : 0;
  }

  #u16(): number {
    return this.#advance(2) ? (this.#byte(2) << 8) | this.#byte(1) : 0;
  }

  #u32(): number {
    if (!this.#advance(4)) return 0;
    const low = (this.#byte(3) << 16) | (this.#byte(2) << 8) | this.#byte(1);
    return this.#byte(4) * 0x100_0000 + low;
  }

  /** The byte so many before the end of what was read. */
  #byte(before: number): number {
    return this.#bytes[this.#at - before] ?? 0;
  }

  #wide(): DataView {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    return this.#view;
  }

  #slice(length: number): Uint8Array {
    return this.#advance(length) ? this.#bytes.subarray(this.#at - length, this.#at) : EMPTY;
  }

  #skip(bytes: number): this {
    this.#advance(bytes);
    return this;
  }

  #advance(bytes: number): boolean {
    if (this.#state !== "ok") return false;
    if (this.#at + bytes > this.#bytes.length) {
      this.#state = "short";
      this.#wanted = this.#at + bytes;
      return false;
    }
    this.#at += bytes;
    return true;
  }
}

/** Bytes after the head of a fixed-size scalar, or -1. */
function scalarBytes(head: number): number {
  if (head <= 0x7f || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) return 0;
  if (head === 0xcc || head === 0xd0) return 1;
  if (head === 0xcd || head === 0xd1) return 2;
  if (head === 0xce || head === 0xd2 || head === 0xca) return 4;
  if (head === 0xcf || head === 0xd3 || head === 0xcb) return 8;
  return -1;
}

function isRawHead(head: number): boolean {
  return (
    (head >= 0xa0 && head <= 0xbf) ||
    (head >= 0xc4 && head <= 0xc6) ||
    (head >= 0xd9 && head <= 0xdb)
  );
}

function isExtHead(head: number): boolean {
  return (head >= 0xc7 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8);
}

/** A number wherever it is exact, a bigint beyond. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
