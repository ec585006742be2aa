/** GET /v1/nodes and /v1/node/<id>: the clients of the region, with Nomad's fields and headers. */
import { parseGoBool } from "../config/go-bool.ts";
import { singleNodeReply } from "../service/methods/node-methods.ts";
import { nodeDeregisterRequest } from "../state/command.ts";
import { node } from "../state/node.ts";
import { any, encodeValue, list, struct, structOf } from "../wire/codec.ts";
import { nanosOf, parseDurationMs } from "../wire/duration.ts";
import { exactJsonOf } from "../wire/msgpack-json.ts";
import {
  nodeAllocsReply,
  nodeListRequest,
  nodeRequest,
  nodeUpdateReply,
} from "../wire/rpc-node.ts";
import { type QueryOptions, queryMeta } from "../wire/rpc-status.ts";
import { ask, askedOf, decode, requestOf } from "./ask.ts";
import type { AgentFacts, ApiContext, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonText } from "./json.ts";
import type { NodeListQuery, ReadQuery } from "./query.ts";

/** Each node as it came: it only has to become JSON. */
export const rawListReply = struct({ ...queryMeta, Nodes: list(any) });

/** A value, and how fresh it is. */
export interface IndexedAnswer {
  readonly value: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

export async function listNodes(
  context: AgentFacts & Servers,
  query: NodeListQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = requestOf(nodeListRequest, {
    ...readOptions(context, query),
    Fields: stubFields(query),
  });
  return shownList(await ask(context, "Node.List", body, signal));
}

/** As long as no node changes, a server answers itself with the same bytes. */
const shown = new WeakMap<Uint8Array, IndexedAnswer>();

function shownList(bytes: Uint8Array): IndexedAnswer {
  const known = shown.get(bytes);
  if (known !== undefined) return known;
  const reply = decode(rawListReply, bytes);
  const value = new JsonText((reply.Nodes ?? []).map(stubJson));
  const answer = { value, headers: metaHeaders(reply) };
  shown.set(bytes, answer);
  return answer;
}

/** What of the nodes is asked for beside the usual. */
export function stubFields(query: NodeListQuery): { OS: boolean; Resources: boolean } {
  return { OS: isYes(query.os), Resources: isYes(query.resources) };
}

function isYes(flag: string | undefined): boolean {
  return parseGoBool(flag ?? "") === true;
}

/** Nomad leaves three fields out where they were not asked for. */
export function stubJson(one: Uint8Array): unknown {
  const shown: Record<string, unknown> = Object(exactJsonOf(one));
  for (const name of ["Attributes", "NodeResources", "ReservedResources"]) {
    if (shown[name] === null) delete shown[name];
  }
  return shown;
}

export async function getNode(
  context: AgentFacts & Servers,
  id: string,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  if (id.length !== 36) {
    throw new ApiError(500, "node lookup failed: index error: UUID must be 36 characters");
  }
  const body = requestOf(nodeRequest, { ...readOptions(context, query), NodeID: id });
  const answer = await ask(context, "Node.GetNode", body, signal);
  const reply = decode(singleNodeReply, answer);
  if (reply.Node === null) throw new ApiError(404, "node not found");
  // Nomad tells of the drain twice, for readers of before.
  const Drain = reply.Node.DrainStrategy !== null;
  const value = { ...Object(exactJsonOf(encodeValue(node, reply.Node))), Drain };
  return { value, headers: metaHeaders(reply) };
}

/** None in our region; those of another may be many, and come as its servers have them. */
export async function nodeAllocations(
  context: ApiContext,
  id: string,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const request = structOf(nodeRequest, { ...readOptions(context, query), NodeID: id });
  const answer = await ask(context, "Node.GetAllocs", encodeValue(nodeRequest, request), signal);
  const reply = decode(nodeAllocsReply, answer);
  return { value: (reply.Allocs ?? []).map(exactJsonOf), headers: metaHeaders(reply) };
}

/** Takes a node out of the table; one that still runs registers again. @throws ApiError */
export async function purgeNode(
  context: AgentFacts & Servers,
  id: string,
  query: Pick<ReadQuery, "region">,
): Promise<IndexedAnswer> {
  const { region } = askedOf(context, query);
  const body = requestOf(nodeDeregisterRequest, { NodeID: id, Region: region });
  const reply = decode(nodeUpdateReply, await ask(context, "Node.Deregister", body));
  const { EvalIDs, NodeModifyIndex } = reply;
  const value = { EvalCreateIndex: 0, EvalIDs, NodeModifyIndex: Number(NodeModifyIndex) };
  return { value, headers: indexHeader(reply.Index) };
}

/** Of a change: when it is done. */
export function indexHeader(index: bigint): Record<string, string> {
  return { "X-Nomad-Index": String(index) };
}

export function metaHeaders(meta: {
  readonly Index: bigint;
  readonly KnownLeader: boolean;
  readonly LastContact: bigint;
  readonly NextToken: string;
}): Record<string, string> {
  const headers: Record<string, string> = {
    "X-Nomad-Index": String(meta.Index),
    "X-Nomad-KnownLeader": String(meta.KnownLeader),
    "X-Nomad-LastContact": String(meta.LastContact / 1_000_000n),
  };
  if (meta.NextToken !== "") headers["X-Nomad-NextToken"] = meta.NextToken;
  return headers;
}

/** As the parameters are declared: their form is right. */
export function readOptions(context: AgentFacts, query: ReadQuery): Partial<QueryOptions> {
  const { region, stale } = askedOf(context, query);
  return {
    Region: region,
    AllowStale: stale,
    MinQueryIndex: BigInt(query.index || 0),
    MaxQueryTime: nanosOf(parseDurationMs(query.wait || "0") ?? 0),
    Prefix: query.prefix ?? "",
    Filter: query.filter ?? "",
    NextToken: query.next_token ?? "",
    PerPage: Number(query.per_page || 0),
  };
}
