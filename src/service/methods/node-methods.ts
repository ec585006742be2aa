/**
 * The Node methods: clients register here and say that they live, readers see them
 * (wire/rpc-and-raft.md §5.4, §6). There are no jobs, so a node has no allocation to fetch.
 *
 * @module
 */
import { isSameSecret } from "../../host/digest.ts";
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import type { Prng } from "../../protocol/ports.ts";
import { sizeOf } from "../../state/change.ts";
import {
  MessageType,
  nodeBatchDeregisterRequest,
  nodeDeregisterRequest,
  nodeRegisterRequest,
  nodeStatusRequest,
} from "../../state/command.ts";
import {
  clusterEvent,
  countIn,
  NODE_STATUSES,
  type Node,
  node as nodeCodec,
} from "../../state/node.ts";
import { ALL_POOL, DEFAULT_POOL, isPoolName, POOLS_MAX } from "../../state/node-pool.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { type Codec, encodeValue, pointer, struct, structOf } from "../../wire/codec.ts";
import { nanosOf } from "../../wire/duration.ts";
import {
  clientAllocsReply,
  type NodeServer,
  nodeAllocsReply,
  nodeListRequest,
  nodeRequest,
  nodeUpdateReply,
} from "../../wire/rpc-node.ts";
import { type QueryOptions, queryMeta } from "../../wire/rpc-status.ts";
import { whenNewer } from "../blocking-query.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { Heartbeats, type HeartbeatsInit } from "./heartbeats.ts";
import { committedRequest, mustFit, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import type { NodeAuth } from "./node-auth.ts";
import { NodeChanges } from "./node-change-methods.ts";
import { listNodes } from "./node-list.ts";
import { StateReads } from "./state-reads.ts";

export const singleNodeReply = struct({ ...queryMeta, Node: pointer(nodeCodec) });

/** A whole node, or the ids of many: real ones stay below 64 KiB. */
const NODE_BYTES_MAX = 1024 * 1024;
/** Nomad's allocations table is there from index 1 on, and nothing ever changes it here. */
const ALLOCS_INDEX = 1;
/** Real ones are UUIDs. It stands in paths, in headers and in logs. */
const NODE_ID = /^[!-~]{1,128}$/;
/** For a registration to come from the leader. */
const NEWS_MS = 5000;

interface NodeMethodsInit extends Pick<HeartbeatsInit, "config"> {
  readonly consensus: Pick<Consensus, "leader" | "stats" | "apply" | "role">;
  readonly machine: Pick<StateMachine, "nodes" | "pools" | "watch">;
  readonly auth: NodeAuth;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** Living servers of the region: where a client may go. */
  readonly servers: () => readonly NodeServer[];
}

type Answer = Uint8Array | Promise<Uint8Array>;
type Signal = AbortSignal | undefined;

export class NodeMethods {
  readonly #init: NodeMethodsInit;
  readonly #heartbeats: Heartbeats;
  readonly #changes: NodeChanges;
  readonly #reads: StateReads;

  constructor(init: NodeMethodsInit) {
    this.#init = init;
    const { config, clock, prng } = init;
    const missed = (id: string): void => void this.#missed(id);
    this.#reads = new StateReads(init);
    this.#changes = new NodeChanges(init);
    this.#heartbeats = new Heartbeats({ config, clock, prng, missed });
  }

  /** Nodes that have to be heard again in time; none where we do not lead. */
  get heartbeats(): number {
    return this.#heartbeats.active;
  }

  methods(): ReadonlyMap<string, Method> {
    const leader = (run: Method["run"]): Method => ({ where: "leader", run });
    const reading = (run: Method["run"]): Method => ({ where: "leader", consistent: true, run });
    const bytesMax = NODE_BYTES_MAX;
    return new Map<string, Method>([
      ["Node.Register", { ...leader((_options, body) => this.#register(body)), bytesMax }],
      ["Node.UpdateStatus", leader((_options, body) => this.#updateStatus(body))],
      ["Node.Deregister", leader((_options, body) => this.#deregister(body))],
      [
        "Node.BatchDeregister",
        { ...leader((_options, body) => this.#batchDeregister(body)), bytesMax },
      ],
      ["Node.List", reading((options, body, signal) => this.#list(options, body, signal))],
      ["Node.GetNode", reading((options, body, signal) => this.#get(options, body, signal))],
      [
        "Node.GetClientAllocs",
        reading((options, body, signal) => this.#clientAllocs(options, body, signal)),
      ],
      ["Node.GetAllocs", reading((options, _body, signal) => this.#allocs(options, signal))],
      // Of all nodes and namespaces there are none either.
      ["Alloc.List", reading((options, _body, signal) => this.#allocs(options, signal))],
      ...this.#changes.methods(),
    ]);
  }

  /** We lead from now on, or the state is another one. */
  lead(): void {
    this.#heartbeats.stop();
    const alive = this.#init.machine.nodes.all().filter((one) => one.Status !== "down");
    this.#heartbeats.takeOver(alive.map((one) => one.ID));
    this.#changes.lead();
  }

  /** We do not lead, or the agent stops. */
  stop(): void {
    this.#heartbeats.stop();
  }

  async #register(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeRegisterRequest, body);
    const { machine } = this.#init;
    const given = request.Node;
    const wrong = faultOf(given);
    if (given === null || wrong !== undefined) throw new RpcMethodError(wrong ?? "", false);
    const known = machine.nodes.get(given.ID);
    if (known !== undefined && !isSameSecret(known.SecretID, given.SecretID)) {
      throw new RpcMethodError("node secret ID does not match. Not registering node.", false);
    }
    mustFit(machine.nodes, sizeOf(given) - machine.nodes.bytesOf(given.ID));
    const { pools } = machine;
    const { NodePool } = given;
    if (NodePool !== "" && pools.get(NodePool) === undefined && pools.size >= POOLS_MAX) {
      throw new RpcMethodError(`there are ${POOLS_MAX} node pools, and no room for more`, false);
    }
    const fitted = {
      ...given,
      // Only UpdateStatus changes the status of a node that is known.
      Status: known?.Status ?? (given.Status || "initializing"),
      SchedulingEligibility: given.SchedulingEligibility || "eligible",
      NodePool: given.NodePool || DEFAULT_POOL,
      StatusUpdatedAt: this.#nowSeconds(),
    };
    const { auth } = this.#init;
    const proof = auth.proofOf(request.AuthToken);
    if (known === undefined) auth.admit(fitted, proof);
    const identity = await auth.identityFor(fitted, proof);
    const IdentitySigningKeyID = keyOf(identity) || (known?.IdentitySigningKeyID ?? "");
    const index = await this.#commit(MessageType.nodeRegister, nodeRegisterRequest, {
      ...request,
      CreateNodePool: true,
      Node: { ...fitted, IdentitySigningKeyID },
    });
    return this.#updated(given.ID, index, identity?.token);
  }

  async #updateStatus(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeStatusRequest, body);
    const { NodeID: id, Status: status } = request;
    if (id === "") throw new RpcMethodError("missing node ID for client status update", false);
    if (!isStatus(status)) throw new RpcMethodError("invalid status for node", false);
    const { auth } = this.#init;
    const { known, proof } = auth.heardFrom(id, request.AuthToken);
    if (request.NodeEvent !== null) mustFit(this.#init.machine.nodes, sizeOf(request.NodeEvent));
    const identity = await auth.identityFor(known, proof, request.ForceIdentityRenewal);
    // Back from a network of its own, a node has to tell of its allocations first.
    const back = known.Status === "disconnected" && status === "ready";
    const Status = back ? "initializing" : status;
    const isNews = known.Status !== Status || request.NodeEvent !== null;
    const IdentitySigningKeyID = keyOf(identity) || known.IdentitySigningKeyID;
    const isSignedAnew = IdentitySigningKeyID !== known.IdentitySigningKeyID;
    if (!isNews && !isSignedAnew) return this.#updated(id, 0, identity?.token);
    const reborn = known.Status === "down" ? "Node reregistered by heartbeat" : undefined;
    const UpdatedAt = this.#nowSeconds();
    const NodeEvent =
      request.NodeEvent ?? (reborn === undefined ? null : clusterEvent(reborn, UpdatedAt));
    const index = await this.#commit(MessageType.nodeUpdateStatus, nodeStatusRequest, {
      ...request,
      ...{ Status, UpdatedAt, NodeEvent, IdentitySigningKeyID },
    });
    if (Status === "down") this.#heartbeats.forget(id);
    // To a client an index is the news that it was missed.
    return this.#updated(id, isNews ? index : 0, identity?.token);
  }

  async #deregister(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeDeregisterRequest, body);
    const { NodeID: id } = request;
    if (id === "") throw new RpcMethodError("missing node ID for client deregistration", false);
    this.#known([id]);
    const index = await this.#commit(MessageType.nodeDeregister, nodeDeregisterRequest, request);
    return this.#removed([id], index);
  }

  async #batchDeregister(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeBatchDeregisterRequest, body);
    const ids = request.NodeIDs ?? [];
    if (ids.length === 0) {
      throw new RpcMethodError("missing node IDs for client deregistration", false);
    }
    this.#known(ids);
    const { nodeBatchDeregister: type } = MessageType;
    return this.#removed(ids, await this.#commit(type, nodeBatchDeregisterRequest, request));
  }

  #removed(ids: readonly string[], index: number): Uint8Array {
    for (const id of ids) this.#heartbeats.forget(id);
    const fields = { Index: BigInt(index), NodeModifyIndex: BigInt(index) };
    return encodeValue(nodeUpdateReply, structOf(nodeUpdateReply, fields));
  }

  /** @throws RpcMethodError */
  #known(ids: readonly string[]): void {
    const { nodes } = this.#init.machine;
    if (ids.some((id) => nodes.get(id) === undefined)) {
      throw new RpcMethodError("node not found", false);
    }
  }

  /**
   * @param index 0: nothing was written, as for an ordinary heartbeat
   * @param identity undefined: it keeps what it has
   */
  #updated(id: string, index: number, identity?: string): Uint8Array {
    const { machine, consensus, servers } = this.#init;
    const known = machine.nodes.get(id);
    const away = known === undefined || known.Status === "down";
    const ttlMs = away || consensus.role !== "leader" ? 0 : this.#heartbeats.heard(id);
    const reply = structOf(nodeUpdateReply, {
      HeartbeatTTL: nanosOf(ttlMs),
      Index: BigInt(index),
      LeaderRPCAddr: consensus.leader?.address ?? "",
      NodeModifyIndex: BigInt(index),
      NumNodes: machine.nodes.size,
      SchedulingEligibility: known?.SchedulingEligibility ?? "",
      Servers: servers(),
      SignedIdentity: identity ?? null,
    });
    return encodeValue(nodeUpdateReply, reply);
  }

  async #missed(id: string): Promise<void> {
    const { log, consensus, machine } = this.#init;
    const known = machine.nodes.get(id);
    if (known === undefined || known.Status === "down" || consensus.role !== "leader") return;
    log.warn("node TTL expired", { node_id: id, name: known.Name });
    const UpdatedAt = this.#nowSeconds();
    const request = structOf(nodeStatusRequest, {
      NodeID: id,
      Status: "down",
      UpdatedAt,
      NodeEvent: clusterEvent("Node heartbeat missed", UpdatedAt),
    });
    try {
      await this.#commit(MessageType.nodeUpdateStatus, nodeStatusRequest, request);
    } catch (error) {
      log.warn("cannot mark a node as down", { node_id: id, error: errorText(error) });
    }
  }

  #list(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const request = { ...readRequest(nodeListRequest, body), ...options };
    return listNodes(this.#init.machine.nodes, this.#reads, request, signal);
  }

  #get(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { nodes } = this.#init.machine;
    const { NodeID } = readRequest(nodeRequest, body);
    const index = (): number => Number(nodes.get(NodeID)?.ModifyIndex ?? BigInt(nodes.index));
    return this.#reads.whenNewer(options, signal, index, () => {
      const known = nodes.get(NodeID);
      const Node = known === undefined ? null : { ...known, SecretID: "" };
      return encodeValue(singleNodeReply, { ...this.#reads.meta(index()), Node });
    });
  }

  #clientAllocs(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { NodeID: id } = readRequest(nodeRequest, body);
    const { consensus, machine, clock, prng } = this.#init;
    const isKnown = (): boolean => machine.nodes.get(id) !== undefined;
    // A client asks right behind its first registration, and any server: one that does not lead
    // may hear of the node a moment later.
    if (!options.AllowStale || consensus.role === "leader" || isKnown()) {
      return this.#knownAllocs(options, body, signal);
    }
    const known = {
      index: () => (isKnown() ? 2 : 1),
      watch: (on: () => void) => machine.watch(on),
    };
    const within = { MinQueryIndex: 1n, MaxQueryTime: nanosOf(NEWS_MS) };
    const waited = whenNewer(within, known, clock, prng, signal);
    return Promise.resolve(waited).then(() => this.#knownAllocs(options, body, signal));
  }

  #knownAllocs(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { NodeID, AuthToken, SecretID } = readRequest(nodeRequest, body);
    this.#init.auth.node(NodeID, AuthToken, SecretID);
    const none = new Map<string, never>();
    return this.#reads.whenNewer(
      options,
      signal,
      // A poll of each client waits here, and is none of those who hear of every change.
      ALLOCS_INDEX,
      () => {
        const reply = { ...this.#reads.meta(ALLOCS_INDEX), Allocs: none, MigrateTokens: none };
        return encodeValue(clientAllocsReply, reply);
      },
    );
  }

  #allocs(options: QueryOptions, signal: Signal): Answer {
    return this.#reads.whenNewer(options, signal, ALLOCS_INDEX, () =>
      encodeValue(nodeAllocsReply, { ...this.#reads.meta(ALLOCS_INDEX), Allocs: null }),
    );
  }

  /** Unix time. */
  #nowSeconds(): bigint {
    return BigInt(Math.floor(this.#init.clock.wallMs() / 1000));
  }

  /** @throws RpcMethodError */
  #commit<T extends { readonly AuthToken: string }>(
    type: number,
    codec: Codec<T>,
    request: T,
  ): Promise<number> {
    return committedRequest(this.#init.consensus, type, codec, request);
  }
}

/** The key that has signed it; "" if it is none. */
function keyOf(identity: Awaited<ReturnType<NodeAuth["identityFor"]>>): string {
  return identity !== undefined && "keyId" in identity ? identity.keyId : "";
}

/** What a registration lacks, in Nomad's words. */
function faultOf(given: Node | null): string | undefined {
  if (given === null) return "missing node for client registration";
  const { ID, Datacenter, Name, Attributes, SecretID, NodePool, Status } = given;
  if (ID === "") return "missing node ID for client registration";
  if (!NODE_ID.test(ID)) return "invalid node ID for client registration";
  if (Datacenter === "") return "missing datacenter for client registration";
  if (Name === "") return "missing node name for client registration";
  if (countIn(Attributes) === 0) return "missing attributes for client registration";
  if (SecretID === "") return "missing node secret ID for client registration";
  if (NodePool === ALL_POOL) return 'node is not allowed to register in node pool "all"';
  if (NodePool !== "" && !isPoolName(NodePool)) {
    return `invalid node pool: invalid name ${JSON.stringify(NodePool.slice(0, 128))}`;
  }
  if (Status !== "" && !isStatus(Status)) return "invalid status for node";
  return undefined;
}

function isStatus(text: string): boolean {
  return NODE_STATUSES.some((one) => one === text);
}
