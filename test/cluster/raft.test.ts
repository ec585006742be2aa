/** Raft between compiled agents over the encrypted port: a leader, its loss, restarts, membership. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";

setDefaultTimeout(60_000);

const IPS = [`${NET}.78.1`, `${NET}.78.2`, `${NET}.78.3`] as const;
const FOURTH = `${NET}.78.4`;

const lab = new Lab();
const agents = new Map<string, Agent>();
let tls: Record<string, unknown>;

const server = { bootstrap_expect: 3 };
const nameOf = (ip: string): string => `s${ip.split(".").at(-1)}`;

async function start(ip: string, more: Record<string, unknown> = server): Promise<void> {
  const join = [...IPS].filter((one) => one !== ip);
  agents.set(ip, await lab.agent({ name: nameOf(ip), ip, tls, join, server: more }));
}

beforeAll(async () => {
  tls = await serverTls(await makeCa(lab.directory, "ca"));
  await Promise.all(IPS.map((ip) => start(ip)));
});

afterAll(() => lab[Symbol.asyncDispose]());

/** The leader that all of these agree on. */
async function leaderOf(ips: readonly string[]): Promise<string> {
  return until("all agree on a leader", async () => {
    const said = await Promise.all(ips.map((ip) => getJson(ip, "/v1/status/leader")));
    return said.every((one) => one === said[0]) && String(said[0]).replace(":4647", "");
  });
}

const raftOf = async (ip: string): Promise<Json> => (await getJson(ip, "/v1/status")).raft;

async function kill(ip: string): Promise<void> {
  agents.get(ip)?.kill("SIGKILL");
  await agents.get(ip)?.exited;
}

