/** The NodePool methods: which pools there are, and which nodes are in one. */
import type { NodePoolCapability } from "../../state/acl/capability.ts";
import { ALL_GRANTS } from "../../state/acl/grants.ts";
import { type Grants, mayUse } from "../../state/acl/need.ts";
import { MessageType } from "../../state/command.ts";
import {
  IDENTITY_TTL_NANOS,
  isBuiltIn,
  type NodePool,
  nodePool,
  nodePoolDeleteRequest,
  nodePoolUpsertRequest,
  POOLS_MAX,
  poolFaults,
} from "../../state/node-pool.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { type Codec, encodeValue, list, pointer, struct } from "../../wire/codec.ts";
import { indexReply, nodePoolNodesRequest, nodePoolRequest } from "../../wire/rpc-node.ts";
import { type QueryOptions, queryMeta, queryOptions } from "../../wire/rpc-status.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { denied, type MethodGuard } from "./method-guard.ts";
import { committedRequest, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { listNodes } from "./node-list.ts";
import { pageOf } from "./paging.ts";
import { StateReads, type StateReadsInit } from "./state-reads.ts";
import { wantedBy } from "./wanted.ts";

const nodePoolListReply = struct({ ...queryMeta, NodePools: list(pointer(nodePool)) });
const singleNodePoolReply = struct({ ...queryMeta, NodePool: pointer(nodePool) });

interface NodePoolMethodsInit extends StateReadsInit {
  readonly region: string;
  readonly consensus: Pick<Consensus, "apply" | "leader" | "stats">;
  readonly machine: Pick<StateMachine, "nodes" | "pools" | "watch">;
  /** What the bearer of a token may do; undefined: everything. */
  readonly guard?: Pick<MethodGuard, "grants">;
}

type Answer = Uint8Array | Promise<Uint8Array>;

export class NodePoolMethods {
  readonly #init: NodePoolMethodsInit;
  readonly #reads: StateReads;

  constructor(init: NodePoolMethodsInit) {
    this.#init = init;
    this.#reads = new StateReads(init);
  }

  methods(): ReadonlyMap<string, Method> {
    const reading = (run: Method["run"]): Method => ({ where: "leader", consistent: true, run });
    return new Map<string, Method>([
      [
        "NodePool.DeleteNodePools",
        { where: "leader", run: (options, body) => this.#delete(options, body) },
      ],
      [
        "NodePool.UpsertNodePools",
        { where: "leader", run: (options, body) => this.#upsert(options, body) },
      ],
      ["NodePool.List", reading((options, body, signal) => this.#list(options, body, signal))],
      [
        "NodePool.GetNodePool",
        reading((options, body, signal) => this.#get(options, body, signal)),
      ],
      [
        "NodePool.ListNodes",
        reading((options, body, signal) => this.#nodes(options, body, signal)),
      ],
    ]);
  }

  #list(options: QueryOptions, body: Uint8Array, signal: AbortSignal | undefined): Answer {
    const { pools } = this.#init.machine;
    const request = readRequest(queryOptions, body);
    const isMatching = wantedBy(request.Filter, nodePool);
    const index = (): number => pools.index;
    return this.#reads.whenNewer(options, signal, index, async () => {
      const turns = this.#reads.turns(signal);
      const meta = this.#reads.meta(index());
      const all = pools.all();
      const keyOf = (one: NodePool): string => one.Name;
      const grants = this.#grants(options);
      const isWanted = (one: NodePool): boolean => {
        return grants.nodePool(one.Name, "read") && isMatching(one);
      };
      const { items, next } = await pageOf({
        ...{ all, keyOf, options: request, isWanted, turns },
      });
      return encodeValue(nodePoolListReply, { ...meta, NextToken: next, NodePools: items });
    });
  }

  #get(options: QueryOptions, body: Uint8Array, signal: AbortSignal | undefined): Answer {
    const { pools } = this.#init.machine;
    const { Name } = readRequest(nodePoolRequest, body);
    this.#mustHave(options, Name, "read");
    const index = (): number => Number(pools.get(Name)?.ModifyIndex ?? BigInt(pools.index));
    return this.#reads.whenNewer(options, signal, index, () => {
      const reply = { ...this.#reads.meta(index()), NodePool: pools.get(Name) ?? null };
      return encodeValue(singleNodePoolReply, reply);
    });
  }

  /** A pool that is not there has no nodes. */
  #nodes(options: QueryOptions, body: Uint8Array, signal: AbortSignal | undefined): Answer {
    const request = readRequest(nodePoolNodesRequest, body);
    this.#mustHave(options, request.Name, "read");
    const whole = { ...request, ...options };
    return listNodes(this.#init.machine.nodes, this.#reads, whole, signal, request.Name);
  }

  /** Makes pools, or changes what they say. */
  async #upsert(options: QueryOptions, body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodePoolUpsertRequest, body);
    const given = (request.NodePools ?? []).flatMap((one) => (one === null ? [] : [one]));
    for (const { Name } of given) this.#mustHave(options, Name, "write");
    if (given.length === 0) throw refused("must specify at least one node pool");
    for (const pool of given) {
      const faults = poolFaults(pool);
      const name = JSON.stringify(pool.Name);
      if (faults.length > 0) throw refused(`invalid node pool ${name}: ${inGoList(faults)}`);
      if (isBuiltIn(pool.Name)) throw refused(`modifying node pool ${name} is not allowed`);
    }
    const { pools } = this.#init.machine;
    const added = new Set(given.map(({ Name }) => Name).filter((name) => !pools.get(name)));
    if (pools.size + added.size > POOLS_MAX) {
      throw new RpcMethodError(`there are ${POOLS_MAX} node pools, and no room for more`, false);
    }
    const NodePools = given.map((pool): NodePool => {
      return { ...pool, Hash: null, NodeIdentityTTL: pool.NodeIdentityTTL || IDENTITY_TTL_NANOS };
    });
    const value = { ...request, NodePools };
    return this.#write(MessageType.nodePoolUpsert, nodePoolUpsertRequest, value);
  }

  /** Those without nodes: one with a wrong name in its file leaves a pool behind. */
  async #delete(options: QueryOptions, body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodePoolDeleteRequest, body);
    const names = request.Names ?? [];
    for (const name of names) this.#mustHave(options, name, "delete");
    if (names.length === 0) throw refused("must specify at least one node pool to delete");
    if (names.includes("")) throw refused("node pool name is empty");
    const { nodes, pools } = this.#init.machine;
    const used = new Set(nodes.all().map((one) => one.NodePool));
    const { region } = this.#init;
    const faults = names
      .filter((name) => used.has(name))
      .map((name) => `node pool ${JSON.stringify(name)} has nodes in regions: [${region}]`);
    if (faults.length > 0) throw new RpcMethodError(inGoList(faults), false);
    for (const name of names) {
      if (pools.get(name) === undefined) {
        throw new RpcMethodError(`node pool ${name} not found`, false);
      }
      if (isBuiltIn(name)) {
        throw new RpcMethodError(
          `deleting node pool ${JSON.stringify(name)} is not allowed`,
          false,
        );
      }
    }
    return this.#write(MessageType.nodePoolDelete, nodePoolDeleteRequest, request);
  }

  async #write<T extends { readonly AuthToken: string }>(
    type: number,
    codec: Codec<T>,
    request: T,
  ): Promise<Uint8Array> {
    const index = await committedRequest(this.#init.consensus, type, codec, request);
    return encodeValue(indexReply, { Index: BigInt(index) });
  }
  #grants({ AuthToken }: QueryOptions): Grants {
    return this.#init.guard?.grants(AuthToken) ?? ALL_GRANTS;
  }

  /** @throws RpcMethodError: Permission denied */
  #mustHave(options: QueryOptions, nodePool: string, capability: NodePoolCapability): void {
    const grants = this.#grants(options);
    if (!mayUse(grants, `node_pool:${capability}`, { nodePool })) throw denied();
  }
}

function refused(why: string): RpcMethodError {
  return new RpcMethodError(`RPC Error:: 400,${why}`, false);
}

/** Several errors as one, in the form that Go programs print. */
function inGoList(faults: readonly string[]): string {
  const count = faults.length === 1 ? "1 error" : `${faults.length} errors`;
  return `${count} occurred:\n${faults.map((one) => `\t* ${one}\n`).join("")}\n`;
}
