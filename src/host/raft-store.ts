/**
 * Raft's log, term and vote on disk: SQLite in WAL mode, synced at every commit, so that what
 * `persist` wrote is there after a power cut (measured beside other stores: see the README).
 *
 * @module
 */
import { Database, SQLiteError } from "bun:sqlite";
import { join } from "node:path";
import type { HardState } from "../protocol/raft/action.ts";
import type { LogEntry, SnapshotMeta } from "../protocol/raft/message.ts";
import { sha256 } from "./digest.ts";
import { makeDirectory, readFileIfThere, SECRET_MODE, touch, writeFileAtomic } from "./disk.ts";
import { errorText } from "./error-text.ts";

export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  /** The state machine's own bytes. */
  readonly data: Uint8Array;
}

export interface StoredRaft {
  readonly state: HardState;
  readonly entries: readonly LogEntry[];
  readonly snapshot: StoredSnapshot | undefined;
  /** Something was wrong and could be mended; one sentence for the operator. */
  readonly warning: string | undefined;
}

export class RaftStore {
  readonly #db: Database;
  readonly #directory: string | undefined;
  #snapshot: StoredSnapshot | undefined;

  /** @param directory undefined: in memory only. @throws Error for the operator */
  constructor(directory: string | undefined) {
    this.#directory = directory;
    if (directory !== undefined) makeDirectory(directory);
    const path = directory === undefined ? ":memory:" : join(directory, "raft.db");
    try {
      // What is in it is for its owner only; SQLite's other files take its mode.
      if (directory !== undefined) touch(path, SECRET_MODE);
      this.#db = new Database(path, { create: true, strict: true });
      // Ours alone: a second agent with this folder would write the same log.
      this.#db.run("PRAGMA locking_mode = EXCLUSIVE");
      this.#db.run("PRAGMA journal_mode = WAL");
      this.#db.run("PRAGMA synchronous = FULL");
      this.#db.run(
        "CREATE TABLE IF NOT EXISTS log (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, " +
          "type INTEGER NOT NULL, data BLOB NOT NULL, appended REAL)",
      );
      this.#db.run(
        "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), body)",
      );
    } catch (error) {
      throw new Error(`cannot open the Raft log ${path}: ${reasonOf(error)}`);
    }
  }

  /** @throws Error with one sentence for the operator when what is there cannot be trusted */
  load(): StoredRaft {
    try {
      return this.#load();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      throw new Error(`cannot read the Raft log: ${reasonOf(error)}`);
    }
  }

  #load(): StoredRaft {
    const rows = this.#db
      .query<
        { idx: number; term: number; type: number; data: Uint8Array; appended: number | null },
        []
      >("SELECT idx, term, type, data, appended FROM log ORDER BY idx")
      .all();
    const entries = rows.map(({ idx, term, type, data, appended }) => ({
      index: idx,
      term,
      type,
      data: new Uint8Array(data),
      appendedAtMs: appended ?? undefined,
    }));
    for (const [i, entry] of entries.entries()) {
      const before = entries[i - 1];
      if (before === undefined || before.index + 1 === entry.index) continue;
      throw new Error(`the Raft log has a gap between ${before.index} and ${entry.index}`);
    }
    const state = this.#db.query<{ body: string }, []>("SELECT body FROM state").get();
    const { snapshot, warning } = this.#loadSnapshot(entries[0]?.index);
    this.#snapshot = snapshot;
    return {
      state: state === null ? { term: 0, votedTerm: 0, votedFor: "" } : JSON.parse(state.body),
      entries,
      snapshot,
      warning,
    };
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
    this.#db.transaction(() => {
      if (state !== undefined) {
        const body = JSON.stringify(state);
        this.#db.query("INSERT OR REPLACE INTO state (id, body) VALUES (1, ?)").run(body);
      }
      if (truncateFrom !== undefined) {
        this.#db.query("DELETE FROM log WHERE idx >= ?").run(truncateFrom);
      }
      const insert = this.#db.query("INSERT INTO log VALUES (?, ?, ?, ?, ?)");
      for (const { index, term, type, data, appendedAtMs } of entries) {
        insert.run(index, term, type, data, appendedAtMs ?? null);
      }
    })();
  }

  /** The snapshot first, then the log that it stands for goes; a crash between is no harm. */
  saveSnapshot(snapshot: StoredSnapshot): void {
    this.#snapshot = snapshot;
    if (this.#directory === undefined) return;
    const { meta, data } = snapshot;
    const head = { meta, size: data.length, sha256: sha256(data).toHex() };
    const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
    const file = new Uint8Array(line.length + data.length);
    file.set(line);
    file.set(data, line.length);
    writeFileAtomic(this.#snapshotPath(), file, SECRET_MODE, this.#oldPath());
  }

  /** Entries up to here, and from `alsoFrom` on, go. */
  forget(upTo: number, alsoFrom: number | undefined): void {
    this.#db.transaction(() => {
      this.#db.query("DELETE FROM log WHERE idx <= ?").run(upTo);
      if (alsoFrom !== undefined) this.#db.query("DELETE FROM log WHERE idx >= ?").run(alsoFrom);
    })();
  }

  close(): void {
    this.#db.close();
  }

  #snapshotPath(): string {
    return join(this.#directory ?? "", "snapshot");
  }

  #oldPath(): string {
    return join(this.#directory ?? "", "snapshot.old");
  }

  /**
   * The last snapshot; the one before it where that one is damaged and the log goes on from there.
   *
   * @param logStart undefined: there is no log
   */
  #loadSnapshot(logStart: number | undefined): Pick<StoredRaft, "snapshot" | "warning"> {
    if (this.#directory === undefined) return { snapshot: this.#snapshot, warning: undefined };
    const path = this.#snapshotPath();
    const last = readSnapshotFile(path);
    if (last !== undefined && last !== "damaged") return { snapshot: last, warning: undefined };
    const old = readSnapshotFile(this.#oldPath());
    const goesOn =
      old !== undefined &&
      old !== "damaged" &&
      (logStart ?? Number.POSITIVE_INFINITY) <= old.meta.index + 1;
    const what = last === "damaged" ? "is damaged: its checksum does not match" : "is missing";
    if (goesOn) {
      const next = "the one before it and the log make up for it: nothing is lost";
      return { snapshot: old, warning: `the Raft snapshot ${path} ${what}; ${next}` };
    }
    if (last === undefined && (logStart ?? 1) === 1) {
      return { snapshot: undefined, warning: undefined };
    }
    throw new Error(
      `the Raft snapshot ${path} ${what}. Move it and raft.db away, and let this server join ` +
        "again, or restore a copy of both",
    );
  }
}

/** undefined: there is none. */
function readSnapshotFile(path: string): StoredSnapshot | "damaged" | undefined {
  const file = readFileIfThere(path);
  if (file === undefined) return undefined;
  const end = file.indexOf(0x0a);
  const data = new Uint8Array(file.subarray(end + 1));
  const head = parseHead(new TextDecoder().decode(file.subarray(0, Math.max(end, 0))));
  const whole = head?.size === data.length && head.sha256 === sha256(data).toHex();
  return head !== undefined && whole ? { meta: head.meta, data } : "damaged";
}

/** SQLite's words are for programmers. */
function reasonOf(error: unknown): string {
  const code = error instanceof SQLiteError ? error.code : undefined;
  if (code === "SQLITE_BUSY") return "it is in use: another agent runs with this data_dir";
  if (code === "SQLITE_FULL") return "the disk is full: make room, then start again";
  if (code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB") {
    const foreign = code === "SQLITE_NOTADB" ? ", or Nomad's own, which has another form" : "";
    const next = "move the raft folder away, and let this server join the others again";
    return `the file is damaged${foreign}: ${next}, or restore a copy of the folder`;
  }
  return errorText(error);
}

function parseHead(text: string): { meta: SnapshotMeta; size: number; sha256: string } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
