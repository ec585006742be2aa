/**
 * Who a client node is: its id, and the secret that proves it, in files of Nomad's names and form.
 * Whoever has both is this node.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { makeDirectory } from "../host/disk.ts";
import { textOf } from "../host/fingerprint.ts";
import { loadNodeId } from "./node-id.ts";

export interface ClientIdentity {
  readonly id: string;
  readonly secret: string;
  /** What else it keeps is there; undefined: nowhere, in dev mode. */
  readonly directory: string | undefined;
}

/** @throws Error with one sentence for the operator */
export function loadClientIdentity(config: Config): ClientIdentity {
  const { client, dataDir } = config;
  const directory = client.stateDir ?? (dataDir === "" ? undefined : join(dataDir, "client"));
  if (directory !== undefined) makeDirectory(directory);
  const path = (name: string): string | undefined =>
    directory === undefined ? undefined : join(directory, name);
  const fresh = client.noHostUuid ? undefined : idOfMachine();
  return {
    id: loadNodeId(path("client-id"), fresh),
    secret: loadNodeId(path("secret-id")),
    directory,
  };
}

/** The same at each start, and not the machine's own id, which others may use for other things. */
function idOfMachine(): string | undefined {
  const found = [
    textOf("/sys/class/dmi/id/product_uuid"),
    textOf("/etc/machine-id").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
  ].map((text) => text.trim().toLowerCase());
  const id = found.find((one) => /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(one));
  if (id === undefined) return undefined;
  const hex = createHash("sha512").update(id).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}