describe("three servers that expect three", () => {
  let clusterId = "";

  test("elect one leader, over TLS, and agree on a cluster id", async () => {
    const leader = await leaderOf(IPS);
    expect(IPS).toContain(leader as never);
    await until("the cluster id is everywhere", async () => {
      const all = await Promise.all(IPS.map(raftOf));
      clusterId = all[0].cluster_id;
      return clusterId !== "" && all.every((one) => one.cluster_id === clusterId);
    });
    expect((await raftOf(leader)).role).toBe("leader");
    for (const ip of IPS) {
      const { rpc } = await getJson(ip, "/v1/status");
      if (ip !== leader) expect(rpc.connections.raft).toBeGreaterThan(0);
      expect(rpc.plain_connections).toBe(0);
    }
  });

  test("agent-info and metrics tell of Raft, with hashicorp/raft's names", async () => {
    const leader = await leaderOf(IPS);
    const { raft } = (await getJson(leader, "/v1/agent/self")).stats;
    expect(raft).toMatchObject({ state: "Leader", last_contact: "0", num_peers: "2" });
    expect(
      raft.latest_configuration.match(/Suffrage:Voter ID:[0-9a-f-]{36} Address:/g),
    ).toHaveLength(3);
    expect(Number(raft.applied_index)).toBeGreaterThan(3);
    const other = IPS.find((ip) => ip !== leader) ?? "";
    const follower = (await getJson(other, "/v1/agent/self")).stats.raft;
    expect(follower).toMatchObject({ state: "Follower", term: raft.term });
    expect(follower.last_contact).toMatch(/^[\d.]+ms$/);
    await until("autopilot has looked", async () => {
      const metrics = (await getJson(leader, "/v1/metrics")).Gauges;
      const value = (name: string): unknown =>
        metrics.find((one: Json) => one.Name === name)?.Value;
      expect(value("nomad.raft.is_leader")).toBe(1);
      expect(value("nomad.raft.peers")).toBe(3);
      return (
        value("nomad.nomad.autopilot.healthy") === 1 &&
        value("nomad.nomad.autopilot.failure_tolerance") === 1
      );
    });
  });

  test("server members and list-peers name the leader and the voters", async () => {
    const leader = await leaderOf(IPS);
    const env = { NOMAD_ADDR: `http://${IPS[1]}:4646` };
    const members = await run(["server", "members"], { env });
    expect(members.code).toBe(0);
    expect(members.out.split("\n").find((line) => line.includes(` ${leader} `))).toMatch(/ true /);
    const peers = await run(["operator", "raft", "list-peers"], { env });
    const [head, ...rows] = peers.out.trim().split("\n");
    expect(head).toMatch(/^Node +ID +Address +State +Voter +RaftProtocol$/);
    expect(rows.length).toBe(3);
    expect(rows.filter((row) => row.includes(" leader ")).length).toBe(1);
    expect(rows.every((row) => / true +3$/.test(row))).toBe(true);
    expect((await getJson(IPS[0], "/v1/status/peers")).sort()).toEqual(
      IPS.map((ip) => `${ip}:4647`),
    );
  });

  test("leadership is handed over, by whichever server is asked; settings are read from it", async () => {
    const leader = await leaderOf(IPS);
    const others = IPS.filter((ip) => ip !== leader);
    const env = { NOMAD_ADDR: `http://${others[0]}:4646` };
    const to = `${others[1]}:4647`;
    const flags = ["operator", "raft", "transfer-leadership", `-peer-address=${to}`];
    const done = await run(flags, { env });
    expect(done).toMatchObject({ code: 0, err: "" });
    expect(done.out).toContain(`Transferred leadership to peer with address "${to}"`);
    await until("it leads", async () => (await leaderOf(IPS)) === others[1]);
    const unknown = await run(["operator", "raft", "remove-peer", "-peer-id=nobody"], { env });
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('id "nobody" was not found in the Raft configuration');
    const settings = await run(["operator", "autopilot", "get-config"], { env });
    expect(settings.out).toStartWith("CleanupDeadServers = true\nLastContactThreshold = 200ms\n");
  });

  test("autopilot: settings are changed one by one and as a whole, health names every server", async () => {
    const env = { NOMAD_ADDR: `http://${IPS[2]}:4646` };
    const flags = ["-max-trailing-logs=300", "-server-stabilization-time=11s"];
    const set = await run(["operator", "autopilot", "set-config", ...flags], { env });
    expect(set).toMatchObject({ code: 0, out: "Configuration updated!\n", err: "" });
    const path = "/v1/operator/autopilot/configuration";
    const changed = await getJson(await leaderOf(IPS), path);
    expect(changed).toMatchObject({
      CleanupDeadServers: true,
      MaxTrailingLogs: 300,
      ServerStabilizationTime: "11s",
    });
    const put = async (query: string, body: string): Promise<[number, string]> => {
      const url = `http://${IPS[0]}:4646${path}${query}`;
      const answer = await fetch(url, { method: "PUT", body, signal: AbortSignal.timeout(9000) });
      return [answer.status, await answer.text()];
    };
    const whole = JSON.stringify({
      ...changed,
      MaxTrailingLogs: 250,
      ServerStabilizationTime: "10s",
    });
    expect(await put("?cas=1", whole)).toEqual([200, "false"]);
    expect(await put(`?cas=${changed.ModifyIndex}`, whole)).toEqual([200, "true"]);
    const [status, text] = await put("", '{"MinQuorum": -1}');
    expect([status, text]).toEqual([
      400,
      "Error parsing autopilot config: MinQuorum must be a whole number from 0 on",
    ]);
    const bad = await run(["operator", "autopilot", "set-config", "-min-quorum=x"], { env });
    expect(bad.code).toBe(1);
    await until("all are healthy", async () => {
      const health = await getJson(IPS[0], "/v1/operator/autopilot/health");
      return health.Healthy === true && health.FailureTolerance === 1;
    });
    const health = await run(["operator", "autopilot", "health"], { env });
    expect(health.code).toBe(0);
    expect(health.out).toStartWith("Healthy: true\nFailureTolerance: 1\nLeader: ");
    for (const ip of IPS) expect(health.out).toContain(`${nameOf(ip)}.global`);
  });

  test("a leader that is killed is replaced in seconds, and comes back as a follower", async () => {
    const old = await leaderOf(IPS);
    const rest = IPS.filter((ip) => ip !== old);
    const { term } = await raftOf(old);
    await kill(old);
    const startedAt = performance.now();
    const next = await until("another one leads", async () => {
      const said = await Promise.all(rest.map((ip) => getJson(ip, "/v1/status/leader")));
      return said[0] === said[1] && !said[0].startsWith(`${old}:`) && said[0];
    });
    expect(performance.now() - startedAt).toBeLessThan(8000);
    expect((await raftOf(String(next).replace(":4647", ""))).term).toBeGreaterThan(term);
    await start(old);
    await until("it follows", async () => {
      const { role, leader, cluster_id: id } = await raftOf(old);
      return role === "follower" && leader === next && id === clusterId;
    });
  });

  test("all killed at once: the same cluster comes back from its disks", async () => {
    const before = Math.max(...(await Promise.all(IPS.map(raftOf))).map((one) => one.term));
    await Promise.all(IPS.map(kill));
    await Promise.all(IPS.map((ip) => start(ip)));
    const leader = await leaderOf(IPS);
    const { term, cluster_id: id, voters } = await raftOf(leader);
    expect(id).toBe(clusterId);
    expect(term).toBeGreaterThan(before);
    expect(voters).toBe(3);
  });

  test("a fourth joins without a vote, gets one when it has been stable, and leaves", async () => {
    await start(FOURTH, {});
    const leader = await leaderOf([...IPS, FOURTH]);
    await until("it is a member", async () => (await raftOf(leader)).non_voters === 1);
    await until("it votes", async () => (await raftOf(leader)).voters === 4, 30_000);
    const agent = agents.get(FOURTH);
    agent?.kill("SIGINT");
    expect(await agent?.exited).toBe(0);
    const now = await leaderOf(IPS);
    await until("it is gone from the group", async () => (await raftOf(now)).voters === 3);
  });

  test("a damaged snapshot or log is one clear error, and nothing is overwritten", async () => {
    const ip = IPS[2];
    await kill(ip);
    const directory = `${lab.path(`data-${nameOf(ip)}`)}/server/raft`;
    const file = `${directory}/raft.db`;
    const good = readFileSync(file);
    writeFileSync(file, "this is no database, and long enough to be taken for one".repeat(100));
    writeFileSync(`${file}-wal`, "");
    const config = lab.path(`${nameOf(ip)}.json`);
    const { code, err } = await run(["agent", `-config=${config}`]);
    expect(code).toBe(1);
    expect(err).toContain(`cannot read the Raft log ${file}`);
    expect(readFileSync(file, "utf8")).toStartWith("this is no database");
    writeFileSync(file, good);
  });

  test("without its Raft folder a server joins the others again, as that error says", async () => {
    const ip = IPS[2];
    const directory = `${lab.path(`data-${nameOf(ip)}`)}/server/raft`;
    renameSync(directory, `${directory}-damaged`);
    await start(ip);
    const leader = await leaderOf(IPS);
    expect(leader).not.toBe(ip);
    const applied = async (one: string): Promise<number> =>
      Number((await getJson(one, "/v1/agent/self")).stats.raft.applied_index);
    await until("it has all that the leader has", async () => {
      return (await applied(ip)) >= (await applied(leader));
    });
    expect((await raftOf(ip)).cluster_id).toBe(clusterId);
    expect((await raftOf(leader)).voters).toBe(3);
  });
});

test("bootstrap_expect = 1, and -dev, lead themselves at once", async () => {
  const alone = `${NET}.78.9`;
  await lab.agent({ name: "alone", ip: alone, server: { bootstrap_expect: 1 } });
  await until("it leads itself", async () => (await raftOf(alone)).role === "leader");
  expect(await getJson(alone, "/v1/status/leader")).toBe(`${alone}:4647`);
  const self = await getJson(alone, "/v1/agent/self");
  expect(self.stats.nomad.leader).toBe("true");
});
