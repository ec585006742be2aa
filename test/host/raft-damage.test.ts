/** A Raft log that is damaged is an error, never silence; a torn write is neither. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { RaftStore, readRaft, type StoredRaft } from "../../src/host/raft-store.ts";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import { entry, expectPrefix, Folders, load, snapshotAt } from "./raft-store-tools.ts";

setDefaultTimeout(60_000);

const folders = new Folders();
afterAll(() => folders[Symbol.dispose]());

const WAL = "raft.db-wal";
const MARK = "raft.db-mark";
/** SQLite's format: a header, then frames of a header and a page. */
const WAL_HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4096;
const ERROR = /^cannot read the Raft log .*raft\.db: .*let this server join the others again/;

/** A server that was killed after `count` commits, and the same before the last of them. */
function killed(count: number): { whole: string; before: string } {
  const { directory, store } = folders.filled(count - 1);
  const before = folders.cut(directory);
  store.persist({ term: count, votedTerm: count, votedFor: "me" }, undefined, [entry(count)]);
  const whole = folders.cut(directory);
  store.close();
  return { whole, before };
}

/** The same is read as before, or one clear error comes. */
function isRefused(directory: string, want: StoredRaft): boolean {
  let read: StoredRaft;
  try {
    read = readRaft(directory);
  } catch (error) {
    expect(String(error instanceof Error ? error.message : error)).toMatch(ERROR);
    return true;
  }
  expect(read).toEqual(want);
  return false;
}

/** Each byte in turn, or every so many, is another one while `look` looks. */
function flipEach(path: string, step: number, look: (at: number) => void, from = 0): void {
  const bytes = readFileSync(path);
  const file = openSync(path, "r+");
  for (let at = from; at < bytes.length; at += step) {
    const byte = bytes[at] ?? 0;
    writeSync(file, new Uint8Array([byte ^ (1 << (at % 8))]), 0, 1, at);
    look(at);
    writeSync(file, new Uint8Array([byte]), 0, 1, at);
  }
  closeSync(file);
}

describe("a damaged write-ahead file is one clear error", () => {
  test("whichever byte of a small one is another", () => {
    const { whole } = killed(1);
    const want = readRaft(whole);
    const bytes = statSync(join(whole, WAL)).size;
    let refused = 0;
    flipEach(join(whole, WAL), 1, () => {
      if (isRefused(whole, want)) refused += 1;
    });
    // The header's checkpoint number and a frame's spare bytes count for nothing.
    expect(refused).toBeGreaterThan(bytes * 0.99);
    expect(readRaft(whole)).toEqual(want);
  });

  test("whichever of a large one, and a server that starts says so, too", () => {
    const { whole } = killed(20);
    const want = readRaft(whole);
    let looked = 0;
    flipEach(join(whole, WAL), 257, (at) => {
      const refused = isRefused(whole, want);
      looked += 1;
      if (looked % 16 !== 0) return;
      const copy = folders.cut(whole);
      if (refused) expect(() => load(copy)).toThrow(ERROR);
      else expect(load(copy)).toEqual(want);
      expect(at).toBeLessThan(statSync(join(whole, WAL)).size);
    });
    expect(looked).toBeGreaterThan(500);
  });

  test("cut at every frame, and between", () => {
    const { whole } = killed(20);
    const want = readRaft(whole);
    const path = join(whole, WAL);
    const bytes = readFileSync(path);
    const frames = (bytes.length - WAL_HEADER_BYTES) / FRAME_BYTES;
    expect(frames).toBeGreaterThan(20);
    const lengths = Array.from({ length: frames }, (_, i) => WAL_HEADER_BYTES + i * FRAME_BYTES);
    for (let length = 0; length < bytes.length; length += 997) lengths.push(length);
    for (const length of lengths) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(isRefused(whole, want)).toBe(true);
      expect(() => new RaftStore(whole)).toThrow(ERROR);
      expect(statSync(path).size).toBe(length);
    }
  });

  test("missing, or with anything else in it", () => {
    const { whole, before } = killed(20);
    const want = readRaft(whole);
    const path = join(whole, WAL);
    const bytes = readFileSync(path);
    const prng = createPrng(24);
    const garbage = new Uint8Array(bytes.length).map(() => randomInt(prng, 256));
    const headThenGarbage = new Uint8Array(bytes);
    headThenGarbage.set(garbage.subarray(9 * FRAME_BYTES), 9 * FRAME_BYTES);
    const older = readFileSync(join(before, WAL));
    for (const other of [garbage, headThenGarbage, older, new Uint8Array(bytes.length)]) {
      writeFileSync(path, other);
      expect(isRefused(whole, want)).toBe(true);
    }
    rmSync(path);
    expect(isRefused(whole, want)).toBe(true);
    expect(() => new RaftStore(whole)).toThrow(/ends at write 1 of 21 \(index 0 of 20\).*missing/);
  });

  test("when only a vote is lost with it", () => {
    const { directory, store } = folders.filled(3);
    store.close();
    const again = new RaftStore(directory);
    again.persist({ term: 9, votedTerm: 9, votedFor: "somebody" }, undefined, []);
    const cut = folders.cut(directory);
    again.close();
    expect(readRaft(cut).state.votedFor).toBe("somebody");
    rmSync(join(cut, WAL));
    expect(() => load(cut)).toThrow(ERROR);
  });
});

