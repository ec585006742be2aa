/**
 * Three running servers, in two regions so that each passes calls on to the others, under constant
 * load: from clear to TLS one server at a time, then from one CA to another. No call may fail.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import type { TlsIdentity } from "../../src/tls/handshake.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";
import { Load, loadIdentity, testPool } from "./rpc-pool.ts";

setDefaultTimeout(60_000);

const SERVERS = [
  { name: "a", ip: `${NET}.74.1`, region: "global", wanted: "eu" },
  { name: "b", ip: `${NET}.74.2`, region: "global", wanted: "eu" },
  { name: "c", ip: `${NET}.74.3`, region: "eu", wanted: "global" },
] as const;
type Server = (typeof SERVERS)[number];

const lab = new Lab();
const agents = new Map<string, Agent>();
const targets = SERVERS.map(({ ip, region, wanted }) => ({
  address: { ip: Uint8Array.from(ip.split(".").map(Number)), port: 4647 },
  region,
  wanted,
}));
let first: TestCa;
let second: TestCa;
let identity: TlsIdentity;
let pool: RpcPool;
let load: Load;

beforeAll(async () => {
  first = await makeCa(lab.directory, "first");
  second = await makeCa(lab.directory, "second");
  for (const ca of [first, second])
    for (const region of ["global", "eu"]) await serverTls(ca, region);
  for (const { name, ip, region } of SERVERS) {
    mkdirSync(lab.path(`tls-${name}`));
    const join = name === "a" ? [] : [`${NET}.74.1`];
    agents.set(name, await lab.agent({ name, ip, region, join }));
  }
  for (const { ip } of SERVERS) {
    await until("three members", async () => {
      const { Members } = await getJson(ip, "/v1/agent/members");
      return Members.filter((one: Json) => one.Status === "alive").length === 3;
    });
  }
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

function place(server: Server, ca: TestCa): void {
  const to = lab.path(`tls-${server.name}`);
  const from = `${ca.directory}/${server.region}-server-nomad`;
  copyFileSync(`${from}.pem`, `${to}/cert.pem`);
  copyFileSync(`${from}-key.pem`, `${to}/key.pem`);
}

function trust(server: Server, ...cas: readonly TestCa[]): void {
  const text = cas.map((ca) => readFileSync(ca.caFile, "utf8")).join("\n");
  writeFileSync(`${lab.path(`tls-${server.name}`)}/ca.pem`, text);
}

/** Writes the tls block into the configuration of a running server. */
function configure(server: Server, upgrade: boolean): void {
  const file = lab.path(`${server.name}.json`);
  const config = JSON.parse(readFileSync(file, "utf8"));
  const directory = lab.path(`tls-${server.name}`);
  config.tls = {
    rpc: true,
    verify_server_hostname: true,
    rpc_upgrade_mode: upgrade,
    ca_file: `${directory}/ca.pem`,
    cert_file: `${directory}/cert.pem`,
    key_file: `${directory}/key.pem`,
  };
  writeFileSync(file, JSON.stringify(config));
}

/** By each of the three ways in turn. */
async function reload(server: Server): Promise<void> {
  const agent = agents.get(server.name);
  const said = (): number => (agent?.log ?? "").split("reloaded: new connections").length;
  const before = said();
  if (server.name === "a") agent?.kill("SIGHUP");
  else if (server.name === "b") {
    const env = { NOMAD_ADDR: `http://${server.ip}:4646` };
    const done = await run(["operator", "tls", "reload"], { env });
    expect(done).toMatchObject({ code: 0, err: "" });
  } else {
    const url = `http://${server.ip}:4646/v1/agent/reload`;
    expect((await fetch(url, { method: "PUT" })).status).toBe(200);
  }
  await until(`${server.name} has reloaded`, () => said() > before);
}

/** The test's own party moves too: it trusts and shows what it is told. */
function become(ca: TestCa, ...trusted: readonly TestCa[]): void {
  const bundle = lab.path("own-ca.pem");
  writeFileSync(bundle, trusted.map((one) => readFileSync(one.caFile, "utf8")).join("\n"));
  const pair = `${ca.directory}/global-server-nomad`;
  identity = loadIdentity(bundle, `${pair}.pem`, `${pair}-key.pem`);
  pool?.retireAll();
}

async function callsGoOn(): Promise<void> {
  const before = load.calls;
  await until("two hundred calls more", () => load.calls > before + 200);
  expect(load.failures).toEqual([]);
}

describe("under constant load", () => {
  test("from clear to TLS, one server at a time", async () => {
    become(first, first);
    pool = testPool(() => ({ identity, verifyServerHostname: true, upgradeMode: true }));
    load = new Load(pool, targets, 3);
    await callsGoOn();
    for (const server of SERVERS) {
      place(server, first);
      trust(server, first);
      configure(server, true);
      await reload(server);
      await callsGoOn();
    }
    for (const server of SERVERS) {
      configure(server, false);
      await reload(server);
      await callsGoOn();
    }
    for (const { ip } of SERVERS) {
      await until("no connection is in the clear any more", async () => {
        return (await getJson(ip, "/v1/status")).rpc.open_plain_connections === 0;
      });
      const { peers } = await getJson(ip, "/v1/operator/encryption");
      expect(peers.map((one: Json) => [one.encrypted, one.verified, one.problems])).toEqual(
        SERVERS.map(() => [true, true, []]),
      );
      const { rpc } = await getJson(ip, "/v1/status");
      const living = rpc.sessions.filter((one: Json) => !one.retiring);
      expect(living.every((one: Json) => one.encrypted)).toBe(true);
      expect(rpc.requests_forwarded).toBeGreaterThan(100);
    }
  });

  test("from one CA to the next, in two steps and a last one", async () => {
    for (const server of SERVERS) {
      trust(server, first, second);
      await reload(server);
      await callsGoOn();
    }
    become(first, first, second);
    await callsGoOn();
    for (const server of SERVERS) {
      place(server, second);
      await reload(server);
      await callsGoOn();
    }
    become(second, first, second);
    await callsGoOn();
    for (const server of SERVERS) {
      trust(server, second);
      await reload(server);
      await callsGoOn();
    }
    become(second, second);
    await callsGoOn();
    await load.stop();
    expect(load.failures).toEqual([]);
    const { rpc } = await getJson(`${NET}.74.1`, "/v1/status");
    expect(rpc.tls.authorities.length).toBe(1);
    const { peers } = await getJson(`${NET}.74.1`, "/v1/operator/encryption");
    expect(peers.map((one: Json) => one.verified)).toEqual([true, true, true]);
  });

  test("a certificate that cannot be used changes nothing, and says why at once", async () => {
    const [server] = SERVERS;
    const serial = async (): Promise<string> =>
      (await getJson(server.ip, "/v1/status")).rpc.tls.certificate.serial;
    const before = await serial();
    place(server, first); // Of the CA that nobody trusts any more.
    const url = `http://${server.ip}:4646/v1/agent/reload`;
    const answer = await fetch(url, { method: "PUT" });
    const text = await answer.text();
    expect(answer.status).toBe(500);
    expect(text).toContain("is not signed by ca_file");
    expect(text).toContain("the old configuration stays in force");
    expect(await serial()).toBe(before);
    const env = { NOMAD_ADDR: `http://${server.ip}:4646` };
    const cli = await run(["operator", "tls", "reload"], { env });
    expect(cli.code).toBe(1);
    expect(cli.err).toContain("is not signed by ca_file");
  });
});
