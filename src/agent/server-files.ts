/** Where a server keeps what it has to have again after a restart. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { makeDirectory } from "../host/disk.ts";

/** The server's `node-id`; nowhere in dev mode. */
export function nodeIdPath(config: Config): string | undefined {
  if (config.dataDir === "") return undefined;
  const directory = config.server.dataDir ?? join(config.dataDir, "server");
  makeDirectory(directory);
  return join(directory, "node-id");
}

/** Always below data_dir, also when server.data_dir is set; nowhere in dev mode. */
export function keyringPath(config: Config): string | undefined {
  if (config.dataDir === "" || !config.server.enabled) return undefined;
  makeDirectory(join(config.dataDir, "server"));
  return join(config.dataDir, "server", "serf.keyring");
}
