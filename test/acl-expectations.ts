/**
 * Who may what where ACLs are on, as Nomad 2.0.5 has it: written down here by hand, and not taken
 * from the tables that the agent goes by.
 */

/** The tokens of the walk; of each but the first four a policy grants that and nothing else. */
export const KINDS = [
  ...["none", "wrong", "expired", "management"],
  ...["agent:read", "agent:write", "node:read", "node:write", "operator:read", "operator:write"],
  ...["namespace:write", "node_pool:write"],
] as const;
export type Kind = (typeof KINDS)[number];

/** The rules of the policies. */
export const RULES: Partial<Record<Kind, string>> = {
  "agent:read": 'agent { policy = "read" }',
  "agent:write": 'agent { policy = "write" }',
  "node:read": 'node { policy = "read" }',
  "node:write": 'node { policy = "write" }',
  "operator:read": 'operator { policy = "read" }',
  "operator:write": 'operator { policy = "write" }',
  "namespace:write": 'namespace "*" { policy = "write" }',
  "node_pool:write": 'node_pool "*" { policy = "write" }',
};

const LEVELS = {
  "agent:read": ["agent:read", "agent:write"],
  "agent:write": ["agent:write"],
  "node:read": ["node:read", "node:write"],
  "node:write": ["node:write"],
  "operator:read": ["operator:read", "operator:write"],
  "operator:write": ["operator:write"],
  "node_pool:write": ["node_pool:write"],
  "namespace:write": ["namespace:write"],
  management: [],
} as const satisfies Record<string, readonly Kind[]>;

/** everybody: nobody's token is looked at. valid: whoever has one that holds, or none. */
export type Demand = keyof typeof LEVELS | "everybody" | "valid";

export function mayBe(kind: Kind, demand: Demand): boolean {
  if (demand === "everybody" || kind === "management") return true;
  if (kind === "wrong" || kind === "expired") return false;
  if (demand === "valid") return true;
  return LEVELS[demand].some((one) => one === kind);
}

/** Over RPC; a request has a region and a token, and nothing else. */
export const METHODS: Readonly<Record<string, Demand>> = {
  "Status.Ping": "everybody",
  "Status.Leader": "everybody",
  "Status.Peers": "everybody",
  "Status.RaftStats": "everybody",
  "Status.HasNodeConn": "everybody",
  "Region.List": "everybody",
  "Status.Members": "node:read",
  "Operator.RaftGetConfiguration": "management",
  "Operator.RaftRemovePeerByID": "management",
  "Operator.RaftRemovePeerByAddress": "management",
  "Operator.TransferLeadershipToPeer": "management",
  "Operator.AutopilotGetConfiguration": "operator:read",
  "Operator.ServerHealth": "operator:read",
  "Node.List": "node:read",
  "Node.GetNode": "node:read",
  "Node.GetAllocs": "node:read",
  "Node.Deregister": "node:write",
  "Node.BatchDeregister": "node:write",
  "Node.Evaluate": "node:write",
  "Node.UpdateDrain": "node:write",
  "Node.UpdateEligibility": "node:write",
  "NodeMeta.Read": "node:read",
  "NodeMeta.Apply": "node:write",
  "ClientStats.Stats": "node:read",
  "NodeIdentity.Get": "node:read",
  "NodeIdentity.Renew": "node:write",
  "NodePool.List": "valid",
  "NodePool.GetNodePool": "node_pool:write",
  "NodePool.ListNodes": "management",
  "NodePool.UpsertNodePools": "valid",
  "NodePool.DeleteNodePools": "valid",
  "ACL.ListTokens": "management",
  "ACL.GetTokens": "management",
  "ACL.UpsertTokens": "management",
  "ACL.DeleteTokens": "management",
  "ACL.GetToken": "valid",
  "ACL.WhoAmI": "valid",
  "ACL.ResolveToken": "everybody",
  "ACL.Bootstrap": "everybody",
  "ACL.UpsertPolicies": "management",
  "ACL.DeletePolicies": "management",
  "ACL.ListPolicies": "valid",
  "ACL.GetPolicy": "management",
  "ACL.GetPolicies": "valid",
  "ACL.UpsertRoles": "management",
  "ACL.DeleteRolesByID": "management",
  "ACL.ListRoles": "valid",
  "ACL.GetRolesByID": "valid",
  "ACL.GetRoleByID": "management",
  "ACL.GetRoleByName": "management",
  "ACL.CreateClientIntroductionToken": "node:write",
  "Keyring.List": "management",
  "Keyring.Rotate": "management",
  "Keyring.Delete": "management",
  "Keyring.ListPublic": "everybody",
  "Keyring.GetConfig": "everybody",
};

/** These look at who calls, and not at its token; or change what the walk still needs. */
export const NOT_WALKED: readonly string[] = [
  ...["Group.Leave", "Group.Self", "Group.SealingKey", "Operator.AutopilotSetConfiguration"],
  ...["EmitEvents", "GetClientAllocs", "Register", "UpdateAlloc", "UpdateStatus"].map(
    (one) => `Node.${one}`,
  ),
];
