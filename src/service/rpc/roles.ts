/** Which certificate may do what, over RPC (wire/rpc-and-raft.md §1.1) and over HTTP. */
import { isSameName } from "../../tls/x509/host-name.ts";
import { GROUP_LEAVE, GROUP_SEALING_KEY, GROUP_SELF } from "../../wire/rpc-group.ts";

/** The name that a server of `region` has to prove. */
export function serverName(region: string): string {
  return `server.${region}.nomad`;
}

export function clientName(region: string): string {
  return `client.${region}.nomad`;
}

/**
 * May the holder of a certificate with these names speak RPC to a server of `ownRegion`?
 * Servers of every region may (federation), clients only of the own one.
 */
export function mayDial(names: readonly string[], ownRegion: string): boolean {
  return isClient(names, ownRegion) || isAnyServer(names);
}

/** The name in an operator's certificate, as `nomad tls cert create -cli` makes it. */
export function operatorName(region: string): string {
  return `cli.${region}.nomad`;
}

/**
 * May its holder see or change keys, snapshots and Raft over HTTP? There are no tokens: any
 * certificate of the CA will not do, since every client node has one.
 */
export function mayOperate(names: readonly string[], region: string): boolean {
  return hasName(names, operatorName(region)) || isServer(names, region);
}

/**
 * May it be called only by whoever has proved to be a server of the region, and by nobody on a
 * connection in the clear? What is told there is a secret of the servers.
 */
export function isForProvenServers(method: string): boolean {
  return method === GROUP_SEALING_KEY;
}

/**
 * May the holder of a certificate with these names call `method` at a server of `region`?
 *
 * @param byToken there are ACLs: what operators do, a token decides, and not who brings it
 */
export function mayCall(
  method: string,
  names: readonly string[],
  region: string,
  byToken = false,
): boolean {
  if (FOR_THE_GROUP.has(method)) return isServer(names, region);
  if (byToken) return true;
  // An operator's question comes over HTTP, and from there on by servers.
  const isGuarded = /^(Operator|System)\./.test(method) || BY_OPERATORS.has(method);
  return !isGuarded || isAnyServer(names);
}

/** What operators do to client nodes. */
const BY_OPERATORS: ReadonlySet<string> = new Set([
  ...["BatchDeregister", "Deregister", "Evaluate", "UpdateDrain", "UpdateEligibility"].map(
    (one) => `Node.${one}`,
  ),
  ...["ACL.CreateClientIntroductionToken", "Keyring.Delete", "Keyring.List", "Keyring.Rotate"],
  ...["NodeIdentity.Renew", "NodeMeta.Apply"],
  ...["NodePool.DeleteNodePools", "NodePool.UpsertNodePools"],
  ...["Namespace.DeleteNamespaces", "Namespace.UpsertNamespaces"],
]);

/** Of these, what a client may do to its own node: by its secret it proves that it is its own. */
export const BY_THE_NODE: ReadonlySet<string> = new Set([
  ...["Node.UpdateDrain", "Node.UpdateEligibility", "NodeIdentity.Renew", "NodeMeta.Apply"],
]);

/** What a node says of itself: with a certificate for a client, or passed on by a server. */
export const OF_NODES: ReadonlySet<string> = new Set(
  ["EmitEvents", "GetClientAllocs", "Register", "UpdateAlloc", "UpdateStatus"].map(
    (one) => `Node.${one}`,
  ),
);

/** Is it a client of `region`? */
export function isClient(names: readonly string[], region: string): boolean {
  return hasName(names, clientName(region));
}

/** What the servers of a region do among themselves: ours, and Nomad's, which are not served. */
const FOR_THE_GROUP: ReadonlySet<string> = new Set([
  ...[GROUP_LEAVE, GROUP_SEALING_KEY, GROUP_SELF],
  ...["Ack", "Create", "Dequeue", "Nack", "Reap", "Reblock", "Update"].map((one) => `Eval.${one}`),
  ...["Deployment.Reap", "Keyring.Get", "Plan.Submit"],
]);

/** Is it a server, of whatever region? */
export function isAnyServer(names: readonly string[]): boolean {
  return names.some((name) => {
    const parts = name.toLowerCase().split(".");
    const region = parts.slice(1, -1).join(".");
    const isRegion = region !== "" && !region.includes("*");
    return parts[0] === "server" && isRegion && parts.at(-1) === "nomad";
  });
}

/** Is it a server of `region`? Its own methods, and Raft, are for these only. */
export function isServer(names: readonly string[], region: string): boolean {
  return hasName(names, serverName(region));
}

/** The whole name, whatever its case; a wildcard is no role. */
function hasName(names: readonly string[], wanted: string): boolean {
  return names.some((name) => isSameName(name, wanted));
}
