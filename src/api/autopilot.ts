/** Autopilot's settings and its view of the servers, with Nomad's fields, order and texts. */

import { isObject } from "../config/tree.ts";
import { healthReply, NEVER, SERF_STATUSES, unixMs } from "../service/raft/autopilot-health.ts";
import { type AutopilotConfig, autopilotConfig, autopilotRequest } from "../state/command.ts";
import { bool, structOf } from "../wire/codec.ts";
import { formatDurationMs, nanosOf, parseDurationMs } from "../wire/duration.ts";
import { type Asked, ask, decode, readBody, requestOf } from "./ask.ts";
import type { Servers } from "./context.ts";
import { ApiError } from "./errors.ts";

/** Struct order and durations as texts, as Nomad's own marshaller has them. */
export async function autopilotSettings(context: Servers, asked: Asked) {
  const answer = await ask(context, "Operator.AutopilotGetConfiguration", readBody(asked));
  const config = decode(autopilotConfig, answer);
  return {
    LastContactThreshold: durationText(config.LastContactThreshold),
    ServerStabilizationTime: durationText(config.ServerStabilizationTime),
    CleanupDeadServers: config.CleanupDeadServers,
    MaxTrailingLogs: Number(config.MaxTrailingLogs),
    MinQuorum: config.MinQuorum,
    EnableRedundancyZones: config.EnableRedundancyZones,
    DisableUpgradeMigration: config.DisableUpgradeMigration,
    EnableCustomUpgrades: config.EnableCustomUpgrades,
    CreateIndex: Number(config.CreateIndex),
    ModifyIndex: Number(config.ModifyIndex),
  };
}

/**
 * Replaces all settings; what the body leaves out becomes zero, as in Nomad.
 *
 * @param cas only if they are still those of this index
 * @returns false: with `cas`, somebody else has changed them
 */
export async function setAutopilot(
  context: Servers,
  asked: Asked,
  cas: string | undefined,
  body: string,
): Promise<boolean> {
  const bytes = requestOf(autopilotRequest, {
    CAS: cas !== undefined,
    Config: { ...parseSettings(body), ModifyIndex: BigInt(cas || 0) },
    Region: asked.region,
  });
  return decode(bool, await ask(context, "Operator.AutopilotSetConfiguration", bytes));
}

/** @throws ApiError that names the field */
function parseSettings(body: string): AutopilotConfig {
  const fail = (why: string): never => {
    throw new ApiError(400, `Error parsing autopilot config: ${why}`);
  };
  let tree: unknown;
  try {
    tree = JSON.parse(body);
  } catch {
    return fail("the body is not JSON");
  }
  if (!isObject(tree)) return fail("the body is not a JSON object");
  // Go reads names in any case.
  const given = new Map(Object.entries(tree).map(([name, value]) => [name.toLowerCase(), value]));
  const flag = (name: string): boolean => {
    const value = given.get(name.toLowerCase()) ?? false;
    return typeof value === "boolean" ? value : fail(`${name} must be true or false`);
  };
  const count = (name: string): number => {
    const value = given.get(name.toLowerCase()) ?? 0;
    const fits = typeof value === "number" && Number.isInteger(value) && value >= 0;
    return fits && value <= 0xffff_ffff ? value : fail(`${name} must be a whole number from 0 on`);
  };
  const duration = (name: string): bigint => {
    const value = given.get(name.toLowerCase()) ?? 0;
    // Go's own are nanoseconds in 64 bits.
    const nanos = typeof value === "number" ? value : Number.NaN;
    const ms = typeof value === "string" ? parseDurationMs(value) : nanos / 1e6;
    if (ms !== undefined && ms >= 0 && ms < 9e12) return nanosOf(ms);
    return fail(`${name} must be a duration such as "10s"`);
  };
  return structOf(autopilotConfig, {
    CleanupDeadServers: flag("CleanupDeadServers"),
    DisableUpgradeMigration: flag("DisableUpgradeMigration"),
    EnableCustomUpgrades: flag("EnableCustomUpgrades"),
    EnableRedundancyZones: flag("EnableRedundancyZones"),
    LastContactThreshold: duration("LastContactThreshold"),
    MaxTrailingLogs: BigInt(count("MaxTrailingLogs")),
    MinQuorum: count("MinQuorum"),
    ServerStabilizationTime: duration("ServerStabilizationTime"),
  });
}

/** Only the leader knows: a stale answer is not asked for. */
export async function autopilotHealth(context: Servers, asked: Asked) {
  const answer = await ask(context, "Operator.ServerHealth", readBody({ ...asked, stale: false }));
  const health = decode(healthReply, answer);
  return {
    FailureTolerance: health.FailureTolerance,
    Healthy: health.Healthy,
    Leader: health.Leader,
    Servers: (health.Servers ?? []).map((one) => ({
      LastContact: one.LastContact === NEVER ? "-1ns" : durationText(one.LastContact),
      ID: one.ID,
      Name: one.Name,
      Address: one.Address,
      SerfStatus: SERF_STATUSES[one.SerfStatus] ?? "none",
      Version: one.Version,
      Leader: one.Leader,
      LastTerm: Number(one.LastTerm),
      LastIndex: Number(one.LastIndex),
      Healthy: one.Healthy,
      Voter: one.Voter,
      StableSince: new Date(unixMs(one.StableSince)).toISOString().replace(/\.\d+Z$/, "Z"),
    })),
    Voters: health.Voters ?? [],
  };
}

function durationText(nanos: bigint): string {
  return formatDurationMs(Number(nanos) / 1e6);
}
