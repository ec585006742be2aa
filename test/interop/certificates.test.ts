/**
 * Chains of every kind, made by Go, shown to Go's crypto/tls and to us: both give the same answer, as
 * server and as client, and what passes at start passes with Go's peers.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsConfig } from "../../src/config/config.ts";
import type { Problem } from "../../src/config/problem.ts";
import type { StreamServer } from "../../src/host/host.ts";
import { dialSocket, listenSockets, type SocketStream } from "../../src/host/network.ts";
import { describeCertificate, parseCertificates } from "../../src/tls/certificate.ts";
import { acceptTls, createIdentity, dialTls, type TlsIdentity } from "../../src/tls/handshake.ts";
import { loadTlsMaterial } from "../../src/tls/material.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(30_000);

const NAME = "server.global.nomad";
const CA = { CA: true, KeyUsage: ["keyCertSign", "cRLSign"] };
const BOTH = ["server", "client"];
const TLS12 = 0x0303;

/** As `make` of cert-peer takes it. */
type Spec = Readonly<Record<string, unknown>>;

interface Case {
  /** Each certificate by its name; `leaf` is the one that is shown. The common ones need not be said. */
  readonly make?: Readonly<Record<string, Spec>>;
  readonly leaf?: Spec;
  /** Default: the root. */
  readonly trust?: readonly string[];
  /** What is sent behind the leaf. */
  readonly chain?: readonly string[];
  readonly host?: string;
  /** The highest version of TLS that Go offers; default: its own. */
  readonly max?: number;
  /** What is right, as a server's and as a client's. */
  readonly server: boolean;
  readonly client: boolean;
  /** What we say at start about it, where we refuse. */
  readonly says?: string;
  /** We refuse at start what Go could be brought to take. */
  readonly stricter?: boolean;
}

const good = { server: true, client: true };
const bad = { server: false, client: false };

