/** The NodePool methods: which pools there are, and which nodes are in one. */
import { MessageType } from "../../state/command.ts";
import {
  ALL_POOL,
  DEFAULT_POOL,
  type NodePool,
  nodePool,
  nodePoolDeleteRequest,
} from "../../state/node-pool.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { encodeValue, list, pointer, struct } from "../../wire/codec.ts";
import { indexReply, nodePoolNodesRequest, nodePoolRequest } from "../../wire/rpc-node.ts";
import { type QueryOptions, queryMeta, queryOptions } from "../../wire/rpc-status.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { committedRequest, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { listNodes } from "./node-list.ts";
import { pageOf } from "./paging.ts";
import { StateReads, type StateReadsInit } from "./state-reads.ts";
import { wantedBy } from "./wanted.ts";

const nodePoolListReply = struct({ ...queryMeta, NodePools: list(pointer(nodePool)) });
const singleNodePoolReply = struct({ ...queryMeta, NodePool: pointer(nodePool) });

interface NodePoolMethodsInit extends StateReadsInit {
  readonly consensus: Pick<Consensus, "apply" | "leader" | "stats">;
  readonly machine: Pick<StateMachine, "nodes" | "pools" | "watch">;
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
        { where: "leader", run: (_options, body) => this.#delete(body) },
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
    const isWanted = wantedBy(request.Filter, nodePool);
    const index = (): number => pools.index;
    return this.#reads.whenNewer(options, signal, index, async () => {
      const turns = this.#reads.turns(signal);
      const meta = this.#reads.meta(index());
      const all = pools.all();
      const keyOf = (one: NodePool): string => one.Name;
      const { items, next } = await pageOf({
        ...{ all, keyOf, options: request, isWanted, turns },
      });
      return encodeValue(nodePoolListReply, { ...meta, NextToken: next, NodePools: items });
    });
  }

  #get(options: QueryOptions, body: Uint8Array, signal: AbortSignal | undefined): Answer {
    const { pools } = this.#init.machine;
    const { Name } = readRequest(nodePoolRequest, body);
    const index = (): number => Number(pools.get(Name)?.ModifyIndex ?? BigInt(pools.index));
    return this.#reads.whenNewer(options, signal, index, () => {
      const reply = { ...this.#reads.meta(index()), NodePool: pools.get(Name) ?? null };
      return encodeValue(singleNodePoolReply, reply);
    });
  }

  /** A pool that is not there has no nodes. */
  #nodes(options: QueryOptions, body: Uint8Array, signal: AbortSignal | undefined): Answer {
    const request = readRequest(nodePoolNodesRequest, body);
    const whole = { ...request, ...options };
    return listNodes(this.#init.machine.nodes, this.#reads, whole, signal, request.Name);
  }

  /** Those without nodes: one with a wrong name in its file leaves a pool behind. */
  async #delete(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodePoolDeleteRequest, body);
    const names = request.Names ?? [];
    if (names.length === 0) throw new RpcMethodError("must specify at least one node pool", false);
    const { nodes, pools } = this.#init.machine;
    const used = new Set(nodes.all().map((one) => one.NodePool));
    for (const name of names) {
      if (name === ALL_POOL || name === DEFAULT_POOL) {
        throw new RpcMethodError(`node pool ${JSON.stringify(name)} is built in`, false);
      }
      if (pools.get(name) === undefined) {
        throw new RpcMethodError(`node pool ${JSON.stringify(name)} not found`, false);
      }
      if (used.has(name)) {
        throw new RpcMethodError(`node pool ${JSON.stringify(name)} has nodes`, false);
      }
    }
    const { consensus } = this.#init;
    const type = MessageType.nodePoolDelete;
    const index = await committedRequest(consensus, type, nodePoolDeleteRequest, request);
    return encodeValue(indexReply, { Index: BigInt(index) });
  }
}
