/** RPC figures over TLS 1.3, paired with a Go server of the real yamux and net-rpc in the same run. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadIdentity } from "../test/cluster/rpc-pool.ts";
import { buildPeer, hasGo, Peer } from "../test/interop/go.ts";
import { startMuxPeer } from "../test/interop/mux-peer.ts";
import { cpuMs, makeCertificates, type Report, ratio } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";

const ROUNDS = 5;
const [OURS, THEIRS, SINK] = ["127.0.97.1", "127.0.97.2", "127.0.97.3"] as const;
const SINK_PORT = 4650;
const CALLERS = [
  { callers: 1, calls: 20_000 },
  { callers: 16, calls: 60_000 },
  { callers: 128, calls: 100_000 },
] as const;
const BULK_MB = 512;
const HANDSHAKES = 300;

/** What one server did in each round. */
interface Figures {
  readonly rate: number[];
  readonly p99Us: number[];
  readonly cpuUs: number[];
}

/** Run by itself, this file is the sink that swallows bulk bytes: the production session. */
if (process.argv[2] === "sink") {
  const [ca = "", cert = "", key = ""] = process.argv.slice(3);
  const ip = Uint8Array.from(SINK.split(".").map(Number));
  await startMuxPeer({ ip, port: SINK_PORT }, loadIdentity(ca, cert, key));
  console.log("ready");
}

export async function benchRpc(report: Report): Promise<void> {
  if (!hasGo) {
    console.log("RPC figures need Go for the peer: skipped");
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  const { ca, cert, key } = makeCertificates(directory);
  const program = buildPeer("rpc-peer");
  const tls = [`-ca=${ca}`, `-cert=${cert}`, `-key=${key}`];
  const ours = startAgent(directory, ca, cert, key);
  const sink = Bun.spawn([process.execPath, import.meta.path, "sink", ca, cert, key], {
    stdout: "pipe",
  });
  await using go = await Peer.start(program, [...tls, `-bind=${THEIRS}:4647`]);
  await using caller = await Peer.start(program, tls);
  try {
    await sink.stdout.getReader().read();
    await Bun.sleep(1500);
    const goCpu = async (): Promise<number> => (await go.ask("stats")).cpuMs;
    const servers = [
      { address: `${OURS}:4647`, cpu: async () => cpuMs(ours.pid) },
      { address: `${THEIRS}:4647`, cpu: goCpu },
    ] as const;
    await calls(caller, servers, report);
    await bulk(caller, [`${SINK}:${SINK_PORT}`, `${THEIRS}:4647`], report);
    await handshakes(caller, servers, report);
  } finally {
    for (const child of [ours, sink]) child.kill("SIGKILL");
    await Promise.all([ours.exited, sink.exited]);
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Server {
  readonly address: string;
  readonly cpu: () => Promise<number>;
}

async function calls(caller: Peer, servers: readonly Server[], report: Report): Promise<void> {
  for (const { callers, calls } of CALLERS) {
    const all: Figures[] = servers.map(() => ({ rate: [], p99Us: [], cpuUs: [] }));
    for (let round = -1; round < ROUNDS; round++) {
      for (const [i, server] of servers.entries()) {
        await caller.ask(`dial ${server.address}`);
        const before = await server.cpu();
        const done = await caller.ask(`pings ${calls} ${callers}`);
        const spent = (await server.cpu()) - before;
        if (round < 0) continue; // Warms up.
        all[i]?.rate.push(done.calls / done.seconds);
        all[i]?.p99Us.push(done.p99us);
        all[i]?.cpuUs.push((spent * 1000) / done.calls);
      }
    }
    const [us, them] = all.map(({ rate, p99Us, cpuUs }) => ({
      rate: median(rate),
      p99: median(p99Us),
      cpu: median(cpuUs),
    }));
    if (us === undefined || them === undefined) continue;
    const who = `Status.Ping, ${callers} ${callers === 1 ? "caller" : "callers"}`;
    const wanted = callers === 1 ? "at least Go's" : "";
    const rates = `Go ${Math.round(them.rate)}/s, ${ratio(us.rate, them.rate)}`;
    report(`${who}: calls a second`, `${Math.round(us.rate)}/s`, `${wanted}; ${rates}`);
    const p99s = `Go ${them.p99.toFixed(0)} us, ${ratio(us.p99, them.p99)}`;
    report(`${who}: p99`, `${us.p99.toFixed(0)} us`, `; ${p99s}`);
    const limit = callers === 128 ? "within 1.5 of Go's" : "";
    const costs = `Go ${them.cpu.toFixed(1)} us, ${ratio(us.cpu, them.cpu)}`;
    report(`${who}: the server's CPU a call`, `${us.cpu.toFixed(1)} us`, `${limit}; ${costs}`);
  }
}

async function bulk(caller: Peer, sinks: readonly string[], report: Report): Promise<void> {
  const rates: number[][] = sinks.map(() => []);
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, address] of sinks.entries()) {
      await caller.ask(`dial ${address}`);
      const { bytes, seconds } = await caller.ask(`bulk ${BULK_MB} S`);
      if (round >= 0) rates[i]?.push(bytes / seconds / 2 ** 20);
    }
  }
  const [us = 0, them = 0] = rates.map(median);
  const theirs = `Go ${them.toFixed(0)} MB/s, ${ratio(us, them)}`;
  report("bulk through one stream", `${us.toFixed(0)} MB/s`, `at least 0.6 of Go's; ${theirs}`);
}

async function handshakes(caller: Peer, servers: readonly Server[], report: Report): Promise<void> {
  const costs: number[][] = servers.map(() => []);
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, server] of servers.entries()) {
      const before = await server.cpu();
      await caller.ask(`handshakes ${HANDSHAKES} ${server.address}`);
      const spent = (await server.cpu()) - before;
      if (round >= 0) costs[i]?.push((spent * 1000) / HANDSHAKES);
    }
  }
  const [us = 0, them = 0] = costs.map(median);
  const theirs = `Go ${them.toFixed(0)} us, ${ratio(us, them)}`;
  report("a full mutual TLS handshake: CPU", `${us.toFixed(0)} us`, `at most Go's; ${theirs}`);
}

function startAgent(directory: string, ca: string, cert: string, key: string): Bun.Subprocess {
  const file = join(directory, "ours.json");
  const tls = { rpc: true, verify_server_hostname: true, ca_file: ca, cert_file: cert };
  const config = {
    name: "bench",
    bind_addr: OURS,
    data_dir: join(directory, "data"),
    server: { enabled: true },
    limits: { rpc_max_conns_per_client: 0 },
    tls: { ...tls, key_file: key },
  };
  writeFileSync(file, JSON.stringify(config));
  const command = [BINARY, "agent", `-config=${file}`];
  return Bun.spawn(command, { stdout: "ignore", stderr: "ignore" });
}
