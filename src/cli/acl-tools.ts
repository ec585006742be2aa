/** What the acl commands have in common. */
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { parseAnswer } from "./json-read.ts";
import { CommandError } from "./output.ts";

/** Asks, and says in Nomad's words what did not work. @throws CommandError */
export async function askAcl(
  flags: ApiFlags,
  what: string,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const client = new ApiClient(flags, process.env);
  const asking = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await client.ok(method, path, asking).catch((error: Error) => {
    throw new CommandError(`${what}: ${error.message}`);
  });
  return answer.body === "" ? null : parseAnswer(answer.body, `${client.addressText}${path}`);
}

/** @param parts of a path, as they are */
export function aclPath(...parts: readonly string[]): string {
  return `/v1/acl/${parts.map(encodeURIComponent).join("/")}`;
}

/** As Go prints a time. */
export function goTime(rfc3339: string): string {
  return rfc3339.replace("T", " ").replace("Z", " +0000 UTC");
}

export function isUuid(text: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
}