const cases: Readonly<Record<string, Case>> = {
  plain: { ...good },
  "issuing CA alone": {
    make: { issuing: { Issuer: "root", ...CA } },
    leaf: { Issuer: "issuing" },
    trust: ["issuing"],
    ...good,
  },
  "issuing CA sent along": {
    make: { issuing: { Issuer: "root", ...CA } },
    leaf: { Issuer: "issuing" },
    chain: ["issuing"],
    ...good,
  },
  "issuing CA missing": {
    make: { issuing: { Issuer: "root", ...CA } },
    leaf: { Issuer: "issuing" },
    ...bad,
    says: 'issued by "issuing", while it holds "root"',
  },
  "three below the root, sent in any order": {
    make: {
      one: { Issuer: "root", ...CA },
      two: { Issuer: "one", ...CA },
      three: { Issuer: "two", ...CA },
    },
    leaf: { Issuer: "three" },
    chain: ["one", "three", "two"],
    ...good,
  },
  "anchor in the middle": {
    make: {
      one: { Issuer: "root", ...CA },
      two: { Issuer: "one", ...CA },
      three: { Issuer: "two", ...CA },
    },
    leaf: { Issuer: "three" },
    trust: ["two"],
    chain: ["three", "two", "one"],
    ...good,
  },
  "cross-signed form alone": {
    make: { other: CA, cross: { Issuer: "other", CN: ["root"], KeyOf: "root", ...CA } },
    trust: ["cross"],
    ...good,
  },
  "self-signed, and its own anchor": { leaf: { Issuer: "" }, trust: ["leaf"], ...good },
  "self-signed without being trusted": {
    leaf: { Issuer: "" },
    ...bad,
    says: "is not signed by ca_file",
  },
  "another CA of the same name": {
    make: { twin: { ...CA, CN: ["root"] } },
    trust: ["twin"],
    ...bad,
    says: "another CA of the same name",
  },
  "two CAs of the same name, the right one last": {
    make: { twin: { ...CA, CN: ["root"] } },
    trust: ["twin", "root"],
    ...good,
  },
  "two of the same name without key identifiers": {
    make: { twin: { ...CA, CN: ["root"] } },
    leaf: { NoKeyID: true },
    trust: ["twin", "root"],
    ...good,
  },
  "an expired one of the same name and key": {
    make: { old: { ...CA, CN: ["root"], KeyOf: "root", From: -20, To: -1 } },
    trust: ["old", "root"],
    ...good,
  },
  "CA expired": {
    make: { old: { ...CA, From: -20, To: -1 } },
    leaf: { Issuer: "old" },
    trust: ["old"],
    ...bad,
    says: "expired",
  },
  "CA not valid yet": {
    make: { young: { ...CA, From: 5, To: 20 } },
    leaf: { Issuer: "young" },
    trust: ["young"],
    ...bad,
    says: "not valid before",
  },
  "expired CA beside the good one": {
    make: { old: { ...CA, From: -20, To: -1 } },
    trust: ["old", "root"],
    ...good,
  },
  "issuing CA expired": {
    make: { mid: { Issuer: "root", ...CA, From: -20, To: -1 } },
    leaf: { Issuer: "mid" },
    chain: ["mid"],
    ...bad,
    says: "certificate has expired",
  },
  "leaf expired": { leaf: { From: -20, To: -1 }, ...bad, says: "expired" },
  "leaf not valid yet": { leaf: { From: 5, To: 20 }, ...bad, says: "not valid before" },
  "CA without basicConstraints": {
    make: { nobc: { KeyUsage: ["keyCertSign"] } },
    leaf: { Issuer: "nobc" },
    trust: ["nobc"],
    ...bad,
    says: "basicConstraints",
  },
  "CA:FALSE": {
    make: { noca: { CA: false, KeyUsage: ["keyCertSign"] } },
    leaf: { Issuer: "noca" },
    trust: ["noca"],
    ...bad,
    says: "basicConstraints",
  },
  "CA without keyCertSign": {
    make: { nosign: { CA: true, KeyUsage: ["cRLSign"] } },
    leaf: { Issuer: "nosign" },
    trust: ["nosign"],
    ...bad,
    says: "keyCertSign",
  },
  "CA without any keyUsage": {
    make: { free: { CA: true } },
    leaf: { Issuer: "free" },
    trust: ["free"],
    ...good,
  },
  "a leaf as issuer": {
    make: { mid: { Issuer: "root", CA: false } },
    leaf: { Issuer: "mid" },
    chain: ["mid"],
    ...bad,
    says: "basicConstraints",
  },
  "path length kept": {
    make: { top: { ...CA, PathLength: 0 } },
    leaf: { Issuer: "top" },
    trust: ["top"],
    ...good,
  },
  "path length exceeded": {
    make: { top: { ...CA, PathLength: 0 }, mid: { Issuer: "top", ...CA } },
    leaf: { Issuer: "mid" },
    trust: ["top"],
    chain: ["mid"],
    ...bad,
    says: "path length",
  },
  "no extendedKeyUsage": { leaf: { Usages: [] }, ...good },
  "extendedKeyUsage any": { leaf: { Usages: ["any"] }, ...good },
  "extendedKeyUsage server only": {
    leaf: { Usages: ["server"] },
    server: true,
    client: false,
    says: "lacks clientAuth",
  },
  "extendedKeyUsage client only": {
    leaf: { Usages: ["client"] },
    server: false,
    client: true,
    says: "lacks serverAuth",
  },
  "extendedKeyUsage for code": { leaf: { Usages: ["code"] }, ...bad, says: "lacks serverAuth" },
  "CA for servers only": {
    make: { mid: { Issuer: "root", ...CA, Usages: ["server"] } },
    leaf: { Issuer: "mid" },
    chain: ["mid"],
    server: true,
    client: false,
    says: 'its CA "mid" lacks clientAuth',
  },
  "CA for any": {
    make: { mid: { Issuer: "root", ...CA, Usages: ["any"] } },
    leaf: { Issuer: "mid" },
    chain: ["mid"],
    ...good,
  },
  "keyUsage digitalSignature": { leaf: { KeyUsage: ["digitalSignature"] }, ...good },
  "keyUsage keyEncipherment": {
    leaf: { KeyUsage: ["keyEncipherment"] },
    ...good,
    says: "digitalSignature",
    stricter: true,
  },
  "keyUsage keyEncipherment, RSA": {
    leaf: { KeyUsage: ["keyEncipherment"], RSA: 2048 },
    ...good,
    says: "digitalSignature",
    stricter: true,
  },
  "SHA-1, ECDSA": { leaf: { Signature: "ECDSA-SHA1" }, ...bad, says: "SHA1" },
  "SHA-1, RSA": {
    make: { rsa: { ...CA, RSA: 2048 } },
    leaf: { Issuer: "rsa", Signature: "SHA1-RSA" },
    trust: ["rsa"],
    ...bad,
    says: "SHA1",
  },
  "issuing CA signed with SHA-1": {
    make: { mid: { Issuer: "root", ...CA, Signature: "ECDSA-SHA1" } },
    leaf: { Issuer: "mid" },
    chain: ["mid"],
    ...bad,
    says: "SHA1",
  },
  "anchor signed with SHA-1": {
    make: { old: { ...CA, Signature: "ECDSA-SHA1" } },
    leaf: { Issuer: "old" },
    trust: ["old"],
    ...good,
  },
  "SHA-512": { leaf: { Signature: "ECDSA-SHA512" }, ...good },
  "RSA-PSS": {
    make: { rsa: { ...CA, RSA: 2048 } },
    leaf: { Issuer: "rsa", Signature: "SHA256-RSAPSS" },
    trust: ["rsa"],
    ...good,
  },
  "RSA-PSS with SHA-512": {
    make: { rsa: { ...CA, RSA: 2048 } },
    leaf: { Issuer: "rsa", Signature: "SHA512-RSAPSS", RSA: 2048 },
    trust: ["rsa"],
    ...good,
  },
  "RSA leaf": { leaf: { RSA: 2048 }, ...good },
  "RSA of 1024 bits": { leaf: { RSA: 1024 }, ...good },
  "P-384": { leaf: { Curve: "P-384" }, ...good },
  "P-521": { leaf: { Curve: "P-521" }, ...good },
  "P-384 over TLS 1.2": { leaf: { Curve: "P-384" }, max: TLS12, ...good },
  "P-521 over TLS 1.2": { leaf: { Curve: "P-521" }, max: TLS12, ...good },
  "RSA over TLS 1.2": { leaf: { RSA: 2048 }, max: TLS12, ...good },
  "server only over TLS 1.2": {
    leaf: { Usages: ["server"] },
    max: TLS12,
    server: true,
    client: false,
    says: "lacks clientAuth",
  },
  "P-224": { leaf: { Curve: "P-224" }, ...bad, says: "P-224" },
  "unknown critical extension": {
    leaf: { Critical: "1.2.3.4.5" },
    ...bad,
    says: "critical extension 1.2.3.4.5",
  },
  "CA with an unknown critical extension": {
    make: { odd: { ...CA, Critical: "1.2.3.4.5" } },
    leaf: { Issuer: "odd" },
    trust: ["odd"],
    ...bad,
    says: "critical extension 1.2.3.4.5",
  },
  "name constraints kept": {
    make: { bound: { ...CA, Permitted: ["global.nomad"] } },
    leaf: { Issuer: "bound" },
    trust: ["bound"],
    ...good,
  },
  "name constraints broken": {
    make: { bound: { ...CA, Permitted: ["nomad"] } },
    leaf: { Issuer: "bound", DNS: [NAME, "localhost"] },
    trust: ["bound"],
    ...bad,
    says: '"localhost" is not permitted',
  },
  "name constraints with a dot": {
    make: { bound: { ...CA, Permitted: [".global.nomad"] } },
    leaf: { Issuer: "bound" },
    trust: ["bound"],
    ...good,
  },
  "names excluded": {
    make: { bound: { ...CA, Excluded: ["GLOBAL.nomad"] } },
    leaf: { Issuer: "bound" },
    trust: ["bound"],
    ...bad,
    says: "excluded",
  },
  "a wildcard over what is excluded": {
    make: { bound: { ...CA, Excluded: ["x.global.nomad"] } },
    leaf: { Issuer: "bound", DNS: ["*.global.nomad"], CN: [NAME] },
    trust: ["bound"],
    ...bad,
    says: "excluded",
  },
  "networks kept": {
    make: { bound: { ...CA, PermittedIPs: ["10.0.0.0/8"] } },
    leaf: { Issuer: "bound", IPs: ["10.1.2.3"] },
    trust: ["bound"],
    ...good,
  },
  "networks broken": {
    make: { bound: { ...CA, PermittedIPs: ["10.0.0.0/8"] } },
    leaf: { Issuer: "bound", IPs: ["127.0.0.1"] },
    trust: ["bound"],
    ...bad,
    says: '"127.0.0.1" is not permitted',
  },
  "capital letters": { leaf: { DNS: ["SERVER.Global.NOMAD"], CN: ["x"] }, ...good },
  "a wildcard, and the role in the common name": {
    leaf: { DNS: ["*.global.nomad"], CN: [NAME] },
    ...good,
  },
  "a wildcard in capitals": { leaf: { DNS: ["*.GLOBAL.nomad"], CN: [NAME] }, ...good },
  "a wildcard one label too low": {
    leaf: { DNS: ["*.nomad"], CN: [NAME] },
    server: false,
    client: true,
    says: "lacks the name",
  },
  "a wildcard in the middle": {
    leaf: { DNS: ["server.*.nomad"], CN: [NAME] },
    server: false,
    client: true,
    says: "lacks the name",
  },
  "half a wildcard": {
    leaf: { DNS: ["serv*.global.nomad"], CN: [NAME] },
    server: false,
    client: true,
    says: "lacks the name",
  },
  "nothing but a wildcard": {
    leaf: { DNS: ["*"], CN: [NAME] },
    server: false,
    client: true,
    says: "lacks the name",
  },
  "a longer name": {
    leaf: { DNS: ["server.global.nomad.evil.com"], CN: [NAME] },
    server: false,
    client: true,
    says: "lacks the name",
  },
  "a dot at the end": {
    leaf: { DNS: [`${NAME}.`], CN: [NAME] },
    server: false,
    client: true,
    says: "lacks the name",
  },
  "common name only": {
    leaf: { DNS: [], CN: [NAME] },
    server: false,
    client: true,
    says: "legacy Common Name",
  },
  "two common names": { leaf: { CN: [NAME, "client.global.nomad"] }, ...good },
  "for an address": {
    leaf: { DNS: [], IPs: ["127.0.0.1", "::1"], CN: [NAME] },
    host: "127.0.0.1",
    ...good,
    stricter: true,
    says: "lacks the name",
  },
  "for an address of IPv6": {
    leaf: { DNS: [], IPs: ["127.0.0.1", "::1"], CN: [NAME] },
    host: "0:0::1",
    ...good,
    stricter: true,
    says: "lacks the name",
  },
  "for another address": {
    leaf: { DNS: ["127.0.0.2"], IPs: ["127.0.0.1"], CN: [NAME] },
    host: "127.0.0.2",
    server: false,
    client: true,
    says: "lacks the name",
  },
  "for nobody in particular": {
    leaf: { DNS: ["other.example"], CN: [NAME] },
    host: "",
    ...good,
    stricter: true,
    says: "lacks the name",
  },
};

