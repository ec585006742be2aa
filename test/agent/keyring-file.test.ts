import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeyKeeper } from "../../src/agent/key-keeper.ts";
import { loadKeyring, saveKeyring } from "../../src/agent/keyring-file.ts";
import { sha256 } from "../../src/host/digest.ts";
import { type GossipKey, isKeyFault, parseKey } from "../../src/secret/key.ts";
import { silent } from "../silent.ts";
import { vectors } from "../vectors.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-keyring-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function keyOf(text: string): GossipKey {
  const key = parseKey(text, sha256);
  if (isKeyFault(key)) throw new Error(key.kind);
  return key;
}

describe("files that Serf and Nomad wrote", () => {
  const files = vectors("gossip/gossip-misc.json").keyringFiles;
  for (const [i, one] of files.entries()) {
    test(one.name, () => {
      const path = join(directory, `${i}.keyring`);
      writeFileSync(path, one.text);
      const { keyring, divergence } = loadKeyring(path, keyOf(one.keys[0]));
      expect(keyring.keys.map((key) => key.base64)).toEqual(one.keys);
      expect(divergence).toBeUndefined();
      // Ours is the same, byte for byte.
      saveKeyring(path, keyring, one.text.includes("\n") ? "indented" : "compact");
      expect(readFileSync(path, "utf8")).toBe(one.text);
      expect((statSync(path).mode & 0o777).toString(8)).toBe(one.mode);
    });
  }
});

test("the configured key makes the file, and never overrules it", () => {
  const path = join(directory, "serf.keyring");
  const [first, second] = [1, 2].map((b) => keyOf(Buffer.alloc(16, b).toString("base64")));
  loadKeyring(path, first);
  expect(readFileSync(path, "utf8")).toBe(JSON.stringify([first?.base64]));
  const again = loadKeyring(path, second);
  expect(again.keyring.keys).toEqual(first === undefined ? [] : [first]);
  expect(again.divergence).toContain(String(first?.fingerprint));
  expect(again.divergence).toContain(String(second?.fingerprint));
  expect(again.divergence).not.toContain(String(second?.base64));
});

test("keys out of a file are as old as the file at least, and a new one is of now", () => {
  const path = join(directory, "old.keyring");
  const [first, second] = [1, 2].map((b) => keyOf(Buffer.alloc(16, b).toString("base64")));
  if (first === undefined || second === undefined) throw new Error("no keys");
  loadKeyring(path, first);
  const monthAgo = Math.floor(Date.now() / 1000) - 30 * 86_400;
  utimesSync(path, monthAgo, monthAgo);
  const loaded = loadKeyring(path, first);
  expect(loaded.keyring.sinceMs(first)).toBe(monthAgo * 1000);
  const before = Date.now();
  const keeper = createKeyKeeper(loaded, silent);
  keeper.install(second.bytes);
  keeper.use(second.bytes);
  expect(loaded.keyring.sinceMs(first)).toBe(monthAgo * 1000);
  expect(loaded.keyring.sinceMs(second)).toBeGreaterThanOrEqual(before);
  keeper.remove(first.bytes);
  expect(loaded.keyring.sinceMs(first)).toBeUndefined();
});
