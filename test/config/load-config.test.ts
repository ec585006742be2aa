/** Files to one configuration: read in order, parsed at once, merged. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LoadError, loadConfig } from "../../src/cli/load-config.ts";
import { parseInProcess } from "../../src/config/hcl-parser.ts";

const root = mkdtempSync(join(tmpdir(), "nomad-load-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

async function load(paths: readonly string[]) {
  const asked: (readonly string[])[] = [];
  const loaded = await loadConfig({
    paths,
    flags: [],
    devMode: false,
    parse: async (texts) => {
      asked.push(texts);
      return texts.map(parseInProcess);
    },
  });
  return { config: loaded.config, asked };
}

test("the HCL of all files is parsed at once, and merged in the order of the files", async () => {
  const a = write(
    "a.hcl",
    `data_dir = "/x"\nregion = "a"\nname = "a"\nserver { enabled = true }\n`,
  );
  const b = write("b.json", JSON.stringify({ region: "b", datacenter: "b" }));
  const c = write("c.hcl", `datacenter = "c"\nname = "c"\n`);
  const { config, asked } = await load([a, b, c]);
  expect(asked.map((texts) => texts.length)).toEqual([2]);
  expect([config.region, config.datacenter, config.name]).toEqual(["b", "c", "c"]);
  // A file that is named twice counts twice.
  const again = await load([a, b, c, a]);
  expect([again.config.region, again.config.datacenter, again.config.name]).toEqual([
    "a",
    "c",
    "a",
  ]);
});

test("of a directory what is no directory itself is read", async () => {
  const within = join(root, "conf.d");
  mkdirSync(join(within, "old.hcl"), { recursive: true });
  writeFileSync(join(within, "a.hcl"), `data_dir = "/x"\nserver { enabled = true }\n`);
  writeFileSync(join(within, "old.hcl", "b.hcl"), "nonsense");
  const { asked } = await load([within]);
  expect(asked.map((texts) => texts.length)).toEqual([1]);
});

test("JSON alone needs no parser", async () => {
  const file = { data_dir: "/x", server: { enabled: true } };
  const { asked } = await load([write("only.json", JSON.stringify(file))]);
  expect(asked).toEqual([]);
});

test("mistakes of every file are told at once", async () => {
  const one = write("one.hcl", "region = \n");
  const two = write("two.hcl", "server {\n");
  const failed = await load([one, join(root, "nowhere.hcl"), two]).catch((error) => error);
  expect(failed).toBeInstanceOf(LoadError);
  for (const name of ["one.hcl", "two.hcl", "nowhere.hcl"]) expect(failed.text).toContain(name);
});

test("what has no end is no configuration", async () => {
  const error = await load(["/dev/zero"]).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LoadError);
  expect(error instanceof LoadError ? error.text : "").toContain(
    "cannot read the configuration: it is longer than 16 MiB",
  );
});
