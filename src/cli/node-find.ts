/** Which node a command means: an id, the beginning of one, or the agent's own. */
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { field, textField } from "./json-read.ts";
import { type NodeTableFlags, nodeTable } from "./node-table.ts";
import { CommandError } from "./output.ts";

async function listNodes(client: ApiClient, query: string): Promise<readonly unknown[]> {
  const nodes = await client.get(`${PATHS.nodes}${query}`).catch((error: Error) => {
    throw new CommandError(`Error querying node status: ${error.message}`);
  });
  return Array.isArray(nodes) ? nodes : [];
}

/** @returns the whole id. @throws CommandError unless exactly one begins like this */
export async function findNode(
  client: ApiClient,
  prefix: string,
  flags: NodeTableFlags,
): Promise<string> {
  if (prefix.length === 1) {
    throw new CommandError("Identifier must contain at least two characters.");
  }
  const found = await listNodes(client, `?prefix=${encodeURIComponent(prefix)}`);
  const [first] = found;
  if (first === undefined) throw new CommandError(`No node(s) with prefix "${prefix}" found`);
  if (found.length > 1) {
    throw new CommandError(`Prefix matched multiple nodes\n\n${nodeTable(found, flags)}`);
  }
  return textField(first, "ID");
}

/** Of the agent that is asked. @throws CommandError where it is no client */
export async function ownNode(client: ApiClient): Promise<string> {
  const self = await client.get(PATHS.agentSelf).catch((error: Error) => {
    throw new CommandError(`Error querying agent info: ${error.message}`);
  });
  const stats = field(field(self, "stats"), "client");
  if (stats === undefined) throw new CommandError("Nomad not running in client mode");
  const id = textField(stats, "node_id");
  if (id === "") throw new CommandError("Failed to determine node ID");
  return id;
}

export interface OneNodeFlags extends ApiFlags {
  readonly self?: boolean;
}

/** The node of a command that changes one. @throws CommandError */
export async function nodeOf(
  id: string | undefined,
  flags: OneNodeFlags,
): Promise<{ readonly client: ApiClient; readonly node: string; readonly whole: boolean }> {
  const self = flags.self === true;
  if (self === (id !== undefined)) {
    throw new CommandError("Node ID must be specified if -self isn't being used");
  }
  const client = new ApiClient(flags, process.env);
  const wanted = id ?? (await ownNode(client));
  const node = await findNode(client, wanted, {});
  return { client, node, whole: node === wanted };
}
