/**
 * What goes into archives and packages besides the binary, and the archive itself: the same files
 * give the same bytes, whoever packs them and when.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { packTar, type TarEntry } from "modern-tar";

const ROOT = new URL("../..", import.meta.url).pathname;

export interface ReleaseFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

const DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md"] as const;
/** Where a shell looks for what completes its commands, below `completions/`. */
const SHELLS = { bash: "nomad", zsh: "_nomad", fish: "nomad.fish" } as const;

/** @param binary one that runs here: it prints its own completions, manual page and unit */
export function commonFiles(binary: string): readonly ReleaseFile[] {
  const documents = DOCUMENTS.map((path) => fileOf(path, read(path)));
  const completions = Object.entries(SHELLS).map(([shell, name]) => {
    return fileOf(`completions/${name}`, said(binary, ["completion", shell]));
  });
  const unit = fileOf("systemd/nomad.service", said(binary, ["systemd", "unit", "-binary=/usr/local/bin/nomad"]));
  const page = fileOf("man/nomad.1", said(binary, ["-man"]));
  return [...documents, ...examples(), ...completions, unit, page];
}

/** Scripts among them stay executable. */
function examples(): readonly ReleaseFile[] {
  const folder = join(ROOT, "examples");
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
    .map((path) => {
      const isProgram = (statSync(join(folder, path)).mode & 0o100) !== 0;
      return { ...fileOf(`examples/${path}`, read(`examples/${path}`)), ...(isProgram && { mode: 0o755 }) };
    });
}

export function fileOf(path: string, bytes: Uint8Array): ReleaseFile {
  return { path, bytes, mode: 0o644 };
}

export function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(ROOT, path)));
}

/** @throws Error when it has no such command */
function said(binary: string, args: readonly string[]): Uint8Array {
  const run = Bun.spawnSync([binary, ...args], { stdout: "pipe", stderr: "pipe", env: {} });
  if (run.success) return new Uint8Array(run.stdout);
  throw new Error(`nomad ${args.join(" ")} failed: ${run.stderr.toString()}`);
}

/**
 * @param folder everything is inside it
 * @param epochSeconds the time of every file
 */
export async function packArchive(
  folder: string,
  files: readonly ReleaseFile[],
  epochSeconds: number,
): Promise<Uint8Array> {
  const mtime = new Date(epochSeconds * 1000);
  const owner = { uid: 0, gid: 0, uname: "root", gname: "root", mtime };
  const entries = [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, bytes, mode }): TarEntry => {
      const header = { name: `${folder}/${path}`, size: bytes.length, mode, ...owner };
      return { header: { ...header, type: "file" }, body: bytes };
    });
  const tar = await packTar(entries);
  // gzip's own header has no name and no time this way.
  return Bun.gzipSync(new Uint8Array(tar), { library: "libdeflate", level: 6 });
}

/** Of one document, as small as can be. */
export function gzip(bytes: Uint8Array): Uint8Array {
  return Bun.gzipSync(new Uint8Array(bytes), { level: 9 });
}
