/**
 * A Raft group of production machines in virtual time: calls that take their time, get lost or come
 * late, partitions one way or both, pauses, crashes between and within writes, membership changes
 * under fire. One checker for each property of the paper's figure 3, and one for reads.
 */
import type { Instant } from "../../src/protocol/ports.ts";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import type { HardState, RaftAction } from "../../src/protocol/raft/action.ts";
import type { RaftConfig } from "../../src/protocol/raft/config.ts";
import { RAFT } from "../../src/protocol/raft/config.ts";
import {
  type Configuration,
  EntryType,
  type LogEntry,
  type RaftAnswer,
  type RaftCall,
  type SnapshotMeta,
} from "../../src/protocol/raft/message.ts";
import { Raft } from "../../src/protocol/raft/raft.ts";

/** Small, so that snapshots are taken and sent in a short run. */
const CONFIG: RaftConfig = { ...RAFT, trailingEntries: 10, entriesMax: 8 };
const SNAPSHOT_EVERY = 30;
const CALL_TIMEOUT_MS = 400;

export const codec = {
  encode: (configuration: Configuration): Uint8Array =>
    new TextEncoder().encode(JSON.stringify(configuration)),
  decode: (data: Uint8Array): Configuration => JSON.parse(new TextDecoder().decode(data)),
};

/** What survives a crash. */
class Disk {
  state: HardState = { term: 0, votedTerm: 0, votedFor: "" };
  entries: LogEntry[] = [];
  snapshot: SnapshotMeta | undefined;
}

interface Machine {
  readonly index: number;
  readonly count: number;
  readonly hash: number;
  /** A few registers, for the history of reads and writes. */
  readonly registers: readonly string[];
}

/** What a client asked and heard, for a checker that knows nothing of Raft. */
export interface Operation {
  readonly register: number;
  readonly kind: "read" | "write";
  /** What was written, or what a read gave. */
  readonly value: string;
  readonly calledAt: Instant;
  /** undefined: nobody knows whether it happened. */
  returnedAt: Instant | undefined;
}

const REGISTERS = 8;
const EMPTY: Machine = { index: 0, count: 0, hash: 0, registers: Array(REGISTERS).fill("") };

interface Server {
  readonly id: string;
  readonly disk: Disk;
  raft: Raft | undefined;
  /** Applied so far, and a hash of all of it in order. */
  machine: Machine;
  pausedUntil: Instant;
  /** Grows with each start: what was sent to the one before is not heard. */
  life: number;
  /** Calls under way from others: call id to how to answer. */
  readonly incoming: Map<number, (answer: RaftAnswer) => void>;
  /** Writes until it dies in one of them; undefined: it does not. */
  dieInWrite: number | undefined;
  /** The disk before the last write that was said to be synced. */
  before: Pick<Disk, "state" | "entries"> | undefined;
}

interface Proposed {
  readonly index: number;
  readonly term: number;
  readonly operation: Operation;
}

interface Applied {
  readonly term: number;
  readonly hash: number;
  readonly machine: Machine;
  /** Leaders of later terms than this one must have it. */
  readonly committedBy: number;
  /** What it wrote into a register. */
  readonly value: string | undefined;
}

interface Event {
  readonly at: Instant;
  readonly order: number;
  readonly run: () => void;
}

export interface RaftRun {
  readonly violations: readonly string[];
  readonly trace: string;
  readonly committed: number;
  readonly acknowledged: number;
  readonly elections: number;
  readonly snapshotsSent: number;
  readonly changes: number;
  readonly reads: number;
  readonly crashes: number;
  readonly history: readonly Operation[];
}

