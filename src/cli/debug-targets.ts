/** Whose logs a debug run gathers. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import type { ApiClient } from "./api-client.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError } from "./output.ts";

export interface DebugTargets {
  /** Names of servers. */
  readonly servers: readonly string[];
  /** Ids of client nodes. */
  readonly nodes: readonly string[];
  /** How many there are of each. */
  readonly known: { readonly servers: number; readonly nodes: number };
}

interface TargetFlags {
  readonly maxNodes?: string;
  readonly nodeClass?: string;
  readonly nodeId?: string;
  readonly serverId?: string;
}

/** @throws CommandError when nobody answers, or nobody is meant */
export async function debugTargets(client: ApiClient, flags: TargetFlags): Promise<DebugTargets> {
  const members = await client.get(PATHS.agentMembers).catch((error: unknown) => {
    throw new CommandError(`Failed to retrieve server list; err: ${errorText(error)}`);
  });
  const alive = listField(members, "Members").filter((one) => textField(one, "Status") === "alive");
  const region = client.region ?? textField(members, "ServerRegion");
  const own = alive.filter((one) => {
    const of = textField(field(one, "Tags"), "region");
    return region === "" || of === region;
  });
  const servers = await serversOf(client, own, flags.serverId ?? "all");
  const nodes = await client.get(PATHS.nodes).catch(() => []);
  const all = listField({ nodes }, "nodes");
  const known = { servers: own.length, nodes: all.length };
  return { servers, nodes: nodesOf(all, flags), known };
}

async function serversOf(
  client: ApiClient,
  members: readonly unknown[],
  wanted: string,
): Promise<readonly string[]> {
  const names = members.map((one) => textField(one, "Name"));
  if (wanted === "all") return names;
  if (wanted === "leader") {
    const address = await client.get(PATHS.statusLeader).catch(() => "");
    const leader = members.find((one) => {
      return `${textField(one, "Addr")}:${textField(field(one, "Tags"), "port")}` === address;
    });
    return leader === undefined ? [] : [textField(leader, "Name")];
  }
  return wanted.split(",").map((one) => {
    const found = names.find((name) => name === one || name.startsWith(`${one}.`));
    if (found !== undefined) return found;
    throw new CommandError(`Failed to retrieve servers: no living one is called ${one}`);
  });
}

function nodesOf(all: readonly unknown[], flags: TargetFlags): readonly string[] {
  const { maxNodes = "10", nodeClass, nodeId = "all" } = flags;
  if (!/^\d{1,5}$/.test(maxNodes)) {
    throw new CommandError(`-max-nodes: ${JSON.stringify(maxNodes)} is no count of nodes`);
  }
  const prefixes = nodeId === "all" ? [""] : nodeId.split(",");
  const meant = all.filter((one) => {
    const isOfClass = nodeClass === undefined || textField(one, "NodeClass") === nodeClass;
    const isMeant = prefixes.some((prefix) => textField(one, "ID").startsWith(prefix));
    return isOfClass && isMeant && textField(one, "Status") === "ready";
  });
  const most = Number(maxNodes) === 0 ? meant.length : Number(maxNodes);
  return meant.slice(0, most).map((one) => textField(one, "ID"));
}
