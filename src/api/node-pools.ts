/** GET /v1/node/pools and /v1/node/pool/NAME: the pools, and the nodes of one. */
import {
  nodePool,
  nodePoolDeleteRequest,
  nodePoolUpsertRequest,
  poolJson,
  poolSchedulerConfig,
} from "../state/node-pool.ts";
import { any, encodeValue, list, struct, structOf } from "../wire/codec.ts";
import { indexReply, nodePoolNodesRequest, nodePoolRequest } from "../wire/rpc-node.ts";
import { encodeQueryOptions, queryMeta } from "../wire/rpc-status.ts";
import { ask, askedOf, decode, requestOf } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonBody } from "./json-body.ts";
import {
  type IndexedAnswer,
  indexHeader,
  metaHeaders,
  rawListReply,
  readOptions,
  stubFields,
  stubJson,
} from "./nodes.ts";
import type { NodeListQuery, ReadQuery } from "./query.ts";

/** Each pool as it came: it only has to become JSON. */
const rawPoolsReply = struct({ ...queryMeta, NodePools: list(any) });
const rawPoolReply = struct({ ...queryMeta, NodePool: any });

export async function listNodePools(
  context: ApiContext,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = encodeQueryOptions(readOptions(context, query));
  const reply = decode(rawPoolsReply, await ask(context, "NodePool.List", body, signal));
  return { value: (reply.NodePools ?? []).map(poolJson), headers: metaHeaders(reply) };
}

export async function getNodePool(
  context: ApiContext,
  name: string,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = requestOf(nodePoolRequest, { ...readOptions(context, query), Name: name });
  const reply = decode(rawPoolReply, await ask(context, "NodePool.GetNodePool", body, signal));
  const value = poolJson(reply.NodePool);
  if (value === null) throw new ApiError(404, "node pool not found");
  return { value, headers: metaHeaders(reply) };
}

export async function listPoolNodes(
  context: ApiContext,
  name: string,
  query: NodeListQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = requestOf(nodePoolNodesRequest, {
    ...readOptions(context, query),
    Fields: stubFields(query),
    Name: name,
  });
  const reply = decode(rawListReply, await ask(context, "NodePool.ListNodes", body, signal));
  return { value: (reply.Nodes ?? []).map(stubJson), headers: metaHeaders(reply) };
}

/**
 * Makes a pool, or changes what it says.
 *
 * @param path the name in the path; undefined: there is none
 */
export async function upsertNodePool(
  context: ApiContext,
  path: string | undefined,
  query: Pick<ReadQuery, "region">,
  body: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(body);
  const Name = given.text("Name");
  if (path !== undefined && path !== Name) {
    throw new ApiError(400, "Node pool name does not match request path");
  }
  const scheduler = given.body("SchedulerConfiguration");
  const pool = structOf(nodePool, {
    Name,
    Description: given.text("Description"),
    Meta: given.texts("Meta"),
    NodeIdentityTTL: given.duration("NodeIdentityTTL"),
    ...(scheduler === undefined ? {} : { SchedulerConfiguration: schedulerBytes(scheduler) }),
  });
  const { region } = askedOf(context, query);
  const bytes = requestOf(nodePoolUpsertRequest, { NodePools: [pool], Region: region });
  const { Index } = decode(indexReply, await ask(context, "NodePool.UpsertNodePools", bytes));
  return { value: undefined, headers: indexHeader(Index) };
}

function schedulerBytes(given: JsonBody): Uint8Array {
  const value = {
    MemoryOversubscriptionEnabled: given.flagOrNull("MemoryOversubscriptionEnabled"),
    SchedulerAlgorithm: given.text("SchedulerAlgorithm"),
  };
  return encodeValue(poolSchedulerConfig, value);
}

/** Of those without nodes; one that a client still names comes back with it. */
export async function deleteNodePool(
  context: ApiContext,
  name: string,
  query: Pick<ReadQuery, "region">,
): Promise<IndexedAnswer> {
  const { region } = askedOf(context, query);
  const bytes = requestOf(nodePoolDeleteRequest, { Names: [name], Region: region });
  const { Index } = decode(indexReply, await ask(context, "NodePool.DeleteNodePools", bytes));
  return { value: undefined, headers: indexHeader(Index) };
}
