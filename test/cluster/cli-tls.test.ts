/** The command line over TLS: what is wrong with a file, a certificate or an address is one sentence. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { makeLeaf } from "../../src/tls/make.ts";
import { NET } from "../addresses.ts";
import { Lab, type Ran, run, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";

const [SECURE, PLAIN, EXPIRED] = [`${NET}.65.1`, `${NET}.65.2`, `${NET}.65.3`];
const lab = new Lab();
let server: Server;
afterAll(async () => {
  server.close();
  await lab[Symbol.asyncDispose]();
});

const file = (name: string): string => join(lab.directory, name);
const pair = (cert: string, key: string): readonly string[] => {
  return [`-client-cert=${cert}`, `-client-key=${key}`];
};

let ca: TestCa;
let trusted: string;
let ours: readonly string[];

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const other = await makeCa(lab.directory, "other");
  for (const { directory } of [ca, other]) {
    await run(["tls", "cert", "create", "-cli", "-region=eu"], { cwd: directory });
  }
  const more = { http: true, verify_https_client: true };
  const args = ["tls", "cert", "create", "-server", "-region=eu"];
  await run([...args, `-additional-ipaddress=${SECURE}`], { cwd: ca.directory });
  const tls = await serverTls(ca, "eu", more);
  const encrypt = Buffer.alloc(16, 1).toString("base64");
  await lab.agent({ name: "secure", ip: SECURE, region: "eu", tls, encrypt });
  await lab.agent({ name: "plain", ip: PLAIN });
  trusted = `-ca-cert=${ca.caFile}`;
  ours = [trusted, ...pair(own("eu-cli-nomad.pem"), own("eu-cli-nomad-key.pem"))];
  const made = await expired(ca, "cli.eu.nomad");
  writeFileSync(file("expired.pem"), made.certificate);
  writeFileSync(file("expired-key.pem"), made.key);
  server = createServer({ cert: made.certificate, key: made.key });
  await new Promise<void>((resolve) => server.listen(4646, EXPIRED, resolve));
  await until("both answer", async () => {
    const plain = await members(`http://${PLAIN}:4646`);
    return (await members(`https://${SECURE}:4646`, ...ours)).out !== "" && plain.out !== "";
  });
});

function own(name: string): string {
  return join(ca.directory, name);
}

function expired({ directory }: TestCa, commonName: string): ReturnType<typeof makeLeaf> {
  const certificate = readFileSync(join(directory, "nomad-agent-ca.pem"), "utf8");
  const key = readFileSync(join(directory, "nomad-agent-ca-key.pem"), "utf8");
  const ipAddresses = [EXPIRED];
  return makeLeaf(
    { certificate, key },
    { commonName, dnsNames: [commonName], ipAddresses, days: -1, usages: ["client", "server"] },
  );
}

/** `operator raft list-peers` would do as well: every command asks in the same way. */
function members(address: string, ...flags: readonly string[]): Promise<Ran> {
  return run(["server", "members", `-address=${address}`, ...flags]);
}

/** What is said in the first line; a second may say what to do. */
async function complaint(address: string, ...flags: readonly string[]): Promise<string> {
  const { code, out, err } = await members(address, ...flags);
  expect([code, out]).toEqual([1, ""]);
  const lines = err.trim().split("\n");
  expect(lines.length).toBeLessThanOrEqual(2);
  return lines[0] ?? "";
}

describe("a client certificate", () => {
  const url = `https://${SECURE}:4646`;
  test("that the agent knows is taken", async () => {
    const { out, err } = await members(url, ...ours);
    expect(out).toContain("secure.eu");
    expect(err).not.toContain("certificate");
  });
  test("that is missing", async () => {
    const { err } = await members(url, trusted);
    expect(err).toContain("the agent wants a certificate of its CA\nPass one with -client-cert");
  });
  test("that has expired", async () => {
    const flags = pair(file("expired.pem"), file("expired-key.pem"));
    expect(await complaint(url, trusted, ...flags)).toMatch(
      /did not take our certificate: \S+expired\.pem \(-client-cert\) has expired on \d{4}-.*Z$/,
    );
  });
  test("of another CA", async () => {
    const foreign = (name: string): string => join(lab.directory, "other", name);
    const flags = pair(foreign("eu-cli-nomad.pem"), foreign("eu-cli-nomad-key.pem"));
    expect(await complaint(url, trusted, ...flags)).toMatch(
      /other\/eu-cli-nomad\.pem \(-client-cert\) was issued by "Nomad Agent CA \d+", not by a CA in /,
    );
  });
});

