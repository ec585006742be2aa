/**
 * Go values as Nomad's msgpack handle writes them, described once and used in both directions
 * (wire/rpc-and-raft.md §3). Reading is as tolerant as Go's: any order, unknown keys, nil for zero.
 *
 * @module
 */
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** One Go type. */
export interface Codec<T> {
  readonly zero: T;
  write(out: MsgpackWriter, value: T): void;
  /** Marks the reader when the bytes cannot be this type. */
  read(reader: MsgpackReader): T;
}

export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** A list or map of a peer has no more entries; each costs it at least a byte. */
const ENTRIES_MAX = 1_000_000;
const NIL = 0xc0;

export const bool: Codec<boolean> = {
  zero: false,
  write: (out, value) => out.bool(value),
  read: (reader) => reader.bool(),
};

/** `uint`, `uint8` to `uint64`: a bigint, since indexes must not lose digits. */
export const uint64: Codec<bigint> = {
  zero: 0n,
  write: (out, value) => out.uint(value),
  read: (reader) => reader.uint64(),
};

/** A `uint64` that we calculate with: a number above 2^53 would not be exact, and is refused. */
export const exact: Codec<number> = {
  zero: 0,
  write: (out, value) => out.uint(value),
  read: (reader) => reader.uint(Number.MAX_SAFE_INTEGER),
};

/** `int`, `int8` to `int64`, and `time.Duration` in nanoseconds. */
export const int64: Codec<bigint> = {
  zero: 0n,
  write: (out, value) => out.int(value),
  read: (reader) => reader.int64(),
};

/** An unsigned number that is small by its nature: a port, a protocol version. */
export const small: Codec<number> = {
  zero: 0,
  write: (out, value) => out.uint(value),
  read: (reader) => reader.uint(0xffff_ffff),
};

/** A signed one. */
export const int32: Codec<number> = {
  zero: 0,
  write: (out, value) => out.int(value),
  read: (reader) => reader.int(-0x8000_0000, 0x7fff_ffff),
};

export const float64: Codec<number> = {
  zero: 0,
  write: (out, value) => out.float64(value),
  read: (reader) => reader.float64(),
};

export const text: Codec<string> = {
  zero: "",
  write: (out, value) => out.text(value),
  read: (reader) => reader.text(),
};

/** `[]byte`: nil and empty differ. */
export const raw: Codec<Uint8Array | null> = {
  zero: null,
  write: (out, value) => out.raw(value),
  read: (reader) => reader.raw()?.slice() ?? null,
};

/** `time.Time` in RPC and FSM: Go's MarshalBinary, version 1. */
export interface GoTime {
  /** Since the year 1. */
  readonly seconds: bigint;
  readonly nanos: number;
  /** East of Greenwich; -1 is UTC itself. */
  readonly zoneMinutes: number;
}

/** Unix time 0, in seconds since the year 1. */
export const YEAR_1970 = 62_135_596_800n;

/** A moment of Unix time, in UTC. */
export function unixTime(seconds: bigint): GoTime {
  return { seconds: seconds + YEAR_1970, nanos: 0, zoneMinutes: -1 };
}

/** The same, to the millisecond. */
export function timeOf(unixMs: number): GoTime {
  const seconds = Math.floor(unixMs / 1000);
  const nanos = Math.floor(unixMs - seconds * 1000) * 1_000_000;
  return { ...unixTime(BigInt(seconds)), nanos };
}

const TIME_BYTES = 15;
const ZERO_TIME: GoTime = { seconds: 0n, nanos: 0, zoneMinutes: -1 };

const ZERO_TIME_BYTES = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

