/** Certificates of client nodes: those that will not do, on both sides, and new ones under way. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { makeLeaf } from "../../src/tls/make.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { loadIdentity, testPool } from "./rpc-pool.ts";

type Tls = Record<string, unknown>;

const SERVER = `${NET}.132.1`;
/** Of a certificate that ends under way: it has to be taken into use before. */
const LIFE_MS = 6000;
const lab = new Lab();
let ca: TestCa;
let server: Agent;
let serverTlsOf: Tls;
let last = 10;
const pools: RpcPool[] = [];

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  serverTlsOf = await serverTls(ca);
  server = await startServer("s1", SERVER, serverTlsOf);
}, 30_000);

afterAll(async () => {
  for (const pool of pools) pool.close();
  await lab[Symbol.asyncDispose]();
});

async function startServer(name: string, ip: string, tls: Tls): Promise<Agent> {
  const heartbeats = { min_heartbeat_ttl: "1s", heartbeat_grace: "2s" };
  const agent = await lab.agent({ name, ip, tls, server: { bootstrap_expect: 1, ...heartbeats } });
  await until("a leader", async () => (await getJson(ip, "/v1/status/leader")) !== "");
  return agent;
}

/** @param at the server that it knows */
async function client(name: string, tls: Tls, at = SERVER): Promise<[Agent, string]> {
  last += 1;
  const ip = `${NET}.132.${last}`;
  const extra = { client: { enabled: true, servers: [at] } };
  const agent = await lab.agent({ name, ip, tls, server: { enabled: false }, extra });
  return [agent, ip];
}

const nodes = async (): Promise<Json[]> => getJson(SERVER, "/v1/nodes");

/** Without its own check of names, so that it goes as far as the server. */
const unchecked = { verify_server_hostname: false };

describe("a certificate that will not do", () => {
  for (const [what, tls, said] of [
    [
      "of another region",
      () => clientTls(ca, "eu"),
      "lacks the name client.global.nomad while verify_server_hostname is on: it is valid for " +
        "client.eu.nomad",
    ],
    [
      "of a server",
      () => serverTls(ca),
      "lacks the name client.global.nomad while verify_server_hostname is on: it is valid for " +
        "server.global.nomad",
    ],
    ["that has expired", () => tlsOf("client", -1), "expired"],
  ] as const) {
    test(`${what}: the agent does not start, and says what to do`, async () => {
      const name = `bad-${what.replaceAll(" ", "-")}`;
      const [agent] = await client(name, await tls());
      expect(await agent.exited).toBe(1);
      expect(agent.log).toContain(said);
      expect(agent.log).toContain("nomad tls cert create");
    }, 20_000);
  }

  for (const [what, tls, there, here] of [
    [
      "of another region",
      () => clientTls(ca, "eu", unchecked),
      "it must name server.<region>.nomad or client.global.nomad",
      "it may not accept the names of our certificate",
    ],
    [
      "of a server",
      () => serverTls(ca, "global", unchecked),
      "Node.Register: a client node must prove client.global.nomad",
      "a client node must prove client.global.nomad, and this certificate is for server.global.nomad",
    ],
  ] as const) {
    test(`${what}: the server refuses it, and both say why`, async () => {
      const name = `refused-${what.replaceAll(" ", "-")}`;
      const [agent, ip] = await client(name, await tls());
      await until("the server says so", () => server.log.includes(there));
      const said = await until("the client says so", async () => {
        const { client: own } = await getJson(ip, "/v1/status");
        return own.problem.includes(here) ? own : undefined;
      });
      expect(said.state).toBe("unregistered");
      expect(agent.log).toContain(here);
      expect((await nodes()).map((one) => one.Name)).not.toContain(name);
      await agent.stop();
    }, 30_000);
  }

  test("that has expired: both ends of a handshake say so", async () => {
    const { cert_file, key_file } = await tlsOf("client", -1);
    const identity = loadIdentity(ca.caFile, String(cert_file), String(key_file));
    const pool = testPool(() => ({ identity, verifyServerHostname: true, upgradeMode: false }));
    pools.push(pool);
    const address = { ip: Uint8Array.from(SERVER.split("."), Number), port: 4647 };
    const body = encodeQueryOptions({ Region: "global" });
    const call = pool.call({ address, region: "global" }, "Status.Ping", body, 5000, false);
    // Its alert is lost where the handshake was over before ours was judged.
    await expect(call).rejects.toThrow(/expired|may not accept/);
    await until("the server says so", () => /handshake.*expired/.test(server.log));
  }, 20_000);
});

test("one that ends while it is in use: living connections go on, new ones are refused", async () => {
  const ip = `${NET}.132.2`;
  const other = await startServer("s2", ip, await tlsOf("server", 30));
  const [short, theirs] = await client("short", await tlsOf("client", 30));
  let [ours, at] = await client("good", await clientTls(ca), ip);
  const own = async (where: string): Promise<Json> => (await getJson(where, "/v1/status")).client;
  const isHeard = async (where: string): Promise<void> => {
    const since = Date.now();
    await until("it is heard", async () => Date.parse((await own(where)).last_heartbeat) > since);
  };
  await Promise.all([isHeard(theirs), isHeard(at)]);
  const endsAt = Date.now() + LIFE_MS;
  for (const [role, agent] of [
    ["server", other],
    ["client", short],
  ] as const) {
    await tlsOf(role, LIFE_MS / 86_400_000, 30);
    agent.kill("SIGHUP");
    const said = "new connections use the new tls settings";
    await until("it is in use", () => agent.log.includes(said));
  }
  await Promise.all([isHeard(theirs), isHeard(at)]);
  await until("both have ended", () => Date.now() > endsAt);
  await Promise.all([isHeard(theirs), isHeard(at)]);
  // The server's: whoever dials it anew says so, and it hears that it is refused.
  await ours.stop();
  [ours, at] = await client("good", await clientTls(ca), ip);
  await until("the client says so", () => /server does not take.*expired/.test(ours.log));
  await until("the server says so", () => other.log.includes("does not accept our certificate"));
  expect((await own(at)).problem).toContain("expired");
  // The client's: it has to dial anew.
  await server.stop();
  server = await startServer("s1", SERVER, serverTlsOf);
  await until("the server says so", () => /failed TLS handshake.*expired/.test(server.log));
  await until("the client says so", async () =>
    (await own(theirs)).problem.includes("our own has expired"),
  );
}, 60_000);

/** With a certificate that lives for so many days; `instead`: in the place of one that did so. */
async function tlsOf(role: "client" | "server", days: number, instead = days): Promise<Tls> {
  const made = await leaf(`${role}.global.nomad`, days);
  const directory = join(lab.directory, `${role}-${instead}`);
  mkdirSync(directory, { recursive: true });
  const tls = { cert_file: join(directory, "cert.pem"), key_file: join(directory, "key.pem") };
  writeFileSync(tls.cert_file, made.certificate);
  writeFileSync(tls.key_file, made.key);
  const usual = role === "client" ? clientTls : serverTls;
  return { ...(await usual(ca)), ...tls };
}

function leaf(commonName: string, days: number): ReturnType<typeof makeLeaf> {
  const [certificate = "", key = ""] = ["nomad-agent-ca.pem", "nomad-agent-ca-key.pem"].map((one) =>
    readFileSync(join(ca.directory, one), "utf8"),
  );
  const usages = ["client", "server"] as const;
  const names = { dnsNames: [commonName], ipAddresses: [] };
  return makeLeaf({ certificate, key }, { commonName, ...names, days, usages: [...usages] });
}
