/** `nomad operator encryption doctor`: what it sees from one machine, and its exit code. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { NET } from "../addresses.ts";
import { getJson, Lab, type Ran, run, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";

setDefaultTimeout(40_000);

const KEY = Buffer.alloc(32, 9).toString("base64");
const [ONE, TWO, CLEAR, SHORT, STRANGER] = [1, 2, 3, 4, 5].map((n) => `${NET}.77.${n}`);

const lab = new Lab();
let ca: TestCa;
let other: TestCa;
let good: Record<string, unknown>;

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  other = await makeCa(lab.directory, "other");
  good = await serverTls(ca, "global", { http: true });
  await lab.agent({ name: "one", ip: ONE ?? "", encrypt: KEY, tls: good });
  await lab.agent({ name: "two", ip: TWO ?? "", encrypt: KEY, tls: good, join: [ONE ?? ""] });
  await seesAlive(2);
});

afterAll(() => lab[Symbol.asyncDispose]());

const tlsEnv = (): Record<string, string> => ({
  NOMAD_ADDR: `https://${ONE}:4646`,
  NOMAD_CACERT: ca.caFile,
  NOMAD_TLS_SERVER_NAME: "server.global.nomad",
});

async function doctor(...flags: string[]): Promise<Ran> {
  return run(["operator", "encryption", "doctor", ...flags], { env: tlsEnv() });
}

async function seesAlive(count: number): Promise<void> {
  await until(`${count} members`, async () => {
    const { out } = await run(["server", "members", "-json"], { env: tlsEnv() });
    return (
      JSON.parse(out).filter((one: { Status: string }) => one.Status === "alive").length === count
    );
  });
}

describe("the doctor", () => {
  test("says that all is well, and exits 0", async () => {
    const { code, out } = await doctor();
    expect(out).toMatch(/^Gossip: AES-256-GCM, key [0-9a-f]{16} on 2 of 2 members\n/);
    expect(out).toMatch(
      /one\.global +127\.\d+\.77\.1:4647 +TLSv1\.3 \S+ +yes +no +server\.global\.nomad/,
    );
    expect(out).toContain("Everything is encrypted, and no certificate ends within 364 days.");
    expect(code).toBe(0);
    const json = JSON.parse((await doctor("-json")).out);
    expect(json).toMatchObject({
      healthy: true,
      encrypted: true,
      todo: [],
      soonest_expiry_days: 364,
    });
    expect(json.peers.length).toBe(2);
  });

  test("finds who is in the clear, who has another CA, and whose certificate ends soon", async () => {
    const join = [ONE ?? ""];
    const strange = await serverTls(other, "global", { http: true });
    await run(["tls", "cert", "create", "-server", "-region=eu", "-days=10"], {
      cwd: ca.directory,
    });
    const ending = await serverTls(ca, "eu");
    await lab.agent({ name: "clear", ip: CLEAR ?? "", encrypt: KEY, join });
    await lab.agent({
      name: "ending",
      ip: SHORT ?? "",
      encrypt: KEY,
      tls: ending,
      region: "eu",
      join,
    });
    await lab.agent({ name: "stranger", ip: STRANGER ?? "", encrypt: KEY, tls: strange, join });
    await seesAlive(5);
    const { code, out } = await doctor();
    expect(code).toBe(1);
    expect(out).toMatch(/clear\.global +127\.\d+\.77\.3:4647 +clear +- +yes/);
    expect(out).toMatch(/stranger\.global +127\.\d+\.77\.5:4647 +TLSv1\.3 \S+ +no +no/);
    const todo = out.slice(out.indexOf("To do:"));
    expect(todo).toContain("clear.global: no TLS on its RPC port: set tls { rpc = true } there");
    expect(todo).toMatch(/ending\.eu: its certificate ends in (9|10) days/);
    expect(todo).toContain(
      "stranger.global: its certificate does not verify: x509: certificate signed by unknown authority",
    );
    expect(todo).toContain("stranger.global: it does not accept our certificate");
  });

  test("a server without TLS of its own sees the others' certificates, and itself", async () => {
    const report = await getJson(CLEAR ?? "", "/v1/operator/encryption");
    expect(report).toMatchObject({ healthy: false, encrypted: false });
    expect(report.in_clear.map((one: { what: string }) => one.what)).toEqual(["rpc", "http"]);
    const two = report.peers.find((one: { name: string }) => one.name === "two.global");
    expect(two).toMatchObject({ tls_version: "TLSv1.3", verified: null, accepts_us: false });
    expect(two.names).toContain("server.global.nomad");
  });

  test("an agent that is not there is an error of one line, exit 1", async () => {
    const env = { NOMAD_ADDR: `http://${NET}.77.99:4646` };
    const { code, err } = await run(["operator", "encryption", "doctor"], { env });
    expect(code).toBe(1);
    expect(err).toStartWith("Error querying encryption: ");
  });
});

test("a reload gives new HTTPS connections the new certificate, and leaves living ones alone", async () => {
  const ip = `${NET}.77.6`;
  const own = await makeCa(lab.directory, "https");
  const tls = await serverTls(own, "global", { http: true });
  const agent = await lab.agent({ name: "https", ip, tls });
  const dial = (): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const options = { host: ip, port: 4646, ca: readFileSync(own.caFile, "utf8") };
      const socket = connect({ ...options, servername: "localhost" }, () => resolve(socket));
      socket.once("error", reject);
    });
  const old = await until("it is up", dial);
  const before = old.getPeerCertificate().serialNumber;
  const files = ["global-server-nomad.pem", "global-server-nomad-key.pem"];
  for (const name of files) rmSync(`${own.directory}/${name}`);
  await serverTls(own);
  agent.kill("SIGHUP");
  const fresh = await until("the new one is shown", async () => {
    const socket = await dial();
    return socket.getPeerCertificate().serialNumber === before ? undefined : socket;
  });
  fresh.destroy();
  const answer = new Promise<string>((resolve) => {
    old.once("data", (chunk: Uint8Array) => resolve(new TextDecoder().decode(chunk)));
  });
  old.write(`GET /v1/regions HTTP/1.1\r\nHost: ${ip}\r\n\r\n`);
  expect(await answer).toStartWith("HTTP/1.1 200 OK");
  old.destroy();
});

test("tls cert info and tls ca info show Nomad's rows", async () => {
  const cert = await run(["tls", "cert", "info", "global-server-nomad.pem"], { cwd: ca.directory });
  expect(cert.code).toBe(0);
  expect(cert.out).toMatch(/^Serial Number {2,}\d+\nIssuer CN {2,}Nomad Agent CA \d+\n/);
  expect(cert.out).toContain("[server.global.nomad localhost]");
  const authority = await run(["tls", "ca", "info"], { cwd: ca.directory });
  expect(authority.out).toMatch(/Common Name .*CN=Nomad Agent CA/);
  const none = await run(["tls", "cert", "info", "nothing.pem"], { cwd: ca.directory });
  expect(none).toMatchObject({ code: 1, out: "" });
  expect(none.err).toContain("open nothing.pem: no such file or directory");
});
