/**
 * Client nodes of three servers, all over TLS: they register and live, whatever becomes of servers
 * and of themselves.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";

const SERVERS = [`${NET}.131.1`, `${NET}.131.2`, `${NET}.131.3`] as const;
const CLIENTS = [`${NET}.131.11`, `${NET}.131.12`, `${NET}.131.13`] as const;
const lab = new Lab();
const servers = new Map<string, Agent>();
const clients = new Map<string, Agent>();
let ca: TestCa;
afterAll(() => lab[Symbol.asyncDispose]());

async function startServer(ip: string): Promise<void> {
  const server = {
    bootstrap_expect: 3,
    retry_join: SERVERS,
    retry_interval: "1s",
    ...{ min_heartbeat_ttl: "2s", heartbeat_grace: "2s", failover_heartbeat_ttl: "15s" },
  };
  const name = `s${ip.split(".")[3]}`;
  servers.set(ip, await lab.agent({ name, ip, server, tls: await serverTls(ca) }));
}

async function startClient(ip: string, more: Record<string, unknown> = {}): Promise<Agent> {
  const client = {
    ...{ enabled: true, servers: SERVERS, node_class: "test", meta: { rack: "r1" } },
    ...more,
  };
  const agent = await lab.agent({
    ...{ name: `c${ip.split(".")[3]}`, ip, tls: await clientTls(ca) },
    server: { enabled: false },
    extra: { client },
  });
  clients.set(ip, agent);
  return agent;
}

const nodeOf = async (ip: string): Promise<Json> => (await getJson(ip, "/v1/status")).client;

/** Through any server that answers. */
async function statuses(): Promise<Record<string, string>> {
  const list = await Promise.any(SERVERS.map((ip) => getJson(ip, "/v1/nodes")));
  return Object.fromEntries(list.map((one: Json) => [one.Name, one.Status]));
}

/** By client, until every one has said again that it lives. */
async function allLive(timeoutMs: number): Promise<void> {
  const since = Date.now();
  for (const ip of CLIENTS) {
    await until(
      `${ip} is heard`,
      async () => {
        const { state, last_heartbeat } = await nodeOf(ip);
        return state === "ready" && Date.parse(last_heartbeat) > since;
      },
      timeoutMs,
    );
  }
}

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  await Promise.all([clientTls(ca), serverTls(ca)]);
  for (const ip of SERVERS) await startServer(ip);
  for (const ip of CLIENTS) await startClient(ip);
  await until("all are ready", async () => {
    const found = await statuses();
    return CLIENTS.every((ip) => found[`c${ip.split(".")[3]}`] === "ready");
  });
}, 60_000);

test("a node says who and what it is, and its agent with whom it talks", async () => {
  const directory = `${lab.directory}/data-c11/client`;
  const [id, secret] = ["client-id", "secret-id"].map((name) => {
    expect(statSync(`${directory}/${name}`).mode & 0o777).toBe(0o600);
    return readFileSync(`${directory}/${name}`, "utf8");
  });
  expect([id, secret].every((one) => /^[0-9a-f-]{36}$/.test(one ?? ""))).toBe(true);
  expect(lab.log("c11")).not.toContain(secret ?? "");
  const node = await getJson(SERVERS[0], `/v1/node/${id}`);
  expect(node).toMatchObject({
    ...{ ID: id, Name: "c11", NodeClass: "test", NodePool: "default", Meta: { rack: "r1" } },
    ...{ HTTPAddr: `${CLIENTS[0]}:4646`, Status: "ready", Drivers: {} },
  });
  expect(node.Attributes).toMatchObject({
    ...{ "nomad.version": "2.0.5", "encryption.rpc": "true", "kernel.name": "linux" },
    "unique.encryption.certificate_days_left": "364",
  });
  expect(Number(node.Attributes["cpu.numcores"])).toBe(navigator.hardwareConcurrency);
  expect(node.NodeResources.Memory.MemoryMB).toBeGreaterThan(0);
  const said = await nodeOf(CLIENTS[0]);
  expect(said).toMatchObject({ enabled: true, id, state: "ready", problem: "" });
  expect([...said.servers].sort()).toEqual(SERVERS.map((ip) => `${ip}:4647`));
  expect(said.servers[0]).toBe(said.server);
  expect(said.heartbeat_ttl_seconds).toBeGreaterThan(1);
  expect(Date.parse(said.registered_at)).toBeGreaterThan(Date.now() - 60_000);
  const health = await getJson(CLIENTS[0], "/v1/agent/health?type=client");
  expect(health).toEqual({ client: { message: "ok", ok: true } });
  const { stats } = await getJson(CLIENTS[0], "/v1/agent/self");
  expect(stats.client).toMatchObject({ node_id: id, num_allocations: "0" });
}, 20_000);

