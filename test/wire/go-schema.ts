/** Nomad's own types, as vectors/rpc/schema.json lists them, made into our codecs. */
import {
  any,
  bool,
  type Codec,
  float64,
  int64,
  list,
  mapOf,
  pointer,
  raw,
  struct,
  text,
  time,
  uint64,
} from "../../src/wire/codec.ts";
import { type Json, vectors } from "../vectors.ts";

const schema = vectors("rpc/schema.json");
const made = new Map<string, Codec<Json>>();

const SIMPLE: Readonly<Record<string, Codec<Json>>> = {
  bool,
  string: text,
  bytes: raw,
  time,
  duration: int64,
  float64,
  ...Object.fromEntries(["int", "int8", "int16", "int32", "int64"].map((name) => [name, int64])),
  ...Object.fromEntries(["uint", "uint8", "uint16", "uint32", "uint64"].map((n) => [n, uint64])),
};

/** The codec of a Go type: `[]*structs.Node`, `map<string,int>`, `string(raft.ServerID)`. */
export function goCodec(type: string): Codec<Json> {
  const known = made.get(type);
  if (known !== undefined) return known;
  const codec = make(type);
  made.set(type, codec);
  return codec;
}

function make(type: string): Codec<Json> {
  const simple = SIMPLE[type] ?? SIMPLE[/^(\w+)\([\w./-]+\)$/.exec(type)?.[1] ?? ""];
  if (simple !== undefined) return simple;
  if (type.startsWith("any(") || type.startsWith("map<structs.NamespacedID,")) return any;
  if (type.startsWith("*")) return later(type, () => pointer(goCodec(type.slice(1))));
  if (type.startsWith("[]")) return later(type, () => list(goCodec(type.slice(2))));
  const map = /^map<string(?:\([^)]*\))?,(.*)>$/.exec(type)?.[1];
  if (map !== undefined) return later(type, () => mapOf(goCodec(map)));
  const fields = schema.types[type];
  if (fields === undefined) throw new Error(`no such type: ${type}`);
  return later(type, () => {
    const codecs = (fields ?? []).map((one: Json) => [one.n, goCodec(one.t)]);
    const omitEmpty = (fields ?? []).flatMap((one: Json) => (one.omit ? [one.n] : []));
    return struct(Object.fromEntries(codecs), { omitEmpty });
  });
}

/** Types refer to themselves (a Job holds a Job): made when first used. */
function later(type: string, build: () => Codec<Json>): Codec<Json> {
  let built: Codec<Json> | undefined;
  const get = (): Codec<Json> => {
    built ??= build();
    return built;
  };
  const isNil = type.startsWith("*") || type.startsWith("[]") || type.startsWith("map<");
  return {
    get zero() {
      return isNil ? null : get().zero;
    },
    write: (out, value) => get().write(out, value),
    read: (reader) => get().read(reader),
  };
}

export function methodTypes(method: string): { Args: string; Reply: string } | undefined {
  const methods = { ...schema.client_methods_called_by_server, ...schema.server_methods };
  return methods[method];
}

export function fsmType(type: number): string | undefined {
  return schema.fsm_messages[String(type)]?.struct;
}

export const allTypes: readonly string[] = Object.keys(schema.types);
