/**
 * Three compiled servers under everything at once: junk from strangers, connections that never end,
 * reloads, and one member that fails again and again, while somebody goes on writing. At the end, when
 * it is quiet, nothing of it may be left: descriptors, timers and memory are printed and compared.
 *
 *   npm run soak -- --seconds 600
 *
 * @module
 */

import { parseArgs } from "node:util";
import { BINARY, build } from "../../build/build.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls } from "./certificates.ts";
import { readNode, writeNode } from "./register.ts";
import { serverPool } from "./rpc-pool.ts";
import { type Nuisance, nuisances } from "./strangers.ts";

const IPS = [`${NET}.79.1`, `${NET}.79.2`, `${NET}.79.3`] as const;
const FAILING = 2;
/** Nodes that are renamed: a leader has a timer for each. */
const REGISTERS = 8;
/** A half-open HTTP connection ends after a minute at the latest. */
const QUIET_MS = 90_000;
const ANSWER_MS = 60_000;
/** What a quiet server may have more than before: a session to another one, say. */
const DESCRIPTORS_MORE = 16;
const TIMERS_MORE = 24;
/** Memory at the end, compared with the half of the time: what leaks goes on. */
const MEMORY_MORE_MB = 48;

interface Reading {
  readonly descriptors: number;
  readonly timers: number;
  readonly memoryMb: number;
  /** Spent so far. */
  readonly cpuS: number;
}

const { values } = parseArgs({ options: { seconds: { type: "string", default: "600" } } });
const seconds = Number(values.seconds);
const agents: Agent[] = [];
const report = { writes: 0, failures: 0, slowestMs: 0, reloads: 0, kills: 0, terms: [0, 0] };
let over = false;

async function gauges(ip: string): Promise<Record<string, number>> {
  const { Gauges } = await getJson(ip, "/v1/metrics");
  return Object.fromEntries(
    Gauges.map((one: { Name: string; Value: number }) => [one.Name, one.Value]),
  );
}

async function reading(server: number): Promise<Reading> {
  const found = await gauges(IPS[server] ?? "");
  const agent = agents[server];
  return {
    descriptors: agent?.descriptors ?? 0,
    timers: found["nomad.runtime.timers"] ?? 0,
    memoryMb: Math.round((agent?.residentKb ?? 0) / 1024),
    cpuS: Math.round((agent?.cpuMs ?? 0) / 1000),
  };
}

/** Also of a member that is just starting again. */
function readings(): Promise<Reading[]> {
  return Promise.all(
    IPS.map((ip, server) => until(`${ip} answers`, () => reading(server), ANSWER_MS)),
  );
}

/** Again and again until it is over; what fails meanwhile is part of the game. */
async function again(pauseMs: number, work: () => Promise<unknown> | unknown): Promise<void> {
  while (!over) {
    try {
      await work();
    } catch {
      // A server that is down, or a connection that was refused.
    }
    await Bun.sleep(pauseMs);
  }
}

