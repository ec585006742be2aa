/**
 * How busy the machine is: processors since it was last looked, memory and disks now.
 *
 * @module
 */
import { uptime } from "node:os";
import { type Disk, diskOf, mounts, textOf } from "./fingerprint.ts";

/** Parts of the time that passed, in percent. */
interface CoreUsage {
  readonly name: string;
  readonly user: number;
  readonly system: number;
  readonly idle: number;
}

interface MemoryUsage {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly freeBytes: number;
  readonly usedBytes: number;
}

interface Ticks {
  readonly user: number;
  readonly system: number;
  readonly idle: number;
  readonly total: number;
}

/** Remembers when it was last asked. */
export class CoreMeter {
  #before = ticksOf();

  /** @returns nothing until some time has passed */
  usage(): readonly CoreUsage[] {
    const [before, now] = [this.#before, ticksOf()];
    this.#before = now;
    return [...now].flatMap(([name, ticks]) => {
      const since = before.get(name);
      const total = ticks.total - (since?.total ?? 0);
      if (since === undefined || total <= 0) return [];
      const part = (key: "user" | "system" | "idle"): number =>
        Math.max(0, (100 * (ticks[key] - since[key])) / total);
      return [{ name, user: part("user"), system: part("system"), idle: part("idle") }];
    });
  }
}

function ticksOf(): ReadonlyMap<string, Ticks> {
  const lines = textOf("/proc/stat").split("\n");
  return new Map(
    lines
      .map((line) => line.split(/\s+/))
      .filter(([name = ""]) => /^cpu\d+$/.test(name))
      .map(([name = "", ...counts]) => {
        const all = counts.slice(0, 8).map(Number);
        const [user = 0, nice = 0, system = 0, idle = 0, wait = 0] = all;
        const total = all.reduce((sum, one) => sum + one, 0);
        return [name, { user: user + nice, system, idle: idle + wait, total }] as const;
      }),
  );
}

export function memoryUsage(): MemoryUsage {
  const text = textOf("/proc/meminfo");
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
  const [totalBytes, freeBytes] = [bytes("MemTotal"), bytes("MemFree")];
  const usedBytes = Math.max(0, totalBytes - freeBytes - bytes("Buffers") - bytes("Cached"));
  return { totalBytes, freeBytes, usedBytes, availableBytes: bytes("MemAvailable") };
}

/** Disks and partitions that are mounted, each once. */
export function mountedDisks(): readonly Disk[] {
  const devices = new Map(
    mounts()
      .filter(({ volume }) => volume.startsWith("/dev/"))
      .map((one) => [one.volume, one.mountPoint] as const),
  );
  return [...devices.values()].flatMap((mountPoint) => {
    try {
      return [diskOf(mountPoint)];
    } catch {
      return []; // Not for us to look at.
    }
  });
}

export function uptimeSeconds(): number {
  return Math.floor(uptime());
}
