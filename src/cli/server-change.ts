/** `nomad server join` and `nomad server force-leave`: who is in the gossip pool. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { field, listField, parseAnswer, textField } from "./json-read.ts";
import { CommandError, print, printError } from "./output.ts";

export async function join(addresses: readonly string[], flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const query = addresses.map((one) => `address=${encodeURIComponent(one)}`).join("&");
  const fail = (why: string): never => {
    throw new CommandError(`Error joining: ${why}`);
  };
  const waiting = `${addresses.join(" and ")} to answer`;
  const { body } = await client
    .ok("PUT", `${PATHS.agentJoin}?${query}`, { waiting })
    .catch((error: unknown) => fail(errorText(error)));
  const answer = parseAnswer(body, `${client.addressText}${PATHS.agentJoin}`);
  // It has a line for each address.
  const error = String(field(answer, "error") ?? "");
  const warning = textField(answer, "warning");
  if (error !== "") fail(`failed joining: ${error.trimEnd()}`);
  const done = `Joined ${textField(answer, "num_joined")} servers successfully`;
  print(warning === "" ? done : `${done} but got warning: ${warning}`);
}

interface ForceLeaveFlags extends ApiFlags {
  readonly prune?: boolean;
}

/** Silent when it is done, as Nomad's; where nobody has that name, stderr has a word on it. */
export async function forceLeave(node: string, flags: ForceLeaveFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const before = await memberNames(client);
  const prune = flags.prune === true ? "&prune=true" : "";
  const path = `${PATHS.agentForceLeave}?node=${encodeURIComponent(node)}${prune}`;
  await client.ok("PUT", path).catch((error: unknown) => {
    throw new CommandError(`Error force-leaving server ${node}: ${errorText(error)}`);
  });
  if (before.length === 0 || before.includes(node)) return;
  const whole = before.find((name) => name.startsWith(`${node}.`));
  const hint = whole === undefined ? "" : `: did you mean ${whole}?`;
  printError(`==> WARNING: nothing has changed, no member is called ${node}${hint}`);
}

async function memberNames(client: ApiClient): Promise<readonly string[]> {
  const answer = await client.get(PATHS.agentMembers).catch(() => undefined);
  return listField(answer, "Members").map((member) => textField(member, "Name"));
}
