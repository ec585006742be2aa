/**
 * How far Raft's log must reach: what was last promised, in a file of its own beside the log.
 *
 * SQLite takes a damaged write-ahead file for one that ends there, and drops the rest without a
 * word. So every write to the log has a number, and once it is on the disk its number is noted
 * here, in place and without waiting for the disk. A log that ends before the mark has lost
 * something; a write that was torn, and so was never promised, is behind it. The file is synced
 * within a second, and when the log is closed: a kill of the process costs nothing of it, a power
 * cut at most the marks of the last second.
 *
 * @module
 */
import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { readFileIfThere, SECRET_MODE, writeFileAtomic } from "./disk.ts";
import { errorText } from "./error-text.ts";

/** Of one write to the log. */
export interface Mark {
  /** Its number; 0: nothing was promised yet. */
  readonly sequence: number;
  /** The log's first and last index after it; 0 when it is empty. */
  readonly first: number;
  readonly last: number;
  /** Checksum of term and vote. */
  readonly stateSum: number;
}

/** Written in turns, each in a sector of its own: a torn one leaves the other. */
const SLOT_BYTES = 4096;
const SLOTS = 2;
const SYNC_AFTER_MS = 1000;
const FIELDS = 5;

/** undefined: there is no such file. @throws when it cannot be read */
export function readMark(path: string): Mark | "damaged" | undefined {
  const file = readFileIfThere(path);
  if (file === undefined) return undefined;
  let newest: Mark | "damaged" = "damaged";
  for (let slot = 0; slot < SLOTS; slot++) {
    const mark = decode(file.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES));
    if (mark === undefined) continue;
    if (newest === "damaged" || mark.sequence > newest.sequence) newest = mark;
  }
  return newest;
}

/** A new one, on the disk when this returns. @throws when it cannot be written */
export function createMark(path: string, mark: Mark): void {
  const content = new Uint8Array(SLOTS * SLOT_BYTES).fill(0x20);
  for (let slot = 0; slot < SLOTS; slot++) content.set(encode(mark), slot * SLOT_BYTES);
  writeFileAtomic(path, content, SECRET_MODE);
}

/** One that is there, being written. */
export class RaftMark {
  readonly #file: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed: string | undefined;
  #closed = false;

  /** @throws when it cannot be opened */
  constructor(path: string) {
    this.#file = openSync(path, "r+");
  }

  /** What it says is on the disk already. @throws when it cannot be written */
  write(mark: Mark): void {
    if (this.#failed !== undefined) throw new Error(this.#failed);
    const line = encode(mark);
    writeSync(this.#file, line, 0, line.length, (mark.sequence % SLOTS) * SLOT_BYTES);
    this.#timer ??= setTimeout(() => this.#sync(), SYNC_AFTER_MS);
  }

  /** What cannot be synced now is on the disk a little later: it is no reason not to stop. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    try {
      fdatasyncSync(this.#file);
    } catch {
      // The log itself is synced, and says more than the mark.
    }
    closeSync(this.#file);
  }

  #sync(): void {
    this.#timer = undefined;
    fdatasync(this.#file, (error) => {
      if (error instanceof Error && !this.#closed) this.#failed = errorText(error);
    });
  }
}

function encode({ sequence, first, last, stateSum }: Mark): Uint8Array {
  const text = `${sequence} ${first} ${last} ${stateSum}`;
  return new TextEncoder().encode(`${text} ${Bun.hash.crc32(text)}\n`);
}

/** undefined: it is damaged. */
function decode(slot: Uint8Array): Mark | undefined {
  const end = slot.indexOf(0x0a);
  const text = new TextDecoder("latin1").decode(slot.subarray(0, Math.max(end, 0)));
  const words = text.split(" ");
  const [sequence = 0, first = 0, last = 0, stateSum = 0, sum] = words.map(Number);
  const summed = words.slice(0, -1).join(" ");
  if (words.length !== FIELDS || sum !== Bun.hash.crc32(summed)) return undefined;
  return { sequence, first, last, stateSum };
}
