/**
 * Raft's log, term and vote on disk: SQLite in WAL mode, synced at every commit, so that what
 * `persist` wrote is there after a power cut (measured beside other stores: see the README), and a
 * mark beside it that tells when something of it is gone.
 *
 * @module
 */
import type { Database } from "bun:sqlite";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { HardState } from "../protocol/raft/action.ts";
import type { LogEntry } from "../protocol/raft/message.ts";
import {
  makeDirectory,
  readFileIfThere,
  SECRET_MODE,
  SpareDescriptor,
  syncDirectory,
  touch,
} from "./disk.ts";
import {
  type LogTables,
  makeTables,
  openForWriting,
  openReadOnly,
  readTables,
  reasonOf,
  stateSumOf,
  WHAT_NEXT,
  writeEntries,
  writeState,
} from "./raft-database.ts";
import { type Mark, RaftMark, readMark } from "./raft-mark.ts";
import {
  type LoadedSnapshot,
  loadSnapshot,
  SNAPSHOT_FILES,
  type StoredSnapshot,
  writeSnapshot,
} from "./raft-snapshot.ts";
import { hasCommitsBehindDamage } from "./raft-wal.ts";

export interface StoredRaft extends LoadedSnapshot {
  readonly state: HardState;
  readonly entries: readonly LogEntry[];
}

/** What the last write to the log left. */
interface Position extends Mark {
  readonly state: HardState;
  readonly forgotten: number;
}

const DATABASE = "raft.db";
const MARK = "raft.db-mark";
const IN_MEMORY = ":memory:";
const NOTHING: LogTables = {
  ...{ sequence: 0, forgotten: 0, entries: [], current: false },
  state: { term: 0, votedTerm: 0, votedFor: "" },
};

/**
 * What is on the disk of a server that does not run; nothing is created or changed.
 *
 * @throws Error with one sentence for the operator when it cannot be trusted
 */
export function readRaft(directory: string): StoredRaft {
  const tables = checkLog(directory);
  return storedOf(tables, loadSnapshot(directory, tables.forgotten));
}

export class RaftStore {
  readonly #db: Database;
  readonly #directory: string | undefined;
  readonly #mark: RaftMark | undefined;
  /** SQLite and the mark hold theirs; a snapshot must not fail for want of one. */
  readonly #spare = new SpareDescriptor();
  #at: Position;
  #snapshot: StoredSnapshot | undefined;

