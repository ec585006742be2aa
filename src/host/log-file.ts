/**
 * `log_file`: appended to, and put aside as Nomad does it when it is too long or too old. An old one
 * is `nomad-<Unix time in nanoseconds>.log` beside it.
 *
 * @module
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { LogOutput } from "./log.ts";

const DEFAULT_NAME = "nomad.log";
/** The group may read it: whoever ships logs is not the agent. */
const MODE = 0o640;

export interface LogRotation {
  /** 0: however long */
  readonly bytesMax: number;
  readonly ageMsMax: number;
  /** Files put aside that are kept; 0: all */
  readonly filesMax: number;
}

/** A path that ends in a slash means nomad.log in that directory. */
export function logFilePath(configured: string): string {
  return configured.endsWith("/") ? join(configured, DEFAULT_NAME) : configured;
}

export class LogFile implements LogOutput {
  readonly #path: string;
  readonly #rotation: LogRotation;
  readonly #wallMs: () => number;
  #file: number | undefined;
  readonly #mode: number;
  #bytes = 0;
  #begunMs = 0;
  #isRegular = true;

  /**
   * @param mode of a file that is not there yet
   * @throws the system's error when it cannot be opened
   */
  constructor(
    configured: string,
    rotation: LogRotation,
    wallMs: () => number = Date.now,
    mode = MODE,
  ) {
    this.#path = logFilePath(configured);
    this.#rotation = rotation;
    this.#wallMs = wallMs;
    this.#mode = mode;
    this.#open();
  }

  line(_level: unknown, text: string): void {
    try {
      this.append(text);
    } catch {
      // A full disk must not stop the agent; standard output has the line.
    }
  }

  /** A line, whole or not at all. @throws the system's error */
  append(text: string): void {
    const bytes = new TextEncoder().encode(`${text}\n`);
    if (this.#isDue()) this.#rotate();
    const file = this.#file ?? this.#open();
    const written = writeSync(file, bytes);
    if (written === bytes.length) {
      this.#bytes += written;
      return;
    }
    // The disk has become full in the middle of it.
    if (this.#isRegular) ftruncateSync(file, Math.max(0, fstatSync(file).size - written));
    throw Object.assign(new Error("only a part of the line was written"), { code: "ENOSPC" });
  }

  /** Somebody has moved it away: what comes now goes into a new one. */
  reopen(): void {
    this.close();
    try {
      this.#open();
    } catch {
      // The next line tries again.
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): number {
    const file = openSync(this.#path, "a", this.#mode);
    this.#file = file;
    const status = fstatSync(file);
    const { size, birthtimeMs } = status;
    this.#isRegular = status.isFile();
    this.#bytes = size;
    // Some file systems do not know when a file was made.
    this.#begunMs = birthtimeMs > 0 ? birthtimeMs : this.#wallMs();
    return file;
  }

  /** A device is nothing to be put aside. */
  #isDue(): boolean {
    if (!this.#isRegular) return false;
    const { bytesMax, ageMsMax } = this.#rotation;
    if (bytesMax > 0 && this.#bytes >= bytesMax) return true;
    return this.#wallMs() - this.#begunMs >= ageMsMax;
  }

  #rotate(): void {
    const [start, end] = this.#pattern();
    const stamp = BigInt(Math.round(this.#wallMs())) * 1_000_000n;
    this.close();
    renameSync(this.#path, join(dirname(this.#path), `${start}${stamp}${end}`));
    this.#open();
    this.#begunMs = this.#wallMs();
    this.#prune();
  }

  #prune(): void {
    const { filesMax } = this.#rotation;
    if (filesMax === 0) return;
    const [start, end] = this.#pattern();
    const directory = dirname(this.#path);
    const isOld = (name: string): boolean =>
      name.startsWith(start) &&
      name.endsWith(end) &&
      /^\d+$/.test(name.slice(start.length, -end.length));
    const old = readdirSync(directory).filter(isOld).sort();
    for (const name of old.slice(0, Math.max(0, old.length - filesMax)))
      rmSync(join(directory, name));
  }

  /** What stands around the time in the names of old files. */
  #pattern(): readonly [string, string] {
    const extension = extname(this.#path);
    return [`${basename(this.#path, extension)}-`, extension === "" ? ".log" : extension];
  }
}
