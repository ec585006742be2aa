/**
 * The client nodes of a region, changed by committed commands only: the rules of Nomad's state
 * store, so that a real client sees no difference.
 *
 * @module
 */
import { encodeValue } from "../wire/codec.ts";
import { jsonOf } from "../wire/msgpack-json.ts";
import { type Announce, nobodyHears, sizeOf } from "./change.ts";
import {
  clusterEvent,
  type DrainMetadata,
  type DrainStrategy,
  greenwich,
  type Node,
  type NodeEvent,
  node as nodeCodec,
} from "./node.ts";

const EVENTS_MAX = 10;

/** What a request of Nomad's says about one node. */
interface Update {
  readonly NodeID: string;
  readonly UpdatedAt: bigint;
  readonly NodeEvent: NodeEvent | null;
}

interface StatusUpdate extends Update {
  readonly Status: string;
  readonly IdentitySigningKeyID: string;
}

interface EligibilityUpdate extends Update {
  readonly Eligibility: string;
}

/** A drain that begins, is changed or (without a strategy) ends. */
interface DrainUpdate extends Update {
  readonly DrainStrategy: DrainStrategy | null;
  readonly MarkEligible: boolean;
  readonly Meta: ReadonlyMap<string, string> | null;
  readonly UpdatedBy: string;
}

/**
 * Of all nodes together, about, as long as they register: whoever has a client's certificate may
 * invent as many as it likes, and every server keeps them all. Ten thousand real ones are 25 MB.
 */
export const NODES_BYTES_MAX = 256 * 1024 * 1024;

export class NodeTable {
  readonly #announce: Announce;
  #nodes = new Map<string, Node>();
  /** What each takes. */
  #sizes = new Map<string, number>();
  #bytes = 0;
  /** Of the last change of any node; Nomad's table is there from index 1 on. */
  #index = 1n;
  /** Another one after each change, also where a snapshot has the same index. */
  #revision = 0;
  /** Changes with the secrets of the nodes: not whenever one of them says that it lives. */
  secretsRevision = 0;

  constructor(announce: Announce = nobodyHears) {
    this.#announce = announce;
  }

