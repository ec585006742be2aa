/** Answers and bodies of tokens, policies, roles and namespaces, and of searches. */
import { t } from "elysia";
import {
  anything,
  atLeast,
  duration,
  exactly,
  flag,
  mapOf,
  orNull,
  text,
  texts,
  time,
  whole,
} from "./shapes.ts";

const indexes = { CreateIndex: whole, ModifyIndex: whole };
const link = exactly({ ID: text, Name: text });

const tokenStub = {
  ...indexes,
  AccessorID: text,
  CreateTime: text,
  ExpirationTime: orNull(text),
  Global: flag,
  Hash: orNull(text),
  Name: text,
  Policies: orNull(texts),
  Roles: orNull(t.Array(link)),
  Type: text,
};

const policyStub = {
  ...indexes,
  Description: text,
  Hash: orNull(text),
  JobACL: orNull(mapOf(text)),
  Name: text,
};

/** Whose workloads a policy is for. */
const job = { Group: text, JobID: text, Namespace: text, Task: text };

const role = exactly({
  ...indexes,
  Description: text,
  Hash: orNull(text),
  ID: text,
  Name: text,
  Policies: orNull(t.Array(exactly({ Name: text }))),
});

const namespace = atLeast({
  ...indexes,
  Capabilities: orNull(anything),
  Description: text,
  Meta: orNull(mapOf(text)),
  Name: text,
  Quota: text,
});

const choice = t.Partial(atLeast({ Allowed: orNull(texts), Default: text, Denied: orNull(texts) }));

const capabilities = t.Partial(
  atLeast({
    DisabledNetworkModes: orNull(texts),
    DisabledTaskDrivers: orNull(texts),
    EnabledNetworkModes: orNull(texts),
    EnabledTaskDrivers: orNull(texts),
  }),
);

const found = { Index: whole, KnownLeader: flag, LastContact: whole, Truncations: mapOf(flag) };

export const aclSchemas = {
  AclBootstrap: atLeast({ BootstrapSecret: t.Optional(text) }),
  AclPolicy: exactly({ ...policyStub, Rules: text, RulesJSON: anything }),
  AclPolicyList: t.Array(orNull(exactly(policyStub))),
  AclPolicyRequest: atLeast({
    Description: t.Optional(text),
    JobACL: t.Optional(orNull(t.Partial(atLeast(job)))),
    Name: text,
    Rules: text,
  }),
  AclRole: role,
  AclRoleList: t.Array(orNull(role)),
  AclRoleRequest: atLeast({
    Description: t.Optional(text),
    ID: t.Optional(text),
    Name: text,
    Policies: t.Array(atLeast({ Name: text })),
  }),
  AclToken: exactly({ ...tokenStub, ExpirationTTL: text, SecretID: text }),
  AclTokenList: t.Array(orNull(exactly(tokenStub))),
  AclTokenRequest: atLeast({
    AccessorID: t.Optional(text),
    ExpirationTTL: t.Optional(duration),
    ExpirationTime: t.Optional(orNull(time)),
    Global: t.Optional(flag),
    Name: t.Optional(text),
    Policies: t.Optional(orNull(texts)),
    Roles: t.Optional(orNull(t.Array(atLeast({ ID: t.Optional(text), Name: t.Optional(text) })))),
    Type: text,
  }),
  Events: atLeast({ Events: t.Optional(t.Array(anything)), Index: t.Optional(whole) }),
  FuzzyRequest: atLeast({ Context: t.Optional(text), Text: text }),
  FuzzyResult: exactly({
    ...found,
    Matches: mapOf(t.Array(exactly({ ID: text, Scope: t.Optional(texts) }))),
  }),
  Namespace: namespace,
  NamespaceList: t.Array(namespace),
  NamespaceRequest: atLeast({
    Capabilities: t.Optional(orNull(capabilities)),
    ConsulConfiguration: t.Optional(orNull(choice)),
    Description: t.Optional(text),
    Meta: t.Optional(orNull(mapOf(text))),
    Name: text,
    NodePoolConfiguration: t.Optional(orNull(choice)),
    Quota: t.Optional(text),
    VaultConfiguration: t.Optional(orNull(choice)),
  }),
  SearchRequest: atLeast({ Context: t.Optional(text), Prefix: text }),
  SearchResult: exactly({ ...found, Matches: mapOf(orNull(texts)) }),
};
