/** The tags of a Nomad server in gossip (wire/gossip.md §13). directory.ts reads them. */
import type { Config } from "../config/config.ts";
import { formatIp } from "../host/ip.ts";
import type { Address } from "../protocol/ports.ts";
import type { Tags } from "../protocol/serf/message.ts";
import { NOMAD_VERSION } from "../version.ts";

export function serverTags(
  config: Config,
  nodeId: string,
  advertiseRpc: Address,
  revision: string,
): Tags {
  const tags = new Map([
    ["role", "nomad"],
    ["region", config.region],
    ["dc", config.datacenter],
    ["build", NOMAD_VERSION],
    ["revision", revision],
    ["vsn", "1"],
    ["raft_vsn", "3"],
    ["id", nodeId],
    ["rpc_addr", formatIp(advertiseRpc.ip)],
    ["port", String(advertiseRpc.port)],
  ]);
  const { bootstrapExpect, nonVoting, redundancyZone, upgradeVersion } = config.server;
  if (bootstrapExpect === 1) tags.set("bootstrap", "1");
  if (bootstrapExpect !== 0) tags.set("expect", String(bootstrapExpect));
  if (nonVoting) tags.set("nonvoter", "1");
  if (redundancyZone !== "") tags.set("ap_zone", redundancyZone);
  if (upgradeVersion !== "") tags.set("ap_version", upgradeVersion);
  return tags;
}

/** Why this node may not be a member, or undefined: Nomad's merge delegate. */
export function refuseMember(name: string, tags: Tags, addressBytes: number): string | undefined {
  const isServer =
    tags.get("role") === "nomad" &&
    /^\d+$/.test(tags.get("port") ?? "") &&
    /^v?\d+\.\d+/.test(tags.get("build") ?? "") &&
    /^\d*$/.test(tags.get("expect") ?? "") &&
    /^\d*$/.test(tags.get("raft_vsn") ?? "");
  if (!isServer) return `member '${name}' is not a server`;
  if (addressBytes !== 4 && addressBytes !== 16) return `member '${name}' has no address`;
  return undefined;
}