  /**
   * @param directory undefined: in memory only
   * @throws Error for the operator, and what was there is as it was
   */
  constructor(directory: string | undefined) {
    this.#directory = directory;
    const path = directory === undefined ? IN_MEMORY : join(directory, DATABASE);
    if (directory !== undefined) makeDirectory(directory);
    const tables = directory === undefined ? NOTHING : checkLog(directory);
    try {
      if (directory !== undefined && !existsSync(path)) createLog(directory);
      this.#db = openForWriting(path);
      // What a killed process left unsynced counts from now on, so it has to be on the disk.
      this.#db.run("PRAGMA wal_checkpoint(TRUNCATE)");
      // The mark is there before the tables that want one.
      if (directory !== undefined) this.#mark = new RaftMark(join(directory, MARK), markOf(tables));
      const sequence = tables.current ? tables.sequence : makeTables(this.#db, tables);
      this.#at = { ...markOf({ ...tables, sequence }), ...tables, sequence };
      this.#mark?.write(this.#at);
    } catch (error) {
      throw new Error(`cannot open the Raft log ${path}: ${reasonOf(error)}`);
    }
  }

  /** @throws Error with one sentence for the operator when what is there cannot be trusted */
  load(): StoredRaft {
    const tables = readable(this.#db.filename, () => readTables(this.#db));
    const loaded =
      this.#directory === undefined
        ? { snapshot: this.#snapshot, warning: undefined }
        : loadSnapshot(this.#directory, tables.forgotten);
    this.#snapshot = loaded.snapshot;
    const stored = storedOf(tables, loaded);
    const { index } = loaded.snapshot?.meta ?? { index: 0 };
    if (stored.entries.length < tables.entries.length) this.forget(index, 0);
    return stored;
  }

  get snapshot(): StoredSnapshot | undefined {
    return this.#snapshot;
  }

  /** One transaction, on the disk when it returns. @throws when the disk fails: nothing is there */
  persist(
    state: HardState | undefined,
    truncateFrom: number | undefined,
    entries: readonly LogEntry[],
  ): void {
    this.#write({ state, truncateFrom, entries, upTo: 0 });
  }

  /**
   * The snapshot first, then the log that it stands for goes; a crash between is no harm.
   *
   * @throws when the disk fails: the snapshot of before still counts
   */
  saveSnapshot(snapshot: StoredSnapshot): void {
    const directory = this.#directory;
    if (directory !== undefined) this.#spare.use(() => writeSnapshot(directory, snapshot));
    this.#snapshot = snapshot;
  }

  /** Entries up to here, and from `alsoFrom` on, go. */
  forget(upTo: number, alsoFrom: number | undefined): void {
    this.#write({ state: undefined, truncateFrom: alsoFrom, entries: [], upTo });
  }

  close(): void {
    try {
      this.#db.close();
    } finally {
      this.#spare.close();
      this.#mark?.close();
    }
  }

  #write(change: Change): void {
    const { truncateFrom, entries, upTo } = change;
    const after = positionAfter(this.#at, change);
    this.#db.transaction(() => {
      if (upTo > 0) this.#db.query("DELETE FROM log WHERE idx <= ?").run(upTo);
      if (truncateFrom !== undefined) {
        this.#db.query("DELETE FROM log WHERE idx >= ?").run(truncateFrom);
      }
      writeEntries(this.#db, entries, after.sequence);
      // The number of the write stands in its entries, which saves a page.
      if (entries.length > 0 && change.state === undefined) return;
      writeState(this.#db, after.state, after.forgotten, after.sequence);
    })();
    this.#at = after;
    this.#mark?.write(after);
  }
}

interface Change {
  readonly state: HardState | undefined;
  readonly truncateFrom: number | undefined;
  readonly entries: readonly LogEntry[];
  /** Entries up to here go; 0: none do. */
  readonly upTo: number;
}

function positionAfter(at: Position, { state, truncateFrom, entries, upTo }: Change): Position {
  const sequence = at.sequence + 1;
  const forgotten = Math.max(at.forgotten, upTo);
  const kept = at.first === 0 ? { first: 1, last: 0 } : at;
  let first = Math.max(kept.first, upTo + 1);
  let last = Math.min(kept.last, (truncateFrom ?? Number.POSITIVE_INFINITY) - 1);
  if (last < first && entries.length > 0) first = entries[0]?.index ?? 0;
  last = entries.at(-1)?.index ?? last;
  const range = last < first ? { first: 0, last: 0 } : { first, last };
  const stateSum = state === undefined ? at.stateSum : stateSumOf(state);
  return { sequence, ...range, stateSum, state: state ?? at.state, forgotten };
}

function markOf({ sequence, entries, state }: LogTables): Mark {
  const [first, last] = [entries[0]?.index ?? 0, entries.at(-1)?.index ?? 0];
  return { sequence, first, last, stateSum: stateSumOf(state) };
}

/** Whole when there, or not there at all: a crash in the middle leaves nothing that counts. */
function createLog(directory: string): void {
  const path = join(directory, DATABASE);
  const making = `${path}-new`;
  for (const end of ["", "-wal", "-journal"]) rmSync(`${making}${end}`, { force: true });
  // What is in it is for its owner only; SQLite's other files take its mode.
  touch(making, SECRET_MODE);
  const db = openForWriting(making);
  const sequence = makeTables(db, NOTHING);
  db.close();
  new RaftMark(join(directory, MARK), markOf({ ...NOTHING, sequence })).close();
  renameSync(making, path);
  syncDirectory(directory);
}

/** All that was promised is there, or one sentence says what is not. */
function checkLog(directory: string): LogTables {
  const path = join(directory, DATABASE);
  return readable(path, () => {
    const mark = readMark(join(directory, MARK));
    if (!existsSync(path)) {
      const left = leftOf(directory, mark);
      if (left === undefined) return NOTHING;
      throw new Error(`it is gone, and ${left} is still there: ${WHAT_NEXT}`);
    }
    const db = openReadOnly(path);
    try {
      const tables = readTables(db);
      const lost = lossOf(tables, mark) ?? lossIn(`${path}-wal`);
      if (lost === undefined) return tables;
      throw new Error(`${lost}: ${WHAT_NEXT}`);
    } finally {
      db.close();
    }
  });
}

/** Of a log that is not there; undefined: there never was one. */
function leftOf(directory: string, mark: Mark | "damaged" | undefined): string | undefined {
  const left = [`${DATABASE}-wal`, ...SNAPSHOT_FILES].find((one) =>
    existsSync(join(directory, one)),
  );
  if (left !== undefined) return left;
  if (mark === undefined) return undefined;
  // The first write is our own: there is no promise in it.
  return mark === "damaged" || mark.sequence > 1 ? MARK : undefined;
}

/** What is missing or other than it was; undefined: nothing. */
function lossOf(tables: LogTables, mark: Mark | "damaged" | undefined): string | undefined {
  if (mark === undefined) {
    return tables.current ? `${MARK}, which says how far it must reach, is missing` : undefined;
  }
  if (mark === "damaged") return `${MARK}, which says how far it must reach, is damaged`;
  const { sequence, first, last, stateSum } = markOf(tables);
  if (sequence < mark.sequence) {
    const ends = `it ends at write ${sequence} of ${mark.sequence} (index ${last} of ${mark.last})`;
    return `${ends}: ${DATABASE}-wal is damaged, cut or missing, and what was promised with it`;
  }
  const same = first === mark.first && last === mark.last && stateSum === mark.stateSum;
  if (sequence > mark.sequence || same) return undefined;
  return `the file is damaged: other entries or another vote are in it than ${MARK} says`;
}

/** What the mark cannot know, as it is synced once a second: of the time before a power cut. */
function lossIn(path: string): string | undefined {
  const file = readFileIfThere(path);
  if (file === undefined || !hasCommitsBehindDamage(file)) return undefined;
  return `${DATABASE}-wal is damaged: writes that were promised stand behind the damage`;
}

/** @throws Error with one sentence for the operator */
function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`cannot read the Raft log ${path}: ${reasonOf(error)}`);
  }
}

/** A crash between a leader's snapshot and the end of the old log: the snapshot counts. */
function storedOf({ state, entries }: LogTables, loaded: LoadedSnapshot): StoredRaft {
  const { index = 0, term = 0 } = loaded.snapshot?.meta ?? {};
  const atEnd = entries.find((one) => one.index === index);
  const stale = (entries.at(-1)?.index ?? index) < index;
  const other = atEnd !== undefined && atEnd.term !== term;
  return { state, entries: stale || other ? [] : entries, ...loaded };
}
