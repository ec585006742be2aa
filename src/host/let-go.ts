/**
 * Code that an idle process does not run: its pages go back to the kernel's cache, from where they
 * come at once when they are needed after all.
 *
 * @module
 */
import { readFileSync, readlinkSync } from "node:fs";
import type { Clock } from "./host.ts";
import { openLibc } from "./libc.ts";

const MADV_DONTNEED = 4;
/** Then whatever only a start needs is done ... */
const SETTLED_MS = 10_000;
/** ... and who does little later needs little of what it did in between. */
const AGAIN_MS = 60_000;

const open = () => openLibc({ madvise: { args: ["u64", "u64", "i32"], returns: "i32" } }).symbols;

let libc: ReturnType<typeof open> | undefined;

/**
 * Once, some time after the start.
 *
 * @param again for a process that is mostly idle: every minute from then on
 * @returns stops it
 */
export function letGoOfCode(clock: Clock, again: boolean): () => void {
  let cancel: () => void;
  const arm = (waitMs: number): void => {
    cancel = clock.schedule(clock.now() + waitMs, () => {
      letGo();
      if (again) arm(AGAIN_MS);
    });
  };
  arm(SETTLED_MS);
  return () => cancel();
}

/** Only what nobody can have written to; a system without all of this keeps its pages. */
function letGo(): void {
  if (process.platform !== "linux") return;
  try {
    libc ??= open();
    const program = readlinkSync("/proc/self/exe");
    for (const line of readFileSync("/proc/self/maps", "utf8").split("\n")) {
      const found = /^([\da-f]+)-([\da-f]+) r-xp \S+ \S+ \d+\s+(.+)$/.exec(line);
      if (found?.[3] !== program) continue;
      const [from, to] = [BigInt(`0x${found[1]}`), BigInt(`0x${found[2]}`)];
      libc.madvise(from, to - from, MADV_DONTNEED);
    }
  } catch {
    // No such library, or no /proc.
  }
}