  get index(): number {
    return Number(this.#index);
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** About what all of them take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** About what a node with this id takes; 0: there is none. */
  bytesOf(id: string): number {
    return this.#sizes.get(id) ?? 0;
  }

  get(id: string): Node | undefined {
    return this.#nodes.get(id);
  }

  /** In the order of their ids, as Nomad lists them. */
  all(): readonly Node[] {
    return [...this.#nodes.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  register(index: bigint, given: Node, event: NodeEvent | null): void {
    const known = this.#nodes.get(given.ID);
    if (known?.SecretID !== given.SecretID) this.secretsRevision += 1;
    const stamp = given.StatusUpdatedAt;
    if (known === undefined) {
      const first = clusterEvent("Node registered", stamp);
      this.#set(index, "NodeRegistration", { ...given, CreateIndex: index, Events: [first] });
      return;
    }
    const back = known.Status === "down" && given.Status !== "down";
    const added = event ?? (back ? clusterEvent("Node re-registered", stamp) : null);
    // What operators and allocations have set since does not change by registering again.
    const { CreateIndex, DrainStrategy, LastDrain, SchedulingEligibility } = known;
    const { LastAllocUpdateIndex } = known;
    const kept = { CreateIndex, DrainStrategy, LastDrain, LastAllocUpdateIndex };
    this.#set(index, "NodeRegistration", {
      ...given,
      ...kept,
      SchedulingEligibility,
      Events: withEvent(known.Events, added, index),
      LastMissedHeartbeatIndex: missed(index, known, given.Status),
    });
  }

  /** @returns false: there is no such node */
  updateStatus(index: bigint, request: StatusUpdate): boolean {
    const { NodeID, Status, UpdatedAt, IdentitySigningKeyID, NodeEvent } = request;
    const known = this.#nodes.get(NodeID);
    if (known === undefined) return false;
    this.#set(index, "NodeStreamEvent", {
      ...known,
      Status,
      StatusUpdatedAt: UpdatedAt,
      IdentitySigningKeyID: IdentitySigningKeyID || known.IdentitySigningKeyID,
      Events: withEvent(known.Events, NodeEvent, index),
      LastMissedHeartbeatIndex: missed(index, known, Status),
    });
    return true;
  }

  updateEligibility(index: bigint, request: EligibilityUpdate): "applied" | "refused" | "skipped" {
    const { NodeID, Eligibility, UpdatedAt, NodeEvent } = request;
    const known = this.#nodes.get(NodeID);
    if (known === undefined) return "skipped";
    if (known.DrainStrategy !== null && Eligibility === "eligible") return "refused";
    this.#set(index, "NodeEligibility", {
      ...known,
      SchedulingEligibility: Eligibility,
      StatusUpdatedAt: UpdatedAt,
      Events: withEvent(known.Events, NodeEvent, index),
    });
    return "applied";
  }

  /** @param complete it ends since nothing is left to move. @returns false: no such node */
  updateDrain(index: bigint, request: DrainUpdate, complete = false): boolean {
    const { NodeID, DrainStrategy, MarkEligible, UpdatedAt, NodeEvent } = request;
    const known = this.#nodes.get(NodeID);
    if (known === undefined) return false;
    const kept = MarkEligible ? "eligible" : known.SchedulingEligibility;
    this.#set(index, "NodeDrain", {
      ...known,
      DrainStrategy,
      LastDrain: lastDrain(known, request, complete),
      SchedulingEligibility: DrainStrategy === null ? kept : "ineligible",
      StatusUpdatedAt: UpdatedAt,
      Events: withEvent(known.Events, NodeEvent, index),
    });
    return true;
  }

  /** @returns false: there is no such node */
  addEvents(index: bigint, id: string, events: readonly (NodeEvent | null)[]): boolean {
    const known = this.#nodes.get(id);
    if (known === undefined) return false;
    const add = (before: Node["Events"], one: NodeEvent | null) => withEvent(before, one, index);
    this.#set(index, "NodeStreamEvent", { ...known, Events: events.reduce(add, known.Events) });
    return true;
  }

  /** All of them or, if one is unknown, none: as Nomad's transaction. */
  deregister(index: bigint, ids: readonly string[]): boolean {
    if (ids.some((id) => !this.#nodes.has(id))) return false;
    for (const id of ids) {
      const gone = this.#nodes.get(id);
      this.#nodes.delete(id);
      this.#measure(id, undefined);
      if (gone !== undefined) this.#tell("NodeDeregistration", gone);
    }
    this.secretsRevision += 1;
    this.#changed(index);
    return true;
  }

  /** @param limit no record of the past may be newer than the entry that brings it */
  replace(nodes: Iterable<Node>, index: bigint, limit: bigint): void {
    const capped = (value: bigint): bigint => (value > limit ? limit : value);
    const entries = [...nodes].map((one): [string, Node] => {
      const CreateIndex = capped(one.CreateIndex);
      return [one.ID, { ...one, CreateIndex, ModifyIndex: capped(one.ModifyIndex) }];
    });
    this.#nodes = new Map(entries);
    this.#sizes = new Map();
    this.#bytes = 0;
    for (const [id, one] of entries) this.#measure(id, one);
    this.secretsRevision += 1;
    this.#changed(capped(index));
  }

  #set(index: bigint, type: string, value: Node): void {
    const changed = { ...value, ModifyIndex: index };
    this.#nodes.set(value.ID, changed);
    this.#measure(value.ID, changed);
    this.#changed(index);
    this.#tell(type, changed);
  }

  /** @param node undefined: it is gone */
  #measure(id: string, node: Node | undefined): void {
    const bytes = node === undefined ? 0 : sizeOf(node);
    this.#bytes += bytes - this.bytesOf(id);
    if (node === undefined) this.#sizes.delete(id);
    else this.#sizes.set(id, bytes);
  }

  #changed(index: bigint): void {
    this.#index = index;
    this.#revision += 1;
  }

  #tell(type: string, node: Node): void {
    this.#announce({
      ...{ topic: "Node", type, key: node.ID, bytes: sizeOf(node) },
      payload: () => {
        const shown = jsonOf(encodeValue(nodeCodec, { ...node, SecretID: "" }));
        // As in an answer, Nomad tells of the drain twice.
        const Drain = node.DrainStrategy !== null;
        return shown === undefined ? undefined : { Node: { ...Object(shown), Drain } };
      },
    });
  }
}

/** What is remembered of a drain. */
function lastDrain(known: Node, request: DrainUpdate, complete: boolean): DrainMetadata | null {
  const { DrainStrategy, Meta, UpdatedAt, UpdatedBy } = request;
  const { LastDrain, DrainStrategy: before } = known;
  if (before === null && DrainStrategy === null) return LastDrain;
  const now = greenwich(UpdatedAt);
  const first = { AccessorID: "", Meta, StartedAt: before?.StartedAt ?? now };
  const { AccessorID, Meta: was, StartedAt } = (before === null ? null : LastDrain) ?? first;
  return {
    AccessorID: UpdatedBy || AccessorID,
    Meta: (Meta?.size ?? 0) > 0 ? Meta : was,
    StartedAt,
    Status: DrainStrategy !== null ? "draining" : complete ? "complete" : "canceled",
    UpdatedAt: now,
  };
}

function isAway(status: string): boolean {
  return status === "down" || status === "disconnected";
}

/** When it was last missed; 0 once it is back and has caught up with its allocations. */
function missed(index: bigint, known: Node, status: string): bigint {
  if (isAway(status)) return isAway(known.Status) ? known.LastMissedHeartbeatIndex : index;
  const caughtUp = known.LastAllocUpdateIndex >= known.LastMissedHeartbeatIndex;
  return status === "ready" && caughtUp ? 0n : known.LastMissedHeartbeatIndex;
}

function withEvent(
  events: Node["Events"],
  added: NodeEvent | null,
  index: bigint,
): readonly NodeEvent[] {
  const known = events ?? [];
  if (added === null) return known;
  return [...known, { ...added, CreateIndex: index }].slice(-EVENTS_MAX);
}
