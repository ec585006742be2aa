/** Raft stores for tests: filled, copied as a power cut leaves them, and what is in them. */
import { expect } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredSnapshot } from "../../src/host/raft-snapshot.ts";
import { RaftStore, type StoredRaft } from "../../src/host/raft-store.ts";
import type { LogEntry } from "../../src/protocol/raft/message.ts";

/** Folders of one test file. */
export class Folders implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), "nomad-store-"));
  #count = 0;

  next(): string {
    this.#count += 1;
    return join(this.#root, String(this.#count));
  }

  /** The folder as it is while the store has it open, as after a kill of the process. */
  cut(directory: string): string {
    const to = this.next();
    cpSync(directory, to, { recursive: true });
    return to;
  }

  /** Entry i is written and synced with state {term: i}. */
  filled(count: number): { directory: string; store: RaftStore } {
    const directory = this.next();
    const store = new RaftStore(directory);
    for (let i = 1; i <= count; i++) {
      store.persist({ term: i, votedTerm: i, votedFor: "me" }, undefined, [entry(i)]);
    }
    return { directory, store };
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export function entry(index: number, bytes = 200): LogEntry {
  const data = new Uint8Array(bytes).fill(index % 251);
  return { index, term: 1, type: 0, data, appendedAtMs: 5 };
}

export function snapshotAt(index: number, fill: number): StoredSnapshot {
  const meta = { index, term: 1, configuration: { servers: [] }, configurationIndex: 0 };
  return { meta, data: new Uint8Array(500).fill(fill) };
}

/** By a server that starts with it. */
export function load(directory: string): StoredRaft {
  const store = new RaftStore(directory);
  try {
    return store.load();
  } finally {
    store.close();
  }
}

/** Whole commits from the first on: the term tells which was the last. */
export function expectPrefix({ state, entries }: StoredRaft): number {
  expect(entries.map((one) => one.index)).toEqual(entries.map((_, i) => i + 1));
  expect(state.term).toBe(entries.length);
  for (const one of entries) expect(one.data).toEqual(entry(one.index).data);
  return entries.length;
}
