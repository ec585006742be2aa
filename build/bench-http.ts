/**
 * HTTPS figures: 50 connections that ask without a pause, beside a Go server of net/http and
 * crypto/tls that answers the same bytes; and many who wait until one change wakes them all.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeNode } from "../test/cluster/register.ts";
import { loadIdentity, testPool } from "../test/cluster/rpc-pool.ts";
import { buildPeer, hasGo, Peer } from "../test/interop/go.ts";
import { cpuMs, makeCertificates, type Report, ratio } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";

const ROUNDS = 5;
const [OURS, THEIRS] = ["127.0.98.1", "127.0.98.2"] as const;
const CONNECTIONS = 50;
const NODES = 1000;
const [QUERIES, STREAMS] = [1000, 200] as const;
const PATHS = [
  { path: "/v1/status/leader", count: 20_000 },
  { path: "/v1/agent/self", count: 10_000 },
  { path: "/v1/nodes", count: 2000 },
] as const;

export async function benchHttp(report: Report): Promise<void> {
  if (!hasGo) {
    console.log("HTTP figures need Go for the caller: skipped");
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  const { ca, cert, key } = makeCertificates(directory);
  const tls = [`-ca=${ca}`, `-cert=${cert}`, `-key=${key}`];
  const program = buildPeer("http-peer");
  const identity = loadIdentity(ca, cert, key);
  const pool = testPool(() => ({ identity, verifyServerHostname: true, upgradeMode: false }));
  const register = (number: number): Promise<void> =>
    writeNode(pool, OURS, number, `node-${number}`);
  const ours = startAgent(directory, ca, cert, key);
  // One core for each: what a server does with more is not asked here.
  const one = { GOMAXPROCS: "1" };
  await using go = await Peer.start(program, [...tls, `-bind=${THEIRS}:4646`], one);
  await using caller = await Peer.start(program, tls);
  try {
    await untilLed(caller);
    await register(0);
    await waking(caller, ours.pid, () => register(1), report);
    for (let number = 0; number < NODES; number++) await register(number);
    const goCpu = async (): Promise<number> => (await go.ask("stats")).cpuMs;
    const servers = [
      { address: `${OURS}:4646`, cpu: async () => cpuMs(ours.pid) },
      { address: `${THEIRS}:4646`, cpu: goCpu },
    ] as const;
    for (const { path, count } of PATHS) {
      await go.ask(`learn ${OURS}:4646 ${path}`);
      await requests({ caller, servers, path, count }, report);
    }
  } finally {
    pool.close();
    ours.kill("SIGKILL");
    await ours.exited;
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Asking {
  readonly caller: Peer;
  readonly servers: readonly { readonly address: string; readonly cpu: () => Promise<number> }[];
  readonly path: string;
  readonly count: number;
}

async function requests({ caller, servers, path, count }: Asking, report: Report): Promise<void> {
  const all = servers.map(() => ({ rate: [0], p99Us: [0], cpuUs: [0] }));
  for (const one of all) for (const list of Object.values(one)) list.pop();
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, { address, cpu }] of servers.entries()) {
      const before = await cpu();
      const done = await caller.ask(`load ${address} ${path} ${CONNECTIONS} ${count}`);
      if (done.error !== undefined) throw new Error(`${address}${path}: ${done.error}`);
      const spent = (await cpu()) - before;
      if (round < 0) continue; // Warms up.
      all[i]?.rate.push(done.count / done.seconds);
      all[i]?.p99Us.push(done.p99us);
      all[i]?.cpuUs.push((spent * 1000) / done.count);
    }
  }
  const [us, them] = all.map(({ rate, p99Us, cpuUs }) => ({
    ...{ rate: median(rate), p99: median(p99Us), cpu: median(cpuUs) },
  }));
  if (us === undefined || them === undefined) return;
  const rates = `Go ${Math.round(them.rate)}/s, ${ratio(us.rate, them.rate)}`;
  report(`${path}, ${CONNECTIONS} connections`, `${Math.round(us.rate)}/s`, `Go's; ${rates}`);
  const p99s = `; Go ${(them.p99 / 1000).toFixed(1)} ms, ${ratio(us.p99, them.p99)}`;
  report(`${path}: p99`, `${(us.p99 / 1000).toFixed(1)} ms`, p99s);
  const costs = `Go ${them.cpu.toFixed(0)} us, ${ratio(us.cpu, them.cpu)}`;
  report(`${path}: the server's CPU a request`, `${us.cpu.toFixed(0)} us`, `Go's; ${costs}`);
}

/** Memory that they take, and the time from the change to the last who hears of it. */
async function waking(
  caller: Peer,
  pid: number,
  change: () => Promise<void>,
  report: Report,
): Promise<void> {
  const { index } = await caller.ask(`learn ${OURS}:4646 /v1/nodes`);
  const before = residentMb(pid);
  const path = `/v1/nodes?index=${index}&wait=9m`;
  const { error } = await caller.ask(`wait ${OURS}:4646 ${path} ${QUERIES} ${STREAMS}`);
  if (error !== undefined) throw new Error(error);
  await Bun.sleep(2000);
  const open = residentMb(pid);
  const begunMs = performance.timeOrigin + performance.now();
  await change();
  const woken = await caller.ask("woken");
  if (woken.error !== undefined) throw new Error(woken.error);
  const who = `${QUERIES} blocking queries, ${STREAMS} event streams`;
  report(`${who}: memory`, `${(open - before).toFixed(0)} MB`, "");
  report(`${who}: all woken after`, `${(woken.atMs - begunMs).toFixed(0)} ms`, "");
}

function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function untilLed(caller: Peer): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { error, bytes } = await caller.ask(`learn ${OURS}:4646 /v1/status/leader`);
    if (error === undefined && bytes > 2) return;
    await Bun.sleep(50);
  }
  throw new Error("no leader");
}

function startAgent(directory: string, ca: string, cert: string, key: string): Bun.Subprocess {
  const file = join(directory, "http.json");
  const files = { ca_file: ca, cert_file: cert, key_file: key };
  const config = {
    name: "bench",
    bind_addr: OURS,
    data_dir: join(directory, "data-http"),
    // Nobody says for these nodes that they live.
    server: { enabled: true, bootstrap_expect: 1, heartbeat_grace: "1h" },
    limits: { http_max_conns_per_client: 0 },
    tls: { http: true, rpc: true, verify_server_hostname: true, ...files },
  };
  writeFileSync(file, JSON.stringify(config));
  const command = [BINARY, "agent", `-config=${file}`];
  return Bun.spawn(command, { stdout: "ignore", stderr: "ignore" });
}
