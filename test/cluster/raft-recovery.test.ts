/** A group that has lost its quorum for good: peers.json, as a real operator would write it. */

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { NET } from "../addresses.ts";
import { type Agent, getJson, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";

setDefaultTimeout(60_000);

const IPS = [`${NET}.82.1`, `${NET}.82.2`, `${NET}.82.3`] as const;
const [FIRST] = IPS;
const ENV = { NOMAD_ADDR: `http://${FIRST}:4646` };

const lab = new Lab();
afterAll(() => lab[Symbol.asyncDispose]());

test("one of three is left: with peers.json it leads again, and has everything", async () => {
  const tls = await serverTls(await makeCa(lab.directory, "ca"));
  const start = (ip: string): Promise<Agent> => {
    const join = IPS.filter((one) => one !== ip);
    const name = `r${ip.split(".").at(-1)}`;
    return lab.agent({ name, ip, tls, join, server: { bootstrap_expect: 3 } });
  };
  const agents = await Promise.all(IPS.map(start));
  const clusterId = await until("there is a cluster id", async () => {
    return (await getJson(FIRST, "/v1/status")).raft.cluster_id || false;
  });
  const set = ["operator", "autopilot", "set-config", "-max-trailing-logs=321"];
  expect(await run(set, { env: ENV })).toMatchObject({ code: 0 });
  await until("it is on the first, too", async () => {
    const { raft } = await getJson(FIRST, "/v1/status");
    return raft.applied_index === raft.last_index && raft.voters === 3;
  });
  for (const agent of agents) {
    agent.kill("SIGKILL");
    await agent.exited;
  }
  const data = lab.path("data-r1/server");
  const file = `${data}/raft/peers.json`;
  writeFileSync(file, "[]");
  const refused = await start(FIRST);
  expect(await refused.exited).toBe(1);
  expect(refused.log).toContain("peers.json names no voter; nothing was changed");
  const id = readFileSync(`${data}/node-id`, "utf8").trim();
  writeFileSync(file, JSON.stringify([{ id, address: `${FIRST}:4647`, non_voter: false }]));
  const alone = await start(FIRST);
  await until("it leads", async () => (await getJson(FIRST, "/v1/status")).raft.role === "leader");
  expect(existsSync(file)).toBe(false);
  expect(alone.log).toContain("the group was made anew from peers.json");
  expect((await getJson(FIRST, "/v1/status")).raft).toMatchObject({
    cluster_id: clusterId,
    voters: 1,
  });
  const settings = await run(["operator", "autopilot", "get-config"], { env: ENV });
  expect(settings.out).toContain("MaxTrailingLogs = 321");
});
