/**
 * `config validate` on damaged files, out of a seed: whatever is in them, the answer is a
 * configuration or a bounded text, and no secret is in that text.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { checkPaths } from "../../src/cli/check-paths.ts";
import type { Config } from "../../src/config/config.ts";
import { resolveEndpoints } from "../../src/config/endpoints.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { loadTlsMaterial } from "../../src/tls/material.ts";
import { Generator } from "./generate.ts";
import { MACHINE, read } from "./read.ts";

setDefaultTimeout(60_000);

const ROOT = new URL("../../", import.meta.url).pathname;
const FOLDERS = ["test/config/cases", "test/config/secrets", "examples", "examples/three-servers"];
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`)
    .filter((name) => /\.(hcl|json)$/.test(name))
    .map((name) => readFileSync(`${ROOT}${folder}/${name}`, "utf8")),
);

/** 20 problems, each with a text, an excerpt and a help. */
const SHOWN_MAX = 40_000;
const MOVES_A_TERMINAL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

/** What else `config validate` looks at. */
async function check(config: Config): Promise<void> {
  checkPaths(config);
  if (config.tls.rpc || config.tls.http) {
    loadTlsMaterial(config.tls, { region: config.region, isServer: true, nowMs: 0 });
  }
  await resolveEndpoints(config, MACHINE).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
  });
}

test("damaged files end in a configuration or in a bounded text", async () => {
  const generator = new Generator(12);
  for (let i = 0; i < 1500; i++) {
    const text = generator.damage(generator.pick(FILES));
    const { config, shown } = read(text);
    expect(shown.length).toBeLessThan(SHOWN_MAX);
    expect(MOVES_A_TERMINAL.test(shown)).toBe(false);
    if (config !== undefined) await check(config);
  }
});

test("so do damaged bytes", () => {
  const generator = new Generator(13);
  for (let i = 0; i < 1000; i++) {
    const bytes = new TextEncoder().encode(generator.pick(FILES));
    for (let j = 0; j < 3; j++) bytes[generator.int(bytes.length)] = generator.int(256);
    expect(read(bytes).shown.length).toBeLessThan(SHOWN_MAX);
  }
});

test("and what is large, deep or in one line", () => {
  const texts = [
    "x = 1\n".repeat(50_000),
    `${"a { ".repeat(10_000)}${"}".repeat(10_000)}`,
    `a = ${"[".repeat(10_000)}${"]".repeat(10_000)}`,
    `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    `${"a { ".repeat(10_000)}`,
    `${'{"a":'.repeat(10_000)}`,
    `region = "${"x".repeat(1_000_000)}`,
    `regoin = "${"x".repeat(1_000_000)}"`,
    `${"x".repeat(1_000_000)} = 1`,
    `datacenter = "*${"é".repeat(500_000)}"`,
    '"'.repeat(100_001),
    "/*".repeat(100_000),
    `a = "${"${".repeat(50_000)}`,
    `{"name": "${"x".repeat(3_000_000)}\\`,
    `/*${"x".repeat(3_000_000)}`,
    `# ${"x".repeat(3_000_000)}`,
    `a = <<E\n${"x\n".repeat(500_000)}`,
    `a = "${"\\n".repeat(50_000)}"`,
    `retry_join = [${'"10.0.0.1",'.repeat(50_000)}]`,
  ];
  for (const text of texts) {
    const { shown } = read(text);
    expect(shown.length).toBeLessThan(SHOWN_MAX);
    for (const line of shown.split("\n")) expect(line.length).toBeLessThan(4100);
  }
});

/** Letters alone, as in base64, in hex, and of Vault. */
const SECRETS = [
  "qwErtzuIopaSdfg",
  "HF1bBMdo3V4q6MqLBG5GIKZ6a4xZ9mNQwBnXhN3h+tY=",
  "9f86d081884c7d659a2feaa0c55ad015",
  "hvs.CAESIJ8wKpqQ3",
  "s3cr3t-pa55word!",
];
const PLACES: readonly ((secret: string) => string)[] = [
  (secret) => `server {\n  enabled = true\n  encrypt = "${secret}"\n  bootstrap_expect = 3\n}\n`,
  (secret) => `consul {\n  address = "127.0.0.1:8500"\n  token = "${secret}"\n}\nregion = "eu"\n`,
  (secret) => `consul {\n  auth = "user:${secret}"\n}\nserver { enabled = true }\n`,
  (secret) => `acl {\n  enabled = false\n  replication_token = "${secret}"\n}\n`,
  (secret) => `server { enabled = true, encrypt = "${secret}", data_dir = "/x" }\n`,
  (secret) => `vault {\n  token = <<EOF\n${secret}\nEOF\n}\nports {\n  http = 1\n}\n`,
  (secret) => `{"server": {"enabled": true, "encrypt": "${secret}"}, "region": "eu"}`,
  (secret) => `{\n "vault": {\n  "token":\n  "${secret}"\n }\n}`,
  (secret) => `telemetry {\n  circonus_api_token = "${secret}"\n  disable_hostname = true\n}\n`,
  (secret) => `server {\n  retry_join = ["provider=aws secret_access_key=${secret} x=y"]\n}\n`,
  (secret) => `client {\n  meta {\n    password = "${secret}"\n  }\n  options = {\n  x = 1\n}\n}\n`,
];

test("no secret of a damaged file is shown, whatever the damage", () => {
  const generator = new Generator(141);
  for (let i = 0; i < 2500; i++) {
    const secret = generator.pick(SECRETS);
    const text = generator.damage(generator.pick(PLACES)(secret));
    const { shown } = read(text);
    for (let at = 0; at + 8 <= secret.length; at++) {
      const part = secret.slice(at, at + 8);
      if (shown.includes(part)) throw new Error(`${text}\n--> ${shown}`);
    }
  }
});
