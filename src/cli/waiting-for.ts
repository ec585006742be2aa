/** Whom a request waits for: what a command says when it takes longer than one expects. */
import { PATHS } from "../paths.ts";
import { listField, textField } from "./json-read.ts";

/** These ask every living member, and wait for all of them. */
const ASK_MEMBERS = /^\/v1\/(agent\/keyring\/|operator\/encryption)/;

/** These only the leader answers, whoever is asked. */
const ASK_LEADER = /^\/v1\/(operator\/(raft|autopilot|snapshot)|nodes|node\/|status\/peers)/;

interface Asker {
  readonly addressText: string;
  get(path: string, asking: { readonly quiet: boolean }): Promise<unknown>;
}

export async function waitingFor(client: Asker, path: string): Promise<string> {
  const agent = `the answer of ${client.addressText}`;
  if (ASK_LEADER.test(path) && !path.includes("?stale")) {
    return `the leader of the region to answer, by way of ${client.addressText}`;
  }
  if (!ASK_MEMBERS.test(path)) return agent;
  const answer = await client.get(PATHS.agentMembers, { quiet: true });
  const names = listField(answer, "Members")
    .filter((member) => textField(member, "Status") === "alive")
    .map((member) => textField(member, "Name"))
    .sort();
  return names.length === 0 ? agent : `${inWords(names)} to answer`;
}

/** a, b and c. */
export function inWords(names: readonly string[]): string {
  const shown = names.slice(0, 20);
  const rest = names.length - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  const last = shown.at(-1) ?? "";
  return shown.length === 1 ? last : `${shown.slice(0, -1).join(", ")} and ${last}`;
}