describe("a write that was never promised", () => {
  test("may be torn at any byte, or be garbage: the log starts as it was before", () => {
    const { whole, before } = killed(6);
    // Killed in the middle of the last write: the mark is of the one before.
    copyFileSync(join(before, MARK), join(whole, MARK));
    expect(expectPrefix(readRaft(whole))).toBe(6);
    const path = join(whole, WAL);
    const bytes = readFileSync(path);
    const from = statSync(join(before, WAL)).size;
    expect(bytes.length).toBeGreaterThan(from);
    for (let length = from; length < bytes.length; length += 61) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(expectPrefix(readRaft(whole))).toBe(5);
      if (length % 32 === 0) expect(expectPrefix(load(folders.cut(whole)))).toBe(5);
    }
    writeFileSync(path, bytes);
    const file = openSync(path, "r+");
    for (let at = from; at < bytes.length; at += 512) {
      writeSync(file, new Uint8Array(512).fill(0xa5), 0, Math.min(512, bytes.length - at), at);
      expect(expectPrefix(readRaft(whole))).toBe(5);
    }
    closeSync(file);
  });

  test("leaves a log that goes on", () => {
    const { whole, before } = killed(6);
    copyFileSync(join(before, MARK), join(whole, MARK));
    truncateSync(join(whole, WAL), statSync(join(whole, WAL)).size - 1);
    const store = new RaftStore(whole);
    store.persist({ term: 6, votedTerm: 6, votedFor: "me" }, undefined, [entry(6)]);
    const cut = folders.cut(whole);
    store.close();
    expect(expectPrefix(load(cut))).toBe(6);
    expect(expectPrefix(load(whole))).toBe(6);
  });
});

describe("after a power cut, with a mark of a second before", () => {
  /** Twenty commits, of which the mark knows ten. */
  function powerCut(): { whole: string; tenBytes: number } {
    const { directory, store } = folders.filled(10);
    const mark = readFileSync(join(directory, MARK));
    const tenBytes = statSync(join(directory, WAL)).size;
    for (let i = 11; i <= 20; i++) {
      store.persist({ term: i, votedTerm: i, votedFor: "me" }, undefined, [entry(i)]);
    }
    const whole = folders.cut(directory);
    store.close();
    writeFileSync(join(whole, MARK), mark);
    return { whole, tenBytes };
  }

  test("damage is an error up to the last but one commit, for what stands behind it", () => {
    const { whole, tenBytes } = powerCut();
    const want = readRaft(whole);
    expect(want.entries).toHaveLength(20);
    const bytes = statSync(join(whole, WAL)).size;
    let silent = bytes;
    flipEach(join(whole, WAL), 311, (at) => {
      try {
        if (isRefused(whole, want)) expect(silent).toBe(bytes);
      } catch {
        silent = Math.min(silent, at); // Taken for a torn write.
      }
    });
    expect(silent).toBeGreaterThan(tenBytes);
    expect(silent).toBeGreaterThanOrEqual(bytes - 2 * 2 * FRAME_BYTES);
  });

  test("what is behind the mark may be torn at any byte, as far as that can be seen", () => {
    const { whole, tenBytes } = powerCut();
    const path = join(whole, WAL);
    for (let { size } = statSync(path); size > tenBytes; size -= 509) {
      truncateSync(path, size);
      expect(expectPrefix(readRaft(whole))).toBeGreaterThanOrEqual(10);
    }
    truncateSync(path, tenBytes - 1);
    expect(() => readRaft(whole)).toThrow(ERROR);
  });

  test("frames of the round before are no sign of anything", () => {
    const { directory, store } = folders.filled(3);
    const big = Array.from({ length: 60 }, (_, i) => entry(4 + i, 100_000));
    store.persist(undefined, undefined, big); // SQLite begins the file anew behind it.
    for (let i = 64; i < 70; i++) store.persist(undefined, undefined, [entry(i)]);
    const cut = folders.cut(directory);
    store.close();
    const path = join(cut, WAL);
    const bytes = readFileSync(path);
    expect(bytes.length).toBeGreaterThan(60 * 100_000);
    expect(readRaft(cut).entries).toHaveLength(69);
    expect(load(cut).entries).toHaveLength(69);
  });
});

