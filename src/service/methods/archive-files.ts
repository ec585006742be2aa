/**
 * Files in a compressed tar, as few bytes at a time as possible: what decompresses to gigabytes is
 * refused before they are there, and one archive is worked on at a time.
 *
 * @module
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { errorText } from "../../host/error-text.ts";

/** Headers, padding, and what other writers add behind the end. */
const AROUND_BYTES_MAX = 1024 * 1024;
/** Whoever comes while so many wait is told to come back. */
const WAITING_MAX = 16;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** One after another: each may take as much memory as there is for all. @throws Error */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= WAITING_MAX) {
    return Promise.reject(new Error("too many snapshots are being worked on: try again later"));
  }
  waiting += 1;
  const mine = last.then(work, work);
  const done = (): void => {
    waiting -= 1;
  };
  last = mine.then(done, done);
  return mine;
}

/** Ends with the tar's end: Nomad's reader refuses what comes behind it. */
export function packFiles(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  return inTurn(async () => {
    const { packTar } = await import("modern-tar");
    const entries = Object.entries(files).map(([name, content]) => {
      const header = { name, size: content.length, mode: 0o600, mtime: new Date() };
      return { header, body: content };
    });
    return promisify(gzip)(await packTar(entries));
  });
}

/**
 * @param bytesMax by name: other files, and longer ones, are refused
 * @throws Error with one sentence: why the bytes are no such archive
 */
export function unpackFiles(
  bytes: Uint8Array,
  bytesMax: Readonly<Record<string, number>>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  return inTurn(async () => {
    const files = new Map<string, Uint8Array>();
    const { createTarDecoder } = await import("modern-tar");
    const sum = Object.values(bytesMax).reduce((all, one) => all + one, AROUND_BYTES_MAX);
    const entries = new Blob([new Uint8Array(bytes)])
      .stream()
      .pipeThrough(new DecompressionStream("gzip"))
      .pipeThrough(limited(sum))
      .pipeThrough(createTarDecoder());
    try {
      for await (const { header, body } of entries) {
        const most = Object.hasOwn(bytesMax, header.name) ? bytesMax[header.name] : undefined;
        if (most === undefined || files.has(header.name)) {
          throw new ArchiveError(`unexpected file ${JSON.stringify(header.name)} in snapshot`);
        }
        if (header.size > most) throw new ArchiveError(tooMuch(header.name, most));
        files.set(header.name, await new Response(body).bytes());
      }
    } catch (error) {
      if (error instanceof ArchiveError) throw error;
      throw new ArchiveError(`not a snapshot archive (a compressed tar): ${errorText(error)}`);
    }
    return files;
  });
}

class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

/** Passes on so many bytes, and not one more. */
function limited(bytesMax: number): TransformStream<Uint8Array, Uint8Array> {
  let left = bytesMax;
  return new TransformStream({
    transform(chunk, controller) {
      left -= chunk.length;
      if (left < 0) throw new ArchiveError(tooMuch("the archive, decompressed,", bytesMax));
      controller.enqueue(chunk);
    },
  });
}

function tooMuch(what: string, bytesMax: number): string {
  return `${what} has more than ${(bytesMax / 2 ** 20).toFixed(0)} MiB`;
}
