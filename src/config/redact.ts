/**
 * What of an operator's file may be shown. A mistake is often beside a secret, and often what makes
 * a secret hard to recognise: so only the values of keys that are known and harmless are shown, and
 * of them nothing that looks like a key or a token.
 *
 * @module
 */
import { IGNORED_CLIENT, IGNORED_SERVER, IGNORED_TELEMETRY, IGNORED_TOP } from "./ignored.ts";
import { nearest } from "./suggest.ts";

/** Keys with an effect here; `encrypt` is missing on purpose. */
const HARMLESS = `region datacenter name data_dir plugin_dir log_level log_json log_file bind_addr
  enable_debug leave_on_interrupt leave_on_terminate http rpc serf enabled bootstrap_expect
  raft_multiplier raft_protocol heartbeat_grace min_heartbeat_ttl max_heartbeats_per_second
  failover_heartbeat_ttl start_join retry_join retry_max retry_interval rejoin_after_leave
  enable_event_broker event_buffer_size fuzzy_enabled limit_query limit_results min_term_length
  non_voting_server redundancy_zone upgrade_version raft_snapshot_threshold raft_trailing_logs
  encrypt_verify_incoming encrypt_verify_outgoing gossip_label servers node_class node_pool
  ca_file cert_file key_file verify_server_hostname verify_https_client rpc_upgrade_mode
  tls_min_version tls_cipher_suites tls_prefer_server_cipher_suites https_handshake_timeout
  http_max_conns_per_client rpc_handshake_timeout rpc_max_conns_per_client collection_interval
  prometheus_metrics disable_hostname use_node_name statsd_address statsite_address datadog_address
  datadog_tags prefix_filter filter_default publish_node_metrics in_memory_collection_interval
  in_memory_retention_period cleanup_dead_servers last_contact_threshold
  max_trailing_logs min_quorum server_stabilization_time enable_redundancy_zones
  disable_upgrade_migration enable_custom_upgrades alloc_dir alloc_mounts_dir host_volumes_dir
  default_ineligible no_host_uuid network_interface network_speed preferred_address_family
  cpu_total_compute memory_total_mb disk_total_mb cpu memory disk reserved_ports read_only
  host_volume_plugin_dir state_dir enable_syslog syslog_facility log_include_location
  delivery_guarantee rotate_bytes rotate_duration rotate_max_files mode endpoints stages operations
  path type format log_rotate_bytes log_rotate_duration log_rotate_max_files
  unsafe_raft_with_other_servers
  authoritative_region acl_token_gc_threshold token_ttl policy_ttl role_ttl
  token_min_expiration_ttl token_max_expiration_ttl
  enforcement default_identity_ttl max_identity_ttl root_key_gc_interval root_key_gc_threshold
  root_key_rotation_threshold`;

const BLOCKS = `acl server client tls ports addresses advertise telemetry limits autopilot
  server_join meta http_api_response_headers encrypt reserved host_volume audit sink filter
  drain_on_shutdown client_introduction search`;

const NAME_LENGTH_MAX = 40;
const SECRET_NAME = /encrypt$|token|secret|passw|credential|auth$|api_key|private_key/i;

const SHOWN = new Set([
  ...HARMLESS.split(/\s+/),
  ...[IGNORED_TOP, IGNORED_SERVER, IGNORED_CLIENT, IGNORED_TELEMETRY]
    .flatMap((keys) => Object.keys(keys))
    .filter((key) => !SECRET_NAME.test(key)),
]);

const KNOWN = new Set([...SHOWN, ...BLOCKS.split(/\s+/), ...Object.keys(IGNORED_TOP)]);

/** Runs of characters that keys and tokens are written in. */
const RUN = /[A-Za-z0-9+/_=-]{16,}/g;
const UUID = /\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/gi;
const NAMED =
  /\b\w*(?:secret|token|passw|api_?key|credential)\w*\s*[=:]\s*(?:"[^"]+"|'[^']+'|[^\s,;"']+)/gi;
const IN_ADDRESS = /\/\/[^\s/@:]*:[^\s/@]+@/g;
const PEM = /-----BEGIN [A-Z ]+-----[\s\S]*/g;
const VAULT = /\b(?:hv[sbr]|s|b)\.[\w-]{20,}/g;

/** A key whose value is never shown. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !SHOWN.has(name.toLowerCase());
}

/** `token_ttl: must be` is a sentence about a key whose value may be shown. */
function isHarmlessName(found: string): boolean {
  return SHOWN.has(/^\w+/.exec(found)?.[0] ?? "");
}

