/** `nomad ui`: the page of an agent that has one, in this user's browser. */
import { errorText } from "../host/error-text.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { field, parseAnswer, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";
import { findOne } from "./search.ts";

interface UiFlags extends ApiFlags {
  readonly authenticate?: boolean;
  readonly showUrl?: boolean;
}

/** What shows one thing there, by Nomad's word for its kind. */
const PAGES: Readonly<Record<string, string>> = {
  allocs: "allocations",
  jobs: "jobs",
  nodes: "clients",
};

export async function ui(id: string | undefined, flags: UiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  await mustHavePage(client);
  const url = new URL(client.address);
  if (id !== undefined) url.pathname = await pageOf(client, id);
  const shown = JSON.stringify(url.href.replace(/\/$/, ""));
  if (flags.showUrl === true) return print(`URL for web UI: ${shown}`);
  if (flags.authenticate === true) {
    const secret = await oneTimeSecret(client);
    print(`Opening URL ${shown} with one-time token`);
    url.searchParams.set("ott", secret);
  } else print(`Opening URL ${shown}`);
  openPage(url.href);
}

/** What a command shows, in the page: its flag -ui. @throws CommandError */
export async function openView(client: ApiClient, ...parts: readonly string[]): Promise<void> {
  await mustHavePage(client);
  const url = new URL(`/ui/${parts.map(encodeURIComponent).join("/")}`, client.address);
  print(`Opening URL ${JSON.stringify(url.href)}`);
  openPage(url.href);
}

/** @throws CommandError where the agent has none */
async function mustHavePage(client: ApiClient): Promise<void> {
  const { status } = await client.send("GET", "/ui/").catch((error: unknown) => {
    throw new CommandError(`Error opening URL: ${errorText(error)}`);
  });
  if (status < 400) return;
  throw new CommandError(
    `${client.addressText} has no web page: /v1/status and the commands server members, ` +
      "node status and operator encryption doctor show what there is",
  );
}

async function pageOf(client: ApiClient, id: string): Promise<string> {
  const { context, id: whole } = await findOne(client, id);
  const page = PAGES[context];
  if (page === undefined) throw new CommandError(`Unable to resolve ID: ${JSON.stringify(id)}`);
  return `/ui/${page}/${encodeURIComponent(whole)}`;
}

async function oneTimeSecret(client: ApiClient): Promise<string> {
  const path = "/v1/acl/token/onetime";
  const { body } = await client.ok("POST", path).catch((error: unknown) => {
    throw new CommandError(`Could not get one-time token: ${errorText(error)}`);
  });
  const token = field(parseAnswer(body, `${client.addressText}${path}`), "OneTimeToken");
  return textField(token, "OneTimeSecretID");
}

/** By what the system has for it, which goes on by itself. */
function openPage(url: string): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  try {
    Bun.spawn([program, url], { stdio: ["ignore", "ignore", "ignore"] }).unref();
  } catch {
    throw new CommandError(
      `Error opening URL: there is no ${program} here: -show-url only prints it`,
    );
  }
}