export class RaftWorld {
  readonly violations: string[] = [];
  readonly #prng;
  readonly #forgetful: boolean;
  readonly #servers = new Map<string, Server>();
  readonly #events: Event[] = [];
  readonly #cut = new Set<string>();
  /** Proposals that were applied where they were made: promised to a client. */
  readonly #acknowledged = new Map<number, number>();
  readonly #leaders = new Map<number, string>();
  readonly #votes = new Map<string, string>();
  /** The one history: what is applied at an index, whoever applies it. */
  readonly #applied = new Map<number, Applied>();
  readonly #proposed = new Map<string, Proposed[]>();
  readonly #reads = new Map<number, { floor: number; calledAt: Instant }>();
  readonly #operations: Operation[] = [];
  /** Every entry that any disk ever had, by index and term; with the term of the one before it. */
  readonly #written = new Map<string, { what: string; before: number | undefined }>();
  #now: Instant = 0;
  #order = 0;
  #callIds = 0;
  #tokens = 0;
  #value = 0;
  #lossy = 0;
  #trace = new Bun.CryptoHasher("sha256");
  readonly counts = { elections: 0, snapshotsSent: 0, changes: 0, reads: 0, crashes: 0 };

  /** @param forgetful disks lose their last write in a crash, though they said it was synced */
  constructor(seed: number, size: number, spares: number, forgetful = false) {
    this.#forgetful = forgetful;
    this.#prng = createPrng(seed);
    const ids = Array.from({ length: size + spares }, (_, i) => `s${i + 1}`);
    for (const id of ids) this.#servers.set(id, this.#createServer(id));
    const servers = ids.slice(0, size).map((id) => {
      return { id, address: `${id}:1`, suffrage: "voter" } as const;
    });
    for (const server of this.#servers.values()) {
      this.#start(server);
      if (servers.some((one) => one.id === server.id)) server.raft?.bootstrap({ servers });
      this.#perform(server);
    }
  }

  get now(): Instant {
    return this.#now;
  }

