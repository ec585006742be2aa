/** What of an operator's file may be shown, and what becomes stars. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { nameToShow, redactLine, redactText } from "../../src/config/redact.ts";

const CONFIG = new URL("../../src/config/", import.meta.url).pathname;

test("a line as it should be is shown, with values of known keys", () => {
  for (const line of [
    "server {",
    '  data_dir = "/opt/nomad"',
    "  bootstrap_expect = 3",
    '  retry_join = ["10.0.0.1", "10.0.0.2:4648"]',
    "ports { http = 4646, rpc = 4647 }",
    '{"server": {"enabled": true, "region": "eu"}}',
    "}",
    'Region = "eu"',
    'acl { token_ttl = "5x" }',
  ]) {
    expect(redactLine(line, "")).toBe(line);
  }
});

test("from the first thing on that is not, there are stars, as many as characters", () => {
  for (const [line, shown] of [
    ['encrypt = "abc"', "encrypt = *****"],
    ["encrypt = abc", "encrypt = ***"],
    ["encrypt abc", "encrypt ***"],
    ['encrpyt = "abc"', "encrpyt = *****"],
    ['"encrypt": "abc", "region": "eu"', '"encrypt": ****** ********* ****'],
    ['region = "eu" token = "abc"', 'region = "eu" token = *****'],
    ["region = eu", "region = **"],
    ['region = "eu', "region = ***"],
    ['region = "eu" # old: abc', 'region = "eu" * **** ***'],
    ["swordfish", "*********"],
    ['"swordfish",', "************"],
    ['datacenter = "hvs.CAESIJ8wKpqQ3vX7bT1"', `datacenter = ${"*".repeat(25)}`],
    ['retry_join = ["provider=aws secret=abc"]', "retry_join = [************* ***********]"],
  ] as const) {
    const found = redactLine(line, "");
    expect(found).toBe(shown);
  }
});

test("a line whose key stands on the line before is not shown at all", () => {
  for (const before of ['"token":', "encrypt =", "token = <<EOF"]) {
    expect(redactLine('region = "eu"', before)).toBe("****** * ****");
  }
});

test("in a sentence only what looks like a key or a token is starred", () => {
  const key = "HF1bBMdo3V4q6MqLBG5GIKZ6a4xZ9mNQwBnXhN3h+tY=";
  const id = "0b5d3c1e-8a94-4c55-9e0f-3c1d1b0a7f11";
  for (const secret of [key, key.slice(0, -1), id, "hvb.AAAAAQJz0HVX9DmC2_hN6", "api_key=abc"]) {
    expect(redactText(`found ${secret} here`)).toMatch(/^found \*+ here$/);
  }
  expect(redactText("open -----BEGIN EC PRIVATE KEY-----\nabc\n-----END")).not.toContain("abc");
  for (const quoted of ['password="open sesame"', "secret_id='open sesame'"]) {
    expect(redactText(`join ${quoted} x=1`)).toMatch(/^join \*+ \*+ x=1$/);
  }
  expect(redactText("see //user:pass@host/x")).not.toContain("pass");
  for (const text of [
    "cannot read /tmp/nomad-three-servers-Xy12Ab/global-server-nomad-key.pem",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is not supported",
    "server.default_scheduler_config",
    'acl.token_ttl: must be a duration such as 30s, found "5x"',
    "must be at most acl.token_max_expiration_ttl: no token could expire",
  ]) {
    expect(redactText(text)).toBe(text);
  }
});

test("what stands where a key should is named only if it looks like one", () => {
  for (const name of ["regoin", "bootstrap_expct", "my-key", "a.b", "bootstrapExpect", "ключ"]) {
    expect(nameToShow(name)).toBe(`"${name}"`);
  }
  for (const name of ["SECRETkey", "qwErtzuIopa", "9f86d081884c", "a b", "x".repeat(41)]) {
    expect(nameToShow(name)).not.toContain(name);
  }
});

test("every key that is read is known to be harmless, or else to be a secret", () => {
  const read = readdirSync(CONFIG).flatMap((file) => {
    if (!file.endsWith(".ts")) return [];
    const text = readFileSync(`${CONFIG}${file}`, "utf8");
    const asked =
      /\.(?:text|word|bool|ownBool|int|ownInt|number|durationMs|texts)\(\s*"([a-z_]+)"/g;
    return [...text.matchAll(asked)].map(([, key = ""]) => key);
  });
  expect(read.length).toBeGreaterThan(50);
  const hidden = read.filter((key) => redactLine(`${key} = "x"`, "").includes("*"));
  const expected = ["replication_token", "encrypt"];
  expect([...new Set(hidden)]).toEqual(expected);
});