const directory = mkdtempSync(join(tmpdir(), "nomad-certs-"));
let go: Peer;
let ours: TlsIdentity;
let server: StreamServer | undefined;
let port: number;
/** Of the next connection to us. */
let listening: { readonly identity: TlsIdentity; readonly heard: (error: string) => void };

const file = (name: string): string => join(directory, name);
const pem = (names: readonly string[]): string =>
  names.map((name) => readFileSync(file(`${name}.pem`), "utf8")).join("");

async function make(name: string, spec: Spec): Promise<void> {
  const made = await go.ask(`make ${JSON.stringify({ Name: name, CN: [name], ...spec })}`);
  if (made.error !== "") throw new Error(`${name}: ${made.error}`);
}

/** A good identity that trusts these. */
function trusting(names: readonly string[]): TlsIdentity {
  return createIdentity({ ...ours.material, ca: pem(names) }, "tls12", []);
}

async function accept(plain: SocketStream): Promise<void> {
  const { identity, heard } = listening;
  try {
    const { stream } = await acceptTls(plain, identity, { requireClient: true, timeoutMs: 5000 });
    heard("");
    stream.write(Uint8Array.of(42));
  } catch (error) {
    heard(String(error));
  }
}

beforeAll(async () => {
  if (!mustRun) return;
  go = await Peer.start(buildPeer("cert-peer"), [directory]);
  await make("root", CA);
  await make("trustful", { Issuer: "root", DNS: [NAME], Usages: BOTH });
  const key = readFileSync(file("trustful.key"), "utf8");
  const [certificate] = parseCertificates(pem(["trustful"]));
  if (certificate === undefined) throw new Error("no certificate");
  const info = describeCertificate(certificate);
  const material = { ca: pem(["root"]), cert: pem(["trustful"]), key, certificate: info };
  ours = createIdentity({ ...material, authorities: [] }, "tls12", []);
  const local = { ip: Uint8Array.of(127, 0, 0, 1), port: 0 };
  server = await listenSockets(local, (stream) => void accept(stream));
  port = server.local.port;
});

