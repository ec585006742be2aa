/**
 * The paths of the HTTP API, once: endpoints are declared with them, the command line asks by them.
 * Nothing is imported here, so that whoever needs a path does not pay for the rest.
 *
 * @module
 */

/** A word with a colon stands for a name: `pathTo` puts it in. */
export const PATHS = {
  aclBootstrap: "/v1/acl/bootstrap",
  aclPolicies: "/v1/acl/policies",
  aclPolicy: "/v1/acl/policy/:name",
  aclPolicySelf: "/v1/acl/policy/self",
  aclRole: "/v1/acl/role/:id",
  aclRoleByName: "/v1/acl/role/name/:name",
  aclRoleNew: "/v1/acl/role",
  aclRoles: "/v1/acl/roles",
  aclToken: "/v1/acl/token/:id",
  aclTokenNew: "/v1/acl/token",
  aclTokenSelf: "/v1/acl/token/self",
  aclTokens: "/v1/acl/tokens",
  agentForceLeave: "/v1/agent/force-leave",
  agentHealth: "/v1/agent/health",
  agentHost: "/v1/agent/host",
  agentJoin: "/v1/agent/join",
  agentMembers: "/v1/agent/members",
  agentMonitor: "/v1/agent/monitor",
  agentMonitorExport: "/v1/agent/monitor/export",
  agentPermissions: "/v1/agent/permissions",
  agentPprof: "/v1/agent/pprof/:name",
  agentReload: "/v1/agent/reload",
  agentSchedulers: "/v1/agent/schedulers",
  agentSchedulersConfig: "/v1/agent/schedulers/config",
  agentSelf: "/v1/agent/self",
  agentServers: "/v1/agent/servers",
  autopilotConfiguration: "/v1/operator/autopilot/configuration",
  autopilotHealth: "/v1/operator/autopilot/health",
  clientIdentity: "/v1/client/identity",
  clientMetadata: "/v1/client/metadata",
  clientStats: "/v1/client/stats",
  clientIdentityRenew: "/v1/client/identity/renew",
  encryption: "/v1/operator/encryption",
  eventStream: "/v1/event/stream",
  introduction: "/v1/acl/identity/client-introduction-token",
  jwks: "/.well-known/jwks.json",
  keyringInstall: "/v1/agent/keyring/install",
  keyringList: "/v1/agent/keyring/list",
  keyringRemove: "/v1/agent/keyring/remove",
  keyringUse: "/v1/agent/keyring/use",
  license: "/v1/operator/license",
  metrics: "/v1/metrics",
  namespace: "/v1/namespace/:name",
  namespaceAny: "/v1/namespace",
  namespaces: "/v1/namespaces",
  node: "/v1/node/:id",
  nodeAllocations: "/v1/node/:id/allocations",
  nodeDrain: "/v1/node/:id/drain",
  nodeEligibility: "/v1/node/:id/eligibility",
  nodeEvaluate: "/v1/node/:id/evaluate",
  nodePool: "/v1/node/pool/:name",
  nodePoolNodes: "/v1/node/pool/:name/nodes",
  nodePools: "/v1/node/pools",
  nodePurge: "/v1/node/:id/purge",
  nodes: "/v1/nodes",
  openApi: "/v1/openapi.json",
  openIdConfiguration: "/.well-known/openid-configuration",
  raftConfiguration: "/v1/operator/raft/configuration",
  raftPeer: "/v1/operator/raft/peer",
  raftTransfer: "/v1/operator/raft/transfer-leadership",
  regions: "/v1/regions",
  schedulerConfiguration: "/v1/operator/scheduler/configuration",
  search: "/v1/search",
  searchFuzzy: "/v1/search/fuzzy",
  signingKey: "/v1/operator/keyring/key/:id",
  signingKeyRotate: "/v1/operator/keyring/rotate",
  signingKeys: "/v1/operator/keyring/keys",
  snapshot: "/v1/operator/snapshot",
  status: "/v1/status",
  statusLeader: "/v1/status/leader",
  statusPeers: "/v1/status/peers",
  systemGc: "/v1/system/gc",
  systemSummaries: "/v1/system/reconcile/summaries",
  upgradeCheck: "/v1/operator/upgrade-check/:name",
  utilization: "/v1/operator/utilization",
} as const;

/** `id` and `name` of "/v1/x/:id/y/:name". */
type NameOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | NameOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/**
 * @param names what stands for the words with colons, as it is
 * @returns the path to ask for
 */
export function pathTo<Path extends string>(
  path: Path,
  names: Readonly<Record<NameOf<Path>, string>>,
): string {
  const known = new Map<string, unknown>(Object.entries(names));
  return path.replaceAll(/:(\w+)/g, (_, word: string) => {
    return encodeURIComponent(String(known.get(word)));
  });
}
