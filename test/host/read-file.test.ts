/** Files of an operator's that are none: devices without an end, pipes that nobody writes to. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBytes, readText } from "../../src/host/files.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fifo(name: string): string {
  const path = join(directory, name);
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  return path;
}

test("a device without an end, or a file that is too long, is not read", () => {
  expect(() => readText("/dev/zero")).toThrow("it is longer than 16 MiB");
  const long = join(directory, "long");
  writeFileSync(long, "x".repeat(2 ** 20 + 1));
  expect(() => readBytes(long, 2 ** 20)).toThrow("it is longer than 1 MiB");
  expect(readBytes(long).length).toBe(2 ** 20 + 1);
  expect(readText("/dev/null")).toBe("");
});

test("a pipe is read to its end, however slowly it comes, unless nobody writes", async () => {
  const path = fifo("slow");
  const script = `(printf 'a = 1'; sleep 0.3; printf '\\nb = 2') > ${path}`;
  const writer = Bun.spawn(["sh", "-c", script]);
  expect(readText(path)).toBe("a = 1\nb = 2");
  await writer.exited;
  expect(() => readText(fifo("empty"))).toThrow("it is a pipe, and nothing was written to it");
});
