/** A server whose disk is full, damaged, or somebody else's: what it says, and what is not lost. */

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import { type Agent, getJson, Lab, run, until } from "./agents.ts";

setDefaultTimeout(60_000);

const lab = new Lab();
afterAll(() => lab[Symbol.asyncDispose]());

const server = { bootstrap_expect: 1 };
/** No file may grow beyond 400 KiB; the signal that goes with it is not wanted. */
const LIMITED = ["sh", "-c", 'trap "" XFSZ; ulimit -f 800; exec "$@"', "sh"];

async function ready(ip: string): Promise<void> {
  await until("a leader with settings", async () => {
    const { ModifyIndex } = await getJson(ip, "/v1/operator/autopilot/configuration");
    return ModifyIndex > 0;
  });
}

/** @returns was it taken */
async function write(ip: string, value: number): Promise<boolean> {
  const url = `http://${ip}:4646/v1/operator/autopilot/configuration`;
  const body = JSON.stringify({ MaxTrailingLogs: value, CleanupDeadServers: true });
  const response = await fetch(url, { method: "PUT", body, signal: AbortSignal.timeout(8000) });
  return response.ok;
}

async function gone(agent: Agent): Promise<void> {
  agent.kill("SIGKILL");
  await agent.exited;
}

test("a full disk ends Raft on this server with one clear error, and loses nothing", async () => {
  const ip = `${NET}.81.1`;
  const limited = await lab.agent({ name: "full", ip, server, by: LIMITED });
  await ready(ip);
  let acknowledged = 0;
  for (let value = 1; value < 5000; value++) {
    if (!(await write(ip, value).catch(() => false))) break;
    acknowledged = value;
  }
  expect(acknowledged).toBeGreaterThan(10);
  expect(acknowledged).toBeLessThan(4999);
  expect(limited.log).toMatch(/Raft has stopped on this server: its log cannot be written.*error=/);
  const { raft } = await getJson(ip, "/v1/status");
  expect(raft.problem).not.toBe("");
  // It still answers, and does not pretend.
  expect(await write(ip, 9999).catch(() => false)).toBe(false);
  await gone(limited);
  const again = await lab.agent({ name: "full", ip, server });
  await ready(ip);
  const { MaxTrailingLogs } = await getJson(ip, "/v1/operator/autopilot/configuration");
  expect([acknowledged, acknowledged + 1]).toContain(MaxTrailingLogs);
  expect(await write(ip, 7)).toBe(true);
  await gone(again);
});

test("of three, a leader whose disk is full follows, and sends what it is asked to the next", async () => {
  const ips = [`${NET}.81.11`, `${NET}.81.12`, `${NET}.81.13`];
  const [ip = "", ...others] = ips;
  const three = { bootstrap_expect: 3 };
  const first = { name: "of3-a", ip, server: three, join: others, by: LIMITED };
  const [limited] = await Promise.all([
    lab.agent(first),
    ...others.map((one, i) => {
      return lab.agent({ name: `of3-${i}`, ip: one, server: three, join: [ip] });
    }),
  ]);
  await ready(ip);
  const server = { env: { NOMAD_ADDR: `http://${ip}:4646` } };
  const { Servers } = await getJson(ip, "/v1/operator/raft/configuration");
  const { ID } = Servers.find((one: { Address: string }) => one.Address === `${ip}:4647`);
  await run(["operator", "raft", "transfer-leadership", `-peer-id=${ID}`], server);
  const leader = (of: string): Promise<string> => getJson(of, "/v1/status/leader");
  await until("the limited one leads", async () => (await leader(ip)) === `${ip}:4647`);
  const written = async (value: number): Promise<boolean> => {
    await write(ip, value).catch(() => false);
    return limited.log.includes("Raft has stopped on this server");
  };
  for (let value = 1; value < 5000 && !(await written(value)); value++);
  const { raft } = await until("another leader is known", async () => {
    const status = await getJson(ip, "/v1/status");
    return status.raft.leader !== "" && status;
  });
  expect(raft.role).toBe("follower");
  expect(raft.problem).not.toBe("");
  expect(others.map((one) => `${one}:4647`)).toContain(raft.leader);
  expect(await leader(ip)).toBe(raft.leader);
  expect(await write(ip, 4242)).toBe(true);
  const { MaxTrailingLogs } = await getJson(ip, "/v1/operator/autopilot/configuration");
  expect(MaxTrailingLogs).toBe(4242);
  const metrics = await getJson(ip, "/v1/metrics");
  const gauge = (name: string): number =>
    metrics.Gauges.find((one: { Name: string }) => one.Name === name).Value;
  expect([gauge("nomad.raft.is_leader"), gauge("nomad.raft.stopped")]).toEqual([0, 1]);
  const health = await fetch(`http://${ip}:4646/v1/agent/health`);
  expect(health.status).toBe(500);
  expect(JSON.parse(await health.text()).server).toMatchObject({
    ok: false,
    message: expect.stringContaining("Raft has stopped"),
  });
});