  get committed(): number {
    return Math.max(0, ...this.#applied.keys());
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  trace(): string {
    return this.#trace.digest("hex");
  }

  chance(probability: number): boolean {
    return this.#prng.next() < probability;
  }

  random(below: number): number {
    return randomInt(this.#prng, below);
  }

  run(untilMs: number): void {
    for (;;) {
      const timer = this.#nextTimer();
      const event = this.#earliest();
      const at = Math.min(timer?.at ?? Number.POSITIVE_INFINITY, event?.at ?? untilMs);
      if (at >= untilMs) break;
      this.#now = Math.max(this.#now, at);
      if (event !== undefined && event.at <= at) {
        this.#events.splice(this.#events.indexOf(event), 1);
        event.run();
      } else if (timer !== undefined) {
        timer.server.raft?.expire(this.#now);
        this.#perform(timer.server);
      }
    }
    this.#now = untilMs;
  }

  /** A client at some server that thinks it leads. */
  propose(count: number): void {
    const server = this.#someLeader();
    if (server === undefined) return;
    const writes = Array.from({ length: count }, (): Operation => {
      this.#value += 1;
      const [register, value] = [this.#value % REGISTERS, `v${this.#value}`];
      const calledAt = this.#now;
      return { register, kind: "write", value, calledAt, returnedAt: undefined };
    });
    const proposals = writes.map(({ register, value }) => {
      const data = new TextEncoder().encode(`${register}=${value}`);
      return { type: EntryType.command, data, appendedAtMs: undefined };
    });
    const first = server.raft?.propose(proposals, this.#now);
    if (typeof first === "number") {
      const mine = this.#proposed.get(server.id) ?? [];
      const term = server.raft?.term ?? 0;
      for (const [i, operation] of writes.entries()) {
        mine.push({ index: first + i, term, operation });
        this.#operations.push(operation);
      }
      this.#proposed.set(server.id, mine);
    }
    this.#perform(server);
  }

  read(): void {
    const server = this.#someLeader();
    if (server === undefined) return;
    this.#tokens += 1;
    const floor = Math.max(0, ...this.#acknowledged.keys());
    this.#reads.set(this.#tokens, { floor, calledAt: this.#now });
    server.raft?.verify(this.#tokens, this.#now);
    this.#perform(server);
  }

  /**
   * Reads that were answered, and writes that were, or that have happened all the same. A write
   * that no server ever applied is left out: a read that saw it would have nothing to have seen.
   */
  history(): readonly Operation[] {
    const happened = new Set([...this.#applied.values()].map((one) => one.value));
    return this.#operations.filter((one) => one.kind === "read" || happened.has(one.value));
  }

  changeMembers(): void {
    const server = this.#someLeader();
    const ids = [...this.#servers.keys()];
    const id = ids[this.random(ids.length)] ?? "";
    const kinds = ["add-voter", "add-nonvoter", "remove", "demote-voter"] as const;
    const kind = kinds[this.random(kinds.length)] ?? "add-voter";
    const voters = server?.raft?.configuration.latest.servers.filter(
      (one) => one.suffrage === "voter",
    );
    // Leave enough of them for the cluster to live through the next crash.
    if ((kind === "remove" || kind === "demote-voter") && (voters?.length ?? 0) <= 3) return;
    const done = server?.raft?.change({ kind, id, address: `${id}:1` }, this.#now);
    if (typeof done === "number") this.counts.changes += 1;
    if (server !== undefined) this.#perform(server);
  }

  transfer(): void {
    const server = this.#someLeader();
    server?.raft?.transfer(undefined, this.#now);
    if (server !== undefined) this.#perform(server);
  }

  /** One way or both. */
  partition(): void {
    const ids = [...this.#servers.keys()];
    const side = new Set(ids.filter(() => this.chance(0.5)));
    const oneWay = this.chance(0.3);
    for (const from of ids) {
      for (const to of ids) {
        if (side.has(from) === side.has(to)) continue;
        if (!oneWay || side.has(from)) this.#cut.add(`${from}>${to}`);
      }
    }
  }

  heal(): void {
    this.#cut.clear();
    this.#lossy = 0;
  }

  lose(probability: number): void {
    this.#lossy = probability;
  }

  pause(): void {
    const server = this.#some();
    server.pausedUntil = this.#now + 100 + this.random(3000);
  }

  /** At once, or in the middle of one of its next writes. */
  crash(): void {
    const server = this.#some();
    if (this.chance(0.5)) this.#crash(server);
    else server.dieInWrite = 1 + this.random(5);
  }

  restartAll(): void {
    for (const server of this.#servers.values()) {
      server.pausedUntil = 0;
      server.dieInWrite = undefined;
      if (server.raft === undefined) this.#restart(server);
    }
  }

  /** Once all is well again: one leader, and every member has applied the same. */
  checkConverged(): void {
    const leaders = [...this.#servers.values()].filter((one) => one.raft?.role === "leader");
    const top = Math.max(0, ...leaders.map((one) => one.raft?.term ?? 0));
    const leader = leaders.find((one) => one.raft?.term === top);
    if (leader === undefined) return this.#violated("no leader after all was healed");
    const members = leader.raft?.configuration.latest.servers ?? [];
    for (const { id } of members) {
      const machine = this.#servers.get(id)?.machine;
      if (machine?.index === leader.machine.index && machine.hash === leader.machine.hash) continue;
      this.#violated(`${id} has applied ${machine?.index}, the leader ${leader.machine.index}`);
    }
    for (const [index, term] of this.#acknowledged) {
      if (this.#applied.get(index)?.term !== term) this.#violated(`lost: ${index} of term ${term}`);
    }
  }

  #createServer(id: string): Server {
    return {
      id,
      disk: new Disk(),
      raft: undefined,
      machine: EMPTY,
      pausedUntil: 0,
      life: 0,
      incoming: new Map(),
      dieInWrite: undefined,
      before: undefined,
    };
  }

  #start(server: Server): void {
    const { disk, id } = server;
    const seed = this.random(0xffff_ffff);
    server.life += 1;
    const { index = 0 } = disk.snapshot ?? {};
    server.machine = this.#machineAt(index);
    // As the store does: what ends before the snapshot goes, so that nothing is appended to it.
    if ((disk.entries.at(-1)?.index ?? 0) < index) disk.entries = [];
    server.raft = new Raft(
      {
        self: { id, address: `${id}:1` },
        config: CONFIG,
        prng: createPrng(seed),
        codec,
        stored: { state: disk.state, entries: disk.entries, snapshot: disk.snapshot },
      },
      this.#now,
    );
  }

  #machineAt(index: number): Machine {
    return this.#applied.get(index)?.machine ?? { ...EMPTY, index };
  }

  #crash(server: Server): void {
    if (server.raft === undefined) return;
    this.counts.crashes += 1;
    server.raft = undefined;
    if (this.#forgetful) Object.assign(server.disk, server.before);
    server.dieInWrite = undefined;
    server.incoming.clear();
    this.#proposed.delete(server.id);
    this.#later(200 + this.random(3000), () => this.#restart(server));
  }

  #restart(server: Server): void {
    if (server.raft !== undefined) return;
    this.#start(server);
    this.#perform(server);
  }

  #perform(server: Server): void {
    for (;;) {
      const actions = server.raft?.drain() ?? [];
      if (actions.length === 0) return;
      for (const action of actions) {
        if (server.raft === undefined) return; // Died in a write: nothing behind it is done.
        this.#do(server, action);
      }
    }
  }

  #do(server: Server, action: RaftAction): void {
    this.#trace.update(`${this.#now.toFixed(3)} ${server.id} ${action.kind}\n`);
    switch (action.kind) {
      case "persist":
        return this.#persist(server, action);
      case "send":
        return this.#send(server, action);
      case "answer":
        server.incoming.get(action.callId)?.(action.answer);
        server.incoming.delete(action.callId);
        return;
      case "apply":
        return this.#apply(server, action.entries);
      case "restore":
        server.disk.snapshot = action.meta;
        server.disk.entries = action.keepsLog
          ? server.disk.entries.filter((one) => one.index > action.meta.index)
          : [];
        server.machine = this.#machineAt(action.meta.index);
        return;
      case "compact":
        server.disk.entries = server.disk.entries.filter((one) => one.index > action.upTo);
        return;
      case "role":
        if (action.role === "leader") this.#becameLeader(server, action.term);
        else this.#proposed.delete(server.id);
        return;
      case "verified":
        this.#verified(server, action.token, action.index);
        return;
      case "leader":
      case "transfer-failed":
        return;
    }
  }

  #persist(server: Server, action: Extract<RaftAction, { kind: "persist" }>): void {
    const { disk } = server;
    const dies = server.dieInWrite !== undefined && --server.dieInWrite <= 0;
    server.before = { state: disk.state, entries: [...disk.entries] };
    // A transaction: nothing of it, or all of it, but nothing behind it.
    if (dies && this.chance(0.5)) return this.#crash(server);
    if (action.state !== undefined) {
      disk.state = action.state;
      this.#voted(server, action.state);
    }
    if (action.truncateFrom !== undefined) {
      const from = action.truncateFrom;
      disk.entries = disk.entries.filter((one) => one.index < from);
    }
    for (const entry of action.entries) {
      this.#matches(server, entry);
      disk.entries.push(entry);
    }
    if (dies) this.#crash(server);
  }

  /**
   * Log matching (Raft, figure 3): an entry's index and term say what it is and what is before it.
   * With the one before it that holds all the way down.
   */
  #matches({ id, disk }: Server, entry: LogEntry): void {
    const { index, term, type, data } = entry;
    const { snapshot } = disk;
    const last = disk.entries.at(-1) ?? snapshot;
    const before = last?.index === index - 1 ? last.term : undefined;
    const what = `${type} ${new TextDecoder().decode(data)}`;
    const known = this.#written.get(`${index} ${term}`);
    this.#written.set(`${index} ${term}`, { what, before: before ?? known?.before });
    if (known === undefined) return;
    const differs = known.before !== undefined && before !== undefined && known.before !== before;
    if (known.what !== what || differs) {
      this.#violated(`${id} writes another entry ${index} of term ${term}`);
    }
  }

  #send(server: Server, { ticket, to, call }: Extract<RaftAction, { kind: "send" }>): void {
    const { life } = server;
    let settled = false;
    const settle = (tell: (raft: Raft) => void): void => {
      if (settled) return;
      settled = true;
      if (server.life !== life || server.raft === undefined) return;
      this.#whenAwake(server, () => {
        if (server.life !== life || server.raft === undefined) return;
        tell(server.raft);
        this.#perform(server);
      });
    };
    this.#later(CALL_TIMEOUT_MS, () => settle((raft) => raft.failed(ticket, this.#now)));
    if (call.kind === "install-snapshot") this.counts.snapshotsSent += 1;
    if (this.#isLost(server.id, to.id)) return;
    // Sometimes so late that its sender has given up: it must do no harm then.
    const late = this.chance(0.02) ? CALL_TIMEOUT_MS * 2 : 0;
    this.#later(1 + this.random(20) + late, () => {
      this.#deliver(to.id, call, (answer) => {
        if (this.#isLost(to.id, server.id)) return;
        this.#later(1 + this.random(20), () => {
          settle((raft) => raft.answered(ticket, answer, this.#now));
        });
      });
    });
  }

  #deliver(id: string, call: RaftCall, answer: (answer: RaftAnswer) => void): void {
    const server = this.#servers.get(id);
    if (server?.raft === undefined) return;
    const { life } = server;
    this.#whenAwake(server, () => {
      if (server.life !== life || server.raft === undefined) return;
      this.#callIds += 1;
      server.incoming.set(this.#callIds, answer);
      server.raft.receive(call, this.#callIds, this.#now);
      this.#perform(server);
    });
  }

  #apply(server: Server, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      const { machine } = server;
      if (entry.index !== machine.index + 1) {
        this.#violated(`${server.id} applies ${entry.index} behind ${machine.index}`);
      }
      const hash = hashOf(machine.hash, entry);
      const text = entry.type === EntryType.command ? new TextDecoder().decode(entry.data) : "";
      const [register, value] = text.split("=");
      const registers =
        value === undefined ? machine.registers : machine.registers.with(Number(register), value);
      server.machine = { index: entry.index, count: machine.count + 1, hash, registers };
      const known = this.#applied.get(entry.index);
      if (known === undefined) {
        const committedBy = server.raft?.term ?? entry.term;
        const { term } = entry;
        const { machine } = server;
        this.#applied.set(entry.index, { term, hash, machine, committedBy, value });
      } else if (known.hash !== hash) {
        this.#violated(`${server.id} applies another entry at ${entry.index}`);
      }
      this.#acknowledge(server, entry);
    }
    const { index } = server.machine;
    if (index - (server.disk.snapshot?.index ?? 0) < SNAPSHOT_EVERY) return;
    // The state machine is written first, then the log may forget.
    const meta = server.raft?.snapshotMeta(index);
    if (meta === undefined) return;
    server.disk.snapshot = meta;
    server.raft?.snapshotTaken(meta);
  }

