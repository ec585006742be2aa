/**
 * The tables of Raft's log, term and vote in SQLite, and how the file is opened. Every row has a
 * checksum and the number of the write that it came with, since SQLite's pages have neither.
 *
 * @module
 */
import { constants, Database, SQLiteError } from "bun:sqlite";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { HardState } from "../protocol/raft/action.ts";
import type { LogEntry } from "../protocol/raft/message.ts";
import { SECRET_MODE, syncFile, writeFileNew } from "./disk.ts";
import { errorText } from "./error-text.ts";

/** In SQLite's user_version; 0: new, or of the releases whose rows had no checksums. */
const VERSION = 1;
export const WHAT_NEXT =
  "move the raft folder away, and let this server join the others again, or restore a copy of the folder";

/** What the tables say. */
export interface LogTables {
  /** Of the last write; 0: there was none. */
  readonly sequence: number;
  /** Up to this index a snapshot stands for the log. */
  readonly forgotten: number;
  readonly state: HardState;
  readonly entries: readonly LogEntry[];
  /** They are there, in the form of this release. */
  readonly current: boolean;
}

interface LogRow {
  readonly idx: number;
  readonly term: number;
  readonly type: number;
  readonly data: unknown;
  readonly appended: number | null;
  readonly sequence: number;
  readonly sum: number;
}

interface StateRow {
  readonly body: string;
  readonly forgotten: number;
  readonly sequence: number;
  readonly sum: number;
}

/** By name: another one in a damaged schema is an error. */
const LOG_COLUMNS = "idx, term, type, data, appended";
const NO_STATE: HardState = { term: 0, votedTerm: 0, votedFor: "" };
export const NO_TABLES: LogTables = {
  sequence: 0,
  forgotten: 0,
  state: NO_STATE,
  entries: [],
  current: false,
};

/**
 * Nothing is created or changed, not even by SQLite itself: the file is opened read-only, and what
 * the write-ahead file adds to it is kept in memory.
 *
 * @throws SQLiteError, also when an agent runs with it
 */
export function openReadOnly(path: string): Database {
  throwIfInUse(path);
  const url = pathToFileURL(path).href;
  const readOnly = constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI;
  // It would create the write-ahead file where there is none.
  if (!existsSync(`${path}-wal`)) return new Database(`${url}?immutable=1`, readOnly);
  // Read-only files cannot be locked as this mode wants: we looked for locks before.
  const db = new Database(`${url}?mode=ro&vfs=unix-none`, readOnly);
  db.run("PRAGMA locking_mode = EXCLUSIVE"); // Else it would want a file of shared memory.
  db.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1); // Else a closing one would remove it.
  return db;
}

/** Ours alone: a second agent with this folder would write the same log. @throws SQLiteError */
export function openForWriting(path: string): Database {
  const db = new Database(path, { create: true, strict: true });
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA synchronous = FULL");
  return db;
}

/** The tables in the form of this release, with what was in them before. */
export function makeTables(db: Database, before: LogTables): LogTables {
  const { state, entries, forgotten } = before;
  const sequence = 1;
  db.transaction(() => {
    db.run("DROP TABLE IF EXISTS log");
    db.run("DROP TABLE IF EXISTS state");
    db.run(
      "CREATE TABLE log (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, type INTEGER NOT NULL, " +
        "data BLOB NOT NULL, appended REAL, sequence INTEGER NOT NULL, sum INTEGER NOT NULL)",
    );
    db.run(
      "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL, " +
        "forgotten INTEGER NOT NULL, sequence INTEGER NOT NULL, sum INTEGER NOT NULL)",
    );
    writeEntries(db, entries, sequence);
    writeState(db, state, forgotten, sequence);
    db.run(`PRAGMA user_version = ${VERSION}`);
  })();
  return { ...before, sequence, current: true };
}

/** A file with the tables and nothing in them, on the disk when this returns. */
export function createDatabase(path: string): LogTables {
  // What is in it is for its owner only; SQLite's other files take its mode.
  writeFileNew(path, "", SECRET_MODE);
  const db = new Database(path, { strict: true });
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  db.run("PRAGMA synchronous = OFF"); // Once is enough, at the end.
  const tables = makeTables(db, NO_TABLES);
  db.run("PRAGMA journal_mode = WAL");
  db.close();
  syncFile(path);
  return tables;
}

