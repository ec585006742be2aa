/** What the benchmarks share: one line a figure, and what a process has cost so far. */
import { readFileSync } from "node:fs";

export type Report = (what: string, value: string, target: string) => void;

/** User and system time of a process. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10; // Ticks of 10 ms.
}

export function ratio(ours: number, theirs: number): string {
  return `ratio ${(ours / theirs).toFixed(2)}`;
}