  #acknowledge(server: Server, entry: LogEntry): void {
    const mine = this.#proposed.get(server.id) ?? [];
    if (server.raft?.role !== "leader") return;
    const own = mine.find((one) => one.index === entry.index && one.term === entry.term);
    if (own === undefined) return;
    this.#acknowledged.set(entry.index, entry.term);
    own.operation.returnedAt = this.#now;
  }

  /** Election safety, and leader completeness (Raft, figure 3). */
  #becameLeader(server: Server, term: number): void {
    this.counts.elections += 1;
    const known = this.#leaders.get(term);
    if (known !== undefined && known !== server.id) {
      this.#violated(`two leaders of term ${term}: ${known} and ${server.id}`);
    }
    this.#leaders.set(term, server.id);
    const { raft } = server;
    for (const [index, { term: committed, committedBy }] of this.#applied) {
      if (term <= committedBy) continue;
      const own = raft?.termAt(index);
      const snapshot = server.disk.snapshot?.index ?? 0;
      if (own === committed || (own === undefined && index <= snapshot)) continue;
      this.#violated(`${server.id} leads term ${term} without ${index} of term ${committed}`);
    }
  }

  #voted(server: Server, state: HardState): void {
    if (state.votedFor === "") return;
    const key = `${server.id} ${state.votedTerm}`;
    const known = this.#votes.get(key);
    if (known !== undefined && known !== state.votedFor) {
      this.#violated(`${key}: votes for ${known} and for ${state.votedFor}`);
    }
    this.#votes.set(key, state.votedFor);
  }

  /** A read that began after a write was acknowledged must see it. */
  #verified(server: Server, token: number, index: number): void {
    const read = this.#reads.get(token);
    if (read === undefined) return;
    this.counts.reads += 1;
    this.#reads.delete(token);
    if (index < read.floor) this.#violated(`a read at ${index} misses the write at ${read.floor}`);
    const { machine, id } = server;
    if (machine.index < index)
      this.#violated(`${id} answers a read before it has applied ${index}`);
    // All registers at once: the more chances to have missed something.
    for (const [register, value] of machine.registers.entries()) {
      const { calledAt } = read;
      this.#operations.push({ register, kind: "read", value, calledAt, returnedAt: this.#now });
    }
  }

  #violated(what: string): void {
    if (this.violations.length < 10) this.violations.push(`at ${this.#now.toFixed(0)} ms: ${what}`);
  }

  #isLost(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`) || this.chance(this.#lossy);
  }

  #whenAwake(server: Server, run: () => void): void {
    const wait = server.pausedUntil - this.#now;
    if (wait <= 0) run();
    else this.#later(wait, run);
  }

  #later(delayMs: number, run: () => void): void {
    this.#order += 1;
    this.#events.push({ at: this.#now + delayMs, order: this.#order, run });
  }

  #earliest(): Event | undefined {
    let first: Event | undefined;
    for (const event of this.#events) {
      const sooner =
        first === undefined ||
        event.at < first.at ||
        (event.at === first.at && event.order < first.order);
      if (sooner) first = event;
    }
    return first;
  }

  #nextTimer(): { at: Instant; server: Server } | undefined {
    let first: { at: Instant; server: Server } | undefined;
    for (const server of this.#servers.values()) {
      const deadline = server.raft?.deadline();
      if (deadline === undefined) continue;
      const at = Math.max(deadline, server.pausedUntil);
      if (first === undefined || at < first.at) first = { at, server };
    }
    return first;
  }

  #someLeader(): Server | undefined {
    const leaders = [...this.#servers.values()].filter((one) => {
      return one.raft?.role === "leader" && one.pausedUntil <= this.#now;
    });
    return leaders[this.random(Math.max(1, leaders.length))];
  }

  #some(): Server {
    const all = [...this.#servers.values()];
    const one = all[this.random(all.length)];
    if (one === undefined) throw new Error("no server");
    return one;
  }
}

