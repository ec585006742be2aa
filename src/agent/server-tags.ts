/** The tags of a Nomad server in gossip (wire/gossip.md §13). directory.ts reads them. */
import type { Config } from "../config/config.ts";
import { formatIp } from "../host/ip.ts";
import type { Address } from "../protocol/ports.ts";
import type { Tags } from "../protocol/serf/message.ts";
import { STATE_FORMAT } from "../state/format.ts";
import { NOMAD_VERSION } from "../version.ts";

/**
 * By this tag our servers know each other. Nomad's lack it: they write and read other things in
 * Raft's log, and no group may have servers of both kinds.
 */
export const KIND_TAG = { name: "impl", value: "nomad-encrypted" } as const;

/** Up to which format a server reads what the group agrees on (state/format.ts). */
export const FORMAT_TAG = "state_format";

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
    [KIND_TAG.name, KIND_TAG.value],
    [FORMAT_TAG, String(STATE_FORMAT)],
  ]);
  const { bootstrapExpect, nonVoting, redundancyZone, upgradeVersion } = config.server;
  if (bootstrapExpect === 1) tags.set("bootstrap", "1");
  if (bootstrapExpect !== 0) tags.set("expect", String(bootstrapExpect));
  if (nonVoting) tags.set("nonvoter", "1");
  if (redundancyZone !== "") tags.set("ap_zone", redundancyZone);
  if (upgradeVersion !== "") tags.set("ap_version", upgradeVersion);
  return tags;
}
