/** What differs between two configurations, by the names that an operator writes. */
import type { Config } from "./config.ts";
import { isObject } from "./tree.ts";

/** Where a setting is called otherwise than its path in `Config`. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["server.heartbeat.graceMs", "server.heartbeat_grace"],
  ["server.heartbeat.minTtlMs", "server.min_heartbeat_ttl"],
  ["server.heartbeat.maxPerSecond", "server.max_heartbeats_per_second"],
  ["server.heartbeat.failoverTtlMs", "server.failover_heartbeat_ttl"],
  ["server.aclTokenGcMs", "server.acl_token_gc_threshold"],
  ["acl.tokenMinExpirationMs", "acl.token_min_expiration_ttl"],
  ["acl.tokenMaxExpirationMs", "acl.token_max_expiration_ttl"],
  ["server.nonVoting", "server.non_voting_server"],
  ["server.encrypt.fingerprint", "server.encrypt"],
  ["client.hostVolumes", "client.host_volume"],
  ["audit.sinks", "audit.sink"],
  ["audit.filters", "audit.filter"],
  ["client.reserved.cpuMhz", "client.reserved.cpu"],
  ["client.reserved.memoryMb", "client.reserved.memory"],
  ["client.reserved.diskMb", "client.reserved.disk"],
  ["client.reserved.ports", "client.reserved.reserved_ports"],
]);
/** Maps whose keys are the operator's own: one setting each. */
const WHOLE: ReadonlySet<string> = new Set([
  ...["client.meta", "client.hostVolumes", "httpApiResponseHeaders"],
]);
/** Not settings: where something stands and came from, and the secret behind a fingerprint. */
const NONE: ReadonlySet<string> = new Set([
  ...["at", "devMode", "files", "server.encryptAt"],
  ...["server.encrypt.bytes", "server.encrypt.base64"],
]);

/**
 * Settings with another value, sorted; their values are not told.
 *
 * @param except blocks and settings that do not count, by the operator's names
 */
export function changedSettings(
  before: Config,
  after: Config,
  except: readonly string[],
): readonly string[] {
  const [was, is] = [settingsOf(before), settingsOf(after)];
  const paths = [...new Set([...was.keys(), ...is.keys()])];
  const names = paths.filter((path) => was.get(path) !== is.get(path)).map(nameOf);
  const counts = (name: string): boolean =>
    !except.some((one) => name === one || name.startsWith(`${one}.`));
  return [...new Set(names.filter(counts))].sort();
}

/** Paths in `Config` to what is there, as text. */
function settingsOf(value: unknown, path = ""): Map<string, string> {
  if (NONE.has(path)) return new Map();
  if (!isObject(value) || WHOLE.has(path)) return new Map([[path, JSON.stringify(value) ?? ""]]);
  const inner = Object.entries(value).map(([key, one]) => {
    return settingsOf(one, path === "" ? key : `${path}.${key}`);
  });
  return new Map(inner.flatMap((one) => [...one]));
}

function nameOf(path: string): string {
  const known = NAMES.get(path);
  if (known !== undefined) return known;
  return path
    .replace(/^server\.join\./, "server.")
    .replace(/^client\.join\./, "client.server_join.")
    .replace(/Ms$/, "")
    .replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
