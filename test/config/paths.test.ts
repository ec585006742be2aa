/** What the agent will write has a place, or the configuration is refused before anything is made. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPaths } from "../../src/cli/check-paths.ts";
import { read } from "./read.ts";

const root = mkdtempSync(join(tmpdir(), "nomad-paths-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
writeFileSync(join(root, "file"), "");
mkdirSync(join(root, "folder"));

/** `severity line:column message` of each problem. */
function problems(text: string): readonly string[] {
  const { config, shown } = read(`${text}\nserver {\n  enabled = true\n}`);
  if (config === undefined) throw new Error(shown);
  return checkPaths(config).map(({ severity, message, at }) => {
    return `${severity} ${at?.line}:${at?.column} ${message.replaceAll(root, "ROOT")}`;
  });
}

test("data_dir is made at the start, so validating makes nothing and wants nothing", () => {
  const path = join(root, "folder", "a", "b");
  expect(problems(`data_dir = "${path}"`)).toEqual([]);
  expect(existsSync(join(root, "folder", "a"))).toBe(false);
  expect(problems(`data_dir = "${join(root, "folder")}"`)).toEqual([]);
});

test("a data_dir that cannot be made is a mistake with its place", () => {
  expect(problems(`data_dir = "${root}/file/data"`)).toEqual([
    "error 1:12 data_dir: cannot make ROOT/file/data: ROOT/file is not a directory",
  ]);
  expect(problems(`data_dir = "${root}/file"`)).toEqual([
    "error 1:12 data_dir: cannot make ROOT/file: ROOT/file is not a directory",
  ]);
  expect(problems(`data_dir = "${root}/folder"\nserver {\n  data_dir = "${root}/file"\n}`)).toEqual(
    ["error 3:14 server.data_dir: cannot make ROOT/file: ROOT/file is not a directory"],
  );
});

test("the folder of log_file has to be there", () => {
  const data = `data_dir = "${root}/folder"\n`;
  expect(problems(`${data}log_file = "${root}/folder/nomad.log"`)).toEqual([]);
  expect(problems(`${data}log_file = "${root}/folder/"`)).toEqual([]);
  expect(problems(`${data}log_file = "${root}/file"`)).toEqual([]);
  expect(problems(`${data}log_file = "${root}/nowhere/nomad.log"`)).toEqual([
    "error 2:12 log_file: the folder ROOT/nowhere does not exist",
  ]);
  expect(problems(`${data}log_file = "${root}/nowhere/"`)).toEqual([
    "error 2:12 log_file: the folder ROOT/nowhere/ does not exist",
  ]);
  expect(problems(`${data}log_file = "${root}/file/nomad.log"`)).toEqual([
    "error 2:12 log_file: ROOT/file is not a directory",
  ]);
  expect(problems(`${data}log_file = "${root}/folder"`)).toEqual([
    "error 2:12 log_file: ROOT/folder is a directory",
  ]);
});
