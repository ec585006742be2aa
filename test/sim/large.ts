/** A large quiet cluster in which one member dies: how soon it is noticed, and known everywhere. */
import { readFileSync } from "node:fs";
import { LAN, type SwimConfig } from "../../src/protocol/swim/config.ts";
import { NameTable } from "../../src/protocol/swim/members.ts";
import type { PeerState } from "../../src/protocol/swim/message.ts";
import { type SwimNode, swimMachine } from "./machines.ts";
import { World } from "./world.ts";

export interface LargeResult {
  readonly nodes: number;
  readonly seed: number;
  readonly wallMs: number;
  /** At the worst moment. */
  readonly residentPeakMb: number;
  readonly virtualMs: number;
  readonly trace: string;
  readonly messagesPerNodeSecond: number;
  readonly bytesPerNodeSecond: number;
  /** From the death to the first suspicion of it, anywhere. */
  readonly suspectedMs: number | undefined;
  /** ... to the first who declares it dead. */
  readonly declaredMs: number | undefined;
  /** ... until everybody living knows. */
  readonly convergedMs: number | undefined;
  /** Living members that somebody holds for dead at the end. */
  readonly wronglyDead: number;
}

const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);
const META = new Uint8Array(0);

function peakMb(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

export function runLarge(options: {
  readonly nodes: number;
  readonly seed: number;
  readonly virtualMs: number;
  readonly loss?: number;
  readonly config?: SwimConfig;
  /** Nobody dies. */
  readonly quiet?: boolean;
}): LargeResult {
  const startedAt = performance.now();
  const { nodes: count, seed, virtualMs, loss = 0.01, config = LAN } = options;
  const world = new World(seed);
  world.network.loss = loss;
  const names = new NameTable();
  const known: PeerState[] = Array.from({ length: count }, (_, id) => ({
    name: `n${id}`,
    addr: Uint8Array.of(10, id >> 16, (id >> 8) & 255, id & 255),
    port: 4648,
    meta: META,
    incarnation: 1,
    state: "alive",
    vsn: VERSIONS,
  }));
  const machines: SwimNode[] = [];
  for (let id = 0; id < count; id++) {
    world.add(`n${id}`, (address, prng) => {
      const shared = { names, known, now: 0, config };
      const machine = swimMachine(`n${id}`, address, prng, shared);
      machines.push(machine);
      return machine;
    });
  }
  // Its own first alive message is no news to anybody, so the start is quiet.
  for (const node of world.nodes) world.start(node);
  const victim = world.nodes[count >> 1];
  if (victim === undefined) throw new Error("no nodes");
  const death = virtualMs / 4;
  let suspectedMs: number | undefined;
  let declaredMs: number | undefined;
  const informed = new Set<number>();
  world.onAction = (node, action) => {
    if (action.kind !== "note") return;
    const { note } = action;
    const about = note.what === "suspecting" || note.what === "failed" ? note.node : undefined;
    if (about !== victim.name || world.now < death) return;
    if (note.what === "suspecting") suspectedMs ??= world.now - death;
    else declaredMs ??= world.now - death;
    informed.add(node.id);
  };
  world.run(death);
  if (options.quiet !== true) victim.up = false;
  // What the start cost is over: from here on it is the running cluster that is measured.
  world.messages = 0;
  world.bytes = 0;
  let convergedMs: number | undefined;
  for (let at = death + 100; at <= virtualMs; at += 100) {
    world.run(at);
    if (convergedMs !== undefined || declaredMs === undefined) continue;
    const all = machines.every(({ swim }, id) => {
      return id === victim.id || swim.member(victim.name)?.state === "dead";
    });
    if (all) convergedMs = at - death;
  }
  let wronglyDead = 0;
  for (const { swim } of machines) {
    for (const member of swim.members()) {
      if (member.state === "dead" && member.name !== victim.name) wronglyDead += 1;
    }
  }
  const perNodeSecond = count * ((virtualMs - death) / 1000);
  return {
    nodes: count,
    seed,
    wallMs: performance.now() - startedAt,
    residentPeakMb: peakMb(),
    virtualMs,
    trace: world.trace,
    messagesPerNodeSecond: world.messages / perNodeSecond,
    bytesPerNodeSecond: world.bytes / perNodeSecond,
    suspectedMs,
    declaredMs,
    convergedMs,
    wronglyDead,
  };
}
