/** /v1/acl/…: tokens, policies and roles, with Nomad's JSON and headers. */
import { errorText } from "../host/error-text.ts";
import {
  policyListReply,
  roleListReply,
  rolesUpsertReply,
  singlePolicyReply,
  singleRoleReply,
  singleTokenReply,
  tokenListReply,
  tokenUpsertReply,
  whoAmIReply,
} from "../service/acl/replies.ts";
import {
  type AclToken,
  aclPolicy,
  aclRole,
  aclToken,
  policyDeleteRequest,
  policyUpsertRequest,
  rolesDeleteRequest,
  rolesUpsertRequest,
  tokenBootstrapRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "../state/acl/acl.ts";
import {
  policyJson,
  policyStubJson,
  roleJson,
  tokenJson,
  tokenStubJson,
} from "../state/acl/acl-json.ts";
import { structOf } from "../wire/codec.ts";
import {
  policyRequest,
  roleByNameRequest,
  roleRequest,
  tokenListRequest,
  tokenRequest,
} from "../wire/rpc-acl.ts";
import { indexReply } from "../wire/rpc-node.ts";
import { queryOptions } from "../wire/rpc-status.ts";
import { ask, askedOf, decode, requestOf } from "./ask.ts";
import type { ApiContext, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonBody } from "./json-body.ts";
import { type IndexedAnswer, metaHeaders, readOptions } from "./nodes.ts";

type Query = Parameters<typeof readOptions>[1];
type Signal = AbortSignal | undefined;

export async function listTokens(
  context: ApiContext,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(tokenListRequest, readOptions(context, query));
  const reply = decode(tokenListReply, await ask(context, "ACL.ListTokens", body, signal));
  return { value: (reply.Tokens ?? []).map(shown(tokenStubJson)), headers: metaHeaders(reply) };
}

export async function getToken(
  context: ApiContext,
  AccessorID: string,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(tokenRequest, { ...readOptions(context, query), AccessorID });
  const reply = decode(singleTokenReply, await ask(context, "ACL.GetToken", body, signal));
  return { value: found(reply.Token, tokenJson, "ACL token"), headers: metaHeaders(reply) };
}

/** Does a token decide there? Who cannot be asked decides nothing. */
export async function hasAcls(context: Servers, region: string): Promise<boolean> {
  const body = requestOf(queryOptions, { Region: region, AllowStale: true });
  return context.call("ACL.ListPolicies", body).then(
    () => true,
    (error: unknown) => !errorText(error).includes("ACL support disabled"),
  );
}

/** Whose token came with the request. */
export async function ownToken(
  context: ApiContext,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(queryOptions, readOptions(context, query));
  const reply = decode(whoAmIReply, await ask(context, "ACL.WhoAmI", body, signal));
  const token = reply.Identity?.ACLToken ?? null;
  return { value: found(token, tokenJson, "ACL token"), headers: metaHeaders(reply) };
}

/** @param text of the body; empty: the server makes the secret */
export async function bootstrapAcls(
  context: ApiContext,
  query: Query,
  text: string,
): Promise<IndexedAnswer> {
  const given = text.trim() === "" ? undefined : JsonBody.parse(text);
  const body = requestOf(tokenBootstrapRequest, {
    BootstrapSecret: given?.text("BootstrapSecret") ?? "",
    Region: askedOf(context, query).region,
  });
  return firstToken(decode(tokenUpsertReply, await ask(context, "ACL.Bootstrap", body)));
}

/** @param id of the path; "": it is a new one */
export async function writeToken(
  context: ApiContext,
  id: string,
  query: Query,
  text: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(text);
  if (id !== "" && given.text("AccessorID") !== id) {
    throw new ApiError(400, "ACL token accessor does not match request path");
  }
  const { region: Region } = askedOf(context, query);
  const body = requestOf(tokenUpsertRequest, { Region, Tokens: [tokenOf(given)] });
  return firstToken(decode(tokenUpsertReply, await ask(context, "ACL.UpsertTokens", body)));
}

function tokenOf(given: JsonBody): AclToken {
  const roles = given.bodies("Roles");
  return structOf(aclToken, {
    AccessorID: given.text("AccessorID"),
    ExpirationTTL: given.duration("ExpirationTTL"),
    ExpirationTime: given.time("ExpirationTime"),
    Global: given.flag("Global"),
    Name: given.text("Name"),
    Policies: given.textList("Policies"),
    Roles: roles?.map((one) => ({ ID: one.text("ID"), Name: one.text("Name") })) ?? null,
    Type: given.text("Type"),
  });
}

function firstToken(reply: { Index: bigint; Tokens: readonly (AclToken | null)[] | null }) {
  const [token = null] = reply.Tokens ?? [];
  return written(reply.Index, found(token, tokenJson, "ACL token"));
}

export async function deleteToken(
  context: ApiContext,
  id: string,
  query: Query,
): Promise<IndexedAnswer> {
  const { region: Region } = askedOf(context, query);
  const body = requestOf(tokenDeleteRequest, { AccessorIDs: [id], Region });
  return written(decode(indexReply, await ask(context, "ACL.DeleteTokens", body)).Index);
}

export async function listPolicies(
  context: ApiContext,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(queryOptions, readOptions(context, query));
  const reply = decode(policyListReply, await ask(context, "ACL.ListPolicies", body, signal));
  return { value: (reply.Policies ?? []).map(shown(policyStubJson)), headers: metaHeaders(reply) };
}

export async function getPolicy(
  context: ApiContext,
  Name: string,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(policyRequest, { ...readOptions(context, query), Name });
  const reply = decode(singlePolicyReply, await ask(context, "ACL.GetPolicy", body, signal));
  return { value: found(reply.Policy, policyJson, "ACL policy"), headers: metaHeaders(reply) };
}

export async function writePolicy(
  context: ApiContext,
  name: string,
  query: Query,
  text: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(text);
  if (given.text("Name") !== name) {
    throw new ApiError(400, "ACL policy name does not match request path");
  }
  const job = given.body("JobACL");
  const policy = structOf(aclPolicy, {
    Description: given.text("Description"),
    JobACL:
      job === undefined
        ? null
        : {
            ...{ Group: job.text("Group"), JobID: job.text("JobID") },
            ...{ Namespace: job.text("Namespace"), Task: job.text("Task") },
          },
    Name: name,
    Rules: given.text("Rules"),
  });
  const { region: Region } = askedOf(context, query);
  const body = requestOf(policyUpsertRequest, { Policies: [policy], Region });
  return written(decode(indexReply, await ask(context, "ACL.UpsertPolicies", body)).Index);
}

export async function deletePolicy(
  context: ApiContext,
  name: string,
  query: Query,
): Promise<IndexedAnswer> {
  const { region: Region } = askedOf(context, query);
  const body = requestOf(policyDeleteRequest, { Names: [name], Region });
  return written(decode(indexReply, await ask(context, "ACL.DeletePolicies", body)).Index);
}

export async function listRoles(
  context: ApiContext,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(queryOptions, readOptions(context, query));
  const reply = decode(roleListReply, await ask(context, "ACL.ListRoles", body, signal));
  return { value: (reply.ACLRoles ?? []).map(shown(roleJson)), headers: metaHeaders(reply) };
}

export async function getRole(
  context: ApiContext,
  RoleID: string,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(roleRequest, { ...readOptions(context, query), RoleID });
  const reply = decode(singleRoleReply, await ask(context, "ACL.GetRoleByID", body, signal));
  return { value: found(reply.ACLRole, roleJson, "ACL role"), headers: metaHeaders(reply) };
}

export async function getRoleByName(
  context: ApiContext,
  RoleName: string,
  query: Query,
  signal?: Signal,
): Promise<IndexedAnswer> {
  const body = requestOf(roleByNameRequest, { ...readOptions(context, query), RoleName });
  const reply = decode(singleRoleReply, await ask(context, "ACL.GetRoleByName", body, signal));
  return { value: found(reply.ACLRole, roleJson, "ACL role"), headers: metaHeaders(reply) };
}

/** @param id of the path; "": it is a new one */
export async function writeRole(
  context: ApiContext,
  id: string,
  query: Query,
  text: string,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(text);
  if (id !== "" && given.text("ID") !== id) {
    throw new ApiError(400, "ACL role ID does not match request path");
  }
  const policies = given.bodies("Policies");
  const role = structOf(aclRole, {
    Description: given.text("Description"),
    ID: given.text("ID"),
    Name: given.text("Name"),
    Policies: policies?.map((one) => ({ Name: one.text("Name") })) ?? null,
  });
  const { region: Region } = askedOf(context, query);
  const body = requestOf(rolesUpsertRequest, { ACLRoles: [role], Region });
  const reply = decode(rolesUpsertReply, await ask(context, "ACL.UpsertRoles", body));
  const [stored = null] = reply.ACLRoles ?? [];
  return written(reply.Index, found(stored, roleJson, "ACL role"));
}

export async function deleteRole(
  context: ApiContext,
  id: string,
  query: Query,
): Promise<IndexedAnswer> {
  const { region: Region } = askedOf(context, query);
  const body = requestOf(rolesDeleteRequest, { ACLRoleIDs: [id], Region });
  return written(decode(indexReply, await ask(context, "ACL.DeleteRolesByID", body)).Index);
}

/** @throws ApiError 404 */
function found<T>(value: T | null, json: (value: T) => object, what: string): object {
  if (value === null) throw new ApiError(404, `${what} not found`);
  return json(value);
}

function shown<T>(json: (value: T) => object): (value: T | null) => object | null {
  return (value) => (value === null ? null : json(value));
}

function written(index: bigint, value?: object): IndexedAnswer {
  return { value, headers: { "X-Nomad-Index": String(index) } };
}
