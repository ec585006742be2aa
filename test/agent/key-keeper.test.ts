/** Changes of the gossip keyring by key queries, with a disk that may refuse. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeyKeeper } from "../../src/agent/key-keeper.ts";
import { loadKeyring } from "../../src/agent/keyring-file.ts";
import { sha256 } from "../../src/host/digest.ts";
import { isKeyFault, makeKey } from "../../src/secret/key.ts";
import { silent } from "../silent.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-keeper-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const raw = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

test("a change that cannot be saved is refused, and changes nothing", () => {
  const path = join(directory, "serf.keyring");
  const first = makeKey(raw(1), sha256);
  if (isKeyFault(first)) throw new Error(first.kind);
  const loaded = loadKeyring(path, first);
  const keeper = createKeyKeeper(loaded, silent);
  expect(keeper.install(raw(2))).toBeUndefined();
  const saved = readFileSync(path, "utf8");
  const before = keeper.list();
  renameSync(directory, `${directory}.gone`);
  for (const refusal of [keeper.install(raw(3)), keeper.use(raw(2)), keeper.remove(raw(2))]) {
    expect(refusal).toStartWith("Failed to write keyring file: ");
    expect(refusal).toContain("no such file or directory");
  }
  expect(keeper.list()).toEqual(before);
  renameSync(`${directory}.gone`, directory);
  expect(readFileSync(path, "utf8")).toBe(saved);
  expect(keeper.use(raw(2))).toBeUndefined();
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual([...before].reverse());
  expect(loaded.keyring.keys.map((key) => key.base64)).toEqual([...before].reverse());
});

test("what has changed is told by fingerprints, and what changes nothing is not", () => {
  const first = makeKey(raw(1), sha256);
  if (isKeyFault(first)) throw new Error(first.kind);
  const told: unknown[] = [];
  const loaded = { ...loadKeyring(undefined, first) };
  const keeper = createKeyKeeper(loaded, silent, (...change) => void told.push(change));
  const second = makeKey(raw(2), sha256);
  if (isKeyFault(second)) throw new Error(second.kind);
  const [one, two] = [first.fingerprint, second.fingerprint];
  for (let i = 0; i < 2; i++) keeper.install(raw(2));
  for (let i = 0; i < 2; i++) keeper.use(raw(2));
  keeper.remove(raw(2));
  for (let i = 0; i < 2; i++) keeper.remove(raw(1));
  expect(told).toEqual([
    ["install", two, [one, two]],
    ["use", two, [two, one]],
    ["remove", one, [two]],
  ]);
});
