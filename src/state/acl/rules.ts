/**
 * An ACL policy as it is understood: Nomad's parsed form, which is also what the API shows as
 * `RulesJSON`. Shorthands are already spelled out as capabilities.
 *
 * @module
 */
import { list, pointer, struct, text, type ValueOf } from "../../wire/codec.ts";

const level = struct({ Policy: text });
const capable = struct({ Capabilities: list(text), Policy: text });
const named = struct({ Capabilities: list(text), Name: text, Policy: text });
export type NamedRules = ValueOf<typeof named>;

const variables = struct({
  Paths: list(pointer(struct({ Capabilities: list(text), PathSpec: text }))),
});

const namespace = struct({
  Capabilities: list(text),
  Name: text,
  Policy: text,
  Variables: pointer(variables),
});
export type NamespaceRules = ValueOf<typeof namespace>;

export const policyRules = struct({
  Agent: pointer(level),
  ExtraKeysHCL: list(text),
  HostVolumes: list(pointer(named)),
  Namespaces: list(pointer(namespace)),
  Node: pointer(level),
  NodePools: list(pointer(named)),
  Operator: pointer(capable),
  Plugin: pointer(level),
  Quota: pointer(level),
  Raw: text,
  Sentinel: pointer(capable),
});
export type PolicyRules = ValueOf<typeof policyRules>;
