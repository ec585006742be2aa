/**
 * What each RPC method needs of the token that comes with it (wire/rpc-and-raft.md §4.5), where
 * ACLs are on. A method that is not here needs a management token.
 *
 * `anonymous` is also what proves itself otherwise: a client node by its secret, a server by its
 * certificate. `token`: the method looks at what is asked, and judges by itself.
 *
 * @module
 */

import { type Grants, mayUse, type Need } from "../../state/acl/need.ts";
import { ABSENT_METHODS } from "./acl-absent.ts";

const EVERYBODY = ["Status.HasNodeConn", "Status.Leader", "Status.Peers", "Status.Ping"];

/** Their nodes prove themselves by their secrets. */
const NODES = ["EmitEvents", "GetClientAllocs", "Register", "UpdateAlloc", "UpdateStatus"];

const NEEDS: Readonly<Record<string, Need>> = {
  ...each("anonymous", [...EVERYBODY, "Region.List", "Status.RaftStats"]),
  ...each("anonymous", ["Group.Leave", "Group.Self", ...NODES.map((one) => `Node.${one}`)]),
  // They tell everybody that they are not here.
  ...each("anonymous", ABSENT_METHODS),
  ...each("anonymous", ["ACL.Bootstrap", "ACL.ResolveToken", "Group.SealingKey"]),
  ...each("anonymous", ["Keyring.GetConfig", "Keyring.ListPublic"]),
  ...each("management", ["Keyring.Delete", "Keyring.List", "Keyring.Rotate"]),
  ...each("management", ["System.GarbageCollect", "System.ReconcileJobSummaries"]),
  ...each("node:write", ["ACL.CreateClientIntroductionToken"]),
  ...each("token", ["NodePool.UpsertNodePools"]),
  ...each("agent:read", ["Agent.Host", "Agent.Monitor"]),
  ...each("node:read", [
    "ClientStats.Stats",
    "NodeIdentity.Get",
    "NodeMeta.Read",
    "Status.Members",
  ]),
  ...each("node:read", ["Node.GetAllocs", "Node.GetNode", "Node.List", "NodePool.ListNodes"]),
  ...each("node:write", ["Node.BatchDeregister", "Node.Deregister", "Node.Evaluate"]),
  ...each("node:write", ["Node.UpdateDrain", "Node.UpdateEligibility"]),
  ...each("node:write", ["NodeIdentity.Renew", "NodeMeta.Apply"]),
  ...each("operator:read", ["Operator.AutopilotGetConfiguration", "Operator.ServerHealth"]),
  ...each("operator:write", ["Operator.AutopilotSetConfiguration"]),
  ...each("management", ["Operator.RaftGetConfiguration", "Operator.RaftRemovePeerByAddress"]),
  ...each("management", ["Operator.RaftRemovePeerByID", "Operator.TransferLeadershipToPeer"]),
  ...each("management", ["Namespace.DeleteNamespaces", "Namespace.GetNamespaces"]),
  ...each("management", ["Namespace.UpsertNamespaces"]),
  ...each("token", ["Namespace.GetNamespace", "Namespace.ListNamespaces"]),
  ...each("token", ["Search.FuzzySearch", "Search.PrefixSearch"]),
  ...each("management", ["Operator.SnapshotRestore", "Operator.SnapshotSave"]),
  ...each("token", ["NodePool.DeleteNodePools", "NodePool.GetNodePool", "NodePool.List"]),
  ...each("token", ["ACL.GetPolicies", "ACL.GetPolicy", "ACL.ListPolicies", "ACL.WhoAmI"]),
  ...each("token", ["ACL.GetRoleByID", "ACL.GetRoleByName", "ACL.GetRolesByID", "ACL.ListRoles"]),
  ...each("token", ["ACL.GetToken", "Alloc.List"]),
  ...each("management", ["ACL.DeletePolicies", "ACL.UpsertPolicies"]),
  ...each("management", ["ACL.DeleteRolesByID", "ACL.UpsertRoles"]),
  ...each("management", [
    "ACL.DeleteTokens",
    "ACL.GetTokens",
    "ACL.ListTokens",
    "ACL.UpsertTokens",
  ]),
};

const KNOWN: ReadonlyMap<string, Need> = new Map(Object.entries(NEEDS));

/** undefined: nobody has said it, and a management token it is. */
export function methodNeed(name: string): Need | undefined {
  return KNOWN.get(name);
}

export function mayCallWith(grants: Grants, name: string): boolean {
  return mayUse(grants, KNOWN.get(name) ?? []);
}

function each(need: Need, names: readonly string[]): Readonly<Record<string, Need>> {
  return Object.fromEntries(names.map((name) => [name, need]));
}
