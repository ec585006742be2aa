/** Tokens, policies and roles as Nomad's API shows them. */
import { formatDurationMs } from "../../wire/duration.ts";
import { goTimeText, type JsonValue } from "../../wire/msgpack-json.ts";
import { type AclPolicy, type AclRole, type AclToken, namesOf } from "./acl.ts";
import type { PolicyRules } from "./rules.ts";

type JsonObject = { readonly [key: string]: JsonValue };

/** Everything but its secret. */
export function tokenStubJson(token: Omit<AclToken, "SecretID" | "ExpirationTTL">): JsonObject {
  return {
    AccessorID: token.AccessorID,
    CreateIndex: Number(token.CreateIndex),
    CreateTime: goTimeText(token.CreateTime),
    ExpirationTime: token.ExpirationTime === null ? null : goTimeText(token.ExpirationTime),
    Global: token.Global,
    Hash: token.Hash?.toBase64() ?? null,
    ModifyIndex: Number(token.ModifyIndex),
    Name: token.Name,
    Policies: token.Policies,
    Roles: token.Roles?.map((link) => ({ ID: link?.ID ?? "", Name: link?.Name ?? "" })) ?? null,
    Type: token.Type,
  };
}

/** With its secret, for whoever has it or made it. */
export function tokenJson(token: AclToken): JsonObject {
  const ttl = token.ExpirationTTL;
  const ExpirationTTL = ttl === 0n ? "" : formatDurationMs(Number(ttl) / 1e6);
  return { ...tokenStubJson(token), ExpirationTTL, SecretID: token.SecretID };
}

export function policyStubJson(policy: Omit<AclPolicy, "Rules" | "RulesJSON">): JsonObject {
  return {
    CreateIndex: Number(policy.CreateIndex),
    Description: policy.Description,
    Hash: policy.Hash?.toBase64() ?? null,
    JobACL: policy.JobACL === null ? null : { ...policy.JobACL },
    ModifyIndex: Number(policy.ModifyIndex),
    Name: policy.Name,
  };
}

export function policyJson(policy: AclPolicy): JsonObject {
  const { Rules, RulesJSON } = policy;
  return {
    ...policyStubJson(policy),
    Rules,
    RulesJSON: RulesJSON === null ? null : rulesJson(RulesJSON),
  };
}

function rulesJson(rules: PolicyRules): JsonObject {
  const { Agent, Node, Operator, Plugin, Quota, Sentinel, HostVolumes, NodePools, Raw } = rules;
  const one = <T extends object>(value: T | null) => (value === null ? null : { ...value });
  const all = <T extends object>(values: readonly (T | null)[] | null) => values?.map(one) ?? null;
  const Namespaces = (rules.Namespaces ?? []).map((each) => {
    if (each === null) return null;
    const paths = each.Variables === null ? null : { Paths: all(each.Variables.Paths) };
    return { ...each, Variables: paths };
  });
  return {
    ...{ Agent: one(Agent), Node: one(Node), Operator: one(Operator), Plugin: one(Plugin) },
    ...{ Quota: one(Quota), Sentinel: one(Sentinel), ExtraKeysHCL: null, Raw },
    HostVolumes: all(HostVolumes),
    Namespaces: rules.Namespaces === null ? null : Namespaces,
    NodePools: all(NodePools),
  };
}

export function roleJson(role: AclRole): JsonObject {
  return {
    CreateIndex: Number(role.CreateIndex),
    Description: role.Description,
    Hash: role.Hash?.toBase64() ?? null,
    ID: role.ID,
    ModifyIndex: Number(role.ModifyIndex),
    Name: role.Name,
    Policies: role.Policies === null ? null : namesOf(role.Policies).map((Name) => ({ Name })),
  };
}
