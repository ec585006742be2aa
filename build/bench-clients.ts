/**
 * Client agents: what an idle one costs, what a server pays for thousands of them beside a Go server
 * of the real modules under the same load, and how soon they are heard again when the leader dies.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPeer, hasGo, Peer } from "../test/interop/go.ts";
import { cpuMs, makeCertificates, type Report, ratio, type TlsFiles } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";

const CLIENTS = 5000;
const FAILOVER_CLIENTS = 2000;
const FAILOVERS = 3;
/** What a start leaves to do, and what thousands of registrations do. */
const SETTLE_MS = 15_000;
/** Of which CPU and memory are told. */
const MINUTE_MS = 60_000;
const SAMPLE_MS = 1000;
const OURS = "127.0.95.1";
const THEIRS = "127.0.95.2";
const IDLE = "127.0.95.3";
const THREE = ["127.0.95.11", "127.0.95.12", "127.0.95.13"] as const;

type Child = Bun.Subprocess;

/** Everything that is started, and where its files are. */
class Bench implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  readonly server: TlsFiles = makeCertificates(this.directory, "server");
  readonly client: TlsFiles = makeCertificates(this.directory, "client");
  readonly #agents = new Set<Child>();

  agent(ip: string, more: Record<string, unknown>, files: TlsFiles): Child {
    const file = join(this.directory, `${ip}.json`);
    const data = join(this.directory, `data-${ip}`);
    mkdirSync(data, { recursive: true });
    const { ca, cert, key } = files;
    const tls = { ca_file: ca, cert_file: cert, key_file: key, verify_server_hostname: true };
    const config = { name: ip, bind_addr: ip, data_dir: data, tls: { ...tls, rpc: true }, ...more };
    writeFileSync(file, JSON.stringify(config));
    const out = Bun.file(join(this.directory, `${ip}.log`));
    const child = Bun.spawn([BINARY, "agent", `-config=${file}`], { stdout: out, stderr: out });
    this.#agents.add(child);
    return child;
  }

  load(servers: readonly string[]): Promise<Peer> {
    const { ca, cert, key } = this.client;
    const tls = [`-ca=${ca}`, `-cert=${cert}`, `-key=${key}`];
    const where = servers.map((ip) => `${ip}:4647`).join(",");
    return Peer.start(buildPeer("node-load"), [`-servers=${where}`, ...tls]);
  }

  goServer(): Promise<Peer> {
    const { ca, cert, key } = this.server;
    const tls = [`-ca=${ca}`, `-cert=${cert}`, `-key=${key}`];
    return Peer.start(buildPeer("node-load"), [`-serve=${THEIRS}:4647`, ...tls]);
  }

  async stop(child: Child): Promise<void> {
    child.kill("SIGKILL");
    await child.exited;
    this.#agents.delete(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [...this.#agents]) await this.stop(child);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function benchClients(report: Report): Promise<void> {
  if (!hasGo) {
    console.log("figures of client agents need Go for the load: skipped");
    return;
  }
  await idle(report);
  await many(report);
  await failovers(report);
}

interface Minute {
  readonly residentKb: number;
  /** Of one core. */
  readonly part: number;
}

/** A minute of these processes at once, so that all see the same machine. */
async function minuteOf(pids: readonly number[]): Promise<readonly Minute[]> {
  const before = pids.map(cpuMs);
  const resident: number[][] = pids.map(() => []);
  for (let at = 0; at < MINUTE_MS; at += SAMPLE_MS) {
    await Bun.sleep(SAMPLE_MS);
    for (const [i, pid] of pids.entries()) resident[i]?.push(residentKb(pid));
  }
  return pids.map((pid, i) => ({
    residentKb: median(resident[i] ?? []),
    part: (cpuMs(pid) - (before[i] ?? 0)) / MINUTE_MS,
  }));
}

function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

async function idle(report: Report): Promise<void> {
  await using bench = new Bench();
  bench.agent(OURS, { server: { enabled: true, bootstrap_expect: 1 } }, bench.server);
  await leaderOf([OURS]);
  const client = { enabled: true, servers: [OURS] };
  const agent = bench.agent(IDLE, { client }, bench.client);
  await Bun.sleep(SETTLE_MS);
  const [said] = await minuteOf([agent.pid]);
  if (said === undefined) return;
  report("idle client agent: resident", `${megabytes(said.residentKb)} MB`, "at most 60 MB");
  report("idle client agent: CPU a minute", `${(said.part * MINUTE_MS).toFixed(0)} ms`, "");
}

