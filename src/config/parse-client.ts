/** The `client` block, and `server_join`, which servers have too. */
import {
  ADDRESS_FAMILIES,
  type ClientConfig,
  type HostVolumeConfig,
  type JoinConfig,
  type ReservedConfig,
} from "./config.ts";
import { IGNORED_CLIENT } from "./ignored.ts";
import { valueToShow } from "./redact.ts";
import type { Section } from "./section.ts";

const RETRY_INTERVAL_MS = 30_000;
const RETRY_INTERVAL_MIN_MS = 100;
const NODE_POOL = /^[A-Za-z0-9_-]{1,128}$/;
const PORTS = /^(?:\s*\d{1,5}\s*(?:-\s*\d{1,5}\s*)?(?:,|$))*$/;
const META_KEY = /^[^.]+(?:\.[^.]+)*$/;
const ALLOC_DIRECTORIES = ["alloc_dir", "alloc_mounts_dir"];
/** Of compute in MHz, of mebibytes, of megabits. */
const AMOUNT_MAX = 0x7fff_ffff;
const OTHER_DIRECTORIES = ["host_volumes_dir", "host_volume_plugin_dir"];
/** Blocks with a label of which a client has several. */
const REPEATABLE = ["host_volume", "host_network", "fingerprint", "template"];
const MISPLACED = {
  function_denylist: "client.template",
  disable_file_sandbox: "client.template",
  max_stale: "client.template",
  wait: "client.template",
  wait_bounds: "client.template",
  block_query_wait: "client.template",
  consul_retry: "client.template",
  vault_retry: "client.template",
  nomad_retry: "client.template",
};

export const NO_CLOUD_JOIN =
  "this agent asks no cloud for addresses (provider=, exec=): list the servers' own";

/** An address that Nomad finds by asking a cloud or a program. */
export function isCloudJoin(address: string): boolean {
  return /(?:^|\s)provider=|^exec=/.test(address);
}

/** A path that Nomad wants to be absolute. */
export function readDirectory(section: Section, key: string): string | undefined {
  const path = section.text(key);
  if (path !== undefined && !path.startsWith("/")) {
    section.mistake(key, `must be an absolute path, found ${valueToShow(path)}`);
  }
  return path;
}

/** `server_join { }`, or the older keys beside it; not both where it says whom to join. */
export function readJoin(section: Section): JoinConfig {
  const block = section.block("server_join");
  const [inner, outer] = [joinKeys(block, "replace"), joinKeys(section, "append")];
  block.finish();
  if ((inner.retryJoin ?? []).length > 0) {
    const clash = (key: string, isSet: boolean): void => {
      if (!isSet) return;
      section.fail(
        key,
        `server_join and ${key} cannot both be defined; prefer setting the server_join block`,
      );
    };
    clash("retry_join", (outer.retryJoin ?? []).length > 0);
    clash("start_join", (outer.startJoin ?? []).length > 0);
    clash("retry_max", outer.retryMax !== undefined);
    clash("retry_interval", outer.retryIntervalMs !== undefined);
    if ((inner.startJoin ?? []).length > 0) {
      block.fail("retry_join", "retry_join and start_join cannot both be defined");
    }
  }
  const older = outer.retryJoin ?? [];
  return {
    startJoin: [...(outer.startJoin ?? []), ...(inner.startJoin ?? [])],
    retryJoin: older.length > 0 ? toDial(section, older) : toDial(block, inner.retryJoin),
    retryIntervalMs: outer.retryIntervalMs ?? inner.retryIntervalMs ?? RETRY_INTERVAL_MS,
    retryMax: outer.retryMax ?? inner.retryMax ?? 0,
  };
}

/** What a cloud would be asked with may be a key, and is kept nowhere. */
function toDial(section: Section, addresses: readonly string[] = []): readonly string[] {
  const dialled = addresses.filter((one) => !isCloudJoin(one));
  if (dialled.length < addresses.length) {
    section.warn("retry_join", `${NO_CLOUD_JOIN}; these are passed over`);
  }
  return dialled;
}

