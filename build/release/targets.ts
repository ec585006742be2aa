/**
 * What a release is compiled for, and the runtime of each: an npm package of the same version as
 * the compiler's. Packages are kept in npm's own cache, so that a second run needs no network, and
 * each must be the one of package-lock.json, byte for byte.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Inside node_modules, which is not kept anywhere. */
const CACHE = join(ROOT, "node_modules", ".cache", "runtimes");

export interface Target {
  /** In the names of files: what Go, Debian and Nomad call it. */
  readonly name: string;
  /** What the compiler calls it. */
  readonly bun: string;
  /** Packages of these formats are made of it, with their names of the architecture. */
  readonly deb?: string;
  readonly rpm?: string;
}

export const TARGETS: readonly Target[] = [
  { name: "linux_amd64", bun: "linux-x64", deb: "amd64", rpm: "x86_64" },
  { name: "linux_arm64", bun: "linux-aarch64", deb: "arm64", rpm: "aarch64" },
  { name: "linux_amd64_musl", bun: "linux-x64-musl" },
  { name: "linux_arm64_musl", bun: "linux-aarch64-musl" },
  { name: "darwin_arm64", bun: "darwin-aarch64" },
];

/** @returns the executable that becomes the target's binary. @throws Error for whoever runs this */
export function runtimeOf({ bun }: Target): string {
  const { version, integrity } = locked(`@oven/bun-${bun}`);
  const kept = join(CACHE, `${bun}-${version}`);
  if (existsSync(kept)) return kept;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, "fetch-"));
  try {
    const name = `@oven/bun-${bun}@${version}`;
    must(["npm", "pack", "--silent", "--prefer-offline", `--pack-destination=${work}`, name], work);
    const file = join(work, `oven-bun-${bun}-${version}.tgz`);
    const found = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
    if (found !== integrity) {
      throw new Error(`${name} is not the package of package-lock.json: ${found}`);
    }
    must(["tar", "-xzf", file, "package/bin/bun"], work);
    const runtime = join(work, "package", "bin", "bun");
    chmodSync(runtime, 0o755);
    renameSync(runtime, kept);
    return kept;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function locked(name: string): { version: string; integrity: string } {
  const lock: { packages: Record<string, { version?: string; integrity?: string }> } = JSON.parse(
    readFileSync(join(ROOT, "package-lock.json"), "utf8"),
  );
  const { version = "", integrity = "" } = lock.packages[`node_modules/${name}`] ?? {};
  if (version === "" || integrity === "") throw new Error(`package-lock.json has no ${name}`);
  return { version, integrity };
}

/** Runs a command to its end. @throws Error with what it said */
export function must(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): string {
  const run = Bun.spawnSync([...command], {
    cwd,
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const out = run.stdout.toString();
  if (run.success) return out;
  throw new Error(`${command.slice(0, 3).join(" ")} … failed:\n${out}${run.stderr.toString()}`);
}
