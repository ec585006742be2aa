/** Raft's disk when it lets us down: torn writes, damaged files, a second agent, no room. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RaftStore, type StoredRaft } from "../../src/host/raft-store.ts";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import type { LogEntry } from "../../src/protocol/raft/message.ts";

const root = mkdtempSync(join(tmpdir(), "nomad-store-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function folder(): string {
  folders += 1;
  return join(root, String(folders));
}

function entry(index: number, bytes = 200): LogEntry {
  const data = new Uint8Array(bytes).fill(index % 251);
  return { index, term: 1, type: 0, data, appendedAtMs: 5 };
}

function snapshotAt(index: number, fill: number) {
  const meta = { index, term: 1, configuration: { servers: [] }, configurationIndex: 0 };
  return { meta, data: new Uint8Array(500).fill(fill) };
}

function load(directory: string): StoredRaft {
  const store = new RaftStore(directory);
  try {
    return store.load();
  } finally {
    store.close();
  }
}

/** The folder as it is while the store has it open, as after a power cut. */
function cut(directory: string): string {
  const to = folder();
  cpSync(directory, to, { recursive: true });
  return to;
}

/** Entry i is written and synced with state {term: i}. */
function filled(count: number): { directory: string; store: RaftStore } {
  const directory = folder();
  const store = new RaftStore(directory);
  for (let i = 1; i <= count; i++) {
    store.persist({ term: i, votedTerm: i, votedFor: "me" }, undefined, [entry(i)]);
  }
  return { directory, store };
}

/** Whole commits from the first on: the term tells which was the last. */
function expectPrefix({ state, entries }: StoredRaft): number {
  expect(entries.map((one) => one.index)).toEqual(entries.map((_, i) => i + 1));
  expect(state.term).toBe(entries.length);
  for (const one of entries) expect(one.data).toEqual(entry(one.index).data);
  return entries.length;
}

test("what was persisted is there after a power cut, without a close", () => {
  const { directory, store } = filled(20);
  expect(expectPrefix(load(cut(directory)))).toBe(20);
  store.close();
});

test("a write that was torn at any byte leaves whole commits, in order", () => {
  const { directory, store } = filled(20);
  const wal = statSync(join(directory, "raft.db-wal")).size;
  let before = 0;
  for (let length = 0; length <= wal; length += 997) {
    const torn = cut(directory);
    truncateSync(join(torn, "raft.db-wal"), length);
    const commits = expectPrefix(load(torn));
    expect(commits).toBeGreaterThanOrEqual(before);
    before = commits;
  }
  expect(before).toBeGreaterThan(15);
  store.close();
});

test("a flipped bit in a commit makes it and what follows not have happened", () => {
  const prng = createPrng(11);
  const { directory, store } = filled(20);
  const wal = readFileSync(join(directory, "raft.db-wal"));
  let lost = 0;
  for (let round = 0; round < 40; round++) {
    const flipped = cut(directory);
    const bytes = new Uint8Array(wal);
    const at = 32 + randomInt(prng, bytes.length - 32);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInt(prng, 8));
    writeFileSync(join(flipped, "raft.db-wal"), bytes);
    if (expectPrefix(load(flipped)) < 20) lost += 1;
  }
  expect(lost).toBeGreaterThan(20);
  store.close();
});

describe("one clear error", () => {
  test("for a database that is damaged", () => {
    const { directory, store } = filled(5);
    store.close();
    writeFileSync(join(directory, "raft.db"), "this is no database, and long enough to see it");
    expect(() => load(directory)).toThrow(/raft\.db: the file is damaged.*let this server join/);
  });

  test("for a database whose pages are", () => {
    const { directory, store } = filled(400);
    store.close();
    const path = join(directory, "raft.db");
    const bytes = new Uint8Array(readFileSync(path));
    bytes.fill(0xff, 4096);
    writeFileSync(path, bytes);
    expect(() => load(directory)).toThrow(/Raft log.*damaged/);
  });

  test("for a gap in the log", () => {
    const { directory, store } = filled(3);
    store.persist(undefined, undefined, [entry(7)]);
    store.close();
    expect(() => load(directory)).toThrow("the Raft log has a gap between 3 and 7");
  });

  test("for a second agent, and the first is none the worse for it", () => {
    const { directory, store } = filled(3);
    expect(() => new RaftStore(directory)).toThrow(/in use: another agent runs with this data_dir/);
    store.persist(undefined, undefined, [entry(4)]);
    expect(store.load().entries).toHaveLength(4);
    store.close();
    expect(load(directory).entries).toHaveLength(4);
  });

  test("for a snapshot that is damaged where nothing makes up for it", () => {
    const { directory, store } = filled(10);
    store.saveSnapshot(snapshotAt(8, 1));
    store.forget(8, undefined);
    store.close();
    truncateSync(join(directory, "snapshot"), 300);
    expect(() => load(directory)).toThrow(/snapshot is damaged.*let this server join/);
    rmSync(join(directory, "snapshot"));
    expect(() => load(directory)).toThrow(/snapshot is missing/);
  });
});

describe("the snapshot before the last", () => {
  /** Snapshots at 4 and 8, and a log that goes on from `logFrom`. */
  function two(logFrom: number): string {
    const { directory, store } = filled(10);
    store.saveSnapshot(snapshotAt(4, 4));
    store.saveSnapshot(snapshotAt(8, 8));
    store.forget(logFrom - 1, undefined);
    store.close();
    return directory;
  }

  test("is not looked at while the last is whole", () => {
    const { snapshot, warning } = load(two(5));
    expect(snapshot?.meta.index).toBe(8);
    expect(warning).toBeUndefined();
  });

  test("makes up for it where the log goes on from there", () => {
    const directory = two(5);
    writeFileSync(join(directory, "snapshot"), "half a fi");
    const { snapshot, entries, warning } = load(directory);
    expect(snapshot).toEqual(snapshotAt(4, 4));
    expect(entries[0]?.index).toBe(5);
    expect(warning).toMatch(/damaged.*nothing is lost/);
  });

  test("a crash between the two renames is no harm either", () => {
    const directory = two(5);
    rmSync(join(directory, "snapshot"));
    expect(load(directory).snapshot?.meta.index).toBe(4);
  });

  test("does not where the log does not", () => {
    const directory = two(6);
    writeFileSync(join(directory, "snapshot"), "half a fi");
    expect(() => load(directory)).toThrow(/damaged/);
  });
});

test("a snapshot that cannot be written leaves the one that there was", () => {
  const { directory, store } = filled(10);
  store.saveSnapshot(snapshotAt(4, 4));
  // A folder where the file would be written first: as good as no room, also for root.
  const inTheWay = join(directory, `snapshot.tmp-${process.pid}`);
  mkdirSync(inTheWay);
  expect(() => store.saveSnapshot(snapshotAt(8, 8))).toThrow();
  rmSync(inTheWay, { recursive: true, force: true });
  store.close();
  expect(load(directory).snapshot).toEqual(snapshotAt(4, 4));
});

test("all that it writes is for its owner only", () => {
  const { directory, store } = filled(3);
  store.saveSnapshot(snapshotAt(2, 1));
  for (const name of readdirSync(directory)) {
    expect(`${name} ${(statSync(join(directory, name)).mode & 0o777).toString(8)}`).toBe(
      `${name} 600`,
    );
  }
  store.close();
});
