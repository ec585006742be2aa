/**
 * Raft's snapshot on disk: one line of JSON that says what it is, with a checksum of all that
 * counts, and then the state machine's own bytes. The one before it is kept.
 *
 * @module
 */
import { join } from "node:path";
import type { SnapshotMeta } from "../protocol/raft/message.ts";
import { sha256 } from "./digest.ts";
import { readFileIfThere, SECRET_MODE, writeFileAtomic } from "./disk.ts";

export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  /** The state machine's own bytes. */
  readonly data: Uint8Array;
}

export interface LoadedSnapshot {
  readonly snapshot: StoredSnapshot | undefined;
  /** Something was wrong and could be mended; one sentence for the operator. */
  readonly warning: string | undefined;
}

/** Of this file. A later one is not taken for damage: its checksum is of the same parts. */
const FORM = 1;
const NAME = "snapshot";
const NAME_BEFORE = "snapshot.old";
export const SNAPSHOT_FILES: readonly string[] = [NAME, NAME_BEFORE];

/** All of it or nothing. @throws when the disk fails: the one of before is still there */
export function writeSnapshot(directory: string, { meta, data }: StoredSnapshot): void {
  const sum = sha256(textOf({ form: FORM, meta }), data).toHex();
  const head = { form: FORM, meta, size: data.length, sha256: sum };
  const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const file = new Uint8Array(line.length + data.length);
  file.set(line);
  file.set(data, line.length);
  writeFileAtomic(join(directory, NAME), file, SECRET_MODE, join(directory, NAME_BEFORE));
}

/**
 * The last snapshot; the one before it where that one is damaged and the log goes on from there.
 *
 * @param forgotten up to this index a snapshot stands for the log; 0: the log is all there
 * @throws Error with one sentence for the operator
 */
export function loadSnapshot(directory: string, forgotten: number): LoadedSnapshot {
  const path = join(directory, NAME);
  const last = readSnapshotFile(path);
  if (isEnough(last, forgotten)) return { snapshot: last, warning: undefined };
  const old = readSnapshotFile(join(directory, NAME_BEFORE));
  if (last === undefined && old === undefined && forgotten === 0) {
    return { snapshot: undefined, warning: undefined };
  }
  const what = problemOf(last);
  const before = isEnough(old, forgotten) ? old : undefined;
  if (before === undefined && forgotten > 0) {
    throw new Error(
      `the Raft snapshot ${path} ${what}. Move the raft folder away, and let this server join ` +
        "again, or restore a copy of it",
    );
  }
  const by = before === undefined ? "the log makes" : "the one before it and the log make";
  const warning = `the Raft snapshot ${path} ${what}; ${by} up for it: nothing is lost`;
  return { snapshot: before, warning };
}

type Found = StoredSnapshot | "damaged" | undefined;

function isEnough(found: Found, forgotten: number): found is StoredSnapshot {
  return found !== undefined && found !== "damaged" && found.meta.index >= forgotten;
}

function problemOf(found: Found): string {
  if (found === undefined) return "is missing";
  return found === "damaged" ? "is damaged: its checksum does not match" : "is too old for the log";
}

/** undefined: there is none. @throws Error with one sentence for the operator */
function readSnapshotFile(path: string): Found {
  const file = readFileIfThere(path);
  if (file === undefined) return undefined;
  const end = file.indexOf(0x0a);
  const data = new Uint8Array(file.subarray(end + 1));
  const head = parseHead(new TextDecoder().decode(file.subarray(0, Math.max(end, 0))));
  if (head?.size !== data.length) return "damaged";
  const { form, meta, sha256: sum } = head;
  // Files of before had a checksum without the form, or of the data alone.
  const covered = form === undefined ? meta : { form, meta };
  const ofOld = form === undefined && sha256(data).toHex() === sum;
  if (!ofOld && sha256(textOf(covered), data).toHex() !== sum) return "damaged";
  if (form === undefined || form <= FORM) return { meta, data };
  const why = `was written by a later release (its form is ${form}): use that one`;
  throw new Error(`the Raft snapshot ${path} ${why}`);
}

function textOf(covered: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(covered));
}

interface Head {
  /** Files of before have none. */
  readonly form?: number;
  readonly meta: SnapshotMeta;
  readonly size: number;
  readonly sha256: string;
}

function parseHead(text: string): Head | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
