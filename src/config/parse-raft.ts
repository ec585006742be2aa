/** Settings of the group of servers: autopilot's first ones, and what client nodes are held to. */
import type { AutopilotSettings, HeartbeatConfig } from "./config.ts";
import type { Section } from "./section.ts";

const COUNT_MAX = 2 ** 32 - 1;

/** They count for a new cluster only: later it is the servers' common state that counts. */
export function readAutopilot(section: Section): AutopilotSettings {
  const settings = {
    cleanupDeadServers: section.ownBool("cleanup_dead_servers") ?? true,
    lastContactThresholdMs: section.durationMs("last_contact_threshold") ?? 200,
    maxTrailingLogs: count(section, "max_trailing_logs") ?? 250,
    minQuorum: count(section, "min_quorum") ?? 0,
    serverStabilizationTimeMs: section.durationMs("server_stabilization_time") ?? 10_000,
    enableRedundancyZones: section.ownBool("enable_redundancy_zones") ?? false,
    disableUpgradeMigration: section.ownBool("disable_upgrade_migration") ?? false,
    enableCustomUpgrades: section.ownBool("enable_custom_upgrades") ?? false,
  };
  section.finish();
  return settings;
}

/** A negative number is the largest there is: Nomad converts it to one without a sign. */
function count(section: Section, key: string): number | undefined {
  const value = section.int(key, Number.MIN_SAFE_INTEGER, COUNT_MAX);
  return value !== undefined && value < 0 ? COUNT_MAX : value;
}

/** Keys of the server block. */
export function readHeartbeat(section: Section): HeartbeatConfig {
  return {
    graceMs: section.durationMs("heartbeat_grace") ?? 10_000,
    minTtlMs: section.durationMs("min_heartbeat_ttl") ?? 10_000,
    maxPerSecond: section.number("max_heartbeats_per_second") ?? 50,
    failoverTtlMs: section.durationMs("failover_heartbeat_ttl") ?? 300_000,
  };
}
