/** Where keys belong: a key in the wrong block, as other agents have it, is told where it goes. */
import { IGNORED_CLIENT, IGNORED_SERVER, IGNORED_TELEMETRY } from "./ignored.ts";

/** What this agent reads itself; a key that several blocks have is missing. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  server: [
    ...["encrypt", "bootstrap_expect", "server_join", "rejoin_after_leave", "non_voting_server"],
    ...["redundancy_zone", "upgrade_version", "raft_protocol", "raft_multiplier", "gossip_label"],
    ...["encrypt_verify_incoming", "encrypt_verify_outgoing", "heartbeat_grace"],
    ...["enable_event_broker", "event_buffer_size", "search"],
    ...["raft_snapshot_threshold", "raft_trailing_logs", "retry_interval", "retry_max"],
    ...["client_introduction", "root_key_gc_interval", "root_key_gc_threshold"],
    "root_key_rotation_threshold",
  ],
  client: ["node_class", "node_pool", "alloc_dir", "state_dir", "host_volumes_dir"],
  tls: [
    ...["ca_file", "cert_file", "key_file", "verify_server_hostname", "verify_https_client"],
    ...["rpc_upgrade_mode", "tls_min_version", "tls_cipher_suites"],
  ],
  telemetry: [
    ...["collection_interval", "prometheus_metrics", "disable_hostname", "use_node_name"],
    ...["statsd_address", "statsite_address", "datadog_address", "datadog_tags", "prefix_filter"],
    ...["filter_default", "publish_node_metrics", "in_memory_collection_interval"],
    ...["in_memory_retention_period"],
  ],
  limits: [
    ...["https_handshake_timeout", "http_max_conns_per_client"],
    ...["rpc_handshake_timeout", "rpc_max_conns_per_client"],
  ],
  autopilot: ["cleanup_dead_servers", "last_contact_threshold", "server_stabilization_time"],
};

const HOME_OF = new Map<string, string>([
  ...[IGNORED_SERVER, IGNORED_CLIENT, IGNORED_TELEMETRY].flatMap((keys, i) => {
    const block = ["server", "client", "telemetry"][i] ?? "";
    return Object.keys(keys).map((key) => [key, block] as const);
  }),
  ...Object.entries(HOMES).flatMap(([block, keys]) => keys.map((key) => [key, block] as const)),
]);

/** The block that a key belongs into, if there is such a key. */
export function homeOf(key: string): string | undefined {
  return HOME_OF.get(key.toLowerCase());
}
