/**
 * A file of an operator's, whole, whatever its path leads to: no device without an end fills the
 * memory, and no pipe that nobody writes to is waited for for ever. Where somebody types (a
 * terminal), or another program is still at work, it is waited for.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** More is no configuration, certificate or key. */
export const FILE_BYTES_MAX = 16 * 1024 * 1024;

const CHUNK_BYTES = 64 * 1024;
const PAUSE_MS = 10;
/** For the first byte of a pipe that has no writer (any more), and for any byte of one that has. */
const WRITER_WAIT_MS = 2000;
const BYTE_WAIT_MS = 60_000;

/**
 * @param file a path, or a descriptor, which stays open
 * @throws the system's errors, and those of ours as sentences
 */
export function readWholeFile(file: string | number, bytesMax: number): Uint8Array {
  // A descriptor of ours has its writer from the start: without one it is at its end.
  if (typeof file === "number") return readAll(file, bytesMax, false);
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readAll(descriptor, bytesMax, true);
  } finally {
    closeSync(descriptor);
  }
}

/** @param mayWait a writer may be yet to come */
function readAll(descriptor: number, bytesMax: number, mayWait: boolean): Uint8Array {
  const found = fstatSync(descriptor);
  const isPipe = found.isFIFO() && mayWait;
  if (found.isFile() && found.size > bytesMax) throw tooLong(bytesMax);
  const chunks: Uint8Array[] = [];
  let [total, waitedMs] = [0, 0];
  for (;;) {
    const chunk = readOnce(descriptor);
    if (chunk !== undefined && chunk.length > 0) {
      waitedMs = 0;
      total += chunk.length;
      if (total > bytesMax) throw tooLong(bytesMax);
      chunks.push(chunk);
      continue;
    }
    const isOver = chunk !== undefined && (total > 0 || !isPipe);
    if (isOver) return Buffer.concat(chunks);
    const limitMs = chunk === undefined ? BYTE_WAIT_MS : WRITER_WAIT_MS;
    if (isPipe && waitedMs >= limitMs) {
      throw new Error(`it is a pipe, and nothing was written to it for ${limitMs / 1000}s`);
    }
    Bun.sleepSync(PAUSE_MS);
    waitedMs += PAUSE_MS;
  }
}

/** Empty at the end; undefined: there is nothing yet. */
function readOnce(descriptor: number): Uint8Array | undefined {
  const chunk = new Uint8Array(CHUNK_BYTES);
  try {
    return chunk.subarray(0, readSync(descriptor, chunk));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
    throw error;
  }
}

function tooLong(bytesMax: number): Error {
  return new Error(`it is longer than ${bytesMax / 2 ** 20} MiB`);
}
