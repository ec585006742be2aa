/** What a debug run has gathered, within a limit: files in memory, then an archive or a folder. */
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { makeDirectory, SECRET_MODE, writeFileNew } from "../host/disk.ts";

/** Of all files together: what an archive is sent around with. */
const TOTAL_BYTES_MAX = 256 * 1024 * 1024;

export class DebugArchive {
  /** `nomad-debug-2026-11-26-061500Z`, the folder that all files are in. */
  readonly name: string;
  readonly #files = new Map<string, Uint8Array[]>();
  readonly #errors: string[] = [];
  #total = 0;

  constructor(now: Date) {
    const [day = "", time = ""] = now.toISOString().split("T");
    this.name = `nomad-debug-${day}-${time.slice(0, 8).replaceAll(":", "")}Z`;
  }

  /** How often something could not be had. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  /** At the end of the file. @returns false: there is no room for it */
  add(path: string, content: string | Uint8Array): boolean {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    if (this.#total + bytes.length > TOTAL_BYTES_MAX) return false;
    this.#total += bytes.length;
    const pieces = this.#files.get(path);
    if (pieces === undefined) this.#files.set(path, [bytes]);
    else pieces.push(bytes);
    return true;
  }

  fail(what: string, why: string): void {
    this.#errors.push(`${what}: ${why}`);
  }

  /** One file. @returns its name */
  async writeArchive(): Promise<string> {
    const { packTar } = await import("modern-tar");
    const mtime = new Date();
    const entries = this.#all().map(([path, body]) => {
      const header = { name: `${this.name}/${path}`, size: body.length, mode: 0o600, mtime };
      return { header, body };
    });
    const file = `${this.name}.tar.gz`;
    writeFileNew(file, await promisify(gzip)(await packTar(entries)), SECRET_MODE);
    return file;
  }

  /** As files below it. @returns the folder that is made */
  writeFolder(above: string): string {
    const folder = join(above, this.name);
    for (const [path, bytes] of this.#all()) {
      const file = join(folder, path);
      makeDirectory(join(file, ".."));
      writeFileNew(file, bytes, SECRET_MODE);
    }
    return folder;
  }

  #all(): readonly (readonly [string, Uint8Array])[] {
    const files = [...this.#files].map(([path, pieces]) => [path, Buffer.concat(pieces)] as const);
    const index = {
      files: files.map(([path, bytes]) => ({ path, bytes: bytes.length })),
      errors: this.#errors,
    };
    const text = `${JSON.stringify(index, null, 2)}\n`;
    return [...files, ["index.json", new TextEncoder().encode(text)] as const];
  }
}
