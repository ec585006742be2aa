/** What the doctor makes of the keys that members say they have. */
import { expect, test } from "bun:test";
import { cutOff, findingsOf } from "../../src/api/gossip-keys.ts";
import { sha256 } from "../../src/host/digest.ts";
import type { KeyQueryResult } from "../../src/protocol/serf/action.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";

const [A, B, C] = [1, 2, 3].map((byte) => {
  const key = makeKey(new Uint8Array(32).fill(byte), sha256);
  if (isKeyFault(key)) throw new Error(key.kind);
  return key;
});
if (A === undefined || B === undefined || C === undefined) throw new Error("no keys");

/** Members and their keys, primary first. */
function answers(held: Record<string, readonly { base64: string }[]>, ...silent: string[]) {
  const all = Object.entries(held).map(([name, keys]) => {
    const texts = keys.map(({ base64 }) => base64);
    return [name, { result: true, message: "", keys: texts, primaryKey: texts[0] ?? "" }] as const;
  });
  const result: KeyQueryResult = {
    answers: new Map(all),
    expected: all.length + silent.length,
    silent: new Set(silent),
  };
  return findingsOf(result, A?.fingerprint ?? "").findings.map(
    ({ who, what }) => `${who}: ${what}`,
  );
}

test("one key everywhere: nothing to say", () => {
  expect(answers({ s1: [A], s2: [A], s3: [A] })).toEqual([]);
});

test("a member that seals with another key is named, and whether it can read the others", () => {
  expect(answers({ s1: [A], s2: [A, B], s3: [B, A] })).toEqual([
    `s3: it seals gossip with key ${B.fingerprint}, the others with ${A.fingerprint}`,
  ]);
  expect(answers({ s1: [A, B], s2: [B], s3: [B, A] })).toEqual([
    `s1: it seals gossip with key ${A.fingerprint}, the others with ${B.fingerprint}`,
  ]);
  expect(answers({ s1: [A, B], s2: [B] })).toEqual([
    `s2: it seals gossip with key ${B.fingerprint}, the others with ${A.fingerprint}, which it does not have`,
  ]);
});

test("an old key is named with all who still have it, never by its bytes", () => {
  const found = answers({ s1: [A, C], s2: [A], s3: [A, C] });
  expect(found).toEqual([
    `s1, s3: key ${C.fingerprint} is still installed, and nobody seals with it`,
  ]);
});

test("whoever does not answer is named", () => {
  expect(answers({ s1: [A] }, "s3", "s2")).toEqual([
    "s2: it does not answer which gossip keys it has",
    "s3: it does not answer which gossip keys it has",
  ]);
});

test("servers that gossip has lost are named, and those of the Raft group that it never knew", () => {
  const member = (name: string, status: string) => ({
    name,
    addr: Uint8Array.of(10, 0, 0, 1),
    port: 4648,
    tags: new Map([["id", `id-${name}`]]),
    status,
    versions: Uint8Array.of(1, 5, 2, 2, 5, 4),
  });
  const members = ["alive", "failed", "failed", "left"].map((status, i) => member(`s${i}`, status));
  const servers = ["id-s0", "id-s3", "id-s9"];
  const found = cutOff({
    primary: A.fingerprint,
    members,
    raft: servers.map((id) => ({ id, address: `${id}:4647`, suffrage: "voter" })),
    reachable: ({ name }) => name === "s1",
  });
  expect(found.map(({ who, what }) => `${who}: ${what}`)).toEqual([
    "s1: gossip holds it for failed, though its RPC port answers: " +
      "another gossip key may have cut it off",
    "s2: gossip holds it for failed: if the gossip key was changed since, it is cut off by it",
    "id-s9:4647 (id-s9): it is in the Raft group, and gossip does not know it: " +
      "has it another gossip key?",
  ]);
  for (const { fix } of found) expect(fix).toContain("remove server/serf.keyring");
});