afterAll(async () => {
  await server?.close();
  await go?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** Shown by Go's server to us: do we take it? */
async function weDial(chain: readonly string[], one: Case, own: TlsIdentity): Promise<string> {
  const { host = NAME } = one;
  const { trust = ["root"], max = 0 } = one;
  const at = await go.ask(`serve ${JSON.stringify({ CA: trust, Chain: chain, Max: max })}`);
  if (at.error !== undefined) return at.error;
  const plain = await dialSocket({ ip: Uint8Array.of(127, 0, 0, 1), port: at.port }, 5000);
  try {
    const serverName = host === "" ? undefined : host;
    const { stream } = await dialTls(plain, own, { serverName, timeoutMs: 5000 });
    // In TLS 1.3 we only hear of its verdict on us by what comes next.
    const first = await stream.takeFirst(5000);
    stream.destroy();
    return first === 42 ? "" : `hung up: ${first}`;
  } catch (error) {
    return String(error);
  } finally {
    plain.destroy();
    await go.ask("served");
  }
}

/** Shown by Go's client to us; what each side says. */
async function goDials(spec: Spec, identity: TlsIdentity): Promise<{ we: string; they: string }> {
  const heard = new Promise<string>((resolve) => {
    listening = { identity, heard: resolve };
  });
  const asked = { Host: NAME, Address: `127.0.0.1:${port}`, ...spec };
  const [they, we] = await Promise.all([go.ask(`dial ${JSON.stringify(asked)}`), heard]);
  return we.includes("dial again") ? goDials(spec, identity) : { we, they: they.error };
}

const at = { file: "test.hcl", line: 1, column: 1, length: 1 };
function atStart(trust: readonly string[], chain: readonly string[]): ReturnType<typeof load> {
  writeFileSync(file("ca-file"), pem(trust));
  writeFileSync(file("cert-file"), pem(chain));
  return load();
}

function load(): { identity: TlsIdentity | undefined; errors: readonly Problem[] } {
  const tls: TlsConfig = {
    http: true,
    rpc: true,
    caFile: file("ca-file"),
    certFile: file("cert-file"),
    keyFile: file("leaf.key"),
    verifyServerHostname: true,
    verifyHttpsClient: false,
    rpcUpgradeMode: false,
    minVersion: "tls12",
    cipherSuites: [],
    at: { block: at, caFile: at, certFile: at, keyFile: at, cipherSuites: at },
  };
  const options = { region: "global", isServer: true, nowMs: Date.now() };
  const { material, problems } = loadTlsMaterial(tls, options);
  const errors = problems.filter(({ severity }) => severity === "error");
  const identity = material && createIdentity(material, "tls12", []);
  return { identity, errors };
}

describe.if(mustRun)("Go and we say the same of", () => {
  for (const [name, one] of Object.entries(cases)) {
    test(name, async () => {
      const { trust = ["root"], host = NAME } = one;
      for (const [made, spec] of Object.entries(one.make ?? {})) await make(made, spec);
      await make("leaf", { Issuer: "root", DNS: [NAME], Usages: BOTH, CN: [NAME], ...one.leaf });
      const chain = ["leaf", ...(one.chain ?? [])];
      const judged: Record<string, boolean> = {};
      for (const usage of BOTH) {
        const asked = { CA: trust, Chain: chain, Usage: usage, Host: host, Max: one.max ?? 0 };
        judged[usage] = (await go.ask(`judge ${JSON.stringify(asked)}`)).error === "";
      }
      expect(judged).toEqual({ server: one.server, client: one.client });

      const trustful = trusting(trust);
      const unusable = one.says === "digitalSignature"; // The library refuses it before we can look.
      const shown = await weDial(chain, { ...one, trust: ["root"] }, trustful);
      expect({ shown, taken: shown === "" }).toEqual({ shown, taken: one.server && !unusable });
      const { we } = await goDials({ CA: ["root"], Chain: chain, Max: one.max ?? 0 }, trustful);
      expect({ we, taken: we === "" }).toEqual({ we, taken: one.client && !unusable });

      const { identity, errors } = atStart(trust, chain);
      const starts = one.server && one.client && one.stricter !== true;
      const messages = errors.map(({ message }) => message);
      expect({ messages, starts: messages.length === 0 }).toEqual({ messages, starts });
      if (one.says !== undefined) expect(errors[0]?.message).toContain(one.says);
      if (identity === undefined) return;
      expect(
        await goDials({ CA: trust, Chain: ["trustful"] }, { ...identity, anchors: ours.anchors }),
      ).toEqual({ we: "", they: "" });
      expect(await weDial(["trustful"], one, { ...identity, anchors: ours.anchors })).toBe("");
    });
  }
});
