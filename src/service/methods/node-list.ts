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

/** What was answered last: to those who poll, or waited for the same change, it is the same. */
interface Remembered {
  readonly key: string;
  readonly revision: number;
  readonly answer: Uint8Array;
}

const REMEMBERED_MAX = 4;
/** Of one answer: some ten thousand nodes. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const SENT_BYTES_PER_MS = 128 * 1024;
const remembered = new WeakMap<NodeTable, readonly Remembered[]>();

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
    const { revision } = nodes;
    const key = keyOf({ how, pool, meta, request });
    const known = remembered.get(nodes)?.find((one) => one.key === key);
    if (known?.revision === revision) {
      // To write it down took no time, but to send it will.
      await turns.next(known.answer.length / SENT_BYTES_PER_MS);
      return known.answer;
    }
    const all = nodes.all();
    const idOf = (one: Node): string => one.ID;
    const { items, next } = await pageOf({
      ...{ all, keyOf: idOf, options: request, isWanted, turns },
    });
    const Nodes = items.map((one) => stubOf(one, how));
    const answer = encodeValue(nodeListReply, { ...meta, NextToken: next, Nodes });
    if (answer.length <= ANSWER_BYTES_MAX) remember(nodes, { key, revision, answer });
    return answer;
  });
}

/** All that an answer depends on besides the nodes. */
function keyOf(asked: {
  readonly how: object;
  readonly pool: string;
  readonly meta: ReturnType<StateReads["meta"]>;
  readonly request: NodeListRequest;
}): string {
  const { how, pool, meta, request } = asked;
  const { Filter, NextToken, PerPage, Prefix, Reverse } = request;
  const { Index, KnownLeader, LastContact } = meta;
  const freshness = [String(Index), KnownLeader, String(LastContact)];
  return JSON.stringify([how, pool, freshness, Filter, NextToken, PerPage, Prefix, Reverse]);
}

function remember(nodes: NodeTable, one: Remembered): void {
  const { key, revision } = one;
  const others = remembered.get(nodes) ?? [];
  const valid = others.filter((other) => other.revision === revision && other.key !== key);
  remembered.set(nodes, [one, ...valid].slice(0, REMEMBERED_MAX));
}
