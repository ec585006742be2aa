/** `nomad node status`: the clients of the region, Nomad's columns. */
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { field, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

const SHORT_ID = 8;

interface NodeStatusFlags extends ApiFlags {
  readonly verbose?: boolean;
  readonly os?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function nodeStatus(id: string | undefined, flags: NodeStatusFlags): Promise<void> {
  if (flags.quiet === true && (flags.verbose === true || flags.json === true)) {
    throw new CommandError("-quiet cannot be used with -verbose or -json");
  }
  const client = new ApiClient(flags, process.env);
  if (id !== undefined) return showNode(client, id, flags);
  const nodes = await list(client, flags.os === true ? "?os=true" : "");
  if (flags.json === true) return print(JSON.stringify(nodes, null, 4));
  if (nodes.length === 0) return print("No nodes registered");
  if (flags.quiet === true) return print(nodes.map((one) => textField(one, "ID")).join("\n"));
  print(table(nodes, flags));
}

async function list(client: ApiClient, query: string): Promise<readonly unknown[]> {
  const nodes = await client.get(`/v1/nodes${query}`).catch((error: Error) => {
    throw new CommandError(`Error querying node status: ${error.message}`);
  });
  return Array.isArray(nodes) ? nodes : [];
}

function table(nodes: readonly unknown[], flags: NodeStatusFlags): string {
  const { verbose = false, os = false } = flags;
  const columns: (readonly [string, (one: unknown) => string])[] = [
    ["ID", (one) => (verbose ? textField(one, "ID") : textField(one, "ID").slice(0, SHORT_ID))],
    ["Node Pool", (one) => textField(one, "NodePool")],
    ["DC", (one) => textField(one, "Datacenter")],
    ["Name", (one) => textField(one, "Name")],
    ["Class", (one) => textField(one, "NodeClass")],
  ];
  if (os) columns.push(["OS", (one) => textField(field(one, "Attributes"), "os.name")]);
  if (verbose) {
    columns.push(["Address", (one) => textField(one, "Address")]);
    columns.push(["Version", (one) => textField(one, "Version")]);
  }
  columns.push(["Drain", (one) => textField(one, "Drain")]);
  columns.push(["Eligibility", (one) => textField(one, "SchedulingEligibility")]);
  columns.push(["Status", (one) => textField(one, "Status")]);
  const rows = nodes.map((one) => columns.map(([, read]) => read(one)));
  return formatTable([columns.map(([name]) => name), ...rows]);
}

/** @returns the whole id. @throws CommandError unless exactly one begins like this */
export async function findNode(
  client: ApiClient,
  prefix: string,
  flags: NodeStatusFlags,
): Promise<string> {
  const found = await list(client, `?prefix=${encodeURIComponent(prefix)}`);
  const [first] = found;
  if (first === undefined) throw new CommandError(`No node(s) with prefix "${prefix}" found`);
  if (found.length > 1) {
    throw new CommandError(`Prefix matched multiple nodes\n\n${table(found, flags)}`);
  }
  return textField(first, "ID");
}

async function showNode(client: ApiClient, id: string, flags: NodeStatusFlags): Promise<void> {
  const wanted = await findNode(client, id, flags);
  const node = await client.get(`/v1/node/${wanted}`).catch((error: Error) => {
    throw new CommandError(`Error querying node info: ${error.message}`);
  });
  if (flags.json === true) return print(JSON.stringify(node, null, 4));
  const wholeId = textField(node, "ID");
  const pairs: (readonly [string, string])[] = [
    ["ID", flags.verbose === true ? wholeId : wholeId.slice(0, SHORT_ID)],
    ["Name", textField(node, "Name")],
    ["Node Pool", textField(node, "NodePool")],
    ["Class", textField(node, "NodeClass") || "<none>"],
    ["DC", textField(node, "Datacenter")],
    ["Drain", String(field(node, "DrainStrategy") !== null)],
    ["Eligibility", textField(node, "SchedulingEligibility")],
    ["Status", textField(node, "Status")],
  ];
  print(formatPairs(pairs));
  printEvents(field(node, "Events"));
  if (flags.verbose === true) printMap("Attributes", field(node, "Attributes"));
  if (flags.verbose === true) printMap("Meta", field(node, "Meta"));
}

function printEvents(events: unknown): void {
  if (!Array.isArray(events) || events.length === 0) return;
  const rows = events.map((one: unknown) => {
    return ["Timestamp", "Subsystem", "Message"].map((name) => textField(one, name));
  });
  print(`\nNode Events\n${formatTable([["Time", "Subsystem", "Message"], ...rows.reverse()])}`);
}

function printMap(title: string, values: unknown): void {
  const pairs = Object.entries(Object(values)).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length > 0) print(`\n${title}\n${formatPairs(pairs)}`);
}
