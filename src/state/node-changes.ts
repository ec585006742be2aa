/** Commands of the log that are about client nodes, done to their table. */
import { type Codec, decodeValue } from "../wire/codec.ts";
import {
  MessageType,
  nodeBatchDeregisterRequest,
  nodeBatchDrainRequest,
  nodeDeregisterRequest,
  nodeDrainRequest,
  nodeEventsRequest,
  nodeRegisterRequest,
  nodeStatusRequest,
} from "./command.ts";
import { type NodePoolTable, nodePoolDeleteRequest, nodePoolUpsertRequest } from "./node-pool.ts";
import type { NodeTable } from "./node-table.ts";

/** What they change. */
interface Tables {
  readonly nodes: NodeTable;
  readonly pools: NodePoolTable;
}

type Change = (tables: Tables, body: Uint8Array, index: bigint) => boolean;

const CHANGES: ReadonlyMap<number, Change> = new Map([
  [
    MessageType.nodeRegister,
    change(nodeRegisterRequest, ({ nodes, pools }, { Node, NodeEvent }, index) => {
      if (Node === null) return false;
      // Whatever the request says: a node without its pool helps nobody.
      pools.use(index, Node.NodePool);
      nodes.register(index, Node, NodeEvent);
      return true;
    }),
  ],
  [
    MessageType.nodeDeregister,
    change(nodeDeregisterRequest, ({ nodes }, { NodeID }, index) =>
      nodes.deregister(index, [NodeID]),
    ),
  ],
  [
    MessageType.nodeBatchDeregister,
    change(nodeBatchDeregisterRequest, ({ nodes }, { NodeIDs }, index) => {
      return nodes.deregister(index, NodeIDs ?? []);
    }),
  ],
  [
    MessageType.nodeUpdateStatus,
    change(nodeStatusRequest, ({ nodes }, request, index) => nodes.updateStatus(index, request)),
  ],
  [
    MessageType.nodeUpdateDrain,
    change(nodeDrainRequest, ({ nodes }, request, index) => nodes.updateDrain(index, request)),
  ],
  [
    MessageType.nodeBatchUpdateDrain,
    change(nodeBatchDrainRequest, ({ nodes }, { Updates, UpdatedAt, NodeEvents }, index) => {
      const all = [...(Updates ?? [])];
      // All of them or none, as Nomad's transaction.
      if (all.some(([id]) => nodes.get(id) === undefined)) return false;
      for (const [NodeID, update] of all) {
        const { DrainStrategy = null, MarkEligible = false } = update ?? {};
        const NodeEvent = NodeEvents?.get(NodeID) ?? null;
        const request = { NodeID, DrainStrategy, MarkEligible, UpdatedAt, NodeEvent };
        nodes.updateDrain(index, { ...request, Meta: null, UpdatedBy: "" }, true);
      }
      return all.length > 0;
    }),
  ],
  [
    MessageType.nodeEvents,
    change(nodeEventsRequest, ({ nodes }, { NodeEvents }, index) => {
      const all = [...(NodeEvents ?? [])];
      if (all.some(([id]) => nodes.get(id) === undefined)) return false;
      for (const [id, events] of all) nodes.addEvents(index, id, events ?? []);
      return all.length > 0;
    }),
  ],
  [
    MessageType.nodePoolUpsert,
    change(nodePoolUpsertRequest, ({ pools }, { NodePools }, index) => {
      return pools.upsert(index, NodePools ?? []);
    }),
  ],
  [
    MessageType.nodePoolDelete,
    change(nodePoolDeleteRequest, ({ pools }, { Names }, index) => {
      return pools.delete(index, Names ?? []);
    }),
  ],
]);

/** @returns false: not about nodes, unreadable, or about a node that there is not */
export function changeNodes(
  tables: Tables,
  type: number,
  body: Uint8Array,
  index: bigint,
): boolean {
  return CHANGES.get(type)?.(tables, body, index) ?? false;
}

function change<T>(
  codec: Codec<T>,
  run: (tables: Tables, request: T, index: bigint) => boolean,
): Change {
  return (tables, body, index) => {
    const request = decodeValue(codec, body);
    return request !== undefined && run(tables, request, index);
  };
}
