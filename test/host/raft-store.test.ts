/** Raft's disk when it lets us down: torn writes, damaged files, a second agent, no room. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/host/digest.ts";
import { RaftStore } from "../../src/host/raft-store.ts";
import { entry, expectPrefix, Folders, load, snapshotAt } from "./raft-store-tools.ts";

const folders = new Folders();
afterAll(() => folders[Symbol.dispose]());

test("what was persisted is there after a power cut, without a close", () => {
  const { directory, store } = folders.filled(20);
  expect(expectPrefix(load(folders.cut(directory)))).toBe(20);
  store.close();
});

describe("one clear error", () => {
  test("for a database that is damaged", () => {
    const { directory, store } = folders.filled(5);
    store.close();
    writeFileSync(join(directory, "raft.db"), "this is no database, and long enough to see it");
    expect(() => load(directory)).toThrow(/raft\.db: the file is damaged.*let this server join/);
  });

  test("for a database whose pages are", () => {
    const { directory, store } = folders.filled(400);
    store.close();
    const path = join(directory, "raft.db");
    const bytes = new Uint8Array(readFileSync(path));
    bytes.fill(0xff, 4096);
    writeFileSync(path, bytes);
    expect(() => load(directory)).toThrow(/Raft log.*damaged/);
  });

  test("for a database of a later release, and nothing is changed", () => {
    const { directory, store } = folders.filled(5);
    store.close();
    const db = new Database(join(directory, "raft.db"));
    db.run("PRAGMA user_version = 2");
    db.run("DROP TABLE log"); // Whatever it may look like then.
    db.close();
    const before = readFileSync(join(directory, "raft.db"));
    expect(() => load(directory)).toThrow(
      /raft\.db: it was written by a later release \(its form is 2\): use that one/,
    );
    expect(readFileSync(join(directory, "raft.db"))).toEqual(before);
  });

  test("for a snapshot of a later release, which is not taken for a damaged one", () => {
    const { directory, store } = folders.filled(10);
    store.saveSnapshot(snapshotAt(8, 1));
    store.close();
    const path = join(directory, "snapshot");
    const [line = "", data = ""] = readFileSync(path, "latin1").split("\n");
    const { meta, ...head } = JSON.parse(line);
    expect(head.form).toBe(1);
    const written = (form: number | undefined, more: object): void => {
      const covered = JSON.stringify(
        form === undefined ? meta : { form, meta: { ...meta, ...more } },
      );
      const sum = sha256(Buffer.from(covered), Buffer.from(data, "latin1")).toHex();
      const text = JSON.stringify({ ...head, form, meta: { ...meta, ...more }, sha256: sum });
      writeFileSync(path, `${text}\n${data}`, "latin1");
    };
    written(2, { of: "another kind" });
    expect(() => load(directory)).toThrow(
      /the Raft snapshot .* was written by a later release \(its form is 2\): use that one/,
    );
    // The release before wrote no such number.
    written(undefined, {});
    expect(load(directory).snapshot?.meta.index).toBe(8);
  });

  test("for a gap in the log", () => {
    const { directory, store } = folders.filled(3);
    store.persist(undefined, undefined, [entry(7)]);
    store.close();
    expect(() => load(directory)).toThrow(/there is a gap between 3 and 7.*join the others/);
  });

  test("for a second agent, and the first is none the worse for it", () => {
    const { directory, store } = folders.filled(3);
    expect(() => new RaftStore(directory)).toThrow(/in use: another agent runs with this data_dir/);
    store.persist(undefined, undefined, [entry(4)]);
    expect(store.load().entries).toHaveLength(4);
    store.close();
    expect(load(directory).entries).toHaveLength(4);
  });

  test("for a snapshot that is damaged where nothing makes up for it", () => {
    const { directory, store } = folders.filled(10);
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
    const { directory, store } = folders.filled(10);
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
  const { directory, store } = folders.filled(10);
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
  const { directory, store } = folders.filled(3);
  store.saveSnapshot(snapshotAt(2, 1));
  for (const name of readdirSync(directory)) {
    expect(`${name} ${(statSync(join(directory, name)).mode & 0o777).toString(8)}`).toBe(
      `${name} 600`,
    );
  }
  store.close();
});

/** Uses up all descriptors, then does what a server does. */
const WITHOUT_DESCRIPTORS = `
  const { openSync } = await import("node:fs");
  const { RaftStore } = await import(process.argv[1]);
  const store = new RaftStore(process.argv[2]);
  try {
    for (;;) openSync("/dev/null", "r");
  } catch (error) {
    console.log(error.code);
  }
  const entry = (index) => ({ index, term: 1, type: 0, data: new Uint8Array(9000) });
  for (let i = 1; i <= 400; i++) {
    store.persist({ term: i, votedTerm: i, votedFor: "me" }, undefined, [entry(i)]);
    if (i % 100 !== 0) continue;
    const meta = { index: i, term: 1, configuration: { servers: [] }, configurationIndex: 0 };
    store.saveSnapshot({ meta, data: new Uint8Array(500) });
    store.forget(i - 9, undefined);
  }
  store.close();
`;

test("with no descriptor left it goes on: log, vote and snapshots", () => {
  const directory = folders.next();
  const module = new URL("../../src/host/raft-store.ts", import.meta.url).pathname;
  const child = [process.execPath, "-e", WITHOUT_DESCRIPTORS, module, directory];
  const { stdout, stderr } = Bun.spawnSync(["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", ...child]);
  expect({ out: stdout.toString(), err: stderr.toString() }).toEqual({ out: "EMFILE\n", err: "" });
  const { state, entries, snapshot } = load(directory);
  expect(state.term).toBe(400);
  expect(entries.map((one) => one.index)).toEqual(Array.from({ length: 9 }, (_, i) => 392 + i));
  expect(snapshot?.meta.index).toBe(400);
});
