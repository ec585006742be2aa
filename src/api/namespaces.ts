/** GET /v1/namespaces, and /v1/namespace/NAME: read, made, changed and deleted. */

import {
  namespace as namespaceCodec,
  namespaceDeleteRequest,
  namespaceJson,
  namespaceListReply,
  namespaceUpsertRequest,
  singleNamespaceReply,
} from "../state/namespace.ts";
import { structOf } from "../wire/codec.ts";
import { indexReply } from "../wire/rpc-node.ts";
import { namespaceRequest } from "../wire/rpc-search.ts";
import { encodeQueryOptions } from "../wire/rpc-status.ts";
import { ask, askedOf, decode, requestOf } from "./ask.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonBody } from "./json-body.ts";
import { type IndexedAnswer, metaHeaders, readOptions } from "./nodes.ts";
import type { ReadQuery } from "./query.ts";

type Asking = AgentFacts & Servers;

export async function listNamespaces(
  context: Asking,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = encodeQueryOptions(readOptions(context, query));
  const answer = await ask(context, "Namespace.ListNamespaces", body, signal);
  const reply = decode(namespaceListReply, answer);
  const value = (reply.Namespaces ?? []).flatMap((one) => (one ? namespaceJson(one) : []));
  return { value, headers: metaHeaders(reply) };
}

export async function getNamespace(
  context: Asking,
  name: string,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const body = requestOf(namespaceRequest, { ...readOptions(context, query), Name: name });
  const answer = await ask(context, "Namespace.GetNamespace", body, signal);
  const reply = decode(singleNamespaceReply, answer);
  if (reply.Namespace === null) throw new ApiError(404, "Namespace not found");
  return { value: namespaceJson(reply.Namespace), headers: metaHeaders(reply) };
}

/** @param name of the path; undefined: the body's counts */
export async function putNamespace(
  context: Asking,
  name: string | undefined,
  query: Pick<ReadQuery, "region">,
  body: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(body);
  if (name !== undefined && given.text("Name") !== name) {
    throw new ApiError(400, "Namespace name does not match request path");
  }
  const { region } = askedOf(context, query);
  const Namespaces = [read(given)];
  const bytes = requestOf(namespaceUpsertRequest, { Namespaces, Region: region });
  return changed(await ask(context, "Namespace.UpsertNamespaces", bytes));
}

export async function deleteNamespace(
  context: Asking,
  name: string,
  query: Pick<ReadQuery, "region">,
): Promise<IndexedAnswer> {
  const { region } = askedOf(context, query);
  const bytes = requestOf(namespaceDeleteRequest, { Namespaces: [name], Region: region });
  return changed(await ask(context, "Namespace.DeleteNamespaces", bytes));
}

function changed(answer: Uint8Array): IndexedAnswer {
  const { Index } = decode(indexReply, answer);
  return { value: undefined, headers: { "X-Nomad-Index": String(Index) } };
}

function read(given: JsonBody): typeof namespaceCodec.zero {
  const choiceOf = (name: string) => {
    const found = given.body(name);
    if (found === undefined) return null;
    const [Allowed, Denied] = [found.list("Allowed"), found.list("Denied")];
    return { Allowed, Default: found.text("Default"), Denied };
  };
  const capabilities = given.body("Capabilities");
  return structOf(namespaceCodec, {
    Name: given.text("Name"),
    Description: given.text("Description"),
    Quota: given.text("Quota"),
    Meta: given.texts("Meta"),
    OptionalExtraClaims: given.texts("OptionalExtraClaims"),
    RequiredExtraClaims: given.texts("RequiredExtraClaims"),
    Capabilities:
      capabilities === undefined
        ? null
        : {
            EnabledTaskDrivers: capabilities.list("EnabledTaskDrivers"),
            DisabledTaskDrivers: capabilities.list("DisabledTaskDrivers"),
            EnabledNetworkModes: capabilities.list("EnabledNetworkModes"),
            DisabledNetworkModes: capabilities.list("DisabledNetworkModes"),
          },
    NodePoolConfiguration: choiceOf("NodePoolConfiguration"),
    VaultConfiguration: choiceOf("VaultConfiguration"),
    ConsulConfiguration: choiceOf("ConsulConfiguration"),
  });
}
