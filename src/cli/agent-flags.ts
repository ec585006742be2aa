/**
 * Flags of Nomad's agent that only set keys of its configuration: what a key means here, or that it
 * means nothing, is said of the flag as it is of the key in a file.
 *
 * @module
 */
import { type Command, Option } from "commander";
import type { FlagValues } from "./flag-block.ts";

/** Flag to key. */
const WITH_VALUE: Readonly<Record<string, string>> = {
  "acl-replication-token": "acl.replication_token",
  "alloc-dir": "client.alloc_dir",
  "alloc-mounts-dir": "client.alloc_mounts_dir",
  "eventlog-level": "eventlog.level",
  "host-volume-plugin-dir": "client.host_volume_plugin_dir",
  "host-volumes-dir": "client.host_volumes_dir",
  "network-interface": "client.network_interface",
  "network-speed": "client.network_speed",
  "plugin-dir": "plugin_dir",
  "preferred-address-family": "client.preferred_address_family",
  "raft-protocol": "server.raft_protocol",
  "state-dir": "client.state_dir",
  ...inBlock("consul", [
    ...["address", "auth", "ca-file", "cert-file", "key-file", "token"],
    ...["client-service-name", "client-http-check-name"],
    ...["client-failures-before-critical", "client-failures-before-warning"],
    ...["server-service-name", "server-http-check-name", "server-serf-check-name"],
    ...["server-rpc-check-name", "server-failures-before-critical"],
    "server-failures-before-warning",
  ]),
  ...inBlock("vault", [
    ...["address", "namespace", "create-from-role", "ca-file", "ca-path", "cert-file"],
    ...["key-file", "tls-server-name"],
  ]),
};

const WITHOUT_VALUE: Readonly<Record<string, string>> = {
  "acl-enabled": "acl.enabled",
  eventlog: "eventlog.enabled",
  "log-include-location": "log_include_location",
  ...inBlock("consul", [
    ...["auto-advertise", "checks-use-advertise", "client-auto-join", "server-auto-join"],
    ...["ssl", "verify-ssl"],
  ]),
  ...inBlock("vault", ["enabled", "tls-skip-verify"]),
};

/** They are in no help: most of them mean nothing here, and the configuration says so. */
export function addKeyFlags(agent: Command): void {
  for (const flag of Object.keys(WITH_VALUE)) {
    agent.addOption(new Option(`--${flag} <value>`).hideHelp());
  }
  for (const flag of Object.keys(WITHOUT_VALUE))
    agent.addOption(new Option(`--${flag}`).hideHelp());
}

/** @param flags as the parser gives them, by their names in camel case */
export function keyFlagValues(flags: Readonly<Record<string, unknown>>): FlagValues {
  const given = Object.entries({ ...WITH_VALUE, ...WITHOUT_VALUE }).map(([flag, key]) => {
    const value = flags[new Option(`--${flag}`).attributeName()];
    return [key, typeof value === "string" || value === true ? value : undefined] as const;
  });
  return Object.fromEntries(given);
}

function inBlock(block: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [`${block}-${name}`, `${block}.${name.replaceAll("-", "_")}`]),
  );
}
