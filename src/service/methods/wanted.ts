/** What a query's filter lets through. */
import type { Codec } from "../../wire/codec.ts";
import { Filter, type Item } from "../../wire/filter.ts";
import { type JsonValue, jsonOf, jsonOfKeys } from "../../wire/msgpack-json.ts";
import { RpcMethodError } from "../rpc/method-error.ts";

/**
 * @param text "" lets everything through
 * @param codec of what is asked about: its fields are those that a filter may name
 * @throws RpcMethodError now for what is no filter, later for what cannot be told of an item
 */
export function wantedBy<T extends object>(text: string, codec: Codec<T>): (one: T) => boolean {
  if (text === "") return () => true;
  const filter = Filter.parse(text);
  if (typeof filter === "string") {
    throw refused(`failed to read filter expression: ${filter}`);
  }
  const names = Object.keys(codec.zero).filter((name) => filter.fields.has(name));
  return (one) => {
    const fields = new Map(Object.entries(one));
    const item: Item = Object.fromEntries(
      names.map((name) => [name, jsonFrom(fields.get(name), filter.fields.get(name))]),
    );
    const answer = filter.matches(item);
    if (typeof answer === "string") throw refused(`failed to evaluate filter: ${answer}`);
    return answer;
  };
}

function refused(why: string): RpcMethodError {
  return new RpcMethodError(`RPC Error:: 400,${why}`, false);
}

/**
 * A decoded field as JSON has it; what nobody has looked into is looked into now.
 *
 * @param keys of a map that nobody has looked into, those that are asked for; undefined: all
 */
function jsonFrom(value: unknown, keys?: ReadonlySet<string>): JsonValue {
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) {
    return (keys === undefined ? jsonOf(value) : jsonOfKeys(value, keys)) ?? null;
  }
  if (Array.isArray(value)) return value.map((each) => jsonFrom(each));
  if (value === null || typeof value !== "object") return null;
  const entries: [string, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, one]) => [String(key), jsonFrom(one)]));
}
