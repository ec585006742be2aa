/**
 * What is signed here and by which keys: GET /.well-known/jwks.json for whoever checks it, the keys
 * for operators, and tokens by which new client nodes may come.
 *
 * @module
 */
import { encodeValue, structOf } from "../wire/codec.ts";
import {
  introductionReply,
  introductionRequest,
  keyringDeleteRequest,
  keyringListReply,
  keyringRotateReply,
  keyringRotateRequest,
  publicKeysReply,
  type RootKeyMeta,
} from "../wire/rpc-keyring.ts";
import { indexReply } from "../wire/rpc-node.ts";
import { encodeNodeNamed, encodeQueryOptions } from "../wire/rpc-status.ts";
import { ask, askedOf, decode, requestOf } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonBody } from "./json-body.ts";
import { type IndexedAnswer, indexHeader, metaHeaders, readOptions } from "./nodes.ts";
import type { ClientQuery, ReadQuery } from "./query.ts";

/** For how long an answer with public keys may be kept by whoever checks tokens. */
const KEPT_SECONDS_MIN = 60;
const KEPT_SECONDS_MAX = 86_400;

interface RotateQuery extends Pick<ReadQuery, "region"> {
  readonly algo?: string;
  readonly full?: string;
  readonly publish_time?: string;
}

interface DeleteQuery extends Pick<ReadQuery, "region"> {
  readonly force?: string;
}

/** RFC 7517, with keys of RFC 8037. */
export async function publicKeys(
  context: ApiContext,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = encodeQueryOptions(readOptions(context, query));
  const reply = decode(publicKeysReply, await ask(context, "Keyring.ListPublic", body, signal));
  const all = (reply.PublicKeys ?? []).flatMap((one) => (one === null ? [] : [one]));
  const keys = all.map(({ Use, KeyID, Algorithm, PublicKey }) => {
    const x = (PublicKey ?? new Uint8Array(0)).toBase64({
      ...{ alphabet: "base64url", omitPadding: true },
    });
    return { use: Use, kty: "OKP", kid: KeyID, crv: "Ed25519", alg: Algorithm, x };
  });
  const newest = Math.max(0, ...all.map((one) => Number(one.CreateTime / 1_000_000n)));
  // Half a key's life before it takes over, its successor is here.
  const nextMs = newest + Number(reply.RotationThreshold / 1_000_000n) / 2 - context.nowMs();
  const seconds = Math.min(Math.max(Math.floor(nextMs / 1000), KEPT_SECONDS_MIN), KEPT_SECONDS_MAX);
  const headers = { ...metaHeaders(reply), "Cache-Control": `max-age=${seconds}` };
  return { value: { keys }, headers };
}

/** There is no issuer: nobody has to find out about one. */
export function openIdConfiguration(): never {
  throw new ApiError(404, "OIDC Discovery endpoint disabled");
}

export async function listSigningKeys(
  context: ApiContext,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = encodeQueryOptions(readOptions(context, query));
  const reply = decode(keyringListReply, await ask(context, "Keyring.List", body, signal));
  const keys = (reply.Keys ?? []).flatMap((one) => (one === null ? [] : [metaJson(one)]));
  return { value: keys, headers: metaHeaders(reply) };
}

/** `publish_time` in nanoseconds of Unix time: until then the key of before goes on. */
export async function rotateSigningKey(
  context: ApiContext,
  query: RotateQuery,
): Promise<IndexedAnswer> {
  const publish = query.publish_time || "0";
  if (!/^\d{1,19}$/.test(publish)) throw new ApiError(400, "invalid publish_time");
  const request = structOf(keyringRotateRequest, {
    Algorithm: query.algo ?? "",
    Full: isSet(query.full),
    PublishTime: BigInt(publish),
    Region: askedOf(context, query).region,
  });
  const answer = await ask(context, "Keyring.Rotate", encodeValue(keyringRotateRequest, request));
  const { Index, Key } = decode(keyringRotateReply, answer);
  const value = { Index: Number(Index), Key: Key && metaJson(Key) };
  return { value, headers: indexHeader(Index) };
}

export async function deleteSigningKey(
  context: ApiContext,
  id: string,
  query: DeleteQuery,
): Promise<IndexedAnswer> {
  const bytes = requestOf(keyringDeleteRequest, {
    ...{ KeyID: id, Force: isSet(query.force), Region: askedOf(context, query).region },
  });
  const { Index } = decode(indexReply, await ask(context, "Keyring.Delete", bytes));
  return { value: undefined, headers: indexHeader(Index) };
}

/** @param text {"NodeName", "NodePool", "TTL": "15m" or nanoseconds}, each of which may be missing */
export async function createIntroduction(
  context: ApiContext,
  query: Pick<ReadQuery, "region">,
  text: string,
): Promise<{ readonly JWT: string }> {
  const given = JsonBody.parse(text);
  const request = structOf(introductionRequest, {
    ...{ NodeName: given.text("NodeName"), NodePool: given.text("NodePool") },
    ...{ TTL: given.duration("TTL"), Region: askedOf(context, query).region },
  });
  const method = "ACL.CreateClientIntroductionToken";
  const answer = await ask(context, method, encodeValue(introductionRequest, request));
  return { JWT: decode(introductionReply, answer).JWT };
}

/** The node asks for another identity at its next heartbeat. */
export async function renewIdentity(
  context: ApiContext,
  query: ClientQuery,
  text: string,
): Promise<unknown> {
  const named = text.trim() === "" ? "" : JsonBody.parse(text).text("NodeID");
  const node = named || query.node_id || context.client?.id;
  if (node === undefined) throw new ApiError(400, "No local Node and node_id not provided");
  const body = encodeNodeNamed(node, askedOf(context, query).region);
  await ask(context, "NodeIdentity.Renew", body);
  return {};
}

function metaJson(key: RootKeyMeta): unknown {
  const { Algorithm, CreateIndex, CreateTime, KeyID, ModifyIndex, PublishTime, State } = key;
  const numbers = [CreateIndex, CreateTime, ModifyIndex, PublishTime].map(Number);
  const [createIndex, createTime, modifyIndex, publishTime] = numbers;
  return {
    Algorithm,
    CreateIndex: createIndex,
    CreateTime: createTime,
    KeyID,
    ModifyIndex: modifyIndex,
    PublishTime: publishTime,
    State,
  };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "false" && value !== "0";
}
