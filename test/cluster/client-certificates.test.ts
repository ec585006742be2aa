/** Certificates of client nodes: those that will not do, on both sides, and new ones under way. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { makeLeaf } from "../../src/tls/make.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { loadIdentity, testPool } from "./rpc-pool.ts";

const SERVER = `${NET}.132.1`;
const lab = new Lab();
let ca: TestCa;
let server: Agent;
let last = 10;
const pools: RpcPool[] = [];

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const own = { ...ca, directory: join(lab.directory, "server-ca") };
  cpSync(ca.directory, own.directory, { recursive: true });
  server = await lab.agent({
    ...{ name: "s1", ip: SERVER, tls: await serverTls(own) },
    server: { bootstrap_expect: 1, min_heartbeat_ttl: "2s", heartbeat_grace: "1s" },
  });
  await until("a leader", async () => (await getJson(SERVER, "/v1/status/leader")) !== "");
}, 30_000);

afterAll(async () => {
  for (const pool of pools) pool.close();
  await lab[Symbol.asyncDispose]();
});

async function client(name: string, tls: Record<string, unknown>): Promise<[Agent, string]> {
  last += 1;
  const ip = `${NET}.132.${last}`;
  const extra = { client: { enabled: true, servers: [SERVER] } };
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
    ["that has expired", () => expiredTls(), "expired"],
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
    const { cert_file, key_file } = await expiredTls();
    const identity = loadIdentity(ca.caFile, cert_file, key_file);
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

test("new certificates on both sides, and no heartbeat is missed", async () => {
  const own = { ...ca, directory: join(lab.directory, "own-ca") };
  cpSync(ca.directory, own.directory, { recursive: true });
  const [agent, ip] = await client("steady", await clientTls(own));
  const ready = async (): Promise<boolean> =>
    (await nodes()).some((one) => one.Name === "steady" && one.Status === "ready");
  await until("it is ready", ready);
  for (let round = 1; round <= 3; round++) {
    for (const [who, where, restart] of [
      ["client", own.directory, agent],
      ["server", join(lab.directory, "server-ca"), server],
    ] as const) {
      await renew(who, where);
      const before = restart.log.split("new connections use the new tls settings").length;
      restart.kill("SIGHUP");
      await until("it is reloaded", () => {
        return restart.log.split("new connections use the new tls settings").length > before;
      });
      const since = Date.now();
      await until("it is heard", async () => {
        const { last_heartbeat: at } = (await getJson(ip, "/v1/status")).client;
        return Date.parse(at) > since;
      });
    }
  }
  expect(await ready()).toBe(true);
  const { id, problem } = (await getJson(ip, "/v1/status")).client;
  expect(problem).toBe("");
  expect(agent.log).not.toContain("a server does not take this node");
  const { Events } = await getJson(SERVER, `/v1/node/${id}`);
  expect(Events.map((one: Json) => one.Message)).toEqual(["Node registered"]);
}, 60_000);

/** Another certificate for the same name in the place of the old one. */
async function renew(who: "client" | "server", directory: string): Promise<void> {
  const made = await leaf(`${who}.global.nomad`, 30);
  writeFileSync(join(directory, `global-${who}-nomad.pem`), made.certificate);
  writeFileSync(join(directory, `global-${who}-nomad-key.pem`), made.key);
}

async function expiredTls(): Promise<{ cert_file: string; key_file: string }> {
  const made = await leaf("client.global.nomad", -1);
  const directory = join(lab.directory, "expired");
  mkdirSync(directory, { recursive: true });
  const tls = { cert_file: join(directory, "cert.pem"), key_file: join(directory, "key.pem") };
  writeFileSync(tls.cert_file, made.certificate);
  writeFileSync(tls.key_file, made.key);
  return { ...(await clientTls(ca)), ...tls };
}

function leaf(commonName: string, days: number): ReturnType<typeof makeLeaf> {
  const [certificate = "", key = ""] = ["nomad-agent-ca.pem", "nomad-agent-ca-key.pem"].map((one) =>
    readFileSync(join(ca.directory, one), "utf8"),
  );
  const usages = ["client", "server"] as const;
  const names = { dnsNames: [commonName], ipAddresses: [] };
  return makeLeaf({ certificate, key }, { commonName, ...names, days, usages: [...usages] });
}
