/**
 * What the doctor finds in the gossip pool: members with different keys, old keys that are still
 * installed, and servers that a key may have cut off. Keys are shown by fingerprint.
 *
 * @module
 */
import { sha256 } from "../host/digest.ts";
import type { RaftServer } from "../protocol/raft/message.ts";
import type { KeyQueryResult } from "../protocol/serf/action.ts";
import { isKeyFault, parseKey } from "../secret/key.ts";
import type { ServerMember } from "../wire/rpc-status.ts";
import { printable } from "../wire/text.ts";
import type { ApiContext } from "./context.ts";

interface Finding {
  /** A member, or several. */
  readonly who: string;
  readonly what: string;
  readonly fix: string;
}

interface KeyHolder {
  readonly name: string;
  /** Fingerprints. */
  readonly primary: string;
  readonly keys: readonly string[];
}

interface GossipKeys {
  readonly holders: readonly KeyHolder[];
  readonly findings: readonly Finding[];
}

const NONE: GossipKeys = { holders: [], findings: [] };
const ROTATE = "run nomad operator gossip keyring rotate";
/** For a server that came too late for a new key. */
const GIVE_KEY =
  "put the key that the others use into server.encrypt there, remove server/serf.keyring from its " +
  "data_dir and start it again";

/** Asks every member for its keys; waits as long as a query of Serf's takes. */
export async function gossipKeys(context: ApiContext): Promise<GossipKeys> {
  const { gossip, config } = context;
  if (gossip?.keyring.primary === undefined) return NONE;
  const asked = gossip.askKeys("list", new Uint8Array(0));
  if (typeof asked === "string") {
    const what = `it could not ask for the gossip keys: ${asked}`;
    return { holders: [], findings: [{ who: config.name, what, fix: "try again" }] };
  }
  return findingsOf(await asked, gossip.keyring.primary.fingerprint);
}

/** @param own fingerprint of our primary */
export function findingsOf(result: KeyQueryResult, own: string): GossipKeys {
  const holders = holdersOf(result);
  const findings = [...unheard(result)];
  const primary = mostCommon(holders, own);
  for (const { name, primary: other, keys } of holders) {
    if (other === primary) continue;
    const lacks = keys.includes(primary) ? "" : ", which it does not have";
    const what = `it seals gossip with key ${other}, the others with ${primary}${lacks}`;
    findings.push({ who: name, what, fix: ROTATE });
  }
  return { holders, findings: [...findings, ...oldKeys(holders)] };
}

/** What gossip, Raft and a look at the RPC ports say of the servers. */
interface Seen {
  /** Fingerprint of our primary key. */
  readonly primary: string;
  readonly members: readonly ServerMember[];
  readonly raft: readonly RaftServer[];
  readonly reachable: (member: ServerMember) => boolean;
}

/** Servers that gossip has lost, though they may be well otherwise. */
export function cutOff({ primary, members, raft, reachable }: Seen): readonly Finding[] {
  const findings: Finding[] = [];
  const how = `compare gossip.keys in /v1/status there with ${primary}`;
  for (const member of members) {
    if (member.status !== "failed") continue;
    const who = printable(member.name);
    const what = "gossip holds it for failed";
    if (reachable(member)) {
      const may = `${what}, though its RPC port answers: another gossip key may have cut it off`;
      const ports = "if it has the key, open port 4648 for UDP and TCP between the servers";
      findings.push({ who, what: may, fix: `${how}; if it is another, ${GIVE_KEY}; ${ports}` });
      continue;
    }
    const may = `${what}: if the gossip key was changed since, it is cut off by it`;
    findings.push({ who, what: may, fix: `if it stays so once it is started, ${GIVE_KEY}` });
  }
  const known = new Set(members.map((member) => member.tags.get("id")));
  for (const { id, address } of raft) {
    if (known.has(id)) continue;
    const what = "it is in the Raft group, and gossip does not know it: has it another gossip key?";
    findings.push({
      who: `${address} (${id})`,
      what,
      fix: `${how}; if it is another, ${GIVE_KEY}`,
    });
  }
  return findings;
}

function holdersOf(result: KeyQueryResult): readonly KeyHolder[] {
  const holders: KeyHolder[] = [];
  for (const [name, { result: done, keys, primaryKey }] of result.answers) {
    if (!done) continue;
    const held = (keys ?? []).map(fingerprint);
    // Members of old releases do not say which is the primary: it is the first.
    const primary = primaryKey === "" ? (held[0] ?? "") : fingerprint(primaryKey);
    holders.push({ name: printable(name), primary, keys: held });
  }
  return holders.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function* unheard(result: KeyQueryResult): Iterable<Finding> {
  for (const name of [...result.silent].sort()) {
    const what = "it does not answer which gossip keys it has";
    const fix = "look into its log, and ask again when gossip shows it as alive or failed";
    yield { who: printable(name), what, fix };
  }
  for (const [name, answer] of result.answers) {
    if (answer.result) continue;
    const what = `it cannot say which gossip keys it has: ${answer.message}`;
    yield { who: printable(name), what, fix: "set server.encrypt there" };
  }
}

function oldKeys(holders: readonly KeyHolder[]): readonly Finding[] {
  const inUse = new Set(holders.map(({ primary }) => primary));
  const where = new Map<string, string[]>();
  for (const { name, keys } of holders) {
    for (const key of keys) {
      if (!inUse.has(key)) where.set(key, [...(where.get(key) ?? []), name]);
    }
  }
  return [...where].map(([key, names]) => ({
    who: names.join(", "),
    what: `key ${key} is still installed, and nobody seals with it`,
    fix: `nomad operator gossip keyring remove ${key}, or keyring rotate`,
  }));
}

/** @param own what counts when there is no majority */
function mostCommon(holders: readonly KeyHolder[], own: string): string {
  const counts = new Map([[own, 0.5]]);
  for (const { primary } of holders) counts.set(primary, (counts.get(primary) ?? 0) + 1);
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}

function fingerprint(base64: string): string {
  const key = parseKey(base64, sha256);
  return isKeyFault(key) ? "unreadable" : key.fingerprint;
}
