/**
 * One seed: a cluster of Serf nodes under random faults, then quiet, then the checks. Loss, delay,
 * duplication, reordering, one-way cuts, pauses, clock jumps, crashes, restarts and leaves, all
 * drawn from the seed.
 */
import { createPrng, randomInt, shuffle } from "../../src/protocol/prng.ts";
import { LAN } from "../../src/protocol/swim/config.ts";
import { Checkers } from "./checkers.ts";
import { type SerfNode, serfMachine } from "./machines.ts";
import { type SimNode, World } from "./world.ts";

export interface SmallResult {
  readonly seed: number;
  readonly trace: string;
  /** What is wrong; empty: nothing. */
  readonly violations: readonly string[];
  /** Virtual time from the end of the faults until all views agreed. */
  readonly convergedMs: number | undefined;
  readonly faults: readonly string[];
}

const FAULTS_MS = 90_000;
/** Reconnects after a partition are tried every 30 s with a probability. */
const QUIET_MS = 600_000;
/** Longer than the longest suspicion of so few nodes. */
const STABLE_MS = 60_000;
const STEP_MS = 1000;

export function runSmall(seed: number, count = 30): SmallResult {
  const cluster = new Cluster(seed, count);
  cluster.boot();
  cluster.faults();
  const convergedMs = cluster.settle();
  return {
    seed,
    trace: cluster.world.trace,
    violations: cluster.checkers.violations,
    convergedMs,
    faults: cluster.log,
  };
}

class Cluster {
  readonly world: World;
  readonly checkers: Checkers;
  readonly log: string[] = [];
  readonly #prng;
  readonly #machines = new Map<SimNode, SerfNode>();
  readonly #count: number;

  constructor(seed: number, count: number) {
    this.world = new World(seed);
    this.world.countBytes = false;
    this.#prng = createPrng(seed ^ 0x5eed);
    this.#count = count;
    this.checkers = new Checkers(this.world, this.#machines);
    this.world.onAction = (node, action) => this.checkers.action(node, action);
  }

  boot(): void {
    const { network } = this.world;
    network.loss = this.#prng.next() * 0.1;
    network.duplicate = this.#prng.next() * 0.05;
    network.delayMinMs = 1;
    network.delayMaxMs = 5 + randomInt(this.#prng, 60);
    for (let i = 0; i < this.#count; i++) this.#add(`n${i}`);
    for (const node of this.world.nodes) {
      this.world.start(node);
      this.#rejoin(node);
    }
    this.world.run(20_000);
  }

  /** Random trouble for a while; every draw comes from the seed. */
  faults(): void {
    const end = this.world.now + FAULTS_MS;
    while (this.world.now < end) {
      this.#fault();
      this.world.run(this.world.now + 1000 + randomInt(this.#prng, 4000));
      this.checkers.look();
    }
    this.world.heal();
    this.world.network.loss = 0;
  }

  /** Quiet until everybody agrees with the truth, and some time beyond. */
  settle(): number | undefined {
    const start = this.world.now;
    // Whoever restarted behind a cut knows nobody: that is what retry_join is for. All others have
    // to find each other again by themselves.
    for (const [node, { serf }] of this.#machines) {
      if (node.up && [...serf.members()].length === 1) this.#rejoin(node);
    }
    let agreedSince: number | undefined;
    while (this.world.now < start + QUIET_MS) {
      this.world.run(this.world.now + STEP_MS);
      this.checkers.look();
      if (!this.checkers.agree()) agreedSince = undefined;
      else agreedSince ??= this.world.now;
      // A suspicion from before may still run out: memberlist's suspects are cleared by news only,
      // and the news may have been lost. So it has to last.
      if (agreedSince !== undefined && this.world.now - agreedSince >= STABLE_MS) {
        return agreedSince - start;
      }
    }
    this.checkers.disagreement();
    return undefined;
  }

  #add(name: string): SimNode {
    let machine: SerfNode | undefined;
    const node = this.world.add(name, (address, prng) => {
      machine = serfMachine(name, address, prng, LAN);
      return machine;
    });
    if (machine !== undefined) this.#machines.set(node, machine);
    return node;
  }

  /** A joins some that are up; with loss on streams excluded, three are plenty. */
  #rejoin(node: SimNode): void {
    const others = this.world.nodes.filter((other) => other !== node && other.up);
    for (const other of shuffle(others, this.#prng).slice(0, 3)) this.world.join(node, other);
  }

  #fault(): void {
    const up = this.world.nodes.filter((node) => node.up);
    const node = up[randomInt(this.#prng, up.length)];
    if (node === undefined) return;
    const kinds = [
      "pause",
      "pause",
      "cut",
      "cut",
      "crash",
      "restart",
      "leave",
      "jump",
      "heal",
    ] as const;
    const kind = kinds[randomInt(this.#prng, kinds.length)] ?? "pause";
    this.log.push(`${Math.round(this.world.now)} ${kind} ${node.name}`);
    switch (kind) {
      case "pause":
        node.pausedUntil = this.world.now + 500 + randomInt(this.#prng, 12_000);
        return;
      case "cut":
        this.#cut(up);
        return;
      case "crash":
        if (up.length > this.#count / 2) node.up = false;
        return;
      case "restart":
        this.#restart();
        return;
      case "leave":
        if (up.length > this.#count / 2) this.world.tell(node, (now) => node.machine.leave(now));
        return;
      case "jump":
        node.clockAheadMs += 100 + randomInt(this.#prng, 20_000);
        return;
      case "heal":
        this.world.heal();
        return;
    }
  }

  /** One way, from a group to the rest, or both ways. */
  #cut(up: SimNode[]): void {
    const group = shuffle([...up], this.#prng).slice(0, 1 + randomInt(this.#prng, up.length >> 1));
    const both = this.#prng.next() < 0.5;
    for (const inside of group) {
      for (const outside of up) {
        if (group.includes(outside)) continue;
        this.world.cut(inside, outside);
        if (both) this.world.cut(outside, inside);
      }
    }
  }

  /** A crashed or left one comes back with the same name and address, knowing nothing. */
  #restart(): void {
    const down = this.world.nodes.filter((node) => !node.up);
    const node = down[randomInt(this.#prng, Math.max(1, down.length))];
    if (node === undefined) return;
    const machine = serfMachine(
      node.name,
      node.address,
      createPrng(this.#prng.next() * 2 ** 32),
      LAN,
    );
    node.machine = machine;
    this.#machines.set(node, machine);
    node.up = true;
    node.left = false;
    node.pausedUntil = 0;
    node.armedAt = Number.POSITIVE_INFINITY;
    this.checkers.restarted(node);
    this.world.start(node);
    this.#rejoin(node);
  }
}