/** The same load on both servers at once. */
async function many(report: Report): Promise<void> {
  await using bench = new Bench();
  const ours = bench.agent(OURS, { server: { enabled: true, bootstrap_expect: 1 } }, bench.server);
  await using go = await bench.goServer();
  await leaderOf([OURS]);
  await Bun.sleep(SETTLE_MS);
  const pids = [ours.pid, go.pid];
  const before = pids.map(residentKb);
  await using toOurs = await bench.load([OURS]);
  await using toGo = await bench.load([THEIRS]);
  for (const load of [toOurs, toGo]) await grow(load, CLIENTS);
  await Bun.sleep(SETTLE_MS);
  const all = await minuteOf(pids);
  for (const load of [toOurs, toGo]) {
    const { failures, error } = await load.ask("state");
    if (failures > 0) console.log(`${failures} calls have failed: ${error}`);
  }
  const [us = 0, them = 0] = all.map((one, i) => (one.residentKb - (before[i] ?? 0)) / CLIENTS);
  const who = `${CLIENTS} clients at one server`;
  report(
    `${who}: resident a client`,
    `${us.toFixed(1)} KB`,
    `at most 60 KB; Go ${them.toFixed(1)} KB, ${ratio(us, them)}`,
  );
  const [ourPart = 0, theirPart = 0] = all.map(({ part }) => part * 100);
  report(
    `${who}: CPU of a core`,
    `${ourPart.toFixed(1)} %`,
    `at most 25 %; Go ${theirPart.toFixed(1)} %, ${ratio(ourPart, theirPart)}`,
  );
}

/** Until all of them are ready. */
async function grow(load: Peer, count: number): Promise<void> {
  await load.ask(`grow ${count}`);
  const start = performance.now();
  for (let ready = 0; ready < count; ) {
    await Bun.sleep(100);
    const state = await load.ask("state");
    ready = state.ready;
    if (performance.now() - start > 300_000) throw new Error(JSON.stringify(state));
  }
}

/** Every client asks when the leader dies, which is as many as there can be at once. */
async function failovers(report: Report): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < FAILOVERS; round++) {
    await using bench = new Bench();
    const server = { enabled: true, bootstrap_expect: 3, retry_join: THREE };
    const agents = new Map(
      THREE.map((ip): [string, Child] => [ip, bench.agent(ip, { server }, bench.server)]),
    );
    await leaderOf(THREE);
    await using load = await bench.load(THREE);
    await grow(load, FAILOVER_CLIENTS);
    // It may be another one by now, on a machine with much to do.
    const leader = await leaderOf(THREE);
    const dies = agents.get(leader);
    if (dies === undefined) throw new Error(leader);
    const start = performance.now();
    await bench.stop(dies);
    await load.ask("storm");
    for (;;) {
      const { stormed, stormedAgoMs } = await load.ask("state");
      if (stormed === FAILOVER_CLIENTS) {
        times.push(performance.now() - start - stormedAgoMs);
        break;
      }
      if (performance.now() - start > 120_000) throw new Error(`${stormed} are heard`);
      await Bun.sleep(20);
    }
  }
  report(
    `from the leader's death until ${FAILOVER_CLIENTS} clients are heard`,
    `${(median(times) / 1000).toFixed(1)} s`,
    `at most ${(Math.max(...times) / 1000).toFixed(1)} s in ${FAILOVERS} rounds`,
  );
}

/** Of servers that have elected one. */
async function leaderOf(servers: readonly string[]): Promise<string> {
  for (const end = performance.now() + 30_000; performance.now() < end; ) {
    for (const ip of servers) {
      const answer = await fetch(`http://${ip}:4646/v1/status/leader`).catch(() => undefined);
      const leader = answer?.ok === true ? String(await answer.json()).split(":")[0] : "";
      if (leader !== undefined && leader !== "") return leader;
    }
    await Bun.sleep(100);
  }
  throw new Error("no leader");
}

function megabytes(kilobytes: number): string {
  return (kilobytes / 1024).toFixed(1);
}
