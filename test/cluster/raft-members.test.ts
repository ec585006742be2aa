/** Who is in the group of compiled servers: renamed ones, copies of a data_dir, and those who leave. */

import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Message } from "../../src/protocol/swim/message.ts";
import { encodeMessage } from "../../src/wire/gossip-message.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, membersSeenBy, run, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";

setDefaultTimeout(60_000);

const IPS = [`${NET}.86.1`, `${NET}.86.2`, `${NET}.86.3`] as const;
const FOURTH = `${NET}.86.4`;

let lab: Lab;
let tls: Record<string, unknown>;
const agents = new Map<string, Agent>();

interface Start {
  readonly name?: string;
  readonly dataDir?: string;
  readonly expect?: number;
}

const nameOf = (ip: string): string => `s${ip.split(".").at(-1)}`;

async function start(ip: string, { name = nameOf(ip), dataDir, expect = 3 }: Start = {}) {
  const others = [...IPS].filter((one) => one !== ip);
  const extra = dataDir === undefined ? {} : { data_dir: lab.path(dataDir) };
  const server = { bootstrap_expect: expect };
  const agent = await lab.agent({ name, ip, tls, join: others, server, extra });
  agents.set(ip, agent);
  return agent;
}

beforeEach(async () => {
  lab = new Lab();
  tls = await serverTls(await makeCa(lab.directory, "ca"));
  await Promise.all(IPS.map((ip) => start(ip)));
});

afterEach(() => lab[Symbol.asyncDispose]());

const raftOf = async (ip: string): Promise<Json> => (await getJson(ip, "/v1/status")).raft;

async function leaderOf(ips: readonly string[]): Promise<string> {
  return until("all agree on a leader", async () => {
    const said = await Promise.all(ips.map((ip) => getJson(ip, "/v1/status/leader")));
    return said.every((one) => one === said[0]) && String(said[0]).replace(":4647", "");
  });
}

async function stop(ip: string, signal: NodeJS.Signals): Promise<number> {
  agents.get(ip)?.kill(signal);
  return (await agents.get(ip)?.exited) ?? -1;
}

const changesIn = (log: string): number => log.match(/server (added|removed)/g)?.length ?? 0;

test("renamed on the same data_dir: one member of the group, and no change for it", async () => {
  const leader = await leaderOf(IPS);
  const other = IPS.find((ip) => ip !== leader) ?? "";
  await stop(other, "SIGKILL");
  await start(other, { name: "renamed", dataDir: `data-${nameOf(other)}` });
  await until("it is known by its new name", async () => {
    return (await membersSeenBy(leader))["renamed.global"] === "alive";
  });
  await until("it follows", async () => (await raftOf(other)).role === "follower");
  const env = { NOMAD_ADDR: `http://${leader}:4646` };
  await until(
    "gossip has noticed that nobody has the old name any more",
    async () => (await membersSeenBy(leader))[`${nameOf(other)}.global`] === "failed",
    55_000,
  );
  await until("the leader has looked again", async () => {
    const { out } = await run(["operator", "autopilot", "health"], { env });
    return /^Healthy: true/m.test(out) && /renamed\.global/.test(out);
  });
  expect(changesIn(lab.log(nameOf(leader)))).toBe(0);
}, 240_000);

test("a copy of a data_dir does not start beside its original, nor later, and both sides say why", async () => {
  const leader = await leaderOf(IPS);
  const other = IPS.find((ip) => ip !== leader) ?? "";
  await until("it has the configuration", async () => (await raftOf(other)).voters === 3);
  cpSync(lab.path(`data-${nameOf(other)}`), lab.path("copy"), { recursive: true });
  rmSync(join(lab.path("copy"), "server", "serf"), { recursive: true, force: true });
  const copy = await start(FOURTH, { name: "copied", dataDir: "copy" });
  expect(await copy.exited).toBe(1);
  const said = lab.log("copied");
  expect(said).toContain(`runs at ${other}:4647, and this one would be at ${FOURTH}:4647`);
  expect(said).toContain("remove server/node-id and server/raft");

  // Only the node id, as an image of a machine has it: gossip refuses it, and each side says so.
  rmSync(join(lab.path("copy"), "server", "raft"), { recursive: true, force: true });
  await start(FOURTH, { name: "image", dataDir: "copy" });
  await until("it is told why", () => lab.log("image").includes("have the same node id"));
  await until("and those who refuse it say so", () => {
    return IPS.some((ip) => lab.log(nameOf(ip)).includes("have the same node id"));
  });
  const seen = Object.keys(await membersSeenBy(leader)).sort();
  expect(seen).toEqual(IPS.map((ip) => `${nameOf(ip)}.global`));
  expect((await raftOf(leader)).voters).toBe(3);
  expect(changesIn(lab.log(nameOf(leader)))).toBe(0);
});

