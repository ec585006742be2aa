/** Who a client node is, in Nomad's files. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadClientIdentity } from "../../src/agent/client-identity.ts";
import { keptMeta } from "../../src/agent/meta-file.ts";
import type { Config } from "../../src/config/config.ts";
import { read } from "../config/read.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-identity-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function configOf(name: string, more = ""): Config {
  const data = join(directory, name);
  const text = `data_dir = "${data}"\nclient {\n  enabled = true\n  ${more}\n}`;
  const { config } = read(text);
  if (config === undefined) throw new Error("the configuration is wrong");
  return config;
}

test("id and secret are made once, for nobody else to read, without a newline", () => {
  const first = loadClientIdentity(configOf("a"));
  const { id, secret } = first;
  expect(loadClientIdentity(configOf("a"))).toMatchObject({ id, secret });
  expect(first.id).not.toBe(first.secret);
  for (const [name, value] of [
    ["client-id", first.id],
    ["secret-id", first.secret],
  ] as const) {
    const path = join(directory, "a", "client", name);
    expect(readFileSync(path, "utf8")).toBe(value);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
});

test("Nomad's own files are taken as they are; what is no id is not", () => {
  const { directory: at = "" } = loadClientIdentity(configOf("b"));
  writeFileSync(join(at, "client-id"), "039C2320-4e04-1ded-db86-5b4b28b29265\n");
  expect(loadClientIdentity(configOf("b")).id).toBe("039c2320-4e04-1ded-db86-5b4b28b29265");
  writeFileSync(join(at, "secret-id"), "junk");
  expect(() => loadClientIdentity(configOf("b"))).toThrow("secret-id does not hold a UUID");
});

test("no_host_uuid = false: the id follows from the machine, and the secret does not", () => {
  const [one, two] = ["c", "d"].map((name) => {
    return loadClientIdentity(configOf(name, "no_host_uuid = false"));
  });
  const known = readId("/sys/class/dmi/id/product_uuid") || readId("/etc/machine-id");
  expect(one?.id === two?.id).toBe(known !== "");
  expect(one?.secret).not.toBe(two?.secret);
  expect(one?.id).not.toBe(known);
});

function readId(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().toLowerCase();
  } catch {
    return "";
  }
}

test("what servers have signed is kept for nobody else to read, and forgotten if they say so", () => {
  const first = loadClientIdentity(configOf("g"));
  expect(first.signed).toBe("");
  first.saveSigned("a.b.c");
  expect(loadClientIdentity(configOf("g")).signed).toBe("a.b.c");
  expect(statSync(join(directory, "g", "client", "identity.jwt")).mode & 0o777).toBe(0o600);
  first.saveSigned("");
  expect(loadClientIdentity(configOf("g")).signed).toBe("");
});

test("an introduction is what the flag says, else what is in the file; no JWT is a mistake", () => {
  const { directory: at = "" } = loadClientIdentity(configOf("h"));
  const path = join(at, "intro_token.jwt");
  writeFileSync(path, "a.b.c\n");
  expect(loadClientIdentity(configOf("h")).introduction).toBe("a.b.c");
  expect(loadClientIdentity(configOf("h"), "d.e.f").introduction).toBe("d.e.f");
  expect(() => loadClientIdentity(configOf("h"), "5ec4e7")).toThrow("-client-intro-token");
  writeFileSync(path, "5ec4e7");
  expect(() => loadClientIdentity(configOf("h"))).toThrow(`${path} holds no JWT`);
});

test("state_dir says where they are", () => {
  const at = join(directory, "elsewhere");
  expect(loadClientIdentity(configOf("e", `state_dir = "${at}"`)).directory).toBe(at);
});

test("changed metadata is kept; a file that is none is an operator's to mend", () => {
  const { directory: at = "" } = loadClientIdentity(configOf("f"));
  const changed = new Map([
    ["a", "1"],
    ["b", null],
  ]);
  keptMeta(at).save(changed);
  expect(keptMeta(at).changed).toEqual(changed);
  writeFileSync(join(at, "meta.json"), "{");
  expect(() => keptMeta(at)).toThrow("meta.json does not hold JSON");
  expect(keptMeta(undefined).changed).toEqual(new Map());
});
