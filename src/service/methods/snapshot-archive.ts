/**
 * The file that `operator snapshot save` writes, in Nomad's form: a compressed tar of meta.json,
 * state.bin and their checksums, SHA256SUMS (wire/rpc-and-raft.md §7.3).
 *
 * @module
 */
import { sha256 } from "../../host/digest.ts";
import type { RaftServer, SnapshotMeta } from "../../protocol/raft/message.ts";
import { encodeValue, list, raw } from "../../wire/codec.ts";
import { packFiles, unpackFiles } from "./archive-files.ts";

/** Of an archive, and of what is in it: a stranger's file may not fill the memory. */
export const ARCHIVE_BYTES_MAX = 64 * 1024 * 1024;
/** Of the state of a Nomad cluster, most of which may be left out. */
const CONTENT_BYTES_MAX = 128 * 1024 * 1024;
const SMALL_BYTES_MAX = 1024 * 1024;

const [META, STATE, SUMS] = ["meta.json", "state.bin", "SHA256SUMS"] as const;
const VERSION = 1;
/** As Go numbers them. */
const SUFFRAGES = ["voter", "nonvoter", "staging"] as const;

/** What meta.json tells. */
export interface ArchiveMeta {
  readonly version: number;
  /** Term, index and Unix time in milliseconds, joined by dashes. */
  readonly id: string;
  readonly index: number;
  readonly term: number;
  /** Of state.bin, in bytes. */
  readonly size: number;
}

interface Archive {
  readonly meta: ArchiveMeta;
  /** The state machine's own bytes. */
  readonly state: Uint8Array;
}

export async function packArchive(
  meta: SnapshotMeta,
  state: Uint8Array,
  nowMs: number,
): Promise<Uint8Array> {
  const { index, term, configuration, configurationIndex } = meta;
  const { servers } = configuration;
  const json = JSON.stringify({
    Version: VERSION,
    ID: `${term}-${index}-${nowMs}`,
    Index: index,
    Term: term,
    Peers: peers(servers).toBase64(),
    Configuration: {
      Servers: servers.map(({ id, address, suffrage }) => ({
        Suffrage: SUFFRAGES.indexOf(suffrage),
        ID: id,
        Address: address,
      })),
    },
    ConfigurationIndex: configurationIndex,
    Size: state.length,
  });
  const head = new TextEncoder().encode(json);
  const sums = `${sha256(head).toHex()}  ${META}\n${sha256(state).toHex()}  ${STATE}\n`;
  return packFiles({ [META]: head, [STATE]: state, [SUMS]: new TextEncoder().encode(sums) });
}

/** @throws Error with one sentence: why this is not an archive that can be trusted */
export async function unpackArchive(bytes: Uint8Array): Promise<Archive> {
  if (bytes.length > ARCHIVE_BYTES_MAX) {
    throw new Error(`the archive has more than ${ARCHIVE_BYTES_MAX / 2 ** 20} MiB`);
  }
  const files = await unpackFiles(bytes, {
    [META]: SMALL_BYTES_MAX,
    [STATE]: CONTENT_BYTES_MAX,
    [SUMS]: SMALL_BYTES_MAX,
  });
  const [head, state, sums] = [META, STATE, SUMS].map((name) => files.get(name));
  if (head === undefined || state === undefined || sums === undefined) {
    const missing = [META, STATE, SUMS].filter((name) => !files.has(name));
    throw new Error(`the archive lacks ${missing.join(", ")}: it is no snapshot of Nomad's`);
  }
  checkSums(new TextDecoder().decode(sums), { [META]: head, [STATE]: state });
  const meta = parseMeta(new TextDecoder().decode(head));
  if (meta.size !== state.length) {
    throw new Error(`${STATE} has ${state.length} bytes, but ${META} says ${meta.size}`);
  }
  return { meta, state };
}

/** Lines as `sha256sum` writes them. */
function checkSums(sums: string, files: Readonly<Record<string, Uint8Array>>): void {
  const listed = new Map<string, string>();
  for (const line of sums.split("\n").filter((one) => one.trim() !== "")) {
    const [, hash, name] = /^([0-9a-fA-F]{64})\s+(.+)$/.exec(line) ?? [];
    if (hash === undefined || name === undefined) throw new Error(`bad line in ${SUMS}: ${line}`);
    listed.set(name, hash.toLowerCase());
  }
  for (const [name, content] of Object.entries(files)) {
    const hash = listed.get(name);
    if (hash === undefined) throw new Error(`list missing hash for ${JSON.stringify(name)}`);
    if (hash !== sha256(content).toHex()) {
      throw new Error(`hash check failed for ${JSON.stringify(name)}: the archive is damaged`);
    }
  }
}

function parseMeta(text: string): ArchiveMeta {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error(`${META} is not JSON`);
  }
  const fields: Record<string, unknown> = Object(json);
  const number = (name: string): number => {
    const value = fields[name];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw new Error(`${META} has no usable ${name}`);
  };
  const version = number("Version");
  if (version > VERSION) throw new Error(`unsupported snapshot version ${version}`);
  const id = typeof fields["ID"] === "string" ? fields["ID"] : "";
  return { version, id, index: number("Index"), term: number("Term"), size: number("Size") };
}

/** Addresses of the voters: what Raft read before it had configurations. */
function peers(servers: readonly RaftServer[]): Uint8Array {
  const voters = servers.filter((one) => one.suffrage === "voter");
  const addresses = voters.map((one) => new TextEncoder().encode(one.address));
  return encodeValue(list(raw), addresses);
}
