/** Lists of nodes: of all, or of one pool. */
import { type Node, node as nodeCodec, nodeListStub } from "../../state/node.ts";
import { ALL_POOL } from "../../state/node-pool.ts";
import type { NodeTable } from "../../state/node-table.ts";
import { encodeValue, list, struct } from "../../wire/codec.ts";
import type { NodeListRequest } from "../../wire/rpc-node.ts";
import { queryMeta } from "../../wire/rpc-status.ts";
import { stubOf } from "./node-stub.ts";
import { pageOf } from "./paging.ts";
import type { StateReads } from "./state-reads.ts";
import { wantedBy } from "./wanted.ts";

const nodeListReply = struct({ ...queryMeta, Nodes: list(nodeListStub) });

/** @throws RpcMethodError, here or later, for a filter that is none */
export function listNodes(
  nodes: NodeTable,
  reads: StateReads,
  request: NodeListRequest,
  signal: AbortSignal | undefined,
  pool = ALL_POOL,
): Uint8Array | Promise<Uint8Array> {
  const { Fields, Filter } = request;
  const how = { os: Fields?.OS === true, resources: Fields?.Resources === true };
  const passes = wantedBy(Filter, nodeCodec);
  const index = (): number => nodes.index;
  // Nobody may guess at a secret by a filter.
  const isWanted = (one: Node): boolean =>
    (pool === ALL_POOL || one.NodePool === pool) && passes({ ...one, SecretID: "" });
  return reads.whenNewer(request, signal, index, async () => {
    const turns = reads.turns(signal);
    const meta = reads.meta(index());
    const all = nodes.all();
    const keyOf = (one: Node): string => one.ID;
    const { items, next } = await pageOf({
      ...{ all, keyOf, options: request, isWanted, turns },
    });
    const Nodes = items.map((one) => stubOf(one, how));
    return encodeValue(nodeListReply, { ...meta, NextToken: next, Nodes });
  });
}
