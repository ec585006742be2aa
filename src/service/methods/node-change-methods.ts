/**
 * The Node methods by which operators empty a node or keep work away from it, and by which a client
 * tells of events (wire/rpc-and-raft.md §5.4). Nothing is placed on nodes here: a drain is complete
 * as soon as it has begun, and an evaluation has nothing to evaluate.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import {
  MessageType,
  nodeBatchDrainRequest,
  nodeDrainRequest,
  nodeEligibilityRequest,
  nodeEventsRequest,
} from "../../state/command.ts";
import { ELIGIBILITIES, type Node, type NodeEvent, nodeEventNow } from "../../state/node.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { encodeValue, mapOf, structOf, text, timeOf } from "../../wire/codec.ts";
import {
  allocUpdateRequest,
  indexReply,
  nodeChangeReply,
  nodeNamedWrite,
  nodeUpdateReply,
} from "../../wire/rpc-node.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { committedRequest, mustFit, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import type { NodeAuth } from "./node-auth.ts";

/** What a node says of allocations. Events stay in the state: what a query may have is enough. */
const BYTES_MAX = 1024 * 1024;
/** What an operator may note of a drain: it stays in the state of every server. */
const NOTE_BYTES_MAX = 16 * 1024;

interface NodeChangesInit {
  readonly consensus: Pick<Consensus, "apply" | "role">;
  readonly machine: Pick<StateMachine, "nodes">;
  readonly auth: NodeAuth;
  readonly clock: Clock;
  readonly log: Log;
}

export class NodeChanges {
  readonly #init: NodeChangesInit;

  constructor(init: NodeChangesInit) {
    this.#init = init;
  }

