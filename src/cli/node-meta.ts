/** `nomad node meta read` and `apply`: metadata of a client that changes while it runs. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field } from "./json-read.ts";
import { findNode } from "./node-find.ts";
import { CommandError, print } from "./output.ts";

interface MetaFlags extends ApiFlags {
  readonly nodeId?: string;
}

interface MetaReadFlags extends MetaFlags, FormatFlags {}

interface MetaApplyFlags extends MetaFlags {
  readonly unset?: string;
}

/** Without -node-id it is the node of the agent that is asked. */
async function queryOf(client: ApiClient, { nodeId }: MetaFlags): Promise<string> {
  return nodeId === undefined ? "" : `?node_id=${await findNode(client, nodeId, {})}`;
}

export async function metaRead(flags: MetaReadFlags): Promise<void> {
  checkFormat(flags);
  const client = new ApiClient(flags, process.env);
  const path = `${PATHS.clientMetadata}${await queryOf(client, flags)}`;
  const meta = await client.get(path).catch((error: unknown) => {
    throw new CommandError(`Error reading dynamic node metadata: ${errorText(error)}`);
  });
  if (await printFormatted(meta, flags)) return;
  print(`All Meta\n${pairs(field(meta, "Meta"))}`);
  print(`\nDynamic Meta\n${pairs(field(meta, "Dynamic"))}`);
  print(`\nStatic Meta\n${pairs(field(meta, "Static"))}`);
}

function pairs(values: unknown): string {
  const entries = Object.entries(Object(values ?? {})).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return "<none>";
  return formatPairs(entries.map(([key, value]) => [key, value ?? "<unset>"] as const));
}

/** Silent when it is done, as Nomad's. */
export async function metaApply(given: readonly string[], flags: MetaApplyFlags): Promise<void> {
  const unset = (flags.unset ?? "").split(",").filter((key) => key !== "");
  if (unset.length === 0 && given.length === 0) {
    throw new CommandError("Must specify -unset or at least 1 key=value pair");
  }
  const set = given.map((one): [string, string] => {
    const at = one.indexOf("=");
    return at < 0 ? [one, ""] : [one.slice(0, at), one.slice(at + 1)];
  });
  const Meta = Object.fromEntries([...set, ...unset.map((key): [string, null] => [key, null])]);
  const client = new ApiClient(flags, process.env);
  const path = `${PATHS.clientMetadata}${await queryOf(client, flags)}`;
  await client.ok("POST", path, { body: JSON.stringify({ Meta }) }).catch((error: unknown) => {
    throw new CommandError(`Error applying dynamic node metadata: ${errorText(error)}`);
  });
}
