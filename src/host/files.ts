/**
 * Looking at files, and taking them away: plain steps for whoever asks the disk something. What has
 * to survive a crash is written by disk.ts. Everything here throws the system's errors.
 *
 * @module
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { FILE_BYTES_MAX, readWholeFile } from "./read-file.ts";

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;

/** @param file a path, or a descriptor. @throws when it is longer than any text that is meant */
export function readText(file: string | number): string {
  return Buffer.from(readBytes(file)).toString("utf8");
}

export function readBytes(file: string | number, bytesMax = FILE_BYTES_MAX): Uint8Array {
  return readWholeFile(file, bytesMax);
}

export function isThere(path: string): boolean {
  return existsSync(path);
}

export function isDirectory(path: string): boolean {
  return statSync(path).isDirectory();
}

/** The bits of its permissions. */
export function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}

/** Names in a directory, sorted. */
export function namesIn(directory: string): readonly string[] {
  return readdirSync(directory).sort();
}

/** Names of all that is no directory in one, sorted; a link is none, wherever it leads. */
export function filesIn(directory: string): readonly string[] {
  const found = readdirSync(directory, { withFileTypes: true });
  return found.flatMap((one) => (one.isDirectory() ? [] : [one.name])).sort();
}

/** Without links: two paths of one directory become the same. */
export function realPath(path: string): string {
  return realpathSync(path);
}

/** A file, or a directory with all that is in it; nothing if it is not there. */
export function remove(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

export function makeTemporaryDirectory(prefix: string): string {
  return mkdtempSync(prefix);
}

/** May files be made in it? */
export function mustBeWritable(directory: string): void {
  accessSync(directory, constants.W_OK | constants.X_OK);
}

/** Something was piped into it, or it was redirected: nobody sits there and types. */
export function isFed(descriptor: number): boolean {
  const found = fstatSync(descriptor);
  return found.isFIFO() || found.isFile() || found.isSocket();
}

/** @returns how many bytes were taken */
export function writeTo(descriptor: number, bytes: Uint8Array): number {
  return writeSync(descriptor, bytes);
}

/** A file that only grows. */
export class AppendedFile {
  readonly #file: number;

  /** @param mode of the file if it is made now */
  constructor(path: string, mode: number) {
    this.#file = openSync(path, "a", mode);
  }

  /** In bytes. */
  get size(): number {
    return fstatSync(this.#file).size;
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}
