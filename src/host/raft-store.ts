/**
 * Raft's log, term and vote on disk: SQLite in WAL mode, synced at every commit, so that what
 * `persist` wrote is there after a power cut, and a mark beside it that tells when something of it
 * is gone.
 *
 * @module
 */
import type { Database } from "bun:sqlite";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { HardState } from "../protocol/raft/action.ts";
import type { LogEntry } from "../protocol/raft/message.ts";
import { makeDirectory, readFileIfThere, SpareDescriptor, syncDirectory } from "./disk.ts";
import { isBug } from "./error-text.ts";
import {
  checkpoint,
  createDatabase,
  type LogTables,
  makeTables,
  NO_TABLES,
  openForWriting,
  openReadOnly,
  readTables,
  reasonOf,
  stateSumOf,
  WHAT_NEXT,
  writeEntries,
  writeState,
} from "./raft-database.ts";
import { createMark, type Mark, RaftMark, readMark } from "./raft-mark.ts";
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

/** As it was found, before anything was written. */
interface Found {
  readonly tables: LogTables;
  readonly loaded: LoadedSnapshot;
}

const NOTHING: Found = {
  tables: NO_TABLES,
  loaded: { snapshot: undefined, warning: undefined },
};

/**
 * What is on the disk of a server that does not run; nothing is created or changed.
 *
 * @throws Error with one sentence for the operator when it cannot be trusted
 */
export function readRaft(directory: string): StoredRaft {
  return storedOf(find(directory));
}

export class RaftStore {
  readonly #db: Database;
  readonly #directory: string | undefined;
  readonly #mark: RaftMark | undefined;
  /** SQLite and the mark hold theirs; a snapshot must not fail for want of one. */
  readonly #spare: SpareDescriptor;
  #at: Position;
  #snapshot: StoredSnapshot | undefined;
  /** For the first who asks. */
  #found: Found | undefined;

  /**
   * @param directory undefined: in memory only
   * @throws Error for the operator, and what was there is as it was
   */
  constructor(directory: string | undefined) {
    this.#directory = directory;
    const path = directory === undefined ? IN_MEMORY : join(directory, DATABASE);
    if (directory !== undefined) makeDirectory(directory);
    let { tables, loaded } = directory === undefined ? NOTHING : find(directory);
    try {
      if (directory !== undefined && !existsSync(path)) tables = createLog(directory);
      this.#db = openForWriting(path);
      // What a killed process left unsynced counts from now on, so it has to be on the disk.
      checkpoint(this.#db);
      if (!tables.current) tables = this.#takeOver(tables);
      if (directory !== undefined) this.#mark = new RaftMark(join(directory, MARK));
      this.#at = { ...markOf(tables), state: tables.state, forgotten: tables.forgotten };
      this.#mark?.write(this.#at);
      this.#spare = new SpareDescriptor();
    } catch (error) {
      if (isBug(error)) throw error;
      throw new Error(`cannot open the Raft log ${path}: ${reasonOf(error)}`);
    }
    this.#found = { tables, loaded };
  }

  /** @throws Error with one sentence for the operator when what is there cannot be trusted */
  load(): StoredRaft {
    const found = this.#found ?? this.#find();
    this.#found = undefined;
    this.#snapshot = found.loaded.snapshot;
    const stored = storedOf(found);
    const { index } = this.#snapshot?.meta ?? { index: 0 };
    if (stored.entries.length < found.tables.entries.length) this.forget(index, 0);
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
    this.#found = undefined;
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

  #find(): Found {
    const tables = readable(this.#db.filename, () => readTables(this.#db));
    const kept = { snapshot: this.#snapshot, warning: undefined };
    const directory = this.#directory;
    const loaded = directory === undefined ? kept : loadSnapshot(directory, tables.forgotten);
    return { tables, loaded };
  }

  /** What there is, in memory or in an older form, in the form of this release. */
  #takeOver(before: LogTables): LogTables {
    // The mark is there before the tables that want one.
    if (this.#directory !== undefined) createMark(join(this.#directory, MARK), markOf(before));
    const tables = makeTables(this.#db, before);
    // In the file itself it says that it wants a mark, also when the write-ahead file goes.
    checkpoint(this.#db);
    return tables;
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
    this.#found = undefined;
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
function createLog(directory: string): LogTables {
  const path = join(directory, DATABASE);
  const making = `${path}-new`;
  for (const end of ["", "-journal"]) rmSync(`${making}${end}`, { force: true });
  const tables = createDatabase(making);
  createMark(join(directory, MARK), markOf(tables));
  renameSync(making, path);
  syncDirectory(directory);
  return tables;
}

/** @throws Error with one sentence for the operator */
function find(directory: string): Found {
  const tables = checkLog(directory);
  return { tables, loaded: loadSnapshot(directory, tables.forgotten) };
}

/** All that was promised is there, or one sentence says what is not. */
function checkLog(directory: string): LogTables {
  const path = join(directory, DATABASE);
  return readable(path, () => {
    const mark = readMark(join(directory, MARK));
    if (!existsSync(path)) {
      const left = leftOf(directory, mark);
      if (left === undefined) return NO_TABLES;
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
    if (isBug(error)) throw error;
    throw new Error(`cannot read the Raft log ${path}: ${reasonOf(error)}`);
  }
}

/** A crash between a leader's snapshot and the end of the old log: the snapshot counts. */
function storedOf({ tables, loaded }: Found): StoredRaft {
  const { state, entries } = tables;
  const { index = 0, term = 0 } = loaded.snapshot?.meta ?? {};
  const atEnd = entries.find((one) => one.index === index);
  const stale = (entries.at(-1)?.index ?? index) < index;
  const other = atEnd !== undefined && atEnd.term !== term;
  return { state, entries: stale || other ? [] : entries, ...loaded };
}
