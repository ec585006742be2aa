/** Mistakes are found before anything listens: one clear error, exit 1, nothing left behind. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeLeaf } from "../../src/tls/make.ts";
import { NET } from "../addresses.ts";
import { binary, Lab, type Ran, run } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";

const lab = new Lab();
let ca: TestCa;
let good: Record<string, unknown>;

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  good = await serverTls(ca);
});

afterAll(() => lab[Symbol.asyncDispose]());

function write(name: string, settings: Record<string, unknown>): string {
  const file = lab.path(`${name}.json`);
  const ip = `${NET}.60.1`;
  const base = { data_dir: lab.path(`data-${name}`), bind_addr: ip, name };
  writeFileSync(file, JSON.stringify({ ...base, server: { enabled: true }, ...settings }, null, 2));
  return file;
}

/** The agent and `config validate` must agree. */
async function refusedBy(name: string, settings: Record<string, unknown>): Promise<string> {
  const file = write(name, settings);
  const started: Ran = await run(["agent", `-config=${file}`]);
  const validated = await run(["config", "validate", file]);
  expect([name, started.code, validated.code]).toEqual([name, 1, 1]);
  expect(validated.err).toContain("Configuration is invalid");
  expect(validated.err).toContain(started.err.trim());
  expect(existsSync(lab.path(`data-${name}`))).toBe(false);
  return started.err;
}

describe("TLS files", () => {
  const withTls = (more: Record<string, unknown>): Record<string, unknown> => ({
    tls: { ...good, ...more },
  });

  test("missing", async () => {
    const err = await refusedBy("missing", withTls({ ca_file: "/nowhere/ca.pem" }));
    expect(err).toContain("open /nowhere/ca.pem: no such file or directory");
    expect(err).toMatch(/missing\.json:\d+:\d+/);
  });

  test("unreadable: a folder instead of a file", async () => {
    const err = await refusedBy("folder", withTls({ key_file: lab.directory }));
    expect(err).toContain("Failed to read tls.key_file");
  });

  test("the text of a key instead of its path is not said again", async () => {
    const key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAhush\n-----END EC PRIVATE KEY-----\n";
    const err = await refusedBy("pasted", withTls({ key_file: key }));
    expect(err).toContain("tls.key_file holds the text of a file, and wants its path");
    expect(err).not.toContain("hush");
  });

  test("not PEM", async () => {
    const file = lab.path("not.pem");
    writeFileSync(file, "hello");
    const err = await refusedBy("notpem", withTls({ cert_file: file }));
    expect(err).toContain("Failed to parse any valid certificates in tls.cert_file");
  });

  test("the key of another certificate", async () => {
    const other = await makeCa(lab.directory, "other");
    const foreign = await serverTls(other);
    const err = await refusedBy("keymismatch", withTls({ key_file: foreign["key_file"] }));
    expect(err).toContain("private key does not match public key");
  });

  test("not signed by ca_file", async () => {
    const other = await makeCa(lab.directory, "another");
    const err = await refusedBy("wrongca", withTls({ ca_file: other.caFile }));
    expect(err).toContain("is not signed by ca_file");
  });

  test("expired", async () => {
    const directory = join(ca.directory, "expired");
    mkdirSync(directory);
    const authority = {
      certificate: readFileSync(ca.caFile, "utf8"),
      key: readFileSync(join(ca.directory, "nomad-agent-ca-key.pem"), "utf8"),
    };
    const name = "server.global.nomad";
    const leaf = { commonName: name, dnsNames: [name], ipAddresses: [], usages: [] };
    const made = await makeLeaf(authority, { ...leaf, days: -5 });
    writeFileSync(join(directory, "cert.pem"), made.certificate);
    writeFileSync(join(directory, "key.pem"), made.key);
    const files = { cert_file: `${directory}/cert.pem`, key_file: `${directory}/key.pem` };
    expect(await refusedBy("expired", withTls(files))).toMatch(/expired [56] days ago/);
  });

  test("lacking server.<region>.nomad while verify_server_hostname is on", async () => {
    const other = await serverTls(ca, "other");
    const err = await refusedBy("wrongname", { tls: other });
    expect(err).toContain("lacks the name server.global.nomad while verify_server_hostname is on");
    expect(err).toContain("nomad tls cert create -server -region global");
  });

  test("several at once are all reported", async () => {
    const err = await refusedBy("several", {
      tls: { ...good, ca_file: "/nowhere/a", cert_file: "/nowhere/b" },
      server: { enabled: true, encrypt: "c2hvcnQ=" },
    });
    expect(err).toContain("base64 of 5 bytes");
    expect(err).not.toContain("c2hvcnQ=");
  });
});

describe("the gossip keyring", () => {
  test("a broken keyring file ends the start, naming the file", async () => {
    const file = write("brokenring", { advertise: { http: `${NET}.60.1` } });
    const directory = lab.path("data-brokenring/server");
    Bun.spawnSync(["mkdir", "-p", directory]);
    writeFileSync(join(directory, "serf.keyring"), '["AAAA"]');
    const { code, err } = await run(["agent", `-config=${file}`]);
    expect(code).toBe(1);
    expect(err).toContain(`failed to configure keyring: ${directory}/serf.keyring holds something`);
    expect(err).not.toContain("AAAA");
  });
});

test("a port in use is one clear error", async () => {
  const ip = `${NET}.60.2`;
  using listener = Bun.listen({ hostname: ip, port: 4647, socket: { data: () => undefined } });
  expect(listener.port).toBe(4647);
  const file = write("inuse", { bind_addr: ip });
  const { code, err } = await run(["agent", `-config=${file}`]);
  expect(code).toBe(1);
  expect(err).toContain(`listen tcp ${ip}:4647: bind: address already in use`);
  expect(err).toContain("Another agent may be running here: stop it");
});

test("a bunfig.toml in the current folder runs nothing in the binary", async () => {
  const directory = lab.path("hostile");
  Bun.spawnSync(["mkdir", "-p", directory]);
  writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
  writeFileSync(join(directory, "evil.ts"), 'console.log("pwned");\n');
  writeFileSync(join(directory, ".env"), "NOMAD_ADDR=http://192.0.2.1:1\n");
  copyFileSync(await binary(), join(directory, "nomad"));
  const { out, code } = await run(["keygen"], { cwd: directory });
  expect(code).toBe(0);
  expect(out).toMatch(/^[A-Za-z0-9+/]{22}==\n$/);
  const asked = await run(["server", "members"], { cwd: directory });
  // An agent may run here: whatever comes, it does not come from the address of that .env.
  expect(asked.err + asked.out).not.toContain("192.0.2.1");
});