/** What is in the write-ahead file comes into the file itself, on the disk. */
export function checkpoint(db: Database): void {
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

export function writeEntries(db: Database, entries: readonly LogEntry[], sequence: number): void {
  const insert = db.query("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)");
  for (const entry of entries) {
    const { index, term, type, data, appendedAtMs } = entry;
    insert.run(index, term, type, data, appendedAtMs ?? null, sequence, sumOf(entry, sequence));
  }
}

export function writeState(
  db: Database,
  state: HardState,
  forgotten: number,
  sequence: number,
): void {
  const body = JSON.stringify(state);
  const sum = sumOfRow(body, forgotten, sequence);
  db.query("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?)").run(
    body,
    forgotten,
    sequence,
    sum,
  );
}

/** @throws SQLiteError, or Error with one sentence for the operator */
export function readTables(db: Database): LogTables {
  const version = db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version;
  if (version === VERSION) return readCurrent(db);
  if (version === 0) return readOld(db);
  throw new Error(`it was written by a later release (its form is ${version}): use that one`);
}

/** Term and vote as a mark knows them. */
export function stateSumOf(state: HardState): number {
  return Bun.hash.crc32(JSON.stringify(state));
}

function readCurrent(db: Database): LogTables {
  const row = db.query<StateRow, []>("SELECT body, forgotten, sequence, sum FROM state").get();
  if (row === null || sumOfRow(row.body, row.forgotten, row.sequence) !== row.sum) {
    throw new Error(
      `the file is damaged: the checksum of term and vote does not match: ${WHAT_NEXT}`,
    );
  }
  const rows = db
    .query<LogRow, []>(`SELECT ${LOG_COLUMNS}, sequence, sum FROM log ORDER BY idx`)
    .all();
  const entries = entriesOf(rows);
  for (const [i, entry] of entries.entries()) {
    const row = rows[i];
    if (row !== undefined && isWhole(row) && sumOf(entry, row.sequence) === row.sum) continue;
    const what = `the checksum of entry ${entry.index} does not match`;
    throw new Error(`the file is damaged: ${what}: ${WHAT_NEXT}`);
  }
  const sequence = rows.reduce((most, one) => Math.max(most, one.sequence), row.sequence);
  return {
    sequence,
    forgotten: row.forgotten,
    state: JSON.parse(row.body),
    entries,
    current: true,
  };
}

/** There is nothing yet, or what is there has no checksums. */
function readOld(db: Database): LogTables {
  if (db.query("SELECT 1 FROM sqlite_schema WHERE name = 'log'").get() === null) {
    return NO_TABLES;
  }
  const rows = db
    .query<LogRow, []>(`SELECT ${LOG_COLUMNS}, 0 AS sequence, 0 AS sum FROM log ORDER BY idx`)
    .all();
  const state = db.query<{ body: string }, []>("SELECT body FROM state").get();
  const entries = entriesOf(rows);
  const forgotten = (entries[0]?.index ?? 1) - 1;
  return {
    ...NO_TABLES,
    forgotten,
    entries,
    state: state === null ? NO_STATE : JSON.parse(state.body),
  };
}

/** Numbers that are missing would count as 0 in a checksum. */
function isWhole({ term, type, data, appended, sequence }: LogRow): boolean {
  const numbers = [term, type, appended ?? 0, sequence];
  return data instanceof Uint8Array && numbers.every((one) => typeof one === "number");
}

function entriesOf(rows: readonly LogRow[]): readonly LogEntry[] {
  for (const [i, { idx }] of rows.entries()) {
    const before = rows[i - 1]?.idx ?? idx - 1;
    if (before + 1 === idx) continue;
    throw new Error(`there is a gap between ${before} and ${idx}: ${WHAT_NEXT}`);
  }
  return rows.map(({ idx, term, type, data, appended }) => ({
    index: idx,
    term,
    type,
    data: data instanceof Uint8Array ? new Uint8Array(data) : new Uint8Array(0),
    appendedAtMs: appended ?? undefined,
  }));
}

/** Arithmetic where a text would do, since it is done for every entry. */
function sumOf({ index, term, type, data, appendedAtMs }: LogEntry, sequence: number): number {
  const numbers = mix(mix(mix(mix(0, sequence), index), term), type);
  return Bun.hash.crc32(data, mix(numbers, appendedAtMs ?? -1)) | 0;
}

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);

/** Another result for every other `value`: each step can be undone. @returns 32 bits */
function mix(sum: number, value: number): number {
  number[0] = value;
  let mixed = Math.imul(sum ^ (words[0] ?? 0), 0x9e37_79b1);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed ^ (words[1] ?? 0), 0x85eb_ca77);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

function sumOfRow(body: string, forgotten: number, sequence: number): number {
  return Bun.hash.crc32(`${sequence} ${forgotten} ${body}`);
}

/** @throws SQLiteError SQLITE_BUSY */
function throwIfInUse(path: string): void {
  const db = new Database(path, { readonly: true });
  try {
    // It wants the lock of an agent first, which a file that is read-only cannot give.
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.query("PRAGMA user_version").get();
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_IOERR_LOCK") return;
    throw error;
  } finally {
    db.close();
  }
}

/** SQLite's words are for programmers. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof SQLiteError)) return errorText(error);
  const { code = "" } = error;
  if (code === "SQLITE_BUSY") return "it is in use: another agent runs with this data_dir";
  if (code === "SQLITE_CANTOPEN") return "it cannot be opened: look at its owner and mode";
  if (code.startsWith("SQLITE_READONLY")) {
    return "it cannot be written: look at its owner and mode, and at how the disk is mounted";
  }
  if (code === "SQLITE_FULL") return "the disk is full: make room, then start again";
  const foreign = code === "SQLITE_NOTADB";
  // A table or a column that is not there is damage, too: it was there when we made it.
  if (foreign || code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_ERROR") {
    const other = foreign ? ", or Nomad's own, which has another form" : "";
    return `the file is damaged${other}: ${WHAT_NEXT}`;
  }
  return errorText(error);
}
