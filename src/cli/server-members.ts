/** `nomad server members`: who is in the gossip pool, as this agent sees it. */
import { isObject } from "../config/tree.ts";
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient, NO_LEADER } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print, printError } from "./output.ts";

interface MembersFlags extends ApiFlags, FormatFlags {
  readonly verbose?: boolean;
  readonly detailed?: boolean;
  readonly ui?: boolean;
}

export async function serverMembers(flags: MembersFlags): Promise<void> {
  checkFormat(flags);
  const client = new ApiClient(flags, process.env);
  const answer = await client.get(PATHS.agentMembers).catch((error: unknown) => {
    throw new CommandError(`Error querying servers: ${errorText(error)}`);
  });
  const all = listField(answer, "Members");
  const members = inRegion(all, client.region).sort(compareMembers);
  const leaders = await findLeaders(client, members);
  const withLeader = members.map((member) => ({ member, leader: isLeader(member, leaders.found) }));
  if (flags.json === true || flags.t !== undefined) {
    const json = withLeader.map(({ member, leader }) => {
      const tags = field(member, "Tags");
      const extended = { ...(isObject(tags) ? tags : {}), Leader: String(leader) };
      return isObject(member) ? { ...member, Tags: extended } : member;
    });
    await printFormatted(json, flags);
  } else {
    const wide = flags.verbose === true || flags.detailed === true;
    print(formatTable([header(wide), ...withLeader.map((one) => row(one, wide))]));
  }
  if (flags.ui === true) await (await import("./ui.ts")).openView(client, "servers");
  if (leaders.errors.length === 0) return;
  const list = leaders.errors.map((error) => `\t* ${error}`).join("\n");
  const count = leaders.errors.length;
  printError(
    `Error determining leaders: ${count} error${count > 1 ? "s" : ""} occurred:\n${list}\n`,
  );
  if (list.includes("No cluster leader")) {
    printError(NO_LEADER);
  }
  throw new CommandError("");
}

/** Gossip knows all regions; whoever names one wants to see that. @throws CommandError */
function inRegion(members: readonly unknown[], region: string | undefined): unknown[] {
  const regionOf = (member: unknown): string => textField(field(member, "Tags"), "region");
  const found = members.filter((one) => region === undefined || regionOf(one) === region);
  if (found.length > 0 || region === undefined) return found;
  const known = [...new Set(members.map(regionOf))].sort().join(", ");
  throw new CommandError(
    `Error querying servers: no server of region "${region}" is known; regions known: ${known}`,
  );
}

function header(wide: boolean): readonly string[] {
  const start = ["Name", "Address", "Port", "Status", "Leader"];
  const end = ["Raft Version", "Build", "Datacenter", "Region"];
  return wide ? [...start, "Protocol", ...end, "Tags"] : [...start, ...end];
}

function row(
  { member, leader }: { member: unknown; leader: boolean },
  wide: boolean,
): readonly string[] {
  const tag = (name: string): string => textField(field(member, "Tags"), name);
  const start = ["Name", "Addr", "Port", "Status"].map((name) => textField(member, name));
  const end = [tag("raft_vsn"), tag("build"), tag("dc"), tag("region")];
  if (!wide) return [...start, String(leader), ...end];
  const tags = field(member, "Tags");
  const pairs = isObject(tags) ? Object.entries(tags).map(([key, value]) => `${key}=${value}`) : [];
  return [
    ...start,
    String(leader),
    textField(member, "ProtocolCur"),
    ...end,
    pairs.sort().join(","),
  ];
}

/** Leaders by region; an agent without Raft has no such endpoint, and that is no error. */
async function findLeaders(
  client: ApiClient,
  members: readonly unknown[],
): Promise<{ readonly found: ReadonlyMap<string, string>; readonly errors: readonly string[] }> {
  const found = new Map<string, string>();
  const errors: string[] = [];
  const living = members.filter((member) => textField(member, "Status") !== "left");
  const regions = new Set(living.map((member) => textField(field(member, "Tags"), "region")));
  for (const region of [...regions].sort()) {
    const path = `${PATHS.statusLeader}?region=${encodeURIComponent(region)}`;
    const { status, body } = await client.send("GET", path).catch((error: unknown) => {
      throw new CommandError(`Error determining leaders: ${errorText(error)}`);
    });
    if (status === 200) found.set(region, body.replaceAll('"', ""));
    else if (status !== 404) {
      errors.push(`Region "${region}": Unexpected response code: ${status} (${body})`);
    }
  }
  return { found, errors };
}

function isLeader(member: unknown, leaders: ReadonlyMap<string, string>): boolean {
  const tags = field(member, "Tags");
  const address = `${textField(member, "Addr")}:${textField(tags, "port")}`;
  return leaders.get(textField(tags, "region")) === address;
}

/** By region, datacenter, name. */
function compareMembers(a: unknown, b: unknown): number {
  const key = (member: unknown): readonly string[] => {
    const tags = field(member, "Tags");
    return [textField(tags, "region"), textField(tags, "dc"), textField(member, "Name")];
  };
  const [left, right] = [key(a), key(b)];
  for (let i = 0; i < left.length; i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}
