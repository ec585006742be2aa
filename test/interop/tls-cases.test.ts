/**
 * The accept and refuse cases of a real Nomad's RPC port (vectors/rpc/tls.json) against the compiled
 * binary, with Go's TLS and with openssl as the dialer.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { NET } from "../addresses.ts";
import { getJson, type Json, Lab, run, until } from "../cluster/agents.ts";
import { makeCa, serverTls, type TestCa } from "../cluster/certificates.ts";
import { vectors } from "../vectors.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(30_000);

const IP = `${NET}.73.1`;
const ONLY_13 = `${NET}.73.3`;
const ONE_SUITE = `${NET}.73.4`;
/** Puts Nomad's byte in front of what openssl says. */
const WITH_BYTE = { host: `${NET}.73.2`, port: 4700 };
const TLS12 = 0x0303;
const TLS11 = 0x0302;
const ECDHE_ECDSA_CHACHA20 = 0xcca9;
const ECDHE_ECDSA_CBC = [0xc009, 0xc00a];

const lab = new Lab();
let ca: TestCa;
let go: Peer;
let proxy: Server;

beforeAll(async () => {
  if (!mustRun) return;
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  for (const role of ["-client", "-cli"]) {
    await run(["tls", "cert", "create", role], { cwd: ca.directory });
  }
  await lab.agent({ name: "tls", ip: IP, tls });
  const strict = { ...tls, tls_min_version: "tls13" };
  await lab.agent({ name: "strict", ip: ONLY_13, tls: strict });
  const suite = { ...tls, tls_cipher_suites: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" };
  await lab.agent({ name: "suite", ip: ONE_SUITE, tls: suite });
  for (const ip of [IP, ONLY_13, ONE_SUITE]) {
    await until(`${ip} is up`, () => getJson(ip, "/v1/status"));
  }
  go = await Peer.start(buildPeer("rpc-peer"), []);
  proxy = createServer((near) => {
    const far = connect(4647, IP, () => {
      far.write(Uint8Array.of(4));
      near.pipe(far).pipe(near);
    });
    for (const socket of [near, far]) socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => void proxy.listen(WITH_BYTE, resolve));
});

afterAll(async () => {
  proxy?.close();
  await go?.[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const pem = (who: string): { Cert: string; Key: string } => ({
  Cert: `${ca.directory}/global-${who}-nomad.pem`,
  Key: `${ca.directory}/global-${who}-nomad-key.pem`,
});

/** How each recorded case is done again; `inner` is the byte inside TLS. */
function dialOf(name: string): Json {
  const plain = /^plain first byte (\d\d)/.exec(name)?.[1];
  if (plain !== undefined) return { First: Number(plain), Plain: true, Inner: -1 };
  const served = { First: 4, Inner: 1, Pings: true, ...pem("client") };
  const raft = (who: string): Json => ({ First: 4, Inner: 2, ...pem(who) });
  const cases: Record<string, Json> = {
    "client cert, default": served,
    "client cert, TLS1.2 max": { ...served, Max: TLS12 },
    "client cert, TLS1.2 ECDHE-ECDSA-CHACHA": {
      ...served,
      Max: TLS12,
      Suites: [ECDHE_ECDSA_CHACHA20],
    },
    "client cert, TLS1.2 CBC only": { ...served, Max: TLS12, Suites: ECDHE_ECDSA_CBC },
    "client cert, TLS1.1": { ...served, Min: TLS11, Max: TLS11 },
    "ALPN h2 offered": { ...served, Alpn: ["h2"] },
    "no client cert": { First: 4, Inner: 1, Pings: true },
    "TLS without leading 04": { ...served, First: -1 },
    "04 inside TLS": { ...served, Inner: 4, Pings: false },
    "raft prevote with client cert (verify_server_hostname)": raft("client"),
    "raft prevote with server cert": { ...raft("server"), Raft: true },
    "raft prevote with cli cert": raft("cli"),
    "Node.Register with cli cert": { ...served, ...pem("cli") },
    "Keyring.Get with client cert": { ...served, Method: "Keyring.Get" },
    "Keyring.Get with server cert": { ...served, ...pem("server"), Method: "Keyring.Get" },
    "04 then silence (handshake timeout)": { First: 4, Plain: true, Inner: -1, WaitMs: 8000 },
    "TLS handshake then silence 9s": { First: 4, Inner: -1, WaitMs: 9000, ...pem("client") },
  };
  const found = cases[name];
  if (found === undefined) throw new Error(`no way to do: ${name}`);
  return found;
}

const SUITES: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-CHACHA20-POLY1305": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
};

describe.if(mustRun)("recorded from a real Nomad, done again by Go", () => {
  for (const recorded of vectors("rpc/tls.json").cases) {
    const name: string = recorded.case;
    test(name, async () => {
      const got = await go.ask(`handshake ${IP}:4647 ${JSON.stringify(dialOf(name))}`);
      const { result } = recorded;
      if (result.version !== undefined) {
        expect(got).toMatchObject({ handshake: true, served: true, alpn: "" });
        expect(got.version.replace(" ", "v")).toBe(result.version);
        expect(got.suite).toBe(SUITES[result.cipher[0]]);
      } else if (name.startsWith("Keyring.Get with client")) {
        expect(got.error).toBe(result.Error);
      } else if (name.startsWith("Keyring.Get with server")) {
        // A real server tells its root keys; ours has none to tell, and says no more than that.
        expect(got.error).toBe("rpc: can't find method Keyring.Get");
      } else if (name === "raft prevote with server cert") {
        // It gets as far as Raft, which then has nothing to do with a server of Nomad's.
        expect(got).toMatchObject({
          served: true,
          answer: expect.stringContaining("another kind"),
        });
      } else if (name.startsWith("TLS handshake then silence")) {
        expect(got).toMatchObject({ handshake: true, open: true });
      } else {
        expect(got.served).toBe(false);
        expect(got.open ?? false).toBe(false);
        if (String(result).includes("CERTIFICATE_REQUIRED")) {
          expect(got.error).toContain("certificate required");
        }
        if (String(result).includes("PROTOCOL_VERSION")) {
          expect(got.error).toContain("protocol version");
        }
        if (String(result).includes("HANDSHAKE_FAILURE")) {
          expect(got.error).toContain("handshake failure");
        }
        if (name.startsWith("04 then silence")) {
          expect(got.seconds).toBeGreaterThan(4.5);
          expect(got.seconds).toBeLessThan(6.5);
        }
      }
    });
  }
});

describe.if(mustRun)("what the configuration allows, and no more", () => {
  const twelve = { First: 4, Inner: 1, Pings: true, Max: TLS12 };
  const as = async (ip: string, spec: Json): Promise<Json> =>
    go.ask(`handshake ${ip}:4647 ${JSON.stringify({ ...spec, ...pem("client") })}`);

  test("tls_min_version = tls13 refuses TLS 1.2", async () => {
    expect((await as(ONLY_13, twelve)).error).toContain("protocol version");
    const { Max: _, ...thirteen } = twelve;
    expect(await as(ONLY_13, thirteen)).toMatchObject({ served: true, version: "TLS 1.3" });
  });

  test("tls_cipher_suites is all that TLS 1.2 may have; TLS 1.3 has its own", async () => {
    const suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    expect(await as(ONE_SUITE, twelve)).toMatchObject({ served: true, suite });
    const other = await as(ONE_SUITE, { ...twelve, Suites: [ECDHE_ECDSA_CHACHA20] });
    expect(other.error).toContain("handshake failure");
    const { Max: _, ...thirteen } = twelve;
    expect(await as(ONE_SUITE, thirteen)).toMatchObject({ served: true, version: "TLS 1.3" });
  });
});

describe.if(mustRun)("openssl as the dialer", () => {
  async function openssl(who: string | undefined, ...more: string[]): Promise<string> {
    const identity = who === undefined ? [] : ["-cert", pem(who).Cert, "-key", pem(who).Key];
    const child = Bun.spawn(
      [
        ...["openssl", "s_client", "-connect", `${WITH_BYTE.host}:${WITH_BYTE.port}`, "-brief"],
        ...["-CAfile", ca.caFile, "-verify_return_error"],
        ...["-servername", "server.global.nomad", "-verify_hostname", "server.global.nomad"],
        ...identity,
        ...more,
      ],
      { stdin: Uint8Array.of(1), stdout: "pipe", stderr: "pipe", timeout: 10_000 },
    );
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    return `${out}\n${err}`;
  }

  test("our certificate verifies, for its name, in TLS 1.3", async () => {
    const said = await openssl("server");
    expect(said).toContain("Protocol version: TLSv1.3");
    expect(said).toContain("Verification: OK");
    expect(said).toContain("Verified peername: server.global.nomad");
  });

  test("TLS 1.2 with each suite that Nomad has by default", async () => {
    for (const suite of [
      "ECDHE-ECDSA-AES128-GCM-SHA256",
      "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-ECDSA-CHACHA20-POLY1305",
    ]) {
      const said = await openssl("client", "-tls1_2", "-cipher", suite);
      expect(said).toContain(`Ciphersuite: ${suite}`);
    }
  });

  test("CBC, TLS 1.1 and no certificate are refused with their alerts", async () => {
    const cbc = await openssl("client", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA");
    expect(cbc).toContain("handshake failure");
    const eleven = await openssl("client", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0");
    expect(eleven).toContain("protocol version");
    expect(await openssl(undefined, "-tls1_2")).toMatch(/handshake failure|certificate required/);
  });

  test("what was refused is counted by reason", async () => {
    const { rpc } = await getJson(IP, "/v1/status");
    const { refused } = rpc.tls.handshakes.inbound;
    expect(refused).toMatchObject({
      "no-certificate": expect.any(Number),
      "no-shared-cipher": expect.any(Number),
      "protocol-version": expect.any(Number),
      "wrong-role": 2,
      timeout: 1,
    });
    expect(rpc.refused).toMatchObject({ plaintext: 6, "inner-tls": 1, "raft-not-a-server": 1 });
    const text = await fetch(`http://${IP}:4646/v1/metrics?format=prometheus`);
    const metrics = await text.text();
    const host = hostname();
    expect(metrics).toContain(`nomad_rpc_refused{reason="raft-not-a-server",host="${host}"} 1`);
    expect(metrics).toContain(
      `nomad_rpc_tls_handshake_refused{direction="inbound",reason="wrong-role",host="${host}"} 2`,
    );
  });
});
