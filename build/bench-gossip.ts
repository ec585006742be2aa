/** Gossip figures, paired with a Go memberlist node in the same run on the same packets. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../src/host/digest.ts";
import { systemEntropy } from "../src/host/entropy.ts";
import { isKeyFault, parseKey } from "../src/secret/key.ts";
import { Keyring } from "../src/secret/keyring.ts";
import { nativeAead } from "../src/secret/native-aead.ts";
import { Sealer } from "../src/service/gossip/sealer.ts";
import { encodePackets } from "../src/wire/gossip-packet.ts";
import { buildPeer, hasGo, Peer } from "../test/interop/go.ts";
import { runLarge } from "../test/sim/large.ts";
import { cpuMs, type Report, ratio } from "./bench-tools.ts";
import { BINARY } from "./build.ts";
import { median } from "./median.ts";

const KEY = Buffer.alloc(16, 21).toString("base64");
const PACKET_BYTES = 1000;
const ROUNDS = 5;
const [OURS, LIVING, THEIRS, SENDER] = ["127.0.98.1", "127.0.98.3", "127.0.98.2", "127.0.98.9"];

/** What a node has done so far. */
interface Reading {
  readonly received: number;
  readonly refused: number;
  readonly cpuMs: number;
  readonly peakMb: number;
}

interface Target {
  readonly name: string;
  readonly ip: string;
  read(): Promise<Reading>;
}

function peakMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

function ourTarget(pid: number): Target {
  return {
    name: "ours",
    ip: OURS ?? "",
    async read() {
      const response = await fetch(`http://${OURS}:4646/v1/status`);
      // biome-ignore lint/suspicious/noExplicitAny: our own JSON, of this build
      const report: any = await response.json();
      const { received, refused } = report.gossip.packets;
      const sum = Object.values(refused).reduce((all: number, one) => all + Number(one), 0);
      return { received, refused: sum, cpuMs: cpuMs(pid), peakMb: peakMb(pid) };
    },
  };
}

function goTarget(peer: Peer): Target {
  return {
    name: "memberlist",
    ip: THEIRS ?? "",
    async read() {
      const { received, logged, cpuMs, peakKb } = await peer.ask("stats");
      return { received, refused: logged, cpuMs, peakMb: peakKb / 1024 };
    },
  };
}

/** Valid packets: user messages that neither side has a use for, sealed with the shared key. */
function validPackets(): Uint8Array[] {
  const key = parseKey(KEY, sha256);
  if (isKeyFault(key)) throw new Error(key.kind);
  const seal = new Sealer(new Keyring([key]), nativeAead, systemEntropy).layer();
  const how = { label: new Uint8Array(0), compress: false, crc: false, seal };
  return Array.from({ length: 256 }, () => {
    const body = systemEntropy.bytes(PACKET_BYTES - 29);
    body[0] = 8;
    body[1] = 99;
    const [packet] = encodePackets([body], how);
    return packet ?? body;
  });
}

function junkPackets(): Uint8Array[] {
  return Array.from({ length: 256 }, () => {
    const junk = systemEntropy.bytes(PACKET_BYTES);
    junk[0] = 1; // Looks sealed: it has to be tried.
    return junk;
  });
}