  methods(): ReadonlyMap<string, Method> {
    const leader = (run: (body: Uint8Array) => Uint8Array | Promise<Uint8Array>): Method => {
      return { where: "leader", run: (_options, body) => run(body) };
    };
    const bytesMax = BYTES_MAX;
    return new Map<string, Method>([
      ["Node.UpdateDrain", leader((body) => this.#updateDrain(body))],
      ["Node.UpdateEligibility", leader((body) => this.#updateEligibility(body))],
      ["Node.EmitEvents", leader((body) => this.#emitEvents(body))],
      ["Node.UpdateAlloc", { ...leader((body) => this.#updateAlloc(body)), bytesMax }],
      ["Node.Evaluate", leader((body) => this.#evaluate(body))],
    ]);
  }

  /** We lead from now on: a drain that the leader before us has begun ends, too. */
  lead(): void {
    const draining = this.#init.machine.nodes.all().filter((one) => one.DrainStrategy !== null);
    if (draining.length > 0) void this.#complete(draining.map((one) => one.ID));
  }

  async #updateDrain(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeDrainRequest, body);
    const { NodeID, DrainStrategy: asked, Meta } = request;
    if (NodeID === "") throw new RpcMethodError("missing node ID for drain update", false);
    if (request.NodeEvent !== null) throw new RpcMethodError("node event must not be set", false);
    if (Meta !== null && encodeValue(mapOf(text), Meta).length > NOTE_BYTES_MAX) {
      throw new RpcMethodError(`drain metadata is longer than ${NOTE_BYTES_MAX} bytes`, false);
    }
    const before = this.#known(NodeID).DrainStrategy;
    const now = this.#nowMs();
    const hasDeadline = asked !== null && asked.Deadline > 0n;
    const DrainStrategy = asked && {
      ...asked,
      StartedAt: before?.StartedAt ?? timeOf(now),
      ForceDeadline: hasDeadline
        ? timeOf(now + Number(asked.Deadline / 1_000_000n))
        : asked.ForceDeadline,
    };
    const message =
      DrainStrategy === null
        ? before && "Node drain disabled"
        : before === null
          ? "Node drain strategy set"
          : "Node drain strategy updated";
    const NodeEvent = message === null ? null : this.#event("Drain", message);
    const UpdatedAt = this.#nowSeconds();
    const value = { ...request, DrainStrategy, NodeEvent, UpdatedAt, UpdatedBy: "" };
    const { consensus } = this.#init;
    const index = await committedRequest(
      consensus,
      MessageType.nodeUpdateDrain,
      nodeDrainRequest,
      value,
    );
    // So that whoever has heard of the drain finds it complete.
    if (DrainStrategy !== null) await this.#complete([NodeID]);
    return changed(index);
  }

  /** Nothing is left on these nodes. */
  async #complete(ids: readonly string[]): Promise<void> {
    const { consensus, log } = this.#init;
    const event = this.#event("Drain", "Node drain complete");
    const request = structOf(nodeBatchDrainRequest, {
      NodeEvents: new Map(ids.map((id) => [id, event])),
      UpdatedAt: this.#nowSeconds(),
      Updates: new Map(ids.map((id) => [id, { DrainStrategy: null, MarkEligible: false }])),
    });
    const type = MessageType.nodeBatchUpdateDrain;
    try {
      await committedRequest(consensus, type, nodeBatchDrainRequest, request);
    } catch (error) {
      // Whoever leads next looks for it.
      log.warn("cannot complete a drain", { nodes: ids.length, error: errorText(error) });
    }
  }

  async #updateEligibility(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeEligibilityRequest, body);
    const { NodeID, Eligibility } = request;
    if (NodeID === "") {
      throw new RpcMethodError("missing node ID for setting scheduling eligibility", false);
    }
    if (request.NodeEvent !== null) throw new RpcMethodError("node event must not be set", false);
    if (!ELIGIBILITIES.some((one) => one === Eligibility)) {
      throw new RpcMethodError(
        `invalid scheduling eligibility ${JSON.stringify(Eligibility)}`,
        false,
      );
    }
    const known = this.#known(NodeID);
    if (known.DrainStrategy !== null && Eligibility === "eligible") throw draining();
    if (known.SchedulingEligibility === Eligibility) return changed(0);
    const NodeEvent = this.#event("Cluster", `Node marked as ${Eligibility} for scheduling`);
    const value = { ...request, NodeEvent, UpdatedAt: this.#nowSeconds() };
    const { consensus } = this.#init;
    const type = MessageType.nodeUpdateEligibility;
    return changed(
      await committedRequest(consensus, type, nodeEligibilityRequest, value, draining),
    );
  }

  /** A client's own events: of its node, whose secret it knows. */
  async #emitEvents(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(nodeEventsRequest, body);
    const all = [...(request.NodeEvents ?? [])];
    if (all.length === 0) throw new RpcMethodError("no node events given", false);
    for (const [id, events] of all) {
      if ((events ?? []).length > 0) continue;
      throw new RpcMethodError(`no node events given for node ${JSON.stringify(id)}`, false);
    }
    const { consensus, auth, machine } = this.#init;
    for (const [id] of all) auth.node(id, request.AuthToken);
    mustFit(machine.nodes, body.length);
    const type = MessageType.nodeEvents;
    const index = await committedRequest(consensus, type, nodeEventsRequest, request);
    return encodeValue(indexReply, { Index: BigInt(index) });
  }

  /** What a client has brought from elsewhere is heard, and nothing of it is kept. */
  #updateAlloc(body: Uint8Array): Uint8Array {
    const { Alloc, AuthToken } = readRequest(allocUpdateRequest, body);
    const ids = new Set((Alloc ?? []).map((one) => one?.NodeID ?? ""));
    if (ids.size === 0) throw new RpcMethodError("must update at least one allocation", false);
    const { nodes } = this.#init.machine;
    for (const id of ids) this.#init.auth.node(id, AuthToken);
    return encodeValue(indexReply, { Index: BigInt(nodes.index) });
  }

  #evaluate(body: Uint8Array): Uint8Array {
    const { NodeID } = readRequest(nodeNamedWrite, body);
    if (NodeID === "") throw new RpcMethodError("missing node ID for evaluation", false);
    const { ModifyIndex } = this.#known(NodeID);
    return encodeValue(
      nodeUpdateReply,
      structOf(nodeUpdateReply, { NodeModifyIndex: ModifyIndex }),
    );
  }

  /** @throws RpcMethodError */
  #known(id: string): Node {
    const known = this.#init.machine.nodes.get(id);
    if (known === undefined) throw new RpcMethodError("node not found", false);
    return known;
  }

  #event(Subsystem: string, Message: string): NodeEvent {
    return nodeEventNow(Subsystem, Message, this.#nowSeconds());
  }

  #nowMs(): number {
    return this.#init.clock.wallMs();
  }

  #nowSeconds(): bigint {
    return BigInt(Math.floor(this.#nowMs() / 1000));
  }
}

function draining(): RpcMethodError {
  const text = "can not set node's scheduling eligibility to eligible while it is draining";
  return new RpcMethodError(text, false);
}

/** @param index 0: there was nothing to change */
function changed(index: number): Uint8Array {
  const at = BigInt(index);
  const reply = structOf(nodeChangeReply, { Index: at, NodeModifyIndex: at });
  return encodeValue(nodeChangeReply, reply);
}
