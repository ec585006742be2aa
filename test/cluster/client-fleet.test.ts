/**
 * Five client nodes of three servers, all over TLS: whichever server dies, stands still, gets new
 * certificates or comes back at another address, no node misses a heartbeat, and whoever was away
 * finds back.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeLeaf } from "../../src/tls/make.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, run, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";

const SERVERS = ["s1", "s2", "s3"] as const;
const CLIENTS = ["c1", "c2", "c3", "c4", "c5"] as const;
const TTL_MS = 2000;
const GRACE_MS = 4000;
const lab = new Lab();
const agents = new Map<string, Agent>();
/** By name, as it is now. */
const ips = new Map<string, string>([
  ...SERVERS.map((name, i): [string, string] => [name, `${NET}.134.${i + 1}`]),
  ...CLIENTS.map((name, i): [string, string] => [name, `${NET}.134.${i + 11}`]),
]);
let ca: TestCa;
afterAll(() => lab[Symbol.asyncDispose]());

const ipOf = (name: string): string => ips.get(name) ?? "";
const serverIps = (): string[] => SERVERS.map(ipOf);

async function startServer(name: string): Promise<void> {
  const joins = { bootstrap_expect: 3, retry_join: serverIps(), retry_interval: "1s" };
  const heartbeats = { min_heartbeat_ttl: `${TTL_MS}ms`, heartbeat_grace: `${GRACE_MS}ms` };
  const server = { ...joins, ...heartbeats, failover_heartbeat_ttl: "30s" };
  const extra = { autopilot: { server_stabilization_time: "1s" } };
  const tls = await serverTls(ca);
  agents.set(name, await lab.agent({ name, ip: ipOf(name), server, tls, extra }));
}

async function startClient(name: string): Promise<void> {
  const extra = { client: { enabled: true, servers: serverIps() } };
  const tls = await clientTls(ca);
  const server = { enabled: false };
  agents.set(name, await lab.agent({ name, ip: ipOf(name), server, tls, extra }));
}

const nodeOf = async (name: string): Promise<Json> =>
  (await getJson(ipOf(name), "/v1/status")).client;

/** As any server that answers sees them. */
async function statuses(): Promise<Record<string, string>> {
  const list = await Promise.any(serverIps().map((ip) => getJson(ip, "/v1/nodes")));
  return Object.fromEntries(list.map((one: Json) => [one.Name, one.Status]));
}

/** What servers have noticed of a node, but that it was registered. */
async function noticed(name: string): Promise<string[]> {
  const { id } = await nodeOf(name);
  const node = await Promise.any(serverIps().map((ip) => getJson(ip, `/v1/node/${id}`)));
  return node.Events.map((one: Json) => one.Message).slice(1);
}

/** Until each of them has said again that it lives. @returns the longest that it took */
async function heard(names: readonly string[] = CLIENTS, timeoutMs = 30_000): Promise<number> {
  const since = Date.now();
  const waits = names.map((name) =>
    until(
      `${name} is heard`,
      async () => {
        const { state, last_heartbeat } = await nodeOf(name);
        return state === "ready" && Date.parse(last_heartbeat) > since;
      },
      timeoutMs,
    ),
  );
  await Promise.all(waits);
  return Date.now() - since;
}

async function leader(): Promise<string> {
  const ask = async (ip: string): Promise<string> => {
    const said: string = await getJson(ip, "/v1/status/leader");
    const name = SERVERS.find((one) => `${ipOf(one)}:4647` === said);
    if (name === undefined) throw new Error("no leader");
    return name;
  };
  return until("a leader", () => Promise.any(serverIps().map(ask)));
}

/** All three are there and vote. */
function whole(): Promise<true> {
  return until<true>("three voters", async () => {
    await leader();
    const { Servers } = await Promise.any(
      serverIps().map((ip) => getJson(ip, "/v1/operator/raft/configuration")),
    );
    const voters = Servers.filter((one: Json) => one.Voter).map((one: Json) => one.Address);
    return serverIps().every((ip) => voters.includes(`${ip}:4647`)) && voters.length === 3;
  });
}

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  await Promise.all([clientTls(ca), serverTls(ca)]);
  await Promise.all(SERVERS.map(startServer));
  await Promise.all(CLIENTS.map(startClient));
  await until("all are ready", async () => {
    const found = await statuses();
    return CLIENTS.every((name) => found[name] === "ready");
  });
  await whole();
}, 60_000);

test("kill -9 of the leader, and of every other server in turn: no node is missed", async () => {
  const first = await leader();
  for (const name of [first, ...SERVERS.filter((one) => one !== first)]) {
    await agents.get(name)?.stop();
    await heard();
    await startServer(name);
    await whole();
  }
  for (const name of CLIENTS) expect([name, ...(await noticed(name))]).toEqual([name]);
}, 120_000);