/** Writes for as long as it lives, and says what is written. */
const WRITER = `
  const { RaftStore } = await import(process.argv[1]);
  const { writeSync } = await import("node:fs");
  const store = new RaftStore(process.argv[2]);
  let { state: { term }, entries, snapshot } = store.load();
  let last = entries.at(-1)?.index ?? snapshot?.meta.index ?? 0;
  const terms = new Map(entries.map((one) => [one.index, one.term]));
  for (;;) {
    term += 1;
    const data = new Uint8Array(1 + (term * 37) % 3000);
    const back = term % 7 === 0 && last > 2 ? 1 : 0;
    last += 1 - back;
    const next = { index: last, term, type: 0, data, appendedAtMs: undefined };
    terms.set(last, term);
    store.persist({ term, votedTerm: term, votedFor: "me" }, back ? last : undefined, [next]);
    writeSync(1, term + " " + last + "\\n");
    if (term % 50 !== 0) continue;
    const index = last - 9;
    const configuration = { servers: [] };
    const meta = { index, term: terms.get(index), configuration, configurationIndex: 0 };
    store.saveSnapshot({ meta, data });
    store.forget(last - 20, undefined);
  }
`;

test("kill -9 at any time: what was said to be written is there, and never a false alarm", async () => {
  const directory = folders.next();
  const module = new URL("../../src/host/raft-store.ts", import.meta.url).pathname;
  const prng = createPrng(9);
  let before = 0;
  for (let round = 0; round < 14; round++) {
    const writer = Bun.spawn([process.execPath, "-e", WRITER, module, directory], {
      stdout: "pipe",
      stderr: "inherit",
    });
    let said = "";
    // From the very start of the first one on, and later in the middle of its writes.
    const lines = round < 5 ? 0 : 1 + randomInt(prng, 400);
    if (lines === 0) {
      await Bun.sleep(20 + round * 15);
      writer.kill("SIGKILL");
    }
    for await (const bytes of writer.stdout) {
      said += new TextDecoder().decode(bytes);
      if (said.split("\n").length > lines) writer.kill("SIGKILL");
    }
    await writer.exited;
    const words = said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1)?.split(" ");
    const [term = 0, last = 0] = words?.map(Number) ?? [];
    if (existsSync(join(directory, "raft.db"))) {
      const { state, entries } = readRaft(directory);
      expect(state.term).toBeGreaterThanOrEqual(Math.max(term, before));
      if (state.term === term) expect(entries.at(-1)?.index ?? 0).toBe(last);
      before = state.term;
    }
  }
  expect(before).toBeGreaterThan(400);
});

describe("the mark", () => {
  test("may have a byte wrong anywhere: nothing of the log is lost by that", () => {
    const { whole } = killed(3);
    const want = readRaft(whole);
    // What it says stands at the beginning of two sectors.
    for (let from = 0; from < 30; from++) {
      const look = () => expect(isRefused(whole, want)).toBe(false);
      flipEach(join(whole, MARK), 4096, look, from);
    }
  });

  test("that is missing or destroyed is an error: nobody knows what was promised", () => {
    const { whole } = killed(3);
    const mark = join(whole, MARK);
    writeFileSync(mark, "");
    expect(() => load(whole)).toThrow(/raft\.db-mark, which says .*, is damaged.*join the others/);
    rmSync(mark);
    expect(() => load(whole)).toThrow(/raft\.db-mark, which says .*, is missing.*join the others/);
    rmSync(join(whole, WAL));
    expect(() => load(whole)).toThrow(ERROR);
  });

  test("without its log is an error, too, but not where there never was one", () => {
    const { whole } = killed(3);
    for (const name of readdirSync(whole)) if (name !== MARK) rmSync(join(whole, name));
    expect(() => load(whole)).toThrow(/raft\.db: it is gone, and raft\.db-mark is still there/);
    const fresh = folders.next();
    new RaftStore(fresh).close();
    for (const name of readdirSync(fresh)) if (name !== MARK) rmSync(join(fresh, name));
    expect(load(fresh).entries).toEqual([]);
  });

  test("follows all that can be done to a log", () => {
    const { directory, store } = folders.filled(10);
    const same = (): void => expect(load(folders.cut(directory))).toEqual(store.load());
    store.persist(undefined, 8, [entry(8), entry(9)]);
    same();
    store.persist({ term: 20, votedTerm: 0, votedFor: "" }, 9, []);
    same();
    store.saveSnapshot(snapshotAt(6, 1));
    store.forget(4, undefined);
    same();
    store.saveSnapshot(snapshotAt(30, 1));
    store.forget(30, 0);
    same();
    store.persist(undefined, undefined, [entry(31), entry(32)]);
    same();
    store.close();
    expect(load(directory).entries.map((one) => one.index)).toEqual([31, 32]);
  });
});

