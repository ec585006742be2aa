/**
 * Three servers of an older release under constant load: one after the other becomes a new one, and
 * on the way back. No call fails, no acknowledged write is lost; what is too old says so.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { STATE_FORMAT } from "../../src/state/format.ts";
import { NET } from "../addresses.ts";
import { type Agent, binary, getJson, type Json, Lab, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";
import { olderBinary } from "./older.ts";
import { readNode, writeNode } from "./register.ts";
import { serverPool } from "./rpc-pool.ts";

setDefaultTimeout(120_000);

const IPS = [`${NET}.92.1`, `${NET}.92.2`, `${NET}.92.3`] as const;
type Ip = (typeof IPS)[number];

const lab = new Lab();
const agents = new Map<Ip, Agent>();
/** Nobody calls it while it is replaced, as a balancer would see to. */
let replaced: Ip | undefined;
let tls: Record<string, unknown>;
let pool: RpcPool;
let [before, now] = ["", ""];

async function start(ip: Ip, program: string): Promise<void> {
  const join = IPS.filter((one) => one !== ip);
  const name = `u${IPS.indexOf(ip) + 1}`;
  const server = { bootstrap_expect: 3 };
  const extra = { leave_on_interrupt: false };
  agents.set(ip, await lab.agent({ name, ip, tls, join, server, extra, binary: program }));
}

/** Known to all three, and all that the leader has is there. */
async function caughtUp(ip: Ip): Promise<void> {
  await until(`${ip} has caught up`, async () => {
    const all: Json[] = await Promise.all(IPS.map((one) => getJson(one, "/v1/status")));
    const last = Math.max(...all.map((one) => one.raft.commit_index));
    const { raft } = await getJson(ip, "/v1/status");
    return raft.leader !== "" && raft.applied_index >= last;
  });
}

async function leads(ip: Ip): Promise<boolean> {
  return (await getJson(ip, "/v1/status")).raft.role === "leader";
}

/** As the README has it: stop, another binary, start, wait until it has caught up. */
async function replace(ip: Ip, program: string): Promise<void> {
  replaced = ip;
  await Bun.sleep(0);
  await until("nobody calls it", () => calling.get(ip) === 0);
  const agent = agents.get(ip);
  agent?.kill("SIGTERM");
  await agent?.exited;
  await start(ip, program);
  await until("it answers", () => getJson(ip, "/v1/status"));
  await caughtUp(ip);
  replaced = undefined;
}

const calling = new Map<Ip, number>(IPS.map((ip) => [ip, 0]));
const failures: string[] = [];
const written = new Map<number, string>();
let calls = 0;
let stopped = false;

/** Writes and reads of its own register, through one server after the other. */
async function load(register: number): Promise<void> {
  for (let i = 0; !stopped; i++) {
    const free = IPS.filter((one) => one !== replaced);
    const ip = free[(i + register) % free.length] ?? IPS[0];
    calling.set(ip, (calling.get(ip) ?? 0) + 1);
    try {
      const value = `r${register}-${i}`;
      await writeNode(pool, ip, register, value);
      written.set(register, value);
      const read = await readNode(pool, ip, register);
      if (read !== value) failures.push(`${ip}: ${read} was read after ${value}`);
      calls += 2;
    } catch (error) {
      failures.push(`${ip}: ${String(error)}`);
      await Bun.sleep(50);
    }
    calling.set(ip, (calling.get(ip) ?? 1) - 1);
  }
}

let loops: Promise<void>[] = [];

async function goesOn(): Promise<void> {
  const from = calls;
  await until("sixty calls more", () => calls > from + 60);
  expect(failures).toEqual([]);
}

beforeAll(async () => {
  const ca = await makeCa(lab.directory, "ca");
  tls = await serverTls(ca);
  pool = serverPool(ca);
  before = await olderBinary(lab.directory);
  now = await binary();
  await Promise.all(IPS.map((ip) => start(ip, before)));
  await until("a leader", async () => {
    return String(await getJson(IPS[0], "/v1/status/leader")).includes(":4647");
  });
  for (const ip of IPS) await caughtUp(ip);
  loops = [1, 2, 3, 4].map(load);
}, 180_000);

afterAll(async () => {
  stopped = true;
  await Promise.allSettled(loops);
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

/** Releases of before end without handing over: the operator has them do it. */
async function letGo(ip: Ip, to: Ip): Promise<void> {
  if (!(await leads(ip))) return;
  const url = `http://${ip}:4646/v1/operator/raft/transfer-leadership?address=${to}:4647`;
  const answer = await fetch(url, { method: "PUT" });
  expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
  await until("all know it", async () => {
    const all = await Promise.all(IPS.map((one) => getJson(one, "/v1/status/leader")));
    return all.every((one) => one === `${to}:4647`);
  });
}

describe("under constant load", () => {
  test("a new server among older ones, leading them, and back", async () => {
    const [a, b] = IPS;
    await letGo(a, b);
    await replace(a, now);
    await goesOn();
    for (const ip of IPS) await letGo(ip, a);
    await until("the new one leads the older", () => leads(a));
    await goesOn();
    // What it would lose is not written while an older one is there, so that the way back is open.
    const { Members } = await getJson(a, "/v1/agent/members");
    expect(Members.map((one: Json) => one.Tags.state_format ?? "1").sort()).toEqual([
      "1",
      "1",
      String(STATE_FORMAT),
    ]);
    await replace(a, before);
    await goesOn();
  });

  test("all of them, the leader among them, which hands over by itself", async () => {
    const [a, b, c] = IPS;
    for (const ip of [a, b]) {
      await letGo(ip, c);
      await replace(ip, now);
    }
    await letGo(c, a);
    await replace(c, now);
    await goesOn();
    const leader = (await leads(a)) ? a : b;
    await replace(leader, now);
    await goesOn();
  });

  test("no acknowledged write is lost", async () => {
    stopped = true;
    await Promise.all(loops);
    expect(failures).toEqual([]);
    expect(written.size).toBe(4);
    for (const [register, value] of written) {
      for (const ip of IPS) expect(await readNode(pool, ip, register)).toBe(value);
    }
  });
});

test("once there is what an older release would lose, it refuses to start, and loses nothing", async () => {
  const [a] = IPS;
  // Signing keys, which a leader makes once all servers would keep them.
  await until("there is one", async () => {
    const answer = await getJson(a, "/.well-known/jwks.json");
    return answer.keys.length > 0;
  });
  await caughtUp(a);
  agents.get(a)?.kill("SIGTERM");
  await agents.get(a)?.exited;
  await start(a, before);
  expect(await agents.get(a)?.exited).toBe(1);
  expect(agents.get(a)?.log).toMatch(
    /the Raft log cannot be read: entry \d+ .* was written by a later release: use that one/,
  );
  await start(a, now);
  await until("it is back", () => getJson(a, "/v1/status"));
  await caughtUp(a);
});