test("kill -9 of a client shows when its time and the grace are over, and not before", async () => {
  const [name] = CLIENTS;
  const { id, heartbeat_ttl_seconds: ttl, last_heartbeat } = await nodeOf(name);
  await agents.get(name)?.stop();
  await until("it is down", async () => (await statuses())[name] === "down", 40_000);
  const silentMs = Date.now() - Date.parse(last_heartbeat);
  expect(silentMs).toBeGreaterThan(ttl * 1000 + GRACE_MS - 1000);
  expect(silentMs).toBeLessThan(ttl * 1000 + GRACE_MS + 3000);
  await startClient(name);
  await until("it is ready", async () => (await statuses())[name] === "ready");
  expect((await nodeOf(name)).id).toBe(id);
  expect(await noticed(name)).toEqual(["Node heartbeat missed", "Node reregistered by heartbeat"]);
}, 90_000);

test("a server stands still: its nodes go to others within a heartbeat", async () => {
  const used = await Promise.all(CLIENTS.map(async (name) => (await nodeOf(name)).server));
  const frozen = SERVERS.find((one) => used.includes(`${ipOf(one)}:4647`));
  if (frozen === undefined) throw new Error("nobody is at any server");
  agents.get(frozen)?.kill("SIGSTOP");
  const others = SERVERS.filter((one) => one !== frozen);
  const took = await heard();
  // Its time is at most twice the least one, and it speaks before its end.
  expect(took).toBeLessThan(2 * TTL_MS + GRACE_MS);
  for (const name of CLIENTS) {
    const { server } = await nodeOf(name);
    expect(others.map((one) => `${ipOf(one)}:4647`)).toContain(server);
  }
  agents.get(frozen)?.kill("SIGCONT");
  await whole();
  for (const name of CLIENTS.slice(1)) expect([name, ...(await noticed(name))]).toEqual([name]);
}, 60_000);

test("new certificates for all servers and clients under heartbeats: none is missed", async () => {
  for (const role of ["server", "client"] as const) {
    const made = await leafOf(role);
    writeFileSync(join(ca.directory, `global-${role}-nomad.pem`), made.certificate);
    writeFileSync(join(ca.directory, `global-${role}-nomad-key.pem`), made.key);
    for (const name of role === "server" ? SERVERS : CLIENTS) agents.get(name)?.kill("SIGHUP");
    const names = role === "server" ? SERVERS : CLIENTS;
    for (const name of names) {
      await until(`${name} has it`, async () => {
        const { rpc } = await getJson(ipOf(name), "/v1/status");
        return rpc.tls.certificate.days_left < 60;
      });
    }
    await heard();
  }
  for (const name of CLIENTS.slice(1)) expect([name, ...(await noticed(name))]).toEqual([name]);
  for (const name of CLIENTS) expect((await nodeOf(name)).problem).toBe("");
}, 60_000);

test("all servers move to other addresses: nodes follow; one that slept is told", async () => {
  const [asleep, ...awake] = CLIENTS.slice(1);
  if (asleep === undefined) throw new Error("nobody");
  agents.get(asleep)?.kill("SIGSTOP");
  for (const [i, name] of SERVERS.entries()) {
    // It says goodbye: gossip takes a minute to believe that one which was killed is elsewhere.
    agents.get(name)?.kill("SIGINT");
    await agents.get(name)?.exited;
    ips.set(name, `${NET}.134.${i + 101}`);
    await startServer(name);
    await whole();
  }
  await heard(awake);
  const now = serverIps().map((ip) => `${ip}:4647`);
  for (const name of awake) {
    await until(`${name} knows`, async () => now.includes((await nodeOf(name)).server));
    expect([name, ...(await noticed(name))]).toEqual([name]);
  }
  agents.get(asleep)?.kill("SIGCONT");
  await until("it finds nobody", async () => (await nodeOf(asleep)).state === "lost", 60_000);
  const env = { NOMAD_ADDR: `http://${ipOf(asleep)}:4646` };
  const told = await run(["node", "config", "-update-servers", ...serverIps()], { env });
  expect([told.code, told.err]).toEqual([0, ""]);
  await heard([asleep], 10_000);
  expect((await statuses())[asleep]).toBe("ready");
}, 120_000);

function leafOf(role: string): ReturnType<typeof makeLeaf> {
  const [certificate = "", key = ""] = ["nomad-agent-ca.pem", "nomad-agent-ca-key.pem"].map((one) =>
    readFileSync(join(ca.directory, one), "utf8"),
  );
  const commonName = `${role}.global.nomad`;
  const names = { dnsNames: [commonName], ipAddresses: [] };
  return makeLeaf(
    { certificate, key },
    { commonName, ...names, days: 30, usages: ["client", "server"] },
  );
}