/** Whatever looks like a key or a token becomes stars. */
export function redactText(text: string): string {
  return text
    .replaceAll(PEM, stars)
    .replaceAll(NAMED, (found) => (isHarmlessName(found) ? found : stars(found)))
    .replaceAll(IN_ADDRESS, stars)
    .replaceAll(UUID, stars)
    .replaceAll(VAULT, stars)
    .replaceAll(RUN, (run) => (looksRandom(run) ? stars(run) : run));
}

/** Digits, capitals and small letters without the order that names and paths have. */
function looksRandom(run: string): boolean {
  if (/^[A-Za-z0-9+/]{21,}={1,2}$/.test(run)) return true;
  return run.split(/[/_-]/).some((part) => {
    return part.length >= 16 && /\d/.test(part) && /[a-z]/.test(part) && /[A-Z]/.test(part);
  });
}

/** The name of an unknown key in quotes: something else may stand where a key should. */
export function nameToShow(text: string): string {
  return isName(text) ? `"${text}"` : "(not shown, since it does not look like one)";
}

/** The value of a harmless key, in quotes; in its place, too, something else may stand. */
export function valueToShow(text: string): string {
  return isHarmless(text) ? `"${text}"` : "a text that is not shown";
}

function isHarmless(text: string): boolean {
  return text.length <= 100 && !/[=$]/.test(text) && redactText(text) === text;
}

/** Small letters, as keys have; or what is nearly a key of Nomad's. */
function isName(text: string): boolean {
  if (text.length > NAME_LENGTH_MAX) return false;
  const digits = text.match(/\d/g) ?? [];
  if (/^[\p{Ll}\p{Lo}_][\p{Ll}\p{Lo}\d_.-]*$/u.test(text)) return digits.length <= 3;
  return nearest(text, KNOWN) !== undefined;
}

/**
 * A line of a file for an error text; as many characters as before.
 *
 * @param before the line before it, where its key may be
 */
export function redactLine(line: string, before: string): string {
  if (/[=:]\s*$|<</.test(before)) return stars(line);
  return new LineReader(line).read();
}

const BLANK = /\s+/y;
const SIGNS = /[{}[\],]/y;
const KEY = /("?)([\p{L}_][\p{L}\p{Nd}_.-]*)\1(?=[\s={:]|$)/uy;
const ASSIGNS = /\s*[=:]\s*/y;
const VALUE = /"[^"\\]*"|-?\d{1,10}(?:\.\d{1,10})?(?![^\s,}\]])|(?:true|false)\b/y;

/** Copies what it understands to be harmless; from the first other thing on, stars. */
class LineReader {
  readonly #line: string;
  #at = 0;
  #shown = "";

  constructor(line: string) {
    this.#line = line;
  }

  read(): string {
    while (this.#at < this.#line.length && this.#one());
    return this.#shown + stars(this.#line.slice(this.#at));
  }

  #one(): boolean {
    if (this.#copy(BLANK) || this.#copy(SIGNS)) return true;
    const key = this.#take(KEY);
    if (key === undefined) return false;
    const name = key.replaceAll('"', "");
    const known = KNOWN.has(name.toLowerCase());
    const assigns = /^\s*[=:{]/.test(this.#line.slice(this.#at));
    this.#put(known || (assigns && isName(name)) ? key : stars(key));
    if (isSecretName(name)) return this.#copy(ASSIGNS) && false;
    if (this.#copy(ASSIGNS)) {
      if (known && this.#copy(/\[?\s*\{/y)) return true;
      return SHOWN.has(name.toLowerCase()) && this.#value();
    }
    return known || this.#copy(/\s*\{/y);
  }

  #value(): boolean {
    const list = this.#copy(/\[\s*/y);
    for (;;) {
      const value = this.#take(VALUE);
      if (value === undefined) return list && this.#copy(/\]/y);
      this.#put(isHarmless(value) ? value : stars(value));
      if (!list) return true;
      this.#copy(/\s*,?\s*/y);
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#line);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0];
  }

  #put(text: string): true {
    this.#shown += text;
    return true;
  }

  #copy(pattern: RegExp): boolean {
    const found = this.#take(pattern);
    return found !== undefined && this.#put(found);
  }
}

function stars(text: string): string {
  return text.replaceAll(/\S/gu, "*");
}
