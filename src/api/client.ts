/**
 * /v1/client/…: what is asked of a client node, by way of the servers or, without `node_id`, of this
 * agent's own.
 *
 * @module
 */
import { isObject } from "../config/tree.ts";
import { errorText } from "../host/error-text.ts";
import { exactJsonOf, type JsonValue } from "../wire/msgpack-json.ts";
import { nodeMetaRequest } from "../wire/rpc-client.ts";
import { encodeNodeNamed } from "../wire/rpc-status.ts";
import { ask, askedOf, requestOf } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonBody } from "./json-body.ts";
import type { ClientQuery } from "./query.ts";

/** Each is asked whether it answers. */
const SERVERS_MAX = 64;

/** CPU, memory and disks of the machine. */
export async function clientStats(
  context: ApiContext,
  query: ClientQuery,
  signal?: AbortSignal,
): Promise<unknown> {
  const { HostStats } = await asked(context, "ClientStats.Stats", query, signal);
  return HostStats ?? null;
}

export async function clientMeta(
  context: ApiContext,
  query: ClientQuery,
  signal?: AbortSignal,
): Promise<unknown> {
  const { Dynamic, Meta, Static } = await asked(context, "NodeMeta.Read", query, signal);
  return { Dynamic, Meta, Static };
}

/** Null for a key takes it away; keys that are not named stay as they are. */
export async function applyMeta(
  context: ApiContext,
  query: ClientQuery,
  body: string,
): Promise<unknown> {
  const given = JsonBody.parse(body);
  const bytes = requestOf(nodeMetaRequest, {
    AllowStale: true,
    Meta: given.textsOrNull("Meta"),
    NodeID: nodeOf(context, given.text("NodeID") || query.node_id),
    Region: askedOf(context, query).region,
  });
  const { Dynamic, Meta, Static } = await answer(context, "NodeMeta.Apply", bytes);
  return { Dynamic, Meta, Static };
}

/** What the node's identity says of it; the identity itself stays where it is. */
export async function clientIdentity(
  context: ApiContext,
  query: ClientQuery,
  signal?: AbortSignal,
): Promise<unknown> {
  const { Claims } = await asked(context, "NodeIdentity.Get", query, signal);
  return { Claims };
}

function asked(
  context: ApiContext,
  method: string,
  query: ClientQuery,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, JsonValue>>> {
  const node = nodeOf(context, query.node_id);
  const { region } = askedOf(context, query);
  return answer(context, method, encodeNodeNamed(node, region), signal);
}

/** @throws ApiError where none is meant */
function nodeOf(context: ApiContext, id: string | undefined): string {
  const node = id || context.client?.id;
  if (node === undefined) throw new ApiError(400, "No local Node and node_id not provided");
  return node;
}

/** @throws ApiError: 404 where there is no such node, or no way to it */
async function answer(
  context: ApiContext,
  method: string,
  body: Uint8Array,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, JsonValue>>> {
  const bytes = await ask(context, method, body, signal).catch((error: unknown) => {
    const text = error instanceof Error ? error.message : "";
    const isLost = /No path to node|Unknown node/.test(text);
    throw isLost ? new ApiError(404, text) : error;
  });
  const reply = exactJsonOf(bytes);
  if (!isObject(reply)) throw new ApiError(500, "the node's answer cannot be read");
  return Object(reply);
}

/** The servers that this agent's node knows; on a server it is no endpoint, as in Nomad. */
export function knownServers(context: ApiContext): readonly string[] {
  if (context.client === undefined) throw new ApiError(501, "Invalid method");
  return [...context.client.report().servers].sort();
}

export async function setKnownServers(
  context: ApiContext,
  servers: readonly string[],
): Promise<void> {
  if (context.client === undefined) throw new ApiError(501, "Invalid method");
  if (servers.length === 0) throw new ApiError(400, "missing server address");
  if (servers.length > SERVERS_MAX) {
    throw new ApiError(400, `more than ${SERVERS_MAX} server addresses`);
  }
  await context.client.setServers(servers).catch((error: unknown) => {
    throw new ApiError(400, errorText(error));
  });
}
