/** `nomad node drain` and `nomad node eligibility`: what an operator changes of a client. */
import { createInterface } from "node:readline/promises";
import { errorText } from "../host/error-text.ts";
import { PATHS, pathTo } from "../paths.ts";
import { nanosOf, parseDurationMs } from "../wire/duration.ts";
import type { ApiClient } from "./api-client.ts";
import { field, listField } from "./json-read.ts";
import { nodeOf, type OneNodeFlags } from "./node-find.ts";
import { CommandError, print } from "./output.ts";

const HOUR_MS = 3_600_000;
/** Longer than this no answer is waited for: a drain may take days. */
const WAIT = "30s";

export interface EligibilityFlags extends OneNodeFlags {
  readonly enable?: boolean;
  readonly disable?: boolean;
}

export async function nodeEligibility(
  id: string | undefined,
  flags: EligibilityFlags,
): Promise<void> {
  const { enable = false, disable = false } = flags;
  if (enable === disable) {
    throw new CommandError("Either the '-enable' or '-disable' flag must be set");
  }
  const { client, node } = await nodeOf(id, flags);
  const Eligibility = enable ? "eligible" : "ineligible";
  const body = JSON.stringify({ NodeID: node, Eligibility });
  await client
    .ok("PUT", pathTo(PATHS.nodeEligibility, { id: node }), { body })
    .catch((error: unknown) => {
      throw new CommandError(`Error updating scheduling eligibility: ${errorText(error)}`);
    });
  print(`Node "${node}" scheduling eligibility set: ${Eligibility} for scheduling`);
}

export interface DrainFlags extends EligibilityFlags {
  /** false: -no-deadline */
  readonly deadline?: string | false;
  readonly force?: boolean;
  readonly ignoreSystem?: boolean;
  readonly keepIneligible?: boolean;
  readonly detach?: boolean;
  readonly monitor?: boolean;
  readonly m?: string;
  readonly meta?: readonly string[];
  readonly yes?: boolean;
}

export async function nodeDrain(id: string | undefined, flags: DrainFlags): Promise<void> {
  const { enable = false, monitor = false } = flags;
  const deadlineMs = checkFlags(flags);
  const { client, node, whole } = await nodeOf(id, flags);
  const known = await client.get(pathTo(PATHS.node, { id: node })).catch((error: unknown) => {
    throw new CommandError(`Error toggling drain mode: ${errorText(error)}`);
  });
  if (monitor) {
    if ((field(known, "DrainStrategy") ?? null) === null) return print("No drain strategy set");
    say(`Monitoring node "${node}": Ctrl-C to detach monitoring`);
    return untilDrained(client, node);
  }
  if (!whole && flags.self !== true && flags.yes !== true) {
    if (!(await confirmed(enable ? "enable" : "disable", node))) return;
  }
  const body = JSON.stringify({
    NodeID: node,
    DrainSpec: enable
      ? { Deadline: Number(nanosOf(deadlineMs)), IgnoreSystemJobs: flags.ignoreSystem === true }
      : null,
    MarkEligible: flags.keepIneligible !== true,
    Meta: drainMeta(known, flags),
  });
  await client
    .ok("PUT", pathTo(PATHS.nodeDrain, { id: node }), { body })
    .catch((error: unknown) => {
      throw new CommandError(`Error updating drain specification: ${errorText(error)}`);
    });
  if (!enable) return print(`Node "${node}" drain strategy unset`);
  if (flags.detach === true) return print(`Node "${node}" drain strategy set`);
  say("Ctrl-C to stop monitoring: will not cancel the node drain");
  say(`Node "${node}" drain strategy set`);
  await untilDrained(client, node);
}

/** @returns the deadline: negative is at once, 0 is none. @throws CommandError in Nomad's words */
function checkFlags(flags: DrainFlags): number {
  const { enable = false, disable = false, monitor = false, force = false, deadline } = flags;
  const { ignoreSystem = false } = flags;
  const fail = (why: string): never => {
    throw new CommandError(`${why}\nFor additional help try 'nomad node drain -help'`);
  };
  if (monitor && (enable || disable)) {
    fail("The -monitor flag cannot be used with the '-enable' or '-disable' flags");
  }
  if (!monitor && enable === disable) {
    fail("Either the '-enable' or '-disable' flag must be set, unless using '-monitor'");
  }
  if (disable && (deadline !== undefined || force || ignoreSystem)) {
    fail("-disable can't be combined with flags configuring drain strategy");
  }
  if (force && deadline === false) fail("-force and -no-deadline are mutually exclusive");
  if (force && deadline !== undefined) {
    fail("-deadline can't be combined with -force or -no-deadline");
  }
  if (force) return -1000;
  if (deadline === false) return 0;
  if (deadline === undefined) return HOUR_MS;
  const ms = parseDurationMs(deadline);
  if (ms === undefined) return fail(`Failed to parse deadline "${deadline}": such as 90s or 2h`);
  return ms > 0 ? ms : fail("A positive drain duration must be given");
}

/** What is noted of the drain; of one that is taken back, what was noted before, too. */
function drainMeta(known: unknown, flags: DrainFlags): Readonly<Record<string, string>> {
  const enable = flags.enable === true;
  const before = enable ? undefined : field(field(known, "LastDrain"), "Meta");
  const kept = Object.entries(Object(before ?? {})).map(([key, value]) => [key, String(value)]);
  const note = flags.m === undefined ? [] : [[enable ? "message" : "cancel_message", flags.m]];
  const given = (flags.meta ?? []).map((one) => {
    const at = one.indexOf("=");
    return at < 0 ? [one, ""] : [one.slice(0, at), one.slice(at + 1)];
  });
  return Object.fromEntries([...kept, ...note, ...given]);
}

/** Asked of whoever has named the node by a beginning only. @throws CommandError */
async function confirmed(verb: string, node: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const question = `Are you sure you want to ${verb} drain mode for node "${node}"? [y/N] `;
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  const answer = await Promise.race([lines.question(question), ended]);
  lines.close();
  if (answer === "y") return true;
  if (answer === "" || answer.toLowerCase().startsWith("n")) {
    print("Canceling drain toggle");
    return false;
  }
  throw new CommandError("No confirmation detected. For confirmation, an exact 'y' is required.");
}

async function untilDrained(client: ApiClient, node: string): Promise<void> {
  for (let index = 0; ; ) {
    const path = `${pathTo(PATHS.node, { id: node })}?index=${index}&wait=${WAIT}`;
    const known = await client.get(path, { quiet: true }).catch((error: unknown) => {
      throw new CommandError(`Error monitoring node: ${errorText(error)}`);
    });
    if ((field(known, "DrainStrategy") ?? null) === null) break;
    index = Number(field(known, "ModifyIndex") ?? 0);
  }
  say(`Drain complete for node ${node}`);
  const left = await client.get(pathTo(PATHS.nodeAllocations, { id: node })).catch(() => undefined);
  if (listField({ left }, "left").length === 0) {
    say(`All allocations on node "${node}" have stopped`);
  }
}

function say(text: string): void {
  print(`${new Date().toISOString().replace(/\.\d+Z$/, "Z")}: ${text}`);
}