async function main(): Promise<boolean> {
  await build(BINARY);
  await using lab = new Lab();
  const ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  const encrypt = (await run(["keygen"])).out.trim();
  const start = async (server: number): Promise<void> => {
    const ip = IPS[server] ?? "";
    agents[server] = await lab.agent({
      ...{ name: `s${server + 1}`, ip, encrypt, tls, join: IPS.filter((one) => one !== ip) },
      server: { bootstrap_expect: 3 },
    });
  };
  for (const server of IPS.keys()) await start(server);
  await until("there is a leader", async () => {
    const roles = await Promise.all(
      IPS.map(async (ip) => (await gauges(ip))["nomad.raft.is_leader"]),
    );
    return roles.includes(1);
  });
  await Bun.sleep(10_000); // The newcomers get their votes.
  const before = await readings();
  report.terms[0] = (await gauges(IPS[0]))["nomad.raft.term"] ?? 0;

  const pool = serverPool(ca);
  const acknowledged = new Map<number, string>();
  const writing = again(20, async () => {
    const register = report.writes % REGISTERS;
    const value = `${report.writes}`;
    report.writes += 1;
    const startedAt = performance.now();
    try {
      await writeNode(pool, IPS[report.writes % 2] ?? "", register, value);
      report.slowestMs = Math.max(report.slowestMs, performance.now() - startedAt);
      acknowledged.set(register, value);
    } catch (error) {
      report.failures += 1;
      acknowledged.delete(register);
      throw error;
    }
  });
  const found: readonly Nuisance[] = await nuisances(IPS, ca);
  const others = [
    ...found.map(({ pauseMs, work }) => again(pauseMs, work)),
    again(7000, async () => {
      const server = report.reloads % IPS.length;
      report.reloads += 1;
      await renew(ca.directory);
      agents[server]?.kill("SIGHUP");
    }),
    again(45_000, async () => {
      await Bun.sleep(15_000);
      if (over) return;
      report.kills += 1;
      await agents[FAILING]?.stop();
      await Bun.sleep(8000);
      await start(FAILING);
    }),
  ];
  await Bun.sleep(seconds * 500);
  const half = await readings();
  await Bun.sleep(seconds * 500);
  over = true;
  await Promise.all([writing, ...others]);
  for (const one of found) one.stop();
  await until("the failing member is back", () => reading(FAILING), 60_000);
  await Bun.sleep(QUIET_MS);
  const after = await readings();
  report.terms[1] = (await gauges(IPS[0]))["nomad.raft.term"] ?? 0;
  const lost: string[] = [];
  for (const [register, value] of acknowledged) {
    if ((await readNode(pool, IPS[1], register)) !== value) lost.push(value);
  }
  pool.close();
  print(before, half, after);
  console.log(
    `acknowledged writes that are lost: ${lost.length} of ${acknowledged.size} looked at`,
  );
  return lost.length === 0 && isFlat(before, half, after);
}

/** The same key under a new certificate: a reload has something to do. */
async function renew(directory: string): Promise<void> {
  const pair = ["global-server-nomad.pem", "global-server-nomad-key.pem"];
  const fresh = `${directory}/fresh`;
  await Bun.$`rm -rf ${fresh} && mkdir ${fresh} && cp ${directory}/nomad-agent-ca.pem ${directory}/nomad-agent-ca-key.pem ${fresh}/`;
  const made = await run(["tls", "cert", "create", "-server", "-region=global"], { cwd: fresh });
  if (made.code !== 0) throw new Error(made.err);
  for (const file of pair) await Bun.$`mv ${fresh}/${file} ${directory}/${file}`;
}

function isFlat(before: Reading[], half: Reading[], after: Reading[]): boolean {
  return after.every((now, server) => {
    const [first, middle] = [before[server], half[server]];
    if (first === undefined || middle === undefined) return false;
    return (
      now.descriptors <= first.descriptors + DESCRIPTORS_MORE &&
      now.timers <= first.timers + TIMERS_MORE &&
      (server === FAILING || now.memoryMb <= middle.memoryMb + MEMORY_MORE_MB)
    );
  });
}

function print(before: Reading[], half: Reading[], after: Reading[]): void {
  const { writes, failures, slowestMs, reloads, kills, terms } = report;
  const slowest = `the slowest took ${slowestMs.toFixed()} ms`;
  console.log(`\n${seconds} s: ${writes} writes, ${failures} of them failed, ${slowest};`);
  console.log(`${reloads} reloads, ${kills} kills of s${FAILING + 1};`);
  console.log(`term ${terms[0]} before and ${terms[1]} after\n`);
  const row = (cells: readonly (string | number)[]): void => {
    console.log(cells.map((one, i) => String(one).padEnd(i === 0 ? 6 : 24)).join(""));
  };
  const each = (one: Reading | undefined): string =>
    one === undefined ? "-" : `${one.descriptors} / ${one.timers} / ${one.memoryMb} / ${one.cpuS}`;
  console.log("descriptors / timers / resident MB / CPU s\n");
  row(["", "before", "half", "after"]);
  for (const server of IPS.keys()) {
    row([`s${server + 1}`, each(before[server]), each(half[server]), each(after[server])]);
  }
}

const flat = await main();
console.log(flat ? "\nflat" : "\nNOT FLAT");
process.exit(flat ? 0 : 1);
