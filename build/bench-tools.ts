/** What the benchmarks share: one line a figure, and what a process has cost so far. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY } from "./build.ts";

export type Report = (what: string, value: string, target: string) => void;

/** User and system time of a process. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10; // Ticks of 10 ms.
}

/** The same of all threads that live, finer than a tick: for what is almost idle. */
export function threadsCpuMs(pid: number): number {
  const nanos = readdirSync(`/proc/${pid}/task`).map((thread) => {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  });
  return nanos.reduce((sum, one) => sum + one, 0) / 1e6;
}

export function ratio(ours: number, theirs: number): string {
  return `ratio ${(ours / theirs).toFixed(2)}`;
}

export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A certificate, and the CA of the folder if it has none yet, as our own commands make them. */
export function makeCertificates(
  directory: string,
  role: "server" | "client" = "server",
): TlsFiles {
  const ca = join(directory, "nomad-agent-ca.pem");
  const create = (...args: readonly string[]): void => {
    const run = Bun.spawnSync([BINARY, "tls", ...args], { cwd: directory, stderr: "pipe" });
    if (!run.success) throw new Error(run.stderr.toString());
  };
  if (!existsSync(ca)) create("ca", "create");
  create("cert", "create", `-${role}`);
  const pair = join(directory, `global-${role}-nomad`);
  return { ca, cert: `${pair}.pem`, key: `${pair}-key.pem` };
}
