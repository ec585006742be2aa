/** One client node for people, in Nomad's sections. */

import { PATHS, pathTo } from "../paths.ts";
import { formatDurationMs } from "../wire/duration.ts";
import type { ApiClient } from "./api-client.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { type FormatFlags, printFormatted } from "./data-format.ts";
import { field, listField, textField } from "./json-read.ts";
import { shownId } from "./node-table.ts";
import { CommandError, print, printError } from "./output.ts";

interface NodeShowFlags extends FormatFlags {
  readonly stats?: boolean;
  readonly short?: boolean;
  readonly verbose?: boolean;
}

/** @param id whole */
export async function showNode(client: ApiClient, id: string, flags: NodeShowFlags): Promise<void> {
  const node = await client.get(pathTo(PATHS.node, { id })).catch((error: Error) => {
    throw new CommandError(`Error querying node info: ${error.message}`);
  });
  if (await printFormatted(node, flags)) return;
  const stats = flags.stats === true ? await statsOf(client, id) : undefined;
  print(formatPairs([...basics(node, flags), ...uptime(stats)]));
  if (flags.short !== true) printEvents(listField(node, "Events"));
  if (stats !== undefined) printStats(stats);
  printAllocations(await allocationsOf(client, id), flags);
  if (flags.verbose === true) printMap("Attributes", field(node, "Attributes"));
  if (flags.verbose === true) printMap("Meta", field(node, "Meta"));
}

export async function allocationsOf(client: ApiClient, id: string): Promise<readonly unknown[]> {
  const found = await client.get(pathTo(PATHS.nodeAllocations, { id })).catch((error: Error) => {
    throw new CommandError(`Error querying node allocations: ${error.message}`);
  });
  return Array.isArray(found) ? found : [];
}

function basics(node: unknown, flags: NodeShowFlags): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [
    ["ID", shownId(textField(node, "ID"), flags.verbose)],
    ["Name", textField(node, "Name")],
    ["Node Pool", textField(node, "NodePool")],
    ["Class", textField(node, "NodeClass") || "<none>"],
    ["DC", textField(node, "Datacenter")],
    ["Drain", String((field(node, "DrainStrategy") ?? null) !== null)],
    ["Eligibility", textField(node, "SchedulingEligibility")],
    ["Status", textField(node, "Status")],
  ];
  const signedBy = textField(node, "IdentitySigningKeyID");
  if (flags.verbose === true && signedBy !== "") pairs.push(["Identity Key", signedBy]);
  const last = field(node, "LastDrain") ?? null;
  if (last === null) return pairs;
  const message = textField(field(last, "Meta"), "message");
  const note = message === "" ? "" : ` (${message})`;
  const text = `${textField(last, "Status")} at ${textField(last, "UpdatedAt")}${note}`;
  return [...pairs, ["Last Drain", text]];
}

/** undefined: the node did not say, and stderr has why. */
async function statsOf(client: ApiClient, id: string): Promise<unknown> {
  return client.get(`${PATHS.clientStats}?node_id=${id}`).catch((error: Error) => {
    printError(`error fetching node stats: ${error.message}`);
    return undefined;
  });
}

function uptime(stats: unknown): (readonly [string, string])[] {
  if (stats === undefined) return [];
  return [["Uptime", formatDurationMs(Number(field(stats, "Uptime") ?? 0) * 1000)]];
}

function printStats(stats: unknown): void {
  const memory = field(stats, "Memory");
  const shown = ["Total", "Available", "Used", "Free"].map((name) => {
    return [name, bytesText(field(memory, name))] as const;
  });
  const ticks = Math.floor(Number(field(stats, "CPUTicksConsumed") ?? 0));
  const used = `${bytesText(field(memory, "Used"))}/${bytesText(field(memory, "Total"))}`;
  const table = formatTable([
    ["CPU", "Memory"],
    [`${ticks} MHz`, used],
  ]);
  print(`\nHost Resource Utilization\n${table}`);
  for (const cpu of listField(stats, "CPU")) {
    const part = (name: string): string => `${Number(field(cpu, name) ?? 0).toFixed(2)}%`;
    const pairs = ["User", "System", "Idle"].map((name) => [name, part(name)] as const);
    print(`\nCPU Stats\n${formatPairs([["CPU", textField(cpu, "CPU")], ...pairs])}`);
  }
  print(`\nMemory Stats\n${formatPairs(shown)}`);
  for (const disk of listField(stats, "DiskStats")) {
    const pairs: (readonly [string, string])[] = [
      ["Device", textField(disk, "Device")],
      ["MountPoint", textField(disk, "Mountpoint")],
      ...["Size", "Used", "Available"].map((name) => [name, bytesText(field(disk, name))] as const),
      ["Used Percent", `${Number(field(disk, "UsedPercent") ?? 0).toFixed(2)}%`],
    ];
    print(`\nDisk Stats\n${formatPairs(pairs)}`);
  }
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function bytesText(value: unknown): string {
  let left = Number(value ?? 0);
  let unit = 0;
  for (; left >= 1024 && unit < UNITS.length - 1; unit++) left /= 1024;
  const digits = left < 10 && unit > 0 ? 1 : 0;
  return `${left.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}

function printEvents(events: readonly unknown[]): void {
  if (events.length === 0) return;
  const rows = events.map((one) => {
    return ["Timestamp", "Subsystem", "Message"].map((name) => textField(one, name));
  });
  print(`\nNode Events\n${formatTable([["Time", "Subsystem", "Message"], ...rows.reverse()])}`);
}

function printAllocations(allocations: readonly unknown[], { verbose }: NodeShowFlags): void {
  if (allocations.length === 0) return print("\nAllocations\nNo allocations placed");
  const rows = allocations.map((one) => [
    shownId(textField(one, "ID"), verbose),
    textField(one, "TaskGroup"),
    textField(one, "DesiredStatus"),
    textField(one, "ClientStatus"),
  ]);
  print(`\nAllocations\n${formatTable([["ID", "Task Group", "Desired", "Status"], ...rows])}`);
}

function printMap(title: string, values: unknown): void {
  const pairs = Object.entries(Object(values)).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length > 0) print(`\n${title}\n${formatPairs(pairs)}`);
}
