/** `nomad operator autopilot`: upkeep of the Raft group, Nomad's columns and texts. */
import { parseGoBool } from "../config/go-bool.ts";
import { isObject } from "../config/tree.ts";
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { type FormatFlags, printFormatted } from "./data-format.ts";
import { listField, parseAnswer, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

const PATH = PATHS.autopilotConfiguration;

interface AutopilotFlags extends ApiFlags, FormatFlags {}

export async function getAutopilot(flags: AutopilotFlags): Promise<void> {
  const answer = await settings(new ApiClient(flags, process.env));
  if (await printFormatted(answer, flags)) return;
  const names = [
    "CleanupDeadServers",
    "LastContactThreshold",
    "MaxTrailingLogs",
    "MinQuorum",
    "ServerStabilizationTime",
    "EnableRedundancyZones",
    "DisableUpgradeMigration",
    "EnableCustomUpgrades",
  ];
  for (const name of names) print(`${name} = ${textField(answer, name)}`);
}

async function settings(client: ApiClient): Promise<unknown> {
  return client.get(PATH).catch((error: unknown) => {
    throw new CommandError(`Error querying Autopilot configuration: ${errorText(error)}`);
  });
}

interface SetAutopilotFlags extends ApiFlags {
  readonly cleanupDeadServers?: string | true;
  readonly maxTrailingLogs?: string;
  readonly lastContactThreshold?: string;
  readonly serverStabilizationTime?: string;
  readonly minQuorum?: string;
  readonly enableRedundancyZones?: string | true;
  readonly disableUpgradeMigration?: string | true;
  readonly enableCustomUpgrades?: string | true;
}

/** Flags that are true or false, by the field that they change. */
const TRUTHS = {
  CleanupDeadServers: ["cleanupDeadServers", "cleanup-dead-servers"],
  EnableRedundancyZones: ["enableRedundancyZones", "enable-redundancy-zones"],
  DisableUpgradeMigration: ["disableUpgradeMigration", "disable-upgrade-migration"],
  EnableCustomUpgrades: ["enableCustomUpgrades", "enable-custom-upgrades"],
} as const;

/** Reads, changes what the flags say, and writes if nobody else has meanwhile. */
export async function setAutopilot(flags: SetAutopilotFlags): Promise<void> {
  const truths = Object.entries(TRUTHS).flatMap(([name, [key, flag]]) => {
    const given = flags[key];
    return given === undefined ? [] : [[name, truth(flag, given)] as const];
  });
  const changes = {
    ...Object.fromEntries(truths),
    ...(flags.maxTrailingLogs === undefined
      ? {}
      : { MaxTrailingLogs: count("max-trailing-logs", flags.maxTrailingLogs) }),
    ...(flags.minQuorum === undefined ? {} : { MinQuorum: count("min-quorum", flags.minQuorum) }),
    ...(flags.lastContactThreshold === undefined
      ? {}
      : { LastContactThreshold: flags.lastContactThreshold }),
    ...(flags.serverStabilizationTime === undefined
      ? {}
      : { ServerStabilizationTime: flags.serverStabilizationTime }),
  };
  const client = new ApiClient(flags, process.env);
  const before = await settings(client);
  const next = JSON.stringify({ ...(isObject(before) ? before : {}), ...changes });
  const path = `${PATH}?cas=${textField(before, "ModifyIndex")}`;
  const { body } = await client.ok("PUT", path, { body: next }).catch((error: unknown) => {
    throw new CommandError(`Error setting Autopilot configuration: ${errorText(error)}`);
  });
  if (body.trim() !== "true") {
    throw new CommandError("Configuration could not be atomically updated, please try again");
  }
  print("Configuration updated!");
}

function truth(flag: string, value: string | true): boolean {
  const parsed = value === true ? true : parseGoBool(value);
  if (parsed !== undefined) return parsed;
  throw new CommandError(`-${flag}: ${JSON.stringify(value)} is neither true nor false`);
}

function count(flag: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new CommandError(`-${flag}: ${JSON.stringify(value)} is no whole number from 0 on`);
}

/** The table too when something is wrong: that is when it is needed. Then the exit code is 1. */
export async function autopilotHealth(flags: AutopilotFlags): Promise<void> {
  const path = PATHS.autopilotHealth;
  const client = new ApiClient(flags, process.env);
  const fail = (why: string): never => {
    throw new CommandError(`Error querying Autopilot health: ${why}`);
  };
  const { status, body } = await client
    .send("GET", path)
    .catch((error: unknown) => fail(errorText(error)));
  if (status !== 200 && status !== 429) {
    fail(`Unexpected response code: ${status} (${body.trim()})`);
  }
  const health = parseAnswer(body, `${client.addressText}${path}`);
  if (!(await printFormatted(health, flags))) printHealth(health);
  if (status === 429) throw new CommandError("");
}

function printHealth(health: unknown): void {
  print(`Healthy: ${textField(health, "Healthy")}`);
  print(`FailureTolerance: ${textField(health, "FailureTolerance")}`);
  print(`Leader: ${textField(health, "Leader")}`);
  print(`Voters:  \n\t${listField(health, "Voters").join("\n\t")}`);
  print("Servers: ");
  const columns = [
    "ID",
    "Name",
    "Address",
    "SerfStatus",
    "Version",
    "Leader",
    "Voter",
    "Healthy",
    "LastContact",
    "LastTerm",
    "LastIndex",
    "StableSince",
  ];
  const rows = listField(health, "Servers").map((server) => {
    return columns.map((name) => {
      const text = textField(server, name);
      // Nomad's API has a duration there, and no word for a server that has never answered.
      if (name === "LastContact") return text.startsWith("-") ? "never" : text;
      if (name !== "StableSince") return text;
      return text.replace("T", " ").replace("Z", " +0000 UTC");
    });
  });
  print(formatTable([columns, ...rows]));
}