describe("beside the write-ahead file", () => {
  test("a byte of the database that counts is one clear error", () => {
    const { directory, store } = folders.filled(60);
    store.close();
    const want = readRaft(directory);
    let refused = 0;
    flipEach(join(directory, "raft.db"), 13, () => {
      if (isRefused(directory, want)) refused += 1;
    });
    expect(refused).toBeGreaterThan(500);
  });

  test("so is one of a snapshot, its first line included", () => {
    const { directory, store } = folders.filled(10);
    store.saveSnapshot(snapshotAt(8, 1));
    store.forget(8, undefined);
    store.close();
    const want = load(directory);
    flipEach(join(directory, "snapshot"), 1, () => {
      expect(() => expect(readRaft(directory)).toEqual(want)).toThrow(/snapshot is damaged/);
    });
  });

  test("which leaves the log as it was found", () => {
    const { directory, store } = folders.filled(10);
    store.saveSnapshot(snapshotAt(8, 1));
    store.forget(8, undefined);
    const cut = folders.cut(directory);
    store.close();
    writeFileSync(join(cut, "snapshot"), "x");
    const before = readFileSync(join(cut, WAL));
    expect(() => load(cut)).toThrow(/snapshot is damaged/);
    expect(readFileSync(join(cut, WAL)).equals(before)).toBe(true);
  });

  test("and a snapshot that is gone, also where the log is empty", () => {
    const { directory, store } = folders.filled(10);
    store.saveSnapshot(snapshotAt(30, 1));
    store.forget(30, 0);
    store.close();
    rmSync(join(directory, "snapshot"));
    expect(() => load(directory)).toThrow(/snapshot is missing.*join/);
  });

  test("a log whose first snapshot is damaged goes on without it", () => {
    const { directory, store } = folders.filled(10);
    store.saveSnapshot(snapshotAt(8, 1));
    store.close();
    truncateSync(join(directory, "snapshot"), 100);
    const { snapshot, entries, warning } = load(directory);
    expect(snapshot).toBeUndefined();
    expect(entries).toHaveLength(10);
    expect(warning).toMatch(/snapshot is damaged.*the log makes up for it: nothing is lost/);
  });
});

test("killed between a leader's snapshot and the end of the old log, it goes on behind it", () => {
  for (const snapshot of [snapshotAt(30, 1), { ...snapshotAt(7, 1) }]) {
    const { directory, store } = folders.filled(10);
    const meta = { ...snapshot.meta, term: 5 };
    store.saveSnapshot({ ...snapshot, meta });
    const cut = folders.cut(directory);
    store.close();
    expect(readRaft(cut).entries).toEqual([]);
    const again = new RaftStore(cut);
    expect(again.load().entries).toEqual([]);
    again.persist(undefined, undefined, [entry(meta.index + 1)]);
    again.close();
    expect(load(cut).entries.map((one) => one.index)).toEqual([meta.index + 1]);
  }
});

test("a log of a release without checksums is taken over", () => {
  const { directory, store } = folders.filled(3);
  store.close();
  const want = load(directory);
  const db = new Database(join(directory, "raft.db"));
  for (const name of ["sequence", "sum"]) db.run(`ALTER TABLE log DROP COLUMN ${name}`);
  for (const name of ["forgotten", "sequence", "sum"])
    db.run(`ALTER TABLE state DROP COLUMN ${name}`);
  db.run("PRAGMA user_version = 0");
  db.close();
  rmSync(join(directory, MARK));
  expect(readRaft(directory)).toEqual(want);
  expect(load(directory)).toEqual(want);
  rmSync(join(directory, MARK));
  expect(() => load(directory)).toThrow(/raft\.db-mark.*missing/);
});

test("reading changes nothing in the folder, whatever is wrong with it", () => {
  const { whole } = killed(20);
  const headless = folders.cut(whole);
  writeFileSync(join(headless, WAL), new Uint8Array(5000));
  const empty = folders.cut(whole);
  writeFileSync(join(empty, WAL), "");
  const closed = folders.filled(3);
  closed.store.close();
  for (const directory of [whole, headless, empty, closed.directory]) {
    chmodSync(directory, 0o500);
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o400);
    const look = () => {
      const names = [".", ...readdirSync(directory)];
      return names.map((name) => {
        const { mtimeMs, mode, uid, gid, size, ino } = statSync(join(directory, name));
        const sum = name === "." ? 0 : Bun.hash.crc32(readFileSync(join(directory, name)));
        return { name, mtimeMs, mode, uid, gid, size, ino, sum };
      });
    };
    const before = look();
    if (directory === headless || directory === empty) {
      expect(() => readRaft(directory)).toThrow(ERROR);
    } else expect(readRaft(directory).entries.length).toBeGreaterThan(0);
    expect(look()).toEqual(before);
    chmodSync(directory, 0o700);
  }
});
