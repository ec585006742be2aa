/** `nomad namespace list`, `status`, `inspect`, `apply` and `delete`. */
import { isDirectory, isThere } from "../host/files.ts";
import { PATHS, pathTo } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

interface ListFlags extends ApiFlags, FormatFlags {
  readonly filter?: string;
  readonly quiet?: boolean;
}

interface ApplyFlags extends ApiFlags {
  readonly description?: string;
  readonly quota?: string;
  readonly json?: boolean;
}

export async function namespaceList(flags: ListFlags): Promise<void> {
  const { filter, quiet = false } = flags;
  const query = filter === undefined ? "" : `?filter=${encodeURIComponent(filter)}`;
  const all = await listOf(clientOf(flags), query);
  if (await printFormatted(all, flags)) return;
  if (quiet) return print(all.map((one) => textField(one, "Name")).join("\n"));
  print(all.length === 0 ? "No namespaces found" : table(all));
}

export async function namespaceStatus(name: string, flags: ApiFlags & FormatFlags): Promise<void> {
  const found = await find(clientOf(flags), name, "Error retrieving namespaces");
  if (await printFormatted(found, flags)) return;
  const capabilities = field(found, "Capabilities");
  const names = (key: string, none: string): string => {
    return listField(capabilities, key).join(",") || none;
  };
  print(
    formatPairs([
      ["Name", textField(found, "Name")],
      ["Description", textField(found, "Description") || "<none>"],
      ["Quota", textField(found, "Quota") || "<none>"],
      ["EnabledDrivers", names("EnabledTaskDrivers", "*")],
      ["DisabledDrivers", names("DisabledTaskDrivers", "<none>")],
      ["EnabledNetworkModes", names("EnabledNetworkModes", "*")],
      ["DisabledNetworkModes", names("DisabledNetworkModes", "<none>")],
    ]),
  );
  const meta = Object.entries(Object(field(found, "Meta") ?? {})).sort(([a], [b]) => {
    return a < b ? -1 : 1;
  });
  if (meta.length > 0) print(`\nMetadata\n${formatPairs(meta)}`);
}

export async function namespaceInspect(name: string, flags: ApiFlags & FormatFlags): Promise<void> {
  const found = await find(clientOf(flags), name, "Error retrieving namespace");
  await printFormatted(found, flags.t === undefined ? { json: true } : flags);
}

/** By a name and flags, or by a file. */
export async function namespaceApply(input: string, flags: ApplyFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const { description, quota, json = false } = flags;
  const isFile = input === "-" || (isThere(input) && !isDirectory(input));
  if (json && !isFile) throw new CommandError(`There is no file ${input}`);
  const spec = isFile ? await specOf(input, json) : await known(client, input);
  const given = {
    ...spec,
    ...(description !== undefined && { Description: description }),
    ...(quota !== undefined && { Quota: quota }),
  };
  await client
    .ok("PUT", PATHS.namespaceAny, { body: JSON.stringify(given) })
    .catch((error: Error) => {
      throw new CommandError(`Error applying namespace: ${error.message}`);
    });
  print(`Successfully applied namespace ${JSON.stringify(textField(given, "Name"))}!`);
}

export async function namespaceDelete(name: string, flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const path = pathTo(PATHS.namespace, { name });
  await client.ok("DELETE", path).catch((error: Error) => {
    throw new CommandError(`Error deleting namespace: ${error.message}`);
  });
  print(`Successfully deleted namespace ${JSON.stringify(name)}!`);
}

async function specOf(input: string, isJson: boolean): Promise<object> {
  const [{ namespaceSpec }, { readInput }] = await Promise.all([
    import("./namespace-spec.ts"),
    import("./spec-file.ts"),
  ]);
  const spec = await namespaceSpec(readInput(input), isJson);
  // As Go reads JSON: names in any case.
  const name = Object.keys(spec).find((key) => key.toLowerCase() === "name") ?? "Name";
  const { [name]: Name = "", ...rest } = spec;
  if (Name === "") throw new CommandError("Namespace name required");
  return { ...rest, Name };
}

/** What is there already: flags change what they name, and nothing else. */
async function known(client: ApiClient, name: string): Promise<object> {
  const all = await listOf(client, `?prefix=${encodeURIComponent(name)}`);
  return Object(all.find((one) => textField(one, "Name") === name) ?? { Name: name });
}

function clientOf(flags: ApiFlags & FormatFlags): ApiClient {
  checkFormat(flags);
  return new ApiClient(flags, process.env);
}

async function listOf(client: ApiClient, query: string): Promise<readonly unknown[]> {
  const found = await client.get(`${PATHS.namespaces}${query}`).catch((error: Error) => {
    throw new CommandError(`Error retrieving namespaces: ${error.message}`);
  });
  return Array.isArray(found) ? found : [];
}

/** The one of this name, or the only one that begins with it. @throws CommandError */
async function find(client: ApiClient, prefix: string, what: string): Promise<unknown> {
  const all = await listOf(client, `?prefix=${encodeURIComponent(prefix)}`);
  const exact = all.find((one) => textField(one, "Name") === prefix);
  if (exact !== undefined) return exact;
  if (all.length > 1) {
    throw new CommandError(`Prefix matched multiple namespaces\n\n${table(all)}`);
  }
  if (all.length === 1) return all[0];
  throw new CommandError(`${what}: Namespace ${JSON.stringify(prefix)} matched no namespaces`);
}

function table(all: readonly unknown[]): string {
  const rows = all.map((one) => ["Name", "Description"].map((name) => textField(one, name)));
  return formatTable([["Name", "Description"], ...rows]);
}
