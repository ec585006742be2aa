/** `nomad operator snapshot`: the servers' state to a file, from a file, and what is in one. */

import { dumpArchive, inspectArchive } from "../agent/offline.ts";
import { isObject } from "../config/tree.ts";
import { sha256 } from "../host/digest.ts";
import { SECRET_MODE, writeFileAtomic } from "../host/disk.ts";
import { errorText } from "../host/error-text.ts";
import { isThere, readBytes } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatPairs, formatTable } from "./columns.ts";
import { field, parseAnswer } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

const PATH = PATHS.snapshot;
/** Of what fits into the memory of whoever reads it. */
const ARCHIVE_BYTES_MAX = 2 ** 31;

interface SaveFlags extends ApiFlags {
  readonly stale?: boolean;
}

export async function saveArchive(file: string | undefined, flags: SaveFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const path = file ?? defaultName(new Date());
  // A backup is never overwritten, and nobody waits for one that cannot be kept.
  if (isThere(path)) {
    throw new CommandError(`Destination file already exists: ${JSON.stringify(path)}`);
  }
  const { bytes, headers } = await client
    .ok("GET", flags.stale === true ? `${PATH}?stale` : PATH)
    .catch((error: unknown) => {
      throw new CommandError(`Failed to get a snapshot: ${errorText(error)}`);
    });
  const digest = headers["digest"];
  if (digest !== undefined && digest !== `sha-256=${sha256(bytes).toBase64()}`) {
    throw new CommandError("Failed to get a snapshot: its checksum is not the one of the answer");
  }
  await verified("the agent's answer", inspectArchive(bytes));
  try {
    writeFileAtomic(path, bytes, SECRET_MODE);
  } catch (error) {
    throw new CommandError(`Failed to write ${path}: ${describeErrno(error)}`);
  }
  print(`State file written to ${path}`);
}

export async function restoreArchive(file: string, flags: ApiFlags): Promise<void> {
  const bytes = read(file);
  // Before anybody is asked to replace the state of a cluster by it.
  await verified(file, inspectArchive(bytes));
  const client = new ApiClient(flags, process.env);
  const answer = await client.ok("PUT", PATH, { body: bytes }).catch((error: unknown) => {
    throw new CommandError(`Error restoring snapshot: ${errorText(error)}`);
  });
  print("Snapshot Restored");
  if (answer.body.trim() === "") return;
  // A snapshot of Nomad's has more than the servers here keep.
  const report = parseAnswer(answer.body, `${client.addressText}${PATH}`);
  print(`Kept: ${countsText(field(report, "Kept"))}`);
  print(`Left out: ${countsText(field(report, "LeftOut"))}`);
}

/** `2 Node, 1 ClusterMetadata` */
function countsText(counts: unknown): string {
  const pairs = isObject(counts) ? Object.entries(counts) : [];
  return pairs.length === 0 ? "nothing" : pairs.map(([type, n]) => `${n} ${type}`).join(", ");
}

export async function showArchive(file: string, flags: { readonly json?: boolean }): Promise<void> {
  const { meta, records } = await verified(file, inspectArchive(read(file)));
  const { id, size, index, term, version } = meta;
  const created = createdAt(id);
  if (flags.json === true) {
    const Meta = {
      Created: created,
      ID: id,
      Index: index,
      Size: size,
      Term: term,
      Version: version,
    };
    const Types = records.map(({ name, count, size }) => ({
      Type: name,
      Count: count,
      Size: size,
    }));
    return print(JSON.stringify({ Meta, Types }, null, 2));
  }
  const pairs = { Created: created, ID: id, Size: bytesText(size), Index: index, Term: term };
  print(`${formatPairs(Object.entries({ ...pairs, Version: version }))}\n`);
  const cells = records.map(({ name, count, size }) => [name, String(count), bytesText(size)]);
  print(formatTable([["Type", "Count", "Size"], ...cells]));
}

export async function snapshotState(file: string): Promise<void> {
  const state = await verified(file, dumpArchive(read(file)));
  print(JSON.stringify(state, null, 2));
}

/** @throws CommandError */
async function verified<T>(what: string, archive: Promise<T>): Promise<T> {
  try {
    return await archive;
  } catch (error) {
    throw new CommandError(`Error verifying snapshot ${what}: ${errorText(error)}`);
  }
}

function read(file: string): Uint8Array {
  try {
    return readBytes(file, ARCHIVE_BYTES_MAX);
  } catch (error) {
    throw new CommandError(`Error opening snapshot file: open ${file}: ${describeErrno(error)}`);
  }
}

/** As Nomad names it, by UTC. */
function defaultName(now: Date): string {
  const day = now.toISOString().slice(0, 10).replaceAll("-", "");
  return `nomad-state-${day}-${Math.floor(now.getTime() / 1000)}.snap`;
}

/** Out of the id's last part; "" for an id of another form. */
function createdAt(id: string): string {
  const date = new Date(Number(/^\d+-\d+-(\d+)$/.exec(id)?.[1] ?? Number.NaN));
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().replace(/\.\d+Z$/, "Z");
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB"];
  let [value, unit] = [bytes / 1024, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${units[unit]}`;
}
