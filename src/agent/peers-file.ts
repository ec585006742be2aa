/**
 * `raft/peers.json`: the way back for a group that has lost its quorum for good. The operator names
 * who is left, on each of them; at the next start the log as it stands becomes the state, with
 * those servers as the group, and the file goes (hashicorp/raft's RecoverCluster).
 *
 * @module
 */

import { isObject } from "../config/tree.ts";
import { readFileIfThere } from "../host/disk.ts";
import { remove } from "../host/files.ts";
import type { Log } from "../host/host.ts";
import { splitHostPort } from "../host/ip.ts";
import type { RaftStore, StoredRaft } from "../host/raft-store.ts";
import { EntryType, type RaftServer } from "../protocol/raft/message.ts";
import { checkStored } from "../service/raft/sanity.ts";
import { configurationCodec } from "../wire/raft-codec.ts";
import { replay } from "./raft-replay.ts";

/**
 * @param path of peers.json; where there is none nothing happens
 * @param selfId this server's own id
 * @throws Error with one sentence for the operator, and nothing has changed
 */
export function recoverGroup(path: string, selfId: string, store: RaftStore, log: Log): void {
  const file = readFileIfThere(path);
  if (file === undefined) return;
  const servers = parsePeers(new TextDecoder().decode(file), path);
  const stored = store.load();
  checkStored(stored);
  const { entries, snapshot } = stored;
  const index = entries.at(-1)?.index ?? snapshot?.meta.index ?? 0;
  const term = entries.at(-1)?.term ?? snapshot?.meta.term ?? 0;
  if (index === 0) {
    throw new Error(
      `${path} is for servers that were part of a group, and this one has no Raft state: ` +
        "remove the file, and let the server join the others",
    );
  }
  checkIds(path, servers, selfId, idsEver(stored));
  // Nobody is left to ask what was committed, and what was promised is in here.
  const machine = replay(stored);
  const meta = { index, term, configuration: { servers }, configurationIndex: index };
  store.saveSnapshot({ meta, data: machine.snapshot() });
  store.forget(index, undefined);
  remove(path);
  const peers = servers.map((one) => one.address);
  log.warn("the group was made anew from peers.json, which is removed now", { peers, index });
}

function failure(path: string, why: string): Error {
  return new Error(`recovery failed: ${path} ${why}; nothing was changed`);
}

/** A group with a voter that does not exist may never have a quorum again. @throws Error */
function checkIds(
  path: string,
  servers: readonly RaftServer[],
  selfId: string,
  known: ReadonlySet<string>,
): void {
  const stranger = servers.find((one) => one.id !== selfId && !known.has(one.id));
  if (stranger !== undefined) {
    const ids = [...known].sort().join(", ");
    throw failure(
      path,
      `names the id ${stranger.id}, which no server of the group has had (${ids})`,
    );
  }
  if (servers.some((one) => one.id === selfId)) return;
  throw failure(path, `does not name this server, whose id is ${selfId}`);
}

/** Of every server that was ever part of the group, as far as the log reaches. */
function idsEver({ entries, snapshot }: StoredRaft): ReadonlySet<string> {
  const inLog = entries.flatMap(({ type, data }) => {
    const isOne = type === EntryType.configuration;
    return (isOne ? configurationCodec.decode(data)?.servers : undefined) ?? [];
  });
  const all = [...inLog, ...(snapshot?.meta.configuration.servers ?? [])];
  return new Set(all.map((one) => one.id));
}

function parsePeers(text: string, path: string): readonly RaftServer[] {
  const fail = (why: string): never => {
    throw failure(path, why);
  };
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return fail("is not JSON");
  }
  if (!Array.isArray(read)) return fail("must be a list of servers with id and address");
  const servers = read.map((one: unknown, i): RaftServer => {
    const where = `in its entry ${i + 1}`;
    if (!isObject(one)) return fail(`needs {"id": …, "address": …} ${where}`);
    const { id, address, non_voter: nonVoter = false } = one;
    if (typeof id !== "string" || id === "") return fail(`has no id ${where}`);
    if (typeof address !== "string" || splitHostPort(address).port === undefined) {
      return fail(`has no address of the form ip:port ${where}`);
    }
    if (typeof nonVoter !== "boolean") return fail(`has a non_voter that is no bool ${where}`);
    return { id, address, suffrage: nonVoter ? "nonvoter" : "voter" };
  });
  for (const name of ["id", "address"] as const) {
    const twice = servers.find((one, i) => servers.findIndex((s) => s[name] === one[name]) < i);
    if (twice !== undefined) return fail(`names the ${name} ${twice[name]} twice`);
  }
  if (!servers.some((one) => one.suffrage === "voter")) return fail("names no voter");
  return servers;
}
