/**
 * What the page knows of the agent, and what events make it ask again.
 *
 * @module
 */
import type {
  Encryption,
  Health,
  KeyList,
  Members,
  Node,
  NodeStub,
  RaftConfiguration,
  Status,
} from "./answers.ts";
import { Live } from "./live.ts";

export const status = new Live<Status>("/v1/status", 3_000);
export const members = new Live<Members>("/v1/agent/members", 10_000);
/** Each server's port is dialled for it, also as strangers do, who are counted: not too often. */
export const encryption = new Live<Encryption>("/v1/operator/encryption", 300_000);
export const nodes = new Live<readonly NodeStub[]>("/v1/nodes");
/** Client nodes that say of themselves that their RPC is in the clear. */
export const clearNodes = new Live<readonly NodeStub[]>(
  `/v1/nodes?filter=${encodeURIComponent('Attributes["encryption.rpc"] != "true"')}`,
  30_000,
);
/** Client nodes whose certificate ends within 30 days, or has ended, as they say. */
export const endingNodes = new Live<readonly NodeStub[]>(
  `/v1/nodes?filter=${encodeURIComponent(
    'Attributes["unique.encryption.certificate_days_left"] matches "^(-.*|[0-2]?[0-9])$"',
  )}`,
  60_000,
);
export const health = new Live<Health>("/v1/operator/autopilot/health", 5_000);
export const raft = new Live<RaftConfiguration>("/v1/operator/raft/configuration", 5_000);
export const keys = new Live<KeyList>("/v1/agent/keyring/list?fingerprints=true", 30_000);

const OF_SERVERS = [status, members, encryption, health, raft, keys];
const single = new Map<string, Live<Node>>();

/** One node, whole. */
export function node(id: string): Live<Node> {
  const known = single.get(id);
  if (known !== undefined) return known;
  const live = new Live<Node>(`/v1/node/${encodeURIComponent(id)}`);
  // Only the one that is looked at: a walk through thousands is not kept.
  single.clear();
  single.set(id, live);
  return live;
}

function ofNodes(): readonly { refresh(): void; renew(): void }[] {
  return [nodes, clearNodes, endingNodes, ...single.values()];
}

/** Something has changed, as an event of this topic says. */
export function changed(topic: string): void {
  const isOfNodes = topic === "Node" || topic === "NodePool";
  for (const live of isOfNodes ? ofNodes() : OF_SERVERS) live.refresh();
}

/** Another token may see other things. */
export function askAll(): void {
  for (const live of [...ofNodes(), ...OF_SERVERS]) live.renew();
}