test("its log comes through any server, over the connection that it keeps open", async () => {
  const { id } = await nodeOf(CLIENTS[1]);
  for (const ip of SERVERS) {
    const query = `node_id=${id}&log_level=debug&plain=true`;
    const stop = AbortSignal.timeout(15_000);
    const answer = await fetch(`http://${ip}:4646/v1/agent/monitor?${query}`, { signal: stop });
    expect(answer.status).toBe(200);
    const reader = answer.body?.getReader();
    let text = "";
    // What it says of a request of its own is a line of its log.
    while (!text.includes("path=/v1/status")) {
      await nodeOf(CLIENTS[1]);
      text += new TextDecoder().decode((await reader?.read())?.value);
    }
    await reader?.cancel();
  }
}, 60_000);

test("servers ask it for figures and change its metadata, which outlives a restart", async () => {
  const [ip] = CLIENTS;
  const { id } = await nodeOf(ip);
  const stats = await getJson(SERVERS[1], `/v1/client/stats?node_id=${id}`);
  expect(stats.Memory.Total).toBeGreaterThan(0);
  expect(stats.CPU).toHaveLength(navigator.hardwareConcurrency);
  const body = JSON.stringify({ NodeID: id, Meta: { rack: null, disk: "ssd" } });
  const url = `http://${SERVERS[2]}:4646/v1/client/metadata?node_id=${id}`;
  const answer = await fetch(url, { method: "POST", body });
  expect(await answer.json()).toMatchObject({ Meta: { disk: "ssd" }, Static: { rack: "r1" } });
  const known = async (): Promise<Json> => (await getJson(SERVERS[0], `/v1/node/${id}`)).Meta;
  await until("it has registered again", async () => (await known()).disk === "ssd");
  await clients.get(ip)?.stop();
  await startClient(ip);
  await until("it is back", async () => (await nodeOf(ip)).state === "ready");
  expect(await known()).toEqual({ disk: "ssd" });
}, 30_000);

test("an idle agent is small", async () => {
  const [, , ip] = CLIENTS;
  const resident = () => clients.get(ip)?.residentKb ?? 0;
  await until("it has let go of what it needed to start", () => resident() < 60_000, 30_000);
}, 60_000);

test("a graceful stop shows at once", async () => {
  const [, ip] = CLIENTS;
  clients.get(ip)?.kill("SIGINT"); // leave_on_interrupt is on.
  expect(await clients.get(ip)?.exited).toBe(0);
  expect((await statuses())["c12"]).toBe("down");
  await startClient(ip);
  await until("it is ready", async () => (await statuses())["c12"] === "ready");
}, 30_000);

test("with drain_on_shutdown every stop shows at once", async () => {
  const [, ip] = CLIENTS;
  await clients.get(ip)?.stop();
  const agent = await startClient(ip, { drain_on_shutdown: {} });
  await until("it has come back", async () => (await nodeOf(ip)).state === "ready");
  agent.kill("SIGTERM"); // leave_on_terminate is off.
  expect(await agent.exited).toBe(1);
  expect((await statuses())["c12"]).toBe("down");
  await startClient(ip);
  await until("it is ready", async () => (await statuses())["c12"] === "ready");
}, 30_000);

test("one agent is server and client, and a mistake in its block ends another's start", async () => {
  const ip = `${NET}.131.21`;
  const client = { enabled: true, node_class: "both" };
  const server = { bootstrap_expect: 1 };
  await lab.agent({ name: "both", ip, server, tls: await serverTls(ca), extra: { client } });
  const node = await until("it is ready", async () => {
    const [found] = await getJson(ip, "/v1/nodes");
    return found?.Status === "ready" ? found : undefined;
  });
  expect(node).toMatchObject({ Name: "both", NodeClass: "both" });
  const stats = await getJson(ip, `/v1/client/stats?node_id=${node.ID}`);
  expect(stats.Memory.Total).toBeGreaterThan(0);
  expect((await getJson(ip, "/v1/status")).client.server).toBe(`${ip}:4647`);
  const wrong = await startClient(`${NET}.131.22`, { network_interface: "nope0" });
  expect(await wrong.exited).toBe(1);
  expect(wrong.log).toContain('client.network_interface: this machine has no interface "nope0"');
}, 30_000);

test("without any server its agent says so, and is well when they are back", async () => {
  for (const agent of servers.values()) await agent.stop();
  const [ip] = CLIENTS;
  const path = `http://${ip}:4646/v1/agent/health?type=client`;
  const answer = await until<Json>(
    "it is not well",
    async () => {
      const response = await fetch(path);
      return response.status === 500 ? response.json() : undefined;
    },
    20_000,
  );
  expect(answer.client.message).toContain("4647");
  // Not before it has tried all of them.
  await until("it is lost", async () => (await nodeOf(ip)).state === "lost", 20_000);
  const status = await getJson(ip, "/v1/status");
  expect(status.warnings.join()).toContain("no server answers this client node");
  for (const one of SERVERS) await startServer(one);
  await allLive(40_000);
  expect(Object.values(await statuses())).toEqual(CLIENTS.map(() => "ready"));
}, 90_000);
