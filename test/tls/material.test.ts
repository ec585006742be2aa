/** The files of the `tls` block as they are judged at start: warnings, and mistakes with their reason. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsConfig } from "../../src/config/config.ts";
import { type MadeCertificate, makeAuthority, makeLeaf } from "../../src/tls/make.ts";
import { loadTlsMaterial } from "../../src/tls/material.ts";

const directory = mkdtempSync(join(tmpdir(), "nomad-material-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const empty = { country: "", province: "", locality: "", streetAddress: "", postalCode: "" };
const ca = (commonName: string, days: number): Promise<MadeCertificate> => {
  return makeAuthority(
    { ...empty, commonName, organization: "", organizationalUnit: "" },
    days,
    [],
  );
};
const [good, old] = [await ca("Good", 10), await ca("Old", -1)];
const leaf = (
  dnsNames: readonly string[],
  usages: readonly ("server" | "client")[] = ["server", "client"],
  commonName = "x",
): Promise<MadeCertificate> => {
  return makeLeaf(good, { commonName, dnsNames, ipAddresses: [], days: 5, usages });
};
const server = await leaf(["server.global.nomad"]);

interface Files {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly pair?: MadeCertificate;
}

function load(files: Files, tls: Partial<TlsConfig> = {}, isServer = true) {
  const { pair = server } = files;
  const texts = {
    ca: files.ca ?? good.certificate,
    cert: files.cert ?? pair.certificate,
    key: files.key ?? pair.key,
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text);
  const at = { file: "a.hcl", line: 1, column: 1, length: 1 };
  const config: TlsConfig = {
    ...{ http: true, rpc: true, verifyServerHostname: true, verifyHttpsClient: false },
    ...{ rpcUpgradeMode: false, minVersion: "tls12", cipherSuites: [] },
    caFile: join(directory, "ca"),
    certFile: join(directory, "cert"),
    keyFile: join(directory, "key"),
    at: { block: at, caFile: at, certFile: at, keyFile: at, cipherSuites: at },
    ...tls,
  };
  const options = { region: "global", isServer, nowMs: Date.now() };
  const { material, problems } = loadTlsMaterial(config, options);
  const said = problems.map(({ severity, message }) => `${severity}: ${message}`);
  return { material, said };
}

describe("among several authorities", () => {
  test("one that has expired, or is none, is a warning; the good one counts", () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const bundle = `${old.certificate}${broken}${good.certificate}`;
    const { material, said } = load({ ca: bundle });
    expect(said).toEqual([
      expect.stringMatching(
        /^warning: tls\.ca_file: .*ca: the certificate in line \d+ cannot be parsed/,
      ),
      expect.stringMatching(
        /^warning: tls\.ca_file: the certificate Old \d+ in .* expired 1 days ago/,
      ),
    ]);
    expect(material?.authorities.map(({ commonName }) => commonName.split(" ")[0])).toEqual([
      "Old",
      "Good",
    ]);
  });

  test("none that is good is an error", () => {
    const { material, said } = load({ ca: old.certificate });
    expect(material).toBeUndefined();
    expect(said).toEqual([expect.stringMatching(/^error: tls\.ca_file: .* expired/)]);
  });

  test("none at all says why", () => {
    const { said } = load({ ca: `\ufeff${good.certificate}` });
    expect(said).toEqual([expect.stringContaining("byte order mark")]);
  });
});

describe("a certificate is judged by what it is for", () => {
  const names = async (name: string): Promise<MadeCertificate> => leaf([name]);

  test("a server's, for its name and both usages", async () => {
    expect(load({}).said).toEqual([]);
    const only = load({ pair: await leaf(["server.global.nomad"], ["server"]) });
    expect(only.said).toEqual([expect.stringContaining("lacks clientAuth: servers also dial")]);
    const eu = load({ pair: await names("server.eu.nomad") });
    expect(eu.said).toEqual([expect.stringContaining("lacks the name server.global.nomad")]);
    expect(
      load({ pair: await names("server.eu.nomad") }, { verifyServerHostname: false }).said,
    ).toEqual([]);
  });

  test("a wildcard is a name, and no role", async () => {
    const { said } = load({ pair: await names("*.global.nomad") });
    expect(said).toEqual([expect.stringContaining("peers take no wildcard for a role")]);
    const both = ["server", "client"] as const;
    const wild = await leaf(["*.global.nomad"], both, "SERVER.global.nomad");
    expect(load({ pair: wild }).said).toEqual([]);
  });

  test("a client's, to dial servers, and for its own HTTPS", async () => {
    const client = await leaf(["client.global.nomad"], ["client"]);
    expect(load({ pair: client }, { http: false }, false).said).toEqual([]);
    expect(load({ pair: client }, {}, false).said).toEqual([
      expect.stringContaining(
        "cannot be used as a server's: its extendedKeyUsage lacks serverAuth",
      ),
    ]);
    const other = await leaf(["cli.global.nomad"]);
    expect(load({ pair: other }, {}, false).said).toEqual([
      expect.stringContaining("lacks the name client.global.nomad while"),
    ]);
  });

  test("that of HTTPS alone only has to be of the CA", async () => {
    const any = await leaf(["nomad.example"], ["server"]);
    expect(load({ pair: any }, { rpc: false }).said).toEqual([]);
  });
});

test("a certificate without a host's name is good for RPC without names, and warned of", async () => {
  const nameless = await leaf([], ["server", "client"], "server.global.nomad");
  const tls = { verifyServerHostname: false };
  expect(load({ pair: nameless }, tls).said).toEqual([
    expect.stringMatching(/^warning: tls\.cert_file: .* no HTTPS client can verify it$/),
  ]);
  expect(load({ pair: nameless }, { ...tls, http: false }).said).toEqual([]);
});

test("a key of another certificate, and a key in the place of the certificate", async () => {
  const other = await leaf(["server.global.nomad"]);
  expect(load({ key: other.key }).said).toEqual([
    expect.stringContaining("private key does not match public key"),
  ]);
  expect(load({ cert: `${good.certificate}${server.certificate}` }).said).toEqual([
    expect.stringContaining("the key's certificate is not the first one in"),
  ]);
  expect(load({ cert: server.key, key: server.certificate }).said).toEqual([
    expect.stringContaining("may have been switched"),
    expect.stringContaining("it holds no private key, but: CERTIFICATE"),
  ]);
});
