/** `nomad node pool list`, `info` and `nodes`. */

import { PATHS, pathTo } from "../paths.ts";
import { formatDurationMs } from "../wire/duration.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, parseAnswer, textField } from "./json-read.ts";
import { nodeTable } from "./node-table.ts";
import { CommandError, print } from "./output.ts";

interface PoolFlags extends ApiFlags, FormatFlags {}

interface PoolListFlags extends PoolFlags {
  readonly filter?: string;
  readonly perPage?: string;
  readonly pageToken?: string;
  readonly verbose?: boolean;
}

export async function poolList(flags: PoolListFlags): Promise<void> {
  const client = clientOf(flags);
  const { items, next } = await listOf(client, PATHS.nodePools, "node pools", flags);
  if (await printFormatted(items, flags)) return;
  print(poolTable(items));
  if (next !== undefined) print(nextPage("list", next));
}

export async function poolInfo(name: string, flags: PoolFlags): Promise<void> {
  const pool = await findPool(clientOf(flags), name);
  if (await printFormatted(pool, flags)) return;
  const basic: (readonly [string, string])[] = [
    ["Name", textField(pool, "Name")],
    ["Description", textField(pool, "Description") || "<none>"],
  ];
  const ttlMs = Number(field(pool, "NodeIdentityTTL") ?? 0) / 1e6;
  if (ttlMs > 0) basic.push(["Node Identity TTL", formatDurationMs(ttlMs)]);
  print(formatPairs(basic));
  const meta = Object.entries(Object(field(pool, "Meta") ?? {})).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  print(`\nMetadata\n${meta.length === 0 ? "No metadata" : formatPairs(meta)}`);
  const scheduler = field(pool, "SchedulerConfiguration") ?? null;
  const algorithm = textField(scheduler, "SchedulerAlgorithm");
  const shown =
    scheduler === null
      ? "No scheduler configuration"
      : formatPairs([["Scheduler Algorithm", algorithm]]);
  print(`\nScheduler Configuration\n${shown}`);
}

export async function poolNodes(name: string, flags: PoolListFlags): Promise<void> {
  const client = clientOf(flags);
  const pool = textField(await findPool(client, name), "Name");
  const path = pathTo(PATHS.nodePoolNodes, { name: pool });
  const { items, next } = await listOf(client, path, "nodes", flags);
  if (await printFormatted(items, flags)) return;
  if (items.length === 0) return print("No nodes");
  print(nodeTable(items, flags.verbose === true ? { verbose: true } : {}));
  if (next !== undefined) print(nextPage(`nodes ${pool}`, next));
}

function clientOf(flags: PoolFlags): ApiClient {
  checkFormat(flags);
  return new ApiClient(flags, process.env);
}

function nextPage(words: string, token: string): string {
  return (
    "\nResults have been paginated. To get the next page run:\n\n" +
    `nomad node pool ${words} -page-token ${token}`
  );
}

/** The one of this name, or the only one that begins with it. @throws CommandError */
async function findPool(client: ApiClient, prefix: string): Promise<unknown> {
  const path = `${PATHS.nodePools}?prefix=${encodeURIComponent(prefix)}`;
  const found = await client.get(path).catch((error: Error) => {
    throw new CommandError(`Error retrieving node pool: ${error.message}`);
  });
  const pools: readonly unknown[] = Array.isArray(found) ? found : [];
  const exact = pools.find((one) => textField(one, "Name") === prefix);
  if (exact !== undefined) return exact;
  if (pools.length > 1) {
    throw new CommandError(`Prefix matched multiple node pools\n\n${poolTable(pools)}`);
  }
  if (pools.length === 1) return pools[0];
  throw new CommandError(
    `Error retrieving node pool: No node pool with prefix ${JSON.stringify(prefix)} found`,
  );
}

function poolTable(pools: readonly unknown[]): string {
  const rows = pools.map((one) => ["Name", "Description"].map((name) => textField(one, name)));
  return formatTable([["Name", "Description"], ...rows]);
}

interface Listed {
  readonly items: readonly unknown[];
  /** Where the next page begins. */
  readonly next: string | undefined;
}

async function listOf(
  client: ApiClient,
  path: string,
  what: string,
  flags: PoolListFlags,
): Promise<Listed> {
  const query = new URLSearchParams();
  if (flags.filter !== undefined) query.set("filter", flags.filter);
  if (flags.perPage !== undefined) query.set("per_page", flags.perPage);
  if (flags.pageToken !== undefined) query.set("next_token", flags.pageToken);
  const whole = query.size === 0 ? path : `${path}?${query}`;
  const { body, headers } = await client.ok("GET", whole).catch((error: Error) => {
    throw new CommandError(`Error querying ${what}: ${error.message}`);
  });
  const answer = parseAnswer(body, `${client.addressText}${path}`);
  const next = headers["x-nomad-nexttoken"];
  const items: readonly unknown[] = Array.isArray(answer) ? answer : [];
  return { items, next: typeof next === "string" && next !== "" ? next : undefined };
}
