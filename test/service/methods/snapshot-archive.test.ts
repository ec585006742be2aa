/** Snapshot archives: what is written is read, and what cannot be trusted says why. */
import { expect, test } from "bun:test";
import { createGzip, gunzipSync } from "node:zlib";
import type { SnapshotMeta } from "../../../src/protocol/raft/message.ts";
import { packArchive, unpackArchive } from "../../../src/service/methods/snapshot-archive.ts";

const META: SnapshotMeta = {
  index: 22,
  term: 3,
  configuration: { servers: [{ id: "a", address: "127.0.0.1:4647", suffrage: "nonvoter" }] },
  configurationIndex: 5,
};
const STATE = new TextEncoder().encode("a state");
const hash = (text: string | Uint8Array): string => {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
};

function archiveOf(files: Record<string, string>): Promise<Uint8Array> {
  return new Bun.Archive(files, { compress: "gzip" }).bytes();
}

const HEAD = JSON.stringify({ Version: 1, ID: "3-22-5", Index: 22, Term: 3, Size: 7 });
const STATE_SUM = `${hash("a state")}  state.bin\n`;
const SUMS = `${hash(HEAD)}  meta.json\n${STATE_SUM}`;

/** Whole, but for these files. */
function made(others: Record<string, string>): Promise<Uint8Array> {
  const whole = { "meta.json": HEAD, "state.bin": "a state", SHA256SUMS: SUMS };
  return archiveOf({ ...whole, ...others });
}

test("what is packed is there again, with its index, term and time", async () => {
  const { meta, state } = await unpackArchive(await packArchive(META, STATE, 1764061386000));
  expect(state).toEqual(STATE);
  expect(meta).toEqual({ version: 1, id: "3-22-1764061386000", index: 22, term: 3, size: 7 });
  expect((await unpackArchive(await made({}))).meta.index).toBe(22);
});

for (const [what, files, text] of [
  ["a file too many", { extra: "x" }, /unexpected file "extra"/],
  ["another state", { "state.bin": "b state" }, /hash check failed for "state.bin"/],
  ["another meta.json", { "meta.json": `${HEAD} ` }, /hash check failed for "meta.json"/],
  ["a sum too few", { SHA256SUMS: STATE_SUM }, /missing hash for "meta.json"/],
  ["a sum that is none", { SHA256SUMS: `${SUMS}zz  x\n` }, /bad line in SHA256SUMS/],
] as const) {
  test(`refused: ${what}`, async () => {
    await expect(unpackArchive(await made(files))).rejects.toThrow(text);
  });
}

test("refused: a file too few", async () => {
  const bytes = await archiveOf({ "meta.json": HEAD, "state.bin": "a state" });
  await expect(unpackArchive(bytes)).rejects.toThrow(/lacks SHA256SUMS/);
});

for (const [meta, text] of [
  ["{}", /no usable Version/],
  ["[1", /is not JSON/],
  ['{"Version":2,"Index":1,"Term":1,"Size":7}', /unsupported snapshot version 2/],
  ['{"Version":1,"Index":-1,"Term":1,"Size":7}', /no usable Index/],
  ['{"Version":1,"Index":1,"Term":1,"Size":8}', /has 7 bytes, but meta.json says 8/],
] as const) {
  test(`refused: meta.json ${meta}`, async () => {
    const SHA256SUMS = `${hash(meta)}  meta.json\n${STATE_SUM}`;
    const bytes = await made({ "meta.json": meta, SHA256SUMS });
    await expect(unpackArchive(bytes)).rejects.toThrow(text);
  });
}

test("cut or changed anywhere it is refused, or still whole", async () => {
  const bytes = await packArchive(META, STATE, 5);
  for (let length = 0; length < bytes.length; length++) {
    await expect(unpackArchive(bytes.subarray(0, length))).rejects.toThrow();
  }
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    const changed = new Uint8Array(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    const state = await unpackArchive(changed).then(
      (archive) => archive.state,
      () => undefined,
    );
    if (state === undefined) refused += 1;
    else expect(state).toEqual(STATE);
  }
  expect(refused).toBeGreaterThan(bytes.length * 0.9);
});

test("a few bytes that unpack to more than memory should take are refused", async () => {
  const gzip = createGzip();
  const packed: Uint8Array[] = [];
  gzip.on("data", (chunk: Uint8Array) => packed.push(chunk));
  const zeros = new Uint8Array(4 * 1024 * 1024);
  for (let i = 0; i < 70; i++) await new Promise((resolve) => gzip.write(zeros, resolve));
  await new Promise<void>((resolve) => gzip.end(resolve));
  const bomb = Buffer.concat(packed);
  expect(bomb.length).toBeLessThan(1024 * 1024);
  await expect(unpackArchive(bomb)).rejects.toThrow(/decompressed, has more than \d+ MiB/);
});

test("a file that says it is larger than may be is refused before it is there", async () => {
  const large = await archiveOf({ "state.bin": "x".repeat(129 * 1024 * 1024) });
  expect(large.length).toBeLessThan(1024 * 1024);
  await expect(unpackArchive(large)).rejects.toThrow("state.bin has more than 128 MiB");
});

test("behind the two empty blocks that end the tar there is nothing", async () => {
  const tar = gunzipSync(await packArchive(META, STATE, 5));
  // Three files: a header each, their content in whole blocks, and the end.
  const blocks = [HEAD.length, STATE.length, SUMS.length].map((size) => 1 + Math.ceil(size / 512));
  expect(tar.length).toBe((blocks.reduce((sum, one) => sum + one, 0) + 2) * 512);
  expect(tar.subarray(-1024).every((byte) => byte === 0)).toBe(true);
});

test("archives are worked on one after another, and only so many wait", async () => {
  const archive = await packArchive(META, STATE, 5);
  const all = await Promise.allSettled(Array.from({ length: 40 }, () => unpackArchive(archive)));
  const failed = all.filter((one) => one.status === "rejected");
  expect(failed.length).toBe(24);
  expect(String(failed[0]?.reason)).toContain("try again later");
  expect((await unpackArchive(archive)).state).toEqual(STATE);
});