test("a damaged log ends the start with what to do next, and nothing is written", async () => {
  const ip = `${NET}.81.2`;
  const first = await lab.agent({ name: "damaged", ip, server });
  await ready(ip);
  await gone(first);
  const path = join(lab.path("data-damaged"), "server", "raft", "raft.db");
  const damaged = `damaged ${"x".repeat(5000)}`;
  rmSync(`${path}-wal`); // Else everything would be made good from there.
  writeFileSync(path, damaged);
  const again = await lab.agent({ name: "damaged", ip, server });
  expect(await again.exited).toBe(1);
  expect(again.log).toMatch(/raft\.db: the file is damaged.*let this server join the others again/);
  expect(again.log).not.toMatch(/at .*\.ts:|\$bunfs/);
  expect(readFileSync(path, "utf8")).toBe(damaged);
});

test("a write-ahead file that is cut, other or gone ends the start, and reading it says why", async () => {
  const ip = `${NET}.81.5`;
  const first = await lab.agent({ name: "cut", ip, server });
  await ready(ip);
  for (let value = 1; value <= 20; value++) expect(await write(ip, value)).toBe(true);
  await gone(first);
  const data = lab.path("data-cut");
  const folder = join(data, "server", "raft");
  const path = join(folder, "raft.db-wal");
  const wal = readFileSync(path);
  const refused = /raft\.db: it ends at write \d+ of \d+.*let this server join the others again/;
  const flipped = new Uint8Array(wal);
  flipped[wal.length - 3000] = (flipped[wal.length - 3000] ?? 0) ^ 4;
  for (const damaged of [flipped, wal.subarray(0, 32 + 2 * 4120), undefined]) {
    if (damaged === undefined) rmSync(path);
    else writeFileSync(path, damaged);
    const info = await run(["operator", "raft", "info", data]);
    expect(info.code).toBe(1);
    expect(info.err).toMatch(refused);
    const again = await lab.agent({ name: "cut", ip, server });
    expect(await again.exited).toBe(1);
    expect(again.log).toMatch(refused);
    expect(again.log).not.toMatch(/at .*\.ts:|\$bunfs/);
    expect(existsSync(path) ? readFileSync(path).equals(damaged ?? wal) : undefined).toBe(
      damaged === undefined ? undefined : true,
    );
  }
  // Nothing was changed by all that: with the whole file it starts as if nothing had been.
  writeFileSync(path, wal);
  const names = readdirSync(folder);
  const mtimes = () => names.map((name) => statSync(join(folder, name)).mtimeMs);
  const before = mtimes();
  for (const what of ["info", "logs", "state"]) {
    expect((await run(["operator", "raft", what, data])).code).toBe(0);
  }
  expect(readdirSync(folder)).toEqual(names);
  expect(mtimes()).toEqual(before);
  expect(readFileSync(path).equals(wal)).toBe(true);
  const whole = await lab.agent({ name: "cut", ip, server });
  await ready(ip);
  const { MaxTrailingLogs } = await getJson(ip, "/v1/operator/autopilot/configuration");
  expect(MaxTrailingLogs).toBe(20);
  await gone(whole);
});

test("a second agent with the same data_dir is refused; the log of a stopped one can be read", async () => {
  const ip = `${NET}.81.3`;
  const first = await lab.agent({ name: "shared", ip, server });
  await ready(ip);
  expect(await write(ip, 321)).toBe(true);
  const data = lab.path("data-shared");
  const second = await lab.agent({
    name: "thief",
    ip: `${NET}.81.4`,
    server,
    extra: { data_dir: data },
  });
  expect(await second.exited).toBe(1);
  expect(second.log).toMatch(/raft\.db: it is in use: another agent runs with this data_dir/);
  const running = await run(["operator", "raft", "info", data]);
  expect(running.code).toBe(1);
  expect(running.err).toMatch(/^failed to open raft logs: .*in use/);
  await gone(first);

  const info = await run(["operator", "raft", "info", data]);
  expect(info.code).toBe(0);
  expect(info.out).toMatch(
    /^path: +\/.*raft\.db\nlength: +\d+\nfirst index: +1\nlast index: +\d+\n/,
  );
  const entries = JSON.parse((await run(["operator", "raft", "logs", data])).out);
  expect(entries[0]).toMatchObject({ Index: 1, LogType: "LogConfiguration" });
  const last = entries.at(-1);
  expect(last).toMatchObject({ LogType: "LogCommand", CommandType: "AutopilotRequestType" });
  expect(last.Body.Config.MaxTrailingLogs).toBe(321);
  const state = JSON.parse((await run(["operator", "raft", "state", data])).out);
  expect(state.AutopilotConfig.MaxTrailingLogs).toBe(321);
  expect(state.ClusterMetadata.ClusterID).toMatch(/^[0-9a-f-]{36}$/);
  const before = ["operator", "raft", "state", `-last-index=${last.Index - 1}`, data];
  expect(JSON.parse((await run(before)).out).AutopilotConfig.MaxTrailingLogs).toBe(250);
  const offset = ["operator", "raft", "state", "-last-index=-1", data];
  expect((await run(offset)).out).toBe((await run(before)).out);
  const whole = ["operator", "raft", "state", "-last-index=0", data];
  expect(JSON.parse((await run(whole)).out)).toEqual(state);
  const nowhere = await run(["operator", "raft", "info", lab.path("nothing")]);
  expect(nowhere).toMatchObject({ code: 1 });
  expect(nowhere.err).toMatch(/failed to find raft\.db in .*: name a server's data_dir/);
});
