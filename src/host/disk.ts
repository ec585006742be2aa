/** Files that matter: written beside, synced, renamed; secrets readable by their owner only. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export const SECRET_MODE = 0o600;
export const PUBLIC_MODE = 0o644;
const NO_FILE = "/dev/null";

/**
 * All of it or nothing, and on the disk when it returns.
 *
 * @param previous the name that the file of before keeps; none: it goes
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode: number,
  previous?: string,
): void {
  const temporary = `${path}.tmp-${process.pid}`;
  try {
    const file = openSync(temporary, "w", mode);
    try {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (previous !== undefined && existsSync(path)) renameSync(path, previous);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Creates a file that must not be there yet. @throws EEXIST */
export function writeFileNew(path: string, content: string | Uint8Array, mode: number): void {
  const file = openSync(path, "wx", mode);
  try {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** With all above it that are missing, durably: a file in it is not there without it. */
export function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    syncDirectory(dirname(made));
  }
}

/** One descriptor put by: what opens one file at a time works also when there are none left. */
export class SpareDescriptor {
  #file: number | undefined = openSync(NO_FILE, "r");

  use(work: () => void): void {
    this.close();
    try {
      work();
    } finally {
      this.#putBy();
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** If another was faster, there is none until the next use. */
  #putBy(): void {
    try {
      this.#file = openSync(NO_FILE, "r");
    } catch {
      this.#file = undefined;
    }
  }
}

/** undefined: there is no such file. @throws for every other reason */
export function readFileIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** When it was written, Unix time in milliseconds. @throws */
export function modifiedMs(path: string): number {
  return statSync(path).mtimeMs;
}

/** A file's name is only durable when its directory is. */
export function syncDirectory(path: string): void {
  syncFile(path);
}

export function syncFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