test("a copy that took its original's place keeps it when the original comes back", async () => {
  const leader = await leaderOf(IPS);
  const other = IPS.find((ip) => ip !== leader) ?? "";
  await until("it has the configuration", async () => (await raftOf(other)).voters === 3);
  await stop(other, "SIGKILL");
  cpSync(lab.path(`data-${nameOf(other)}`), lab.path("copy"), { recursive: true });
  await start(FOURTH, { name: "moved", dataDir: "copy" });
  const env = { NOMAD_ADDR: `http://${leader}:4646` };
  const peers = async (): Promise<string> =>
    (await run(["operator", "raft", "list-peers"], { env })).out;
  await until(
    "it is in the group where it is now",
    async () => (await peers()).includes(`${FOURTH}:4647`),
    80_000,
  );
  // A server that came as a new one gets its vote in a second step.
  await until("the copy votes", async () => (await raftOf(leader)).voters === 3, 30_000);
  const changes = changesIn(lab.log(nameOf(leader)));
  await start(other);
  await until("the original is told why it is not", () => {
    return lab.log(nameOf(other)).includes("have the same node id");
  });
  const now = await peers();
  expect(now).toContain(`${FOURTH}:4647`);
  expect(now).not.toContain(`${other}:4647`);
  expect(changesIn(lab.log(nameOf(leader)))).toBe(changes);
}, 240_000);

test("whoever has the gossip key cannot take voters away: they answer, and stay", async () => {
  const leader = await leaderOf(IPS);
  const others = IPS.filter((ip) => ip !== leader);
  const socket = await Bun.udpSocket({ hostname: FOURTH });
  const say = (message: Message): void => void socket.send(encodeMessage(message), 4648, leader);
  const said = "a server stays in the group: gossip is wrong about it";
  let lTime = 100n;
  let incarnation = 50;
  await until("the leader has looked", () => {
    for (const ip of others) {
      const node = `${nameOf(ip)}.global`;
      say({ kind: "user", body: serfCodec.encode({ kind: "leave", lTime, node, prune: false }) });
      say({ kind: "dead", node, from: node, incarnation });
    }
    lTime += 10n;
    incarnation += 10;
    return lab.log(nameOf(leader)).includes(said);
  });
  socket.close();
  expect((await raftOf(leader)).voters).toBe(3);
  expect(changesIn(lab.log(nameOf(leader)))).toBe(0);
});

test("Ctrl-C leaves the group at once, and those who stay say that none can be spared", async () => {
  const leader = await leaderOf(IPS);
  const rest = IPS.filter((ip) => ip !== leader);
  // The leader itself: somebody else leads, and lets it go.
  expect(await stop(leader, "SIGINT")).toBe(0);
  expect(lab.log(nameOf(leader))).toContain("the group has let this server go");
  const next = await leaderOf(rest);
  await until("two are left", async () => (await raftOf(next)).voters === 2);
  for (const ip of rest) {
    const warning = `${nameOf(leader)}.global has left: 2 of 2 voters are there, and all of them`;
    await until("it says so", () => lab.log(nameOf(ip)).includes(warning));
  }
  // One more, asked and granted: the last one goes on alone.
  const last = rest.find((ip) => ip !== next) ?? "";
  expect(await stop(last, "SIGINT")).toBe(0);
  await until("it leads alone", async () => {
    const { role, voters } = await raftOf(next);
    return role === "leader" && voters === 1;
  });
});

test("a leave that takes the quorum along is asked first, refused, and told to all", async () => {
  const leader = await leaderOf(IPS);
  const [crashed = "", leaves = ""] = IPS.filter((ip) => ip !== leader);
  await stop(crashed, "SIGKILL");
  expect(await stop(leaves, "SIGINT")).toBe(0);
  expect(lab.log(nameOf(leaves))).toContain("without it the group has no quorum: it stays");
  expect(lab.log(nameOf(leader))).toContain("without it the group has no quorum: it stays");
  await until("the one who stays says what is left", () => {
    return /has left: 1 of 3 voters|has left: 2 of 3 voters/.test(lab.log(nameOf(leader)));
  });
  await start(crashed);
  const now = await leaderOf([leader, crashed]);
  const env = { NOMAD_ADDR: `http://${now}:4646` };
  const set = await run(["operator", "autopilot", "set-config", "-min-quorum=1"], { env });
  expect(set).toMatchObject({ code: 0, out: "Configuration updated!\n" });
});
