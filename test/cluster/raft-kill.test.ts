/** `kill -9` under load, again and again: what was acknowledged is there in the end. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, Lab, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";
import { readRegister, writeRegister } from "./register.ts";
import { serverPool } from "./rpc-pool.ts";

setDefaultTimeout(120_000);

const IPS = [`${NET}.80.1`, `${NET}.80.2`, `${NET}.80.3`] as const;
const ROUNDS = 6;

const lab = new Lab();
const agents = new Map<string, Agent>();
let tls: Record<string, unknown>;
let pool: RpcPool;

async function start(ip: string): Promise<void> {
  const join = IPS.filter((one) => one !== ip);
  const name = `k${ip.split(".").at(-1)}`;
  const server = { bootstrap_expect: 3 };
  agents.set(ip, await lab.agent({ name, ip, tls, join, server }));
}

async function kill(ip: string): Promise<void> {
  agents.get(ip)?.kill("SIGKILL");
  await agents.get(ip)?.exited;
}

beforeAll(async () => {
  const ca = await makeCa(lab.directory, "ca");
  tls = await serverTls(ca);
  pool = serverPool(ca);
  await Promise.all(IPS.map(start));
  await until("a leader", async () => {
    return String(await getJson(IPS[0], "/v1/status/leader")).includes(":4647");
  });
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

const write = (ip: string, value: bigint) => writeRegister(pool, ip, value);
const read = (ip: string) => readRegister(pool, ip);

test("no acknowledged write is lost, whoever dies, and when all die at once", async () => {
  let tried = 0n;
  let acknowledged = 0n;
  let writes = 0;
  let stop = false;
  const writer = (async () => {
    while (!stop) {
      tried += 1n;
      try {
        await write(IPS[Number(tried % 3n)] ?? IPS[0], tried);
        acknowledged = tried;
        writes += 1;
      } catch {
        await Bun.sleep(20); // Not a flood of failures.
      }
    }
  })();
  for (let round = 0; round < ROUNDS; round++) {
    const before = writes;
    await until("twenty writes more", () => writes >= before + 20, 30_000);
    const promised = acknowledged;
    if (round === ROUNDS - 1) {
      await Promise.all(IPS.map(kill));
      await Promise.all(IPS.map(start));
    } else {
      // The leader every other time: it is the one that promises.
      const leader = String(await getJson(IPS[0], "/v1/status/leader").catch(() => ""));
      const ip = round % 2 === 0 ? leader.replace(":4647", "") : IPS[round % 3];
      if (!agents.has(ip ?? "")) continue;
      await kill(ip ?? "");
      const during = writes;
      await until("writes go on without it", () => writes > during + 5, 30_000);
      await start(ip ?? "");
    }
    const found = await until(
      "the value can be read",
      () => read(IPS[round % 3] ?? IPS[0]),
      30_000,
    );
    expect(found).toBeGreaterThanOrEqual(promised);
  }
  stop = true;
  await writer;
  const last = await until("the value can be read", () => read(IPS[0]), 30_000);
  // Later ones may have got in without an answer; none that was promised is missing.
  expect(last).toBeGreaterThanOrEqual(acknowledged);
  expect(last).toBeLessThanOrEqual(tried);
  expect(writes).toBeGreaterThan(ROUNDS * 20);
});
