/** GET /v1/node/pools and /v1/node/pool/NAME: the pools, and the nodes of one. */
import { nodePoolDeleteRequest, poolJson } from "../state/node-pool.ts";
import { any, encodeValue, list, struct, structOf } from "../wire/codec.ts";
import { nodePoolNodesRequest, nodePoolRequest } from "../wire/rpc-node.ts";
import { encodeQueryOptions, queryMeta } from "../wire/rpc-status.ts";
import { ask, askedOf, decode } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import {
  type IndexedAnswer,
  metaHeaders,
  rawListReply,
  readOptions,
  stubFields,
  stubJson,
} from "./nodes.ts";

/** Each pool as it came: it only has to become JSON. */
const rawPoolsReply = struct({ ...queryMeta, NodePools: list(any) });
const rawPoolReply = struct({ ...queryMeta, NodePool: any });

export async function listNodePools(
  context: ApiContext,
  query: URLSearchParams,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = encodeQueryOptions(readOptions(context, query));
  const reply = decode(rawPoolsReply, await ask(context, "NodePool.List", body, signal));
  return { value: (reply.NodePools ?? []).map(poolJson), headers: metaHeaders(reply) };
}

export async function getNodePool(
  context: ApiContext,
  name: string,
  query: URLSearchParams,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const request = structOf(nodePoolRequest, { ...readOptions(context, query), Name: name });
  const body = encodeValue(nodePoolRequest, request);
  const reply = decode(rawPoolReply, await ask(context, "NodePool.GetNodePool", body, signal));
  const value = poolJson(reply.NodePool);
  if (value === null) throw new ApiError(404, "node pool not found");
  return { value, headers: metaHeaders(reply) };
}

export async function listPoolNodes(
  context: ApiContext,
  name: string,
  query: URLSearchParams,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const request = structOf(nodePoolNodesRequest, {
    ...readOptions(context, query),
    Fields: stubFields(query),
    Name: name,
  });
  const body = encodeValue(nodePoolNodesRequest, request);
  const reply = decode(rawListReply, await ask(context, "NodePool.ListNodes", body, signal));
  return { value: (reply.Nodes ?? []).map(stubJson), headers: metaHeaders(reply) };
}

/** Of those without nodes; one that a client still names comes back with it. */
export async function deleteNodePool(
  context: ApiContext,
  name: string,
  query: URLSearchParams,
): Promise<void> {
  const { region } = askedOf(context, query);
  const request = structOf(nodePoolDeleteRequest, { Names: [name], Region: region });
  await ask(context, "NodePool.DeleteNodePools", encodeValue(nodePoolDeleteRequest, request));
}