describe("files", () => {
  const url = `https://${SECURE}:4646`;
  const cert = (): string => own("eu-cli-nomad.pem");
  const key = (): string => own("eu-cli-nomad-key.pem");
  const damage = (path: string): string => {
    const lines = readFileSync(path, "utf8").split("\n");
    const damaged = file(`damaged-${path.split("/").at(-1)}`);
    writeFileSync(damaged, [lines[0], "AAAA", ...lines.slice(3)].join("\n"));
    return damaged;
  };
  const junk = file("junk");
  writeFileSync(junk, Buffer.from("\x7fELF\0\xff\xfe junk", "latin1"));
  const cases: readonly (readonly [string, () => readonly string[], RegExp])[] = [
    [
      "swapped",
      () => pair(key(), cert()),
      /-key\.pem \(-client-cert\) is a private key and .* swapped$/,
    ],
    [
      "of two pairs",
      () => pair(cert(), file("expired-key.pem")),
      /expired-key\.pem \(-client-key\) is not the key of the certificate in .*\(-client-cert\)$/,
    ],
    [
      "the text of a key",
      () => pair(cert(), readFileSync(key(), "utf8")),
      /client: -client-key holds the text of a file, and wants its path$/,
    ],
    ["junk as certificate", () => pair(junk, key()), /junk \(-client-cert\): it holds no PEM cert/],
    ["junk as key", () => pair(cert(), junk), /junk \(-client-key\): it holds no PEM private key$/],
    ["junk as CA", () => [`-ca-cert=${junk}`], /junk \(-ca-cert\): it holds no PEM certificate$/],
    ["a key as CA", () => [`-ca-cert=${key()}`], /\(-ca-cert\): it is a private key, not a cert/],
    [
      "a certificate as key",
      () => pair(cert(), cert()),
      /\(-client-key\): it is a certificate, not/,
    ],
    ["a folder", () => [`-ca-cert=${ca.directory}`], /\(-ca-cert\): is a directory$/],
    ["none", () => ["-ca-cert=/nowhere"], /\/nowhere \(-ca-cert\): no such file or directory$/],
    [
      "a damaged certificate",
      () => pair(damage(cert()), key()),
      /damaged-\S+ .* cannot be parsed$/,
    ],
    ["a damaged key", () => pair(cert(), damage(key())), /damaged-\S+ .* cannot be parsed$/],
    ["a damaged CA", () => [`-ca-cert=${damage(ca.caFile)}`], /damaged-\S+ .* cannot be parsed$/],
    [
      "half a pair",
      () => [`-client-cert=${cert()}`],
      /Both client cert and client key must be prov/,
    ],
  ];
  for (const [name, flags, text] of cases) {
    test(name, async () => {
      const said = await complaint(url, ...flags());
      expect(said).toStartWith("Error initializing client: ");
      expect(said).toMatch(text);
    });
  }
  test("variables are named, too", async () => {
    const env = { NOMAD_ADDR: url, NOMAD_CLIENT_CERT: junk, NOMAD_CLIENT_KEY: key() };
    const { err } = await run(["server", "members"], { env });
    expect(err).toBe(
      `Error initializing client: ${junk} (NOMAD_CLIENT_CERT): it holds no PEM certificate\n`,
    );
  });
});

describe("the agent's certificate", () => {
  test("of a CA that nobody named, and of another one", async () => {
    const url = `https://${SECURE}:4646`;
    const none = await members(url);
    expect(none.err).toMatch(
      /certificate was issued by "Nomad Agent CA \d+", which is not of a CA/,
    );
    expect(none.err).toContain("Pass its CA with -ca-cert=FILE (NOMAD_CACERT)");
    const other = `-ca-cert=${join(lab.directory, "other", "nomad-agent-ca.pem")}`;
    expect(await complaint(url, other)).toMatch(
      /not of a CA in .*nomad-agent-ca\.pem \(-ca-cert\)$/,
    );
  });
  test("for another name: the hint has the real region", async () => {
    const url = `https://${SECURE}:4646`;
    const { err } = await members(url, ...ours, "-tls-server-name=server.global.nomad");
    expect(err).toContain("valid for server.eu.nomad, localhost, ");
    expect(err).toContain("-tls-server-name=server.eu.nomad (NOMAD_TLS_SERVER_NAME)");
  });
  test("that has expired", async () => {
    expect(await complaint(`https://${EXPIRED}:4646`, trusted)).toMatch(
      /the agent's certificate has expired on \S+ .*GMT$/,
    );
  });
});

describe("ports that are not the HTTP API", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [`https://${SECURE}:4647`, /hung up: 4647 is the RPC port of an agent .* HTTP API is on 4646$/],
    [`http://${SECURE}:4647`, /hung up: 4647 is the RPC port of an agent/],
    [`https://${SECURE}:4648`, /: 4648 is the gossip port of an agent/],
    [`http://${PLAIN}:4648`, /hung up: 4648 is the gossip port of an agent/],
    [`https://${PLAIN}:4647`, /hung up: 4647 is the RPC port of an agent/],
    [
      `https://${PLAIN}:4646`,
      /does not speak TLS on that port: try http:\/\/127\.\d+\.65\.2:4646$/,
    ],
    [`http://${SECURE}:4646`, /Client sent an HTTP request to an HTTPS server/],
  ];
  for (const [url, text] of cases) {
    test(url, async () => expect(await complaint(url, ...ours)).toMatch(text));
  }
});

test("NOMAD_CAPATH: hashed names, and folders below it", async () => {
  const below = file("cas/below");
  mkdirSync(below, { recursive: true });
  writeFileSync(join(below, "ca.txt"), readFileSync(ca.caFile));
  symlinkSync(join(below, "ca.txt"), join(below, "0a1b2c3d.0"));
  const flags = ours.filter((flag) => flag !== trusted);
  const { out } = await run(["server", "members", `-address=https://${SECURE}:4646`, ...flags], {
    env: { NOMAD_CAPATH: file("cas") },
  });
  expect(out).toContain("secure.eu");
});
