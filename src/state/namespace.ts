/**
 * Namespaces: names under which other regions and tools keep things apart. Nothing is placed in one
 * here; they are listed, made and deleted. `default` is always there.
 *
 * @module
 */
import {
  decodeValue,
  encodeValue,
  list,
  mapOf,
  pointer,
  raw,
  struct,
  structOf,
  text,
  uint64,
  type ValueOf,
} from "../wire/codec.ts";
import { type JsonValue, jsonOf } from "../wire/msgpack-json.ts";
import { queryMeta, writeFields } from "../wire/rpc-status.ts";
import { MessageType } from "./command.ts";

/** Which of a kind may be used in it. */
const choice = struct({ Allowed: list(text), Default: text, Denied: list(text) });

export const namespace = struct({
  Capabilities: pointer(
    struct({
      DisabledNetworkModes: list(text),
      DisabledTaskDrivers: list(text),
      EnabledNetworkModes: list(text),
      EnabledTaskDrivers: list(text),
    }),
  ),
  ConsulConfiguration: pointer(choice),
  Description: text,
  Meta: mapOf(text),
  Name: text,
  NodePoolConfiguration: pointer(choice),
  OptionalExtraClaims: mapOf(text),
  Quota: text,
  RequiredExtraClaims: mapOf(text),
  VaultConfiguration: pointer(choice),
  CreateIndex: uint64,
  /** By which other regions see whether their copy is the same. */
  Hash: raw,
  ModifyIndex: uint64,
});
export type Namespace = ValueOf<typeof namespace>;

export const namespaceUpsertRequest = struct({
  ...writeFields,
  Namespaces: list(pointer(namespace)),
});
export const namespaceDeleteRequest = struct({ ...writeFields, Namespaces: list(text) });

export const namespaceListReply = struct({ ...queryMeta, Namespaces: list(pointer(namespace)) });
export const namespaceMapReply = struct({ ...queryMeta, Namespaces: mapOf(pointer(namespace)) });
export const singleNamespaceReply = struct({ ...queryMeta, Namespace: pointer(namespace) });

export const DEFAULT_NAMESPACE = "default";

/** As Nomad's state has it before the first entry of the log. */
const BUILT_IN = structOf(namespace, {
  ...{ Name: DEFAULT_NAMESPACE, Description: "Default shared namespace" },
  ...{ CreateIndex: 1n, ModifyIndex: 1n },
});

/** What a snapshot keeps of them. */
export interface NamespaceContent {
  /** The one that is always there is among them only if somebody has changed it. */
  readonly all: readonly Namespace[];
  readonly index: bigint;
}

export class NamespaceTable {
  #namespaces = new Map([[DEFAULT_NAMESPACE, BUILT_IN]]);
  /** Of the last change of any of them. */
  #index = 1n;

  get index(): number {
    return Number(this.#index);
  }

  get size(): number {
    return this.#namespaces.size;
  }

  get(name: string): Namespace | undefined {
    return this.#namespaces.get(name);
  }

  /** In the order of their names. */
  all(): readonly Namespace[] {
    return [...this.#namespaces.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  /** @returns false: not about namespaces, unreadable, or about one that there is not */
  change(type: number, body: Uint8Array, index: bigint): boolean {
    if (type === MessageType.namespaceUpsert) {
      const { Namespaces } = decodeValue(namespaceUpsertRequest, body) ?? {};
      return this.#upsert(index, Namespaces ?? []);
    }
    if (type !== MessageType.namespaceDelete) return false;
    const { Namespaces } = decodeValue(namespaceDeleteRequest, body) ?? {};
    return this.#delete(index, Namespaces ?? []);
  }

  content(): NamespaceContent {
    const all = this.all().filter((one) => one !== BUILT_IN);
    return { all, index: this.#index };
  }

  /** @param limit no record of the past may be newer than the entry that brings it */
  replace({ all, index }: NamespaceContent, limit: bigint): void {
    const capped = (value: bigint): bigint => (value > limit ? limit : value);
    this.#namespaces = new Map([[DEFAULT_NAMESPACE, BUILT_IN]]);
    for (const one of all) {
      const CreateIndex = capped(one.CreateIndex);
      const ModifyIndex = capped(one.ModifyIndex);
      this.#namespaces.set(one.Name, { ...one, CreateIndex, ModifyIndex });
    }
    this.#index = capped(index);
  }

  #upsert(index: bigint, given: readonly (Namespace | null)[]): boolean {
    for (const one of given) {
      if (one === null) continue;
      const CreateIndex = this.#namespaces.get(one.Name)?.CreateIndex ?? index;
      this.#namespaces.set(one.Name, { ...one, CreateIndex, ModifyIndex: index });
      this.#index = index;
    }
    return given.length > 0;
  }

  /** All of them or, if one is unknown, none: as Nomad's transaction. */
  #delete(index: bigint, names: readonly string[]): boolean {
    const isKept = (name: string): boolean => {
      return name === DEFAULT_NAMESPACE || !this.#namespaces.has(name);
    };
    if (names.length === 0 || names.some(isKept)) return false;
    for (const name of names) this.#namespaces.delete(name);
    this.#index = index;
    return true;
  }
}

/** A namespace as JSON shows it: Nomad's hash of it is bytes that say nothing to anybody. */
export function namespaceJson(one: Namespace): JsonValue {
  const shown = jsonOf(encodeValue(namespace, one));
  if (shown === undefined || shown === null || typeof shown !== "object") return null;
  return Object.fromEntries(Object.entries(shown).filter(([name]) => name !== "Hash"));
}
