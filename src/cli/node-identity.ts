/** `nomad node identity get` and `renew`, `nomad node intro create`: who client nodes are. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { field, parseAnswer, textField } from "./json-read.ts";
import { findNode } from "./node-find.ts";
import { CommandError, print } from "./output.ts";
import { timeText } from "./time-text.ts";

interface IdentityFlags extends ApiFlags, FormatFlags {}

/** Claims that are Unix times in seconds. */
const TIMES = ["exp", "iat", "nbf"];

export async function identityGet(prefix: string, flags: IdentityFlags): Promise<void> {
  checkFormat(flags);
  const client = new ApiClient(flags, process.env);
  const node = await findNode(client, prefix, {});
  const found = await client
    .get(`${PATHS.clientIdentity}?node_id=${node}`)
    .catch((error: unknown) => {
      throw new CommandError(`Error requesting node identity: ${errorText(error)}`);
    });
  if (await printFormatted(found, flags)) return;
  const rows = Object.entries(Object(field(found, "Claims"))).map(([name, value]) => {
    const isTime = TIMES.includes(name) && typeof value === "number";
    return [name, isTime ? timeText(value * 1000) : String(value)];
  });
  print(formatTable([["Claim Key", "Claim Value"], ...rows.sort(byName)]));
}

/** Nomad's own claims come last. */
function byName([one = ""]: readonly string[], [other = ""]: readonly string[]): number {
  const [a, b] = [one, other].map((name) => `${name.startsWith("nomad_") ? 1 : 0}${name}`);
  return (a ?? "") < (b ?? "") ? -1 : 1;
}

/** Silent when it is done: the node has another one after its next heartbeat. */
export async function identityRenew(prefix: string, flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const NodeID = await findNode(client, prefix, {});
  const body = JSON.stringify({ NodeID });
  await client.ok("POST", PATHS.clientIdentityRenew, { body }).catch((error: unknown) => {
    throw new CommandError(`Error requesting node identity renewal: ${errorText(error)}`);
  });
}

interface IntroFlags extends ApiFlags, FormatFlags {
  readonly nodeName?: string;
  readonly nodePool?: string;
  readonly ttl?: string;
}

export async function introCreate(flags: IntroFlags): Promise<void> {
  checkFormat(flags);
  const client = new ApiClient(flags, process.env);
  const { nodeName = "", nodePool = "default", ttl = "" } = flags;
  const body = JSON.stringify({ NodeName: nodeName, NodePool: nodePool, TTL: ttl });
  const path = PATHS.introduction;
  const answer = await client.ok("POST", path, { body }).catch((error: unknown) => {
    throw new CommandError(`Error generating introduction token: ${errorText(error)}`);
  });
  const made = parseAnswer(answer.body, client.addressText);
  if (await printFormatted(made, flags)) return;
  print(`Successfully generated client introduction token:\n\n${textField(made, "JWT")}`);
}
