/**
 * Small files and whether Nomad's agent starts with them: each is read behind cases/base.hcl, as
 * `config validate` reads and checks it, and is taken or refused as expected.tsv says.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { checkConfig } from "../../src/cli/check-config.ts";
import { LoadError, loadConfig } from "../../src/cli/load-config.ts";
import { MACHINE, read } from "./read.ts";

const CASES = new URL("cases/", import.meta.url).pathname;
const SECRETS = new URL("secrets/", import.meta.url).pathname;

async function validate(file: string): Promise<string> {
  try {
    const paths = [`${CASES}base.hcl`, `${CASES}${file}`];
    await checkConfig(await loadConfig({ paths, flags: [], devMode: false }), MACHINE);
    return "accept";
  } catch (error) {
    if (error instanceof LoadError) return `reject: ${error.text}`;
    throw error;
  }
}

describe("as Nomad's agent takes it", () => {
  const rows = readFileSync(`${CASES}expected.tsv`, "utf8").trim().split("\n");
  for (const [file = "", expected = ""] of rows.map((row) => row.split("\t"))) {
    test(`${file}: ${expected}`, async () => {
      const found = await validate(file);
      expect(found).toStartWith(expected);
      // A mistake has its place, unless it is about all files.
      if (expected === "reject") expect(found).toContain("error: ");
    });
  }
});

test("of a file with a mistake beside a secret, the secret is not shown", () => {
  for (const file of readdirSync(SECRETS)) {
    const text = readFileSync(`${SECRETS}${file}`, "utf8");
    const { shown } = read(text);
    for (const [secret] of text.matchAll(/SECRET[A-Za-z]+|HF1b[A-Za-z0-9+/=]+|12345678|0777123/g)) {
      expect(`${file}: ${shown}`).not.toContain(secret);
    }
  }
});
