/**
 * ACL tokens, policies and roles as the servers keep them, and what the log may say of them:
 * Nomad's types and fields (wire/rpc-and-raft.md §9, §10).
 *
 * @module
 */
import {
  bool,
  type GoTime,
  int64,
  list,
  pointer,
  raw,
  struct,
  structOf,
  text,
  time,
  uint64,
  type ValueOf,
} from "../../wire/codec.ts";
import { writeFields } from "../../wire/rpc-status.ts";
import { policyRules } from "./rules.ts";

const roleLink = struct({ ID: text, Name: text });

/** What a list shows of a token: everything but its secret. */
const tokenShown = {
  AccessorID: text,
  CreateIndex: uint64,
  CreateTime: time,
  ExpirationTime: pointer(time),
  Global: bool,
  Hash: raw,
  ModifyIndex: uint64,
  Name: text,
  Policies: list(text),
  Roles: list(pointer(roleLink)),
  /** client or management */
  Type: text,
};

export const aclToken = struct({ ...tokenShown, ExpirationTTL: int64, SecretID: text });
export type AclToken = ValueOf<typeof aclToken>;

export const aclTokenStub = struct(tokenShown);

const jobAcl = struct({ Group: text, JobID: text, Namespace: text, Task: text });

const policyShown = {
  CreateIndex: uint64,
  Description: text,
  Hash: raw,
  JobACL: pointer(jobAcl),
  ModifyIndex: uint64,
  Name: text,
};

export const aclPolicy = struct({
  ...policyShown,
  Rules: text,
  /** In answers only: in the state it is nil. */
  RulesJSON: pointer(policyRules),
});
export type AclPolicy = ValueOf<typeof aclPolicy>;

export const aclPolicyStub = struct(policyShown);

export const aclRole = struct({
  CreateIndex: uint64,
  Description: text,
  Hash: raw,
  ID: text,
  ModifyIndex: uint64,
  Name: text,
  Policies: list(pointer(struct({ Name: text }))),
});
export type AclRole = ValueOf<typeof aclRole>;

export const policyUpsertRequest = struct({ ...writeFields, Policies: list(pointer(aclPolicy)) });
export const policyDeleteRequest = struct({ ...writeFields, Names: list(text) });
export const tokenUpsertRequest = struct({ ...writeFields, Tokens: list(pointer(aclToken)) });
export const tokenDeleteRequest = struct({ ...writeFields, AccessorIDs: list(text) });

export const tokenBootstrapRequest = struct({
  ...writeFields,
  BootstrapSecret: text,
  ResetIndex: uint64,
  Token: pointer(aclToken),
});

export const rolesUpsertRequest = struct({
  ...writeFields,
  ACLRoles: list(pointer(aclRole)),
  AllowMissingPolicies: bool,
});
export const rolesDeleteRequest = struct({ ...writeFields, ACLRoleIDs: list(text) });

export const MANAGEMENT_TOKEN = "management";
export const CLIENT_TOKEN = "client";
/** Whoever brings no token has what this policy grants, and nothing while there is none. */
export const ANONYMOUS_POLICY = "anonymous";

/** What those without a token are taken for. */
export const ANONYMOUS_TOKEN: AclToken = structOf(aclToken, {
  AccessorID: "anonymous",
  Name: "Anonymous Token",
  Policies: [ANONYMOUS_POLICY],
  Type: CLIENT_TOKEN,
});

/** Names that tokens and roles refer to. */
export function namesOf(links: AclRole["Policies"]): readonly string[] {
  return (links ?? []).flatMap((link) => (link === null ? [] : [link.Name]));
}

export function isZeroTime({ seconds, nanos }: GoTime): boolean {
  return seconds === 0n && nanos === 0;
}

/** Is it over at this moment? Without a time it never is. */
export function isExpired({ ExpirationTime: end }: AclToken, now: GoTime): boolean {
  if (end === null || isZeroTime(end)) return false;
  return end.seconds < now.seconds || (end.seconds === now.seconds && end.nanos <= now.nanos);
}
