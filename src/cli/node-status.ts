/** `nomad node status`: the clients of the region in Nomad's columns, or one of them. */
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { listField, parseAnswer, textField } from "./json-read.ts";
import { findNode, ownNode } from "./node-find.ts";
import { allocationsOf, showNode } from "./node-show.ts";
import { nodeTable } from "./node-table.ts";
import { CommandError, print } from "./output.ts";

interface NodeStatusFlags extends ApiFlags, FormatFlags {
  readonly self?: boolean;
  readonly stats?: boolean;
  readonly allocs?: boolean;
  readonly short?: boolean;
  readonly verbose?: boolean;
  readonly os?: boolean;
  readonly quiet?: boolean;
  readonly ui?: boolean;
  readonly filter?: string;
  readonly perPage?: string;
  readonly pageToken?: string;
}

export async function nodeStatus(id: string | undefined, flags: NodeStatusFlags): Promise<void> {
  checkFormat(flags);
  if (
    flags.quiet === true &&
    (flags.verbose === true || flags.json === true || flags.t !== undefined)
  ) {
    throw new CommandError("-quiet cannot be used with -verbose or -json");
  }
  const client = new ApiClient(flags, process.env);
  if (flags.self === true || id !== undefined) {
    const wanted = flags.self === true ? await ownNode(client) : (id ?? "");
    const node = await findNode(client, wanted, flags);
    await showNode(client, node, flags);
    if (flags.ui === true) await (await import("./ui.ts")).openView(client, "clients", node);
    return;
  }
  await listAll(client, flags);
  if (flags.ui === true) await (await import("./ui.ts")).openView(client, "clients");
}

async function listAll(client: ApiClient, flags: NodeStatusFlags): Promise<void> {
  const query = new URLSearchParams();
  if (flags.os === true) query.set("os", "true");
  if (flags.filter !== undefined) query.set("filter", flags.filter);
  if (flags.perPage !== undefined) query.set("per_page", flags.perPage);
  if (flags.pageToken !== undefined) query.set("next_token", flags.pageToken);
  const path = `${PATHS.nodes}${query.size > 0 ? `?${query}` : ""}`;
  const { body, headers } = await client.ok("GET", path).catch((error: Error) => {
    throw new CommandError(`Error querying node status: ${error.message}`);
  });
  const answer = parseAnswer(body, `${client.addressText}${path}`);
  const nodes: readonly unknown[] = Array.isArray(answer) ? answer : [];
  if (await printFormatted(nodes, flags)) return;
  if (nodes.length === 0) return print("No nodes registered");
  if (flags.quiet === true) return print(nodes.map((one) => textField(one, "ID")).join("\n"));
  const running = flags.allocs === true ? await countRunning(client, nodes) : undefined;
  print(nodeTable(nodes, { ...flags, ...(running === undefined ? {} : { running }) }));
  const next = headers["x-nomad-nexttoken"];
  if (typeof next !== "string" || next === "") return;
  print(
    "\nResults have been paginated. To get the next page run:\n\n" +
      `nomad node status -per-page ${flags.perPage ?? "10"} -page-token ${next}`,
  );
}

/** One question a node, one after another: the nodes may be many. */
async function countRunning(
  client: ApiClient,
  nodes: readonly unknown[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const one of nodes) {
    const id = textField(one, "ID");
    const allocations = listField({ all: await allocationsOf(client, id) }, "all");
    const isRunning = (each: unknown): boolean => textField(each, "ClientStatus") === "running";
    counts.set(id, allocations.filter(isRunning).length);
  }
  return counts;
}