function hashOf(before: number, entry: LogEntry): number {
  let hash = (before ^ entry.term ^ Math.imul(entry.type + 1, 0x9e37_79b1)) >>> 0;
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x0100_0193) >>> 0;
  return Math.imul(hash ^ entry.index, 0x85eb_ca6b) >>> 0;
}

/** Thirty virtual seconds of trouble, then peace, then everybody must agree. */
export function runRaft(seed: number, forgetful = false): RaftRun {
  const size = 3 + 2 * (seed % 2);
  const world = new RaftWorld(seed, size, 2, forgetful);
  world.run(3000);
  for (let step = 0; step < 300; step++) {
    world.run(world.now + 50 + world.random(100));
    trouble(world);
    if (world.chance(0.7)) world.propose(1 + world.random(6));
    if (world.chance(0.5)) world.read();
  }
  world.heal();
  world.restartAll();
  world.run(world.now + 10_000);
  world.propose(1);
  world.run(world.now + 5000);
  world.checkConverged();
  const { violations, committed, acknowledged, counts } = world;
  const history = world.history();
  return { violations, committed, acknowledged, trace: world.trace(), history, ...counts };
}

function trouble(world: RaftWorld): void {
  if (world.chance(0.03)) world.partition();
  if (world.chance(0.06)) world.heal();
  if (world.chance(0.02)) world.lose(0.3);
  if (world.chance(0.03)) world.pause();
  if (world.chance(0.03)) world.crash();
  if (world.chance(0.05)) world.changeMembers();
  if (world.chance(0.02)) world.transfer();
}