export const time: Codec<GoTime> = {
  zero: ZERO_TIME,
  write(out, { seconds, nanos, zoneMinutes }) {
    const bytes = new Uint8Array(TIME_BYTES);
    const view = new DataView(bytes.buffer);
    bytes[0] = 1;
    view.setBigInt64(1, seconds);
    view.setUint32(9, nanos);
    view.setInt16(13, zoneMinutes);
    out.raw(bytes);
  },
  read(reader) {
    const bytes = reader.raw();
    if (bytes === null || bytes.every((byte, i) => byte === ZERO_TIME_BYTES[i])) return ZERO_TIME;
    if (bytes.length !== TIME_BYTES || bytes[0] !== 1) {
      reader.refuse();
      return ZERO_TIME;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return {
      seconds: view.getBigInt64(1),
      nanos: view.getUint32(9),
      zoneMinutes: view.getInt16(13),
    };
  },
};

/** One for all: a node has ten such fields, and most of them are nil. */
const NOTHING = Uint8Array.of(NIL);

/** Any value, as the bytes it came in; nothing is kept of what it means. */
export const any: Codec<Uint8Array> = {
  zero: NOTHING,
  write: (out, value) => out.append(value),
  read: (reader) => (reader.nil() ? NOTHING : reader.skipped()),
};

/** `[]T`: nil and empty differ. */
export function list<T>(of: Codec<T>): Codec<readonly T[] | null> {
  return {
    zero: null,
    write(out, values) {
      if (values === null) return void out.nil();
      out.array(values.length);
      for (const value of values) of.write(out, value);
    },
    read(reader) {
      const count = reader.array();
      if (count < 0) return null;
      const values: T[] = [];
      for (let i = 0; i < count && reader.ok && i < ENTRIES_MAX; i++) values.push(of.read(reader));
      if (count > ENTRIES_MAX) reader.refuse();
      return values;
    },
  };
}

/** `map[string]T`; Go writes its maps in no order, we in the order that is given. */
export function mapOf<T>(of: Codec<T>): Codec<ReadonlyMap<string, T> | null> {
  return {
    zero: null,
    write(out, values) {
      if (values === null) return void out.nil();
      out.map(values.size);
      for (const [key, value] of values) of.write(out.text(key), value);
    },
    read(reader) {
      const count = reader.map();
      if (count < 0) return null;
      const values = new Map<string, T>();
      for (let i = 0; i < count && reader.ok && i < ENTRIES_MAX; i++) {
        values.set(reader.text(), of.read(reader));
      }
      if (count > ENTRIES_MAX) reader.refuse();
      return values;
    },
  };
}

/** `*T` */
export function pointer<T>(to: Codec<T>): Codec<T | null> {
  return {
    zero: null,
    write(out, value) {
      if (value === null) out.nil();
      else to.write(out, value);
    },
    read: (reader) => (reader.nil() ? null : to.read(reader)),
  };
}

type Fields = Readonly<Record<string, Codec<never> | Codec<unknown>>>;
type FieldsOf<F> = { readonly [Key in keyof F]: ValueOf<F[Key]> };

interface StructHow {
  /** Fields in the order of Go's source, where a peer may send the struct as an array. */
  readonly order?: readonly string[];
  /** Fields that are left out when they are zero. */
  readonly omitEmpty?: readonly string[];
}

/**
 * A struct: a map by field names in byte order, every field written, zero or not. Embedded structs
 * are flat in Go's encoding: spread their fields.
 */
export function struct<F extends Fields>(fields: F, how: StructHow = {}): Codec<FieldsOf<F>> {
  const { omitEmpty = [] } = how;
  const names = Object.keys(fields).sort();
  const entries = names.map((name) => [name, erased(fields[name])] as const);
  const byName = new Map(entries);
  const zero = Object.fromEntries(entries.map(([name, codec]) => [name, codec.zero]));
  const asRecord: Codec<Readonly<Record<string, unknown>>> = {
    zero,
    write(out, value) {
      const left =
        omitEmpty.length === 0
          ? entries
          : entries.filter(([name]) => {
              return (
                !omitEmpty.includes(name) || !(isEmpty(value[name]) || value[name] === ZERO_TIME)
              );
            });
      out.map(left.length);
      for (const [name, codec] of left) codec.write(out.key(name), value[name]);
    },
    read(reader) {
      const value: Record<string, unknown> = { ...zero };
      reader.struct(how.order ?? names, (name) => {
        const codec = byName.get(name);
        if (codec === undefined) reader.skip();
        else value[name] = codec.read(reader);
      });
      return value;
    },
  };
  return typed<FieldsOf<F>>(asRecord);
}

/** Go's idea of empty. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === false || value === "" || value === 0 || value === 0n) return true;
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  return value instanceof Map && value.size === 0;
}

/** The compiler cannot follow a field's type through its name; this says that it holds. */
function erased(codec: unknown): Codec<unknown> {
  return Object(codec);
}

function typed<T>(codec: unknown): Codec<T> {
  return Object(codec);
}

export function encodeValue<T>(codec: Codec<T>, value: T): Uint8Array {
  const out = new MsgpackWriter();
  codec.write(out, value);
  return out.take();
}

/** undefined: the bytes are not this type. */
export function decodeValue<T>(codec: Codec<T>, bytes: Uint8Array): T | undefined {
  const reader = new MsgpackReader(bytes);
  const value = codec.read(reader);
  return reader.ok ? value : undefined;
}

/** A struct of `codec` with some fields other than zero. */
export function structOf<T extends object>(codec: Codec<T>, fields: Partial<T>): T {
  return { ...codec.zero, ...fields };
}