function joinKeys(
  from: Section,
  lists: "append" | "replace",
): { [Key in keyof JoinConfig]: JoinConfig[Key] | undefined } {
  const retryMax = from.int("retry_max", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const interval = from.durationMs("retry_interval");
  return {
    startJoin: from.texts("start_join", lists),
    retryJoin: from.texts("retry_join", lists),
    // Without a pause it would be a flood.
    retryIntervalMs: interval === undefined ? undefined : Math.max(interval, RETRY_INTERVAL_MIN_MS),
    retryMax: retryMax === undefined ? undefined : Math.max(0, retryMax),
  };
}

/**
 * And whether it says itself where everything is that is else below data_dir.
 *
 * @param devMode a client, too, as Nomad's
 */
export function readClient(
  top: Section,
  devMode: boolean,
): {
  readonly client: ClientConfig;
  readonly hasPaths: boolean;
} {
  const section = top.block("client", {
    once: true,
    repeatable: REPEATABLE,
    misplaced: MISPLACED,
  });
  const block = section.block("server_join");
  if (block.has("start_join")) {
    block.mistake("start_join", "is not supported for Nomad clients", "use retry_join");
  }
  const join = joinKeys(block, "replace");
  const stateDir = readDirectory(section, "state_dir");
  const client: ClientConfig = {
    enabled: section.bool("enabled") ?? devMode,
    servers: section.texts("servers") ?? [],
    join: {
      startJoin: [],
      retryJoin: toDial(block, join.retryJoin),
      retryIntervalMs: join.retryIntervalMs ?? RETRY_INTERVAL_MS,
      retryMax: join.retryMax ?? 0,
    },
    nodeClass: section.text("node_class") ?? "",
    nodePool: readNodePool(section),
    meta: section.textMap("meta") ?? {},
    ...readMachine(section),
    hostVolumes: readHostVolumes(section),
    defaultIneligible: section.bool("default_ineligible") ?? false,
    drainOnShutdown: readDrain(section),
    noHostUuid: section.ownBool("no_host_uuid") ?? true,
    stateDir,
  };
  const paths = [stateDir, ...ALLOC_DIRECTORIES.map((key) => readDirectory(section, key))];
  if (client.enabled && Object.keys(client.meta).some((key) => !META_KEY.test(key))) {
    section.mistake("meta", "a key may not begin or end with a dot, or have two in a row");
  }
  block.finish();
  for (const key of OTHER_DIRECTORIES) readDirectory(section, key);
  section.ignore(IGNORED_CLIENT);
  section.finish();
  return { client, hasPaths: paths.every((path) => path !== undefined) };
}

/** What the node tells of its machine, where that is not left to it. */
function readMachine(
  section: Section,
): Pick<
  ClientConfig,
  | "networkInterface"
  | "preferredAddressFamily"
  | "networkSpeed"
  | "cpuTotalCompute"
  | "memoryTotalMb"
  | "diskTotalMb"
  | "reserved"
> {
  const amount = (key: string): number => section.int(key, 0, AMOUNT_MAX) ?? 0;
  return {
    networkInterface: section.text("network_interface") ?? "",
    preferredAddressFamily: section.word("preferred_address_family", ADDRESS_FAMILIES),
    networkSpeed: amount("network_speed"),
    cpuTotalCompute: amount("cpu_total_compute"),
    memoryTotalMb: amount("memory_total_mb"),
    diskTotalMb: amount("disk_total_mb"),
    reserved: readReserved(section.block("reserved")),
  };
}

function readReserved(section: Section): ReservedConfig {
  const reserved = {
    cpuMhz: section.int("cpu", 0, AMOUNT_MAX) ?? 0,
    memoryMb: section.int("memory", 0, AMOUNT_MAX) ?? 0,
    diskMb: section.int("disk", 0, AMOUNT_MAX) ?? 0,
    ports: section.text("reserved_ports") ?? "",
  };
  if (!PORTS.test(reserved.ports)) {
    section.mistake("reserved_ports", "must be ports and ranges such as 22,80,8500-8600");
  }
  section.ignore({ cores: "text" });
  section.finish();
  return reserved;
}

function readHostVolumes(section: Section): readonly HostVolumeConfig[] {
  const all = section.block("host_volume", { once: false });
  return all.names().map((name) => {
    const block = all.block(name.toLowerCase());
    const path = readDirectory(block, "path") ?? "";
    if (path === "") block.mistake("path", "must be an absolute path");
    const volume = { name, path, readOnly: block.bool("read_only") ?? false };
    block.finish();
    return volume;
  });
}

/** There are no jobs to wait for: that the block is there is all that counts. */
function readDrain(section: Section): boolean {
  const block = section.block("drain_on_shutdown");
  block.ignore({ deadline: "duration", force: "flag", ignore_system_jobs: "flag" });
  block.finish();
  return block.at !== undefined;
}

function readNodePool(section: Section): string {
  const pool = section.text("node_pool") ?? "default";
  if (!NODE_POOL.test(pool)) {
    section.mistake("node_pool", "must be 1 to 128 letters, digits, - and _");
  } else if (pool === "all") {
    section.mistake("node_pool", 'node is not allowed to register in node pool "all"');
  }
  return pool;
}
