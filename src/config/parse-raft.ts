/** Settings of the group of servers: autopilot's first ones, and what client nodes are held to. */
import type { AutopilotSettings, HeartbeatConfig } from "./config.ts";
import type { Section } from "./section.ts";

const COUNT_MAX = 2 ** 32 - 1;

/** They count for a new cluster only: later it is the servers' common state that counts. */
export function readAutopilot(section: Section): AutopilotSettings {
  const settings = {
    cleanupDeadServers: section.bool("cleanup_dead_servers") ?? true,
    lastContactThresholdMs: section.durationMs("last_contact_threshold") ?? 200,
    maxTrailingLogs: section.int("max_trailing_logs", 0, COUNT_MAX) ?? 250,
    minQuorum: section.int("min_quorum", 0, COUNT_MAX) ?? 0,
    serverStabilizationTimeMs: section.durationMs("server_stabilization_time") ?? 10_000,
    enableRedundancyZones: section.bool("enable_redundancy_zones") ?? false,
    disableUpgradeMigration: section.bool("disable_upgrade_migration") ?? false,
    enableCustomUpgrades: section.bool("enable_custom_upgrades") ?? false,
  };
  section.finish();
  return settings;
}

/** Keys of the server block. */
export function readHeartbeat(section: Section): HeartbeatConfig {
  return {
    graceMs: section.durationMs("heartbeat_grace") ?? 10_000,
    minTtlMs: section.durationMs("min_heartbeat_ttl") ?? 10_000,
    maxPerSecond: section.number("max_heartbeats_per_second", 0.001, COUNT_MAX) ?? 50,
    failoverTtlMs: section.durationMs("failover_heartbeat_ttl") ?? 300_000,
  };
}
