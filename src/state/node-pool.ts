/**
 * Node pools: names under which client nodes are kept apart. `all` and `default` are always there,
 * any other from the first node on that says it is in it, as in Nomad's authoritative region.
 *
 * @module
 */
import {
  any,
  bool,
  encodeValue,
  int64,
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
import { writeFields } from "../wire/rpc-status.ts";
import { type Announce, nobodyHears, sizeOf } from "./change.ts";

export const nodePool = struct({
  CreateIndex: uint64,
  Description: text,
  /** Nomad's, for copies in other regions; nobody here looks at it. */
  Hash: raw,
  Meta: mapOf(text),
  ModifyIndex: uint64,
  Name: text,
  NodeIdentityTTL: int64,
  SchedulerConfiguration: any,
});
export type NodePool = ValueOf<typeof nodePool>;

/** Nothing is scheduled here: it is kept, and shown. */
export const poolSchedulerConfig = struct({
  MemoryOversubscriptionEnabled: pointer(bool),
  SchedulerAlgorithm: text,
});

export const nodePoolUpsertRequest = struct({ ...writeFields, NodePools: list(pointer(nodePool)) });
export const nodePoolDeleteRequest = struct({ ...writeFields, Names: list(text) });

export const DEFAULT_POOL = "default";
/** Every node is in it, and none says so of itself. */
export const ALL_POOL = "all";

/** What a pool has where nobody says anything else. */
export const IDENTITY_TTL_NANOS = 86_400_000_000_000n;
/** A state has no more: their names come from clients, too. */
export const POOLS_MAX = 4096;
const DESCRIPTION_BYTES_MAX = 256;
const NAME = /^[a-zA-Z0-9-_]{1,128}$/;

export function isPoolName(name: string): boolean {
  return NAME.test(name);
}

export function isBuiltIn(name: string): boolean {
  return name === ALL_POOL || name === DEFAULT_POOL;
}

/** What is wrong with a pool that somebody wants, in Nomad's words; none: nothing. */
export function poolFaults({ Name, Description, NodeIdentityTTL }: NodePool): readonly string[] {
  const faults: string[] = [];
  if (!isPoolName(Name)) {
    faults.push(`invalid name ${JSON.stringify(Name)}, must match regex ${NAME.source}`);
  }
  if (new TextEncoder().encode(Description).length > DESCRIPTION_BYTES_MAX) {
    faults.push(`description longer than ${DESCRIPTION_BYTES_MAX}`);
  }
  if (NodeIdentityTTL < 0n) faults.push("node identity TTL must not be negative");
  return faults;
}

function poolOf(index: bigint, Name: string, Description = ""): NodePool {
  const indexes = { CreateIndex: index, ModifyIndex: index };
  return structOf(nodePool, { ...indexes, Name, Description, NodeIdentityTTL: IDENTITY_TTL_NANOS });
}

/** As Nomad's state has them before the first entry of the log. */
function builtIn(): [string, NodePool][] {
  return [
    [ALL_POOL, poolOf(1n, ALL_POOL, "Node pool with all nodes in the cluster.")],
    [DEFAULT_POOL, poolOf(1n, DEFAULT_POOL, "Default node pool.")],
  ];
}

/** A pool as JSON shows it: Nomad's hash of it is bytes that say nothing to anybody. */
export function poolJson(bytes: Uint8Array): JsonValue {
  const shown = jsonOf(bytes);
  if (shown === undefined || shown === null || typeof shown !== "object") return null;
  return Object.fromEntries(Object.entries(shown).filter(([name]) => name !== "Hash"));
}

export class NodePoolTable {
  readonly #announce: Announce;
  #pools = new Map(builtIn());
  /** Of the last change of any pool. */
  #index = 1n;

  constructor(announce: Announce = nobodyHears) {
    this.#announce = announce;
  }

  get index(): number {
    return Number(this.#index);
  }

  get size(): number {
    return this.#pools.size;
  }

  get(name: string): NodePool | undefined {
    return this.#pools.get(name);
  }

  /** In the order of their names. */
  all(): readonly NodePool[] {
    return [...this.#pools.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  /** A node says that it is in it. */
  use(index: bigint, name: string): void {
    if (name === "" || this.#pools.has(name)) return;
    this.#set(index, poolOf(index, name));
  }

  /** Operators make pools, or change them. */
  upsert(index: bigint, given: readonly (NodePool | null)[]): boolean {
    for (const one of given) {
      if (one === null || isBuiltIn(one.Name)) continue;
      const CreateIndex = this.#pools.get(one.Name)?.CreateIndex ?? index;
      this.#set(index, { ...one, CreateIndex, ModifyIndex: index });
    }
    return given.length > 0;
  }

  delete(index: bigint, names: readonly string[]): boolean {
    const gone = names.filter((name) => !isBuiltIn(name));
    if (gone.some((name) => !this.#pools.has(name))) return false;
    for (const name of gone) {
      const pool = this.#pools.get(name);
      this.#pools.delete(name);
      if (pool !== undefined) this.#tell("NodePoolDeleted", pool);
    }
    if (gone.length > 0) this.#index = index;
    return gone.length > 0;
  }

  /** @param limit no record of the past may be newer than the entry that brings it */
  replace(pools: Iterable<NodePool>, index: bigint, limit: bigint): void {
    const capped = (value: bigint): bigint => (value > limit ? limit : value);
    this.#pools = new Map(builtIn());
    for (const one of pools) {
      const CreateIndex = capped(one.CreateIndex);
      this.#pools.set(one.Name, { ...one, CreateIndex, ModifyIndex: capped(one.ModifyIndex) });
    }
    this.#index = capped(index);
  }

  #set(index: bigint, value: NodePool): void {
    this.#pools.set(value.Name, value);
    this.#index = index;
    this.#tell("NodePoolUpserted", value);
  }

  #tell(type: string, pool: NodePool): void {
    this.#announce({
      ...{ topic: "NodePool", type, key: pool.Name, bytes: sizeOf(pool) },
      payload: () => ({ NodePool: poolJson(encodeValue(nodePool, pool)) }),
    });
  }
}