/** Sends `count` datagrams, `burst` at a time with a pause after each; as fast as can be with 0. */
async function send(
  ip: string,
  packets: readonly Uint8Array[],
  count: number,
  pauseMs: number,
): Promise<void> {
  const socket = await Bun.udpSocket({ hostname: SENDER ?? "" });
  const burst = 50;
  for (let sent = 0; sent < count; sent += burst) {
    const batch: (string | number | Uint8Array)[] = [];
    for (let i = 0; i < burst; i++) batch.push(packets[(sent + i) & 255] ?? "", 4648, ip);
    socket.sendMany(batch); // One system call: the sender must not be what is measured.
    if (pauseMs > 0) await Bun.sleep(pauseMs);
    else if (sent % 2000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.close();
}

async function settled(target: Target): Promise<Reading> {
  let last = await target.read();
  for (;;) {
    await Bun.sleep(150);
    const now = await target.read();
    if (now.received === last.received && now.refused === last.refused) return now;
    last = now;
  }
}

/** CPU microseconds a valid packet. */
async function validCost(target: Target, packets: readonly Uint8Array[]): Promise<number> {
  const before = await settled(target);
  await send(target.ip, packets, 60_000, 2);
  const after = await settled(target);
  return ((after.cpuMs - before.cpuMs) * 1000) / (after.received - before.received);
}

/** Junk packets refused a second while more comes than can be handled. */
async function junkRate(target: Target, packets: readonly Uint8Array[]): Promise<number> {
  const before = await settled(target);
  const startedAt = performance.now();
  await send(target.ip, packets, 400_000, 0);
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await target.read();
  await settled(target);
  return (after.refused - before.refused) / seconds;
}

export async function benchGossip(report: Report): Promise<void> {
  if (!hasGo) {
    console.log("gossip figures need Go for the peer: skipped");
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  const start = (name: string, ip: string, join: readonly string[]): Bun.Subprocess => {
    const file = `${directory}/${name}.json`;
    const server = { enabled: true, encrypt: KEY, retry_join: join };
    const base = { name, bind_addr: ip, data_dir: `${directory}/${name}`, log_level: "INFO" };
    writeFileSync(file, JSON.stringify({ ...base, server }));
    const log = Bun.file(`${directory}/${name}.log`);
    return Bun.spawn([BINARY, "agent", `-config=${file}`], { stdout: log, stderr: log });
  };
  const ours = start("bench", OURS ?? "", []);
  await Bun.sleep(1000);
  const living = start("living", LIVING ?? "", [OURS ?? ""]);
  await using go = await Peer.start(buildPeer("memberlist-peer"), [
    "-name=go.global",
    `-bind=${THEIRS}`,
    `-key=${KEY}`,
  ]);
  try {
    await Bun.sleep(1000);
    const targets = [ourTarget(ours.pid), goTarget(go)] as const;
    const [valid, junk] = [validPackets(), junkPackets()];
    const costs: number[][] = [[], []];
    const rates: number[][] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, target] of targets.entries()) {
        costs[i]?.push(await validCost(target, valid));
        rates[i]?.push(await junkRate(target, junk));
      }
    }
    const [ourCost = 0, goCost = 0] = costs.map(median);
    const [ourRate = 0, goRate = 0] = rates.map(median);
    const [ourPeak, goPeak] = [await targets[0].read(), await targets[1].read()];
    const us = (value: number): string => `${value.toFixed(1)} us`;
    report(
      "CPU a valid 1,000-byte packet",
      us(ourCost),
      `at most 0.25 of Go's; Go ${us(goCost)}, ${ratio(ourCost, goCost)}`,
    );
    report(
      "junk refused a second under flood",
      `${Math.round(ourRate / 1000)} k/s`,
      `at least 5 of Go's; Go ${Math.round(goRate / 1000)} k/s, ${ratio(ourRate, goRate)}`,
    );
    const log = readFileSync(`${directory}/bench.log`, "utf8");
    report("living members suspected meanwhile", String(log.split("Suspect ").length - 1), "none");
    report(
      "resident memory at most, under flood",
      `${ourPeak.peakMb.toFixed(0)} MB`,
      `below Go's; Go ${goPeak.peakMb.toFixed(0)} MB`,
    );
  } finally {
    ours.kill("SIGKILL");
    living.kill("SIGKILL");
    await Promise.all([ours.exited, living.exited]);
    rmSync(directory, { recursive: true, force: true });
  }
  quietCluster(report);
}

function quietCluster(report: Report): void {
  const quiet = runLarge({ nodes: 100, seed: 1, virtualMs: 60_000, loss: 0, quiet: true });
  const go = Bun.spawnSync([buildPeer("memberlist-quiet"), "-nodes=100", "-seconds=20"]);
  const { bytes, packets } = JSON.parse(go.stdout.toString());
  report(
    "bytes a node a second, 100 quiet nodes",
    `${quiet.bytesPerNodeSecond.toFixed(0)} B`,
    `no more than Go's; Go ${bytes.toFixed(0)} B in ${packets.toFixed(2)} packets`,
  );
}
