/** Raft figures over TLS: three of our servers, and three of the real hashicorp/raft, in one run. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPeer, hasGo, Peer } from "../test/interop/go.ts";
import {
  cpuMs,
  makeCertificates,
  type Report,
  ratio,
  type TlsFiles,
  threadsCpuMs,
} from "./bench-tools.ts";
import { median } from "./median.ts";

const ROUNDS = 5;
const KILLS = 11;
const IDLE_MS = 5000;
/** What a start leaves to do: compiling, collecting. */
const IDLE_SETTLE_MS = 15_000;
const LOADS = [
  { callers: 1, commits: 1000 },
  { callers: 64, commits: 20_000 },
] as const;
const OURS = new URL("../test/interop/raft-ours.ts", import.meta.url).pathname;

/** Who the three are: where they listen, and how one is started. */
interface Kind {
  readonly ip: (index: number) => string;
  readonly start: (index: number, directory: string | undefined) => Promise<Peer>;
}

class Group implements AsyncDisposable {
  readonly members: Peer[];

  private constructor(members: Peer[]) {
    this.members = members;
  }

  static async start(kind: Kind, directory: string | undefined): Promise<Group> {
    const members: Peer[] = [];
    for (const index of [1, 2, 3]) {
      const own = directory === undefined ? undefined : join(directory, `${index}`);
      if (own !== undefined) mkdirSync(own, { recursive: true });
      members.push(await kind.start(index, own));
    }
    const words = [1, 2, 3].map((index) => `id-${index} ${kind.ip(index)}:4647`).join(" ");
    for (const one of members) await one.ask(`bootstrap ${words}`);
    return new Group(members);
  }

  async leader(): Promise<Peer> {
    for (const deadline = performance.now() + 20_000; performance.now() < deadline; ) {
      for (const one of this.members) if ((await one.ask("state")).role === "Leader") return one;
      await Bun.sleep(2);
    }
    throw new Error("no leader");
  }

  /** From the leader's death to the next commit that somebody else acknowledges. */
  async failoverMs(): Promise<number> {
    const old = await this.leader();
    await old.ask("apply 64 64");
    this.members.splice(this.members.indexOf(old), 1);
    const start = performance.now();
    await old[Symbol.asyncDispose]();
    for (;;) {
      // One who has just won may not have its first entry committed yet: that is waited for.
      const said = await (await this.leader()).ask("apply 1 1");
      if (said.seconds !== undefined) return performance.now() - start;
    }
  }

  cpuMs(): number {
    return this.members.reduce((sum, one) => sum + cpuMs(one.pid), 0);
  }

  idleCpuMs(): number {
    return this.members.reduce((sum, one) => sum + threadsCpuMs(one.pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.members) await one[Symbol.asyncDispose]();
  }
}

interface Figures {
  readonly rate: number[];
  readonly p99Ms: number[];
  readonly cpuUs: number[];
}

export async function benchRaft(report: Report): Promise<void> {
  if (!hasGo) {
    console.log("Raft figures need Go for the peers: skipped");
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "nomad-bench-"));
  try {
    const kinds = makeKinds(makeCertificates(directory));
    const where = (kind: number): string => join(directory, `${kind}`);
    for (const { callers, commits } of LOADS) {
      const all = await measure(kinds, where, callers, commits);
      tell(report, `Raft on disk, ${callers} in flight`, all, "at least Go's");
    }
    const inMemory = await measure(kinds, () => undefined, 64, 20_000);
    tell(report, "Raft in memory, 64 in flight", inMemory, "");
    const cpu = inMemory.map(({ cpuUs }) => median(cpuUs));
    const [us = 0, them = 0] = cpu;
    report(
      "Raft in memory: CPU of all three a commit",
      `${us.toFixed(0)} us`,
      `within 2 of Go's; Go ${them.toFixed(0)} us, ${ratio(us, them)}`,
    );
    await idle(kinds, report);
    await failovers(kinds, where, report);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function makeKinds({ ca, cert, key }: TlsFiles): readonly Kind[] {
  const program = buildPeer("raft-peer", ".", "raft-peer");
  const ours = (index: number): string => `127.0.98.${index}`;
  const theirs = (index: number): string => `127.0.98.1${index}`;
  return [
    {
      ip: ours,
      start: (index, own) => {
        const args = [OURS, `id-${index}`, ours(index), ca, cert, key];
        return Peer.start(process.execPath, own === undefined ? args : [...args, own]);
      },
    },
    {
      ip: theirs,
      start: (index, own = "") => {
        const tls = [`-ca=${ca}`, `-cert=${cert}`, `-key=${key}`];
        const self = [`-id=id-${index}`, `-bind=${theirs(index)}:4647`, `-dir=${own}`];
        return Peer.start(program, [...self, ...tls]);
      },
    },
  ];
}

/** Each group writes in turn, so that both see the same machine. */
async function measure(
  kinds: readonly Kind[],
  where: (kind: number) => string | undefined,
  callers: number,
  commits: number,
): Promise<readonly Figures[]> {
  const all = kinds.map((): Figures => ({ rate: [], p99Ms: [], cpuUs: [] }));
  const groups: Group[] = [];
  try {
    for (const [i, kind] of kinds.entries()) groups.push(await Group.start(kind, where(i)));
    for (let round = -1; round < ROUNDS; round++) {
      for (const [i, group] of groups.entries()) {
        const leader = await group.leader();
        const before = group.cpuMs();
        const said = await leader.ask(`apply ${commits} ${callers}`);
        if (said.error !== undefined) throw new Error(said.error);
        const spent = group.cpuMs() - before;
        if (round < 0) continue; // Warms up.
        all[i]?.rate.push(commits / said.seconds);
        all[i]?.p99Ms.push(said.p99ms);
        all[i]?.cpuUs.push((spent * 1000) / commits);
      }
    }
  } finally {
    for (const group of groups) await group[Symbol.asyncDispose]();
    for (const i of kinds.keys()) {
      const own = where(i);
      if (own !== undefined) rmSync(own, { recursive: true, force: true });
    }
  }
  return all;
}

function tell(report: Report, what: string, all: readonly Figures[], wanted: string): void {
  const [us, them] = all.map(({ rate, p99Ms }) => ({ rate: median(rate), p99: median(p99Ms) }));
  if (us === undefined || them === undefined) return;
  const rates = `Go ${Math.round(them.rate)}/s, ${ratio(us.rate, them.rate)}`;
  report(`${what}: commits a second`, `${Math.round(us.rate)}/s`, `${wanted}; ${rates}`);
  const p99s = `Go ${them.p99.toFixed(1)} ms, ${ratio(us.p99, them.p99)}`;
  report(`${what}: p99`, `${us.p99.toFixed(1)} ms`, `; ${p99s}`);
}

/** Both at once, so that both see the same machine. */
async function idle(kinds: readonly Kind[], report: Report): Promise<void> {
  const groups: Group[] = [];
  const spent: number[][] = kinds.map(() => []);
  try {
    for (const kind of kinds) groups.push(await Group.start(kind, undefined));
    for (const group of groups) await group.leader();
    await Bun.sleep(IDLE_SETTLE_MS);
    for (let round = 0; round < ROUNDS; round++) {
      const before = groups.map((group) => group.idleCpuMs());
      await Bun.sleep(IDLE_MS);
      for (const [i, group] of groups.entries()) {
        spent[i]?.push((group.idleCpuMs() - (before[i] ?? 0)) / (IDLE_MS / 1000));
      }
    }
  } finally {
    for (const group of groups) await group[Symbol.asyncDispose]();
  }
  const [us = 0, them = 0] = spent.map(median);
  report(
    "Raft idle: CPU of all three a second",
    `${us.toFixed(1)} ms`,
    `below Go's; Go ${them.toFixed(1)} ms, ${ratio(us, them)}`,
  );
}

async function failovers(
  kinds: readonly Kind[],
  where: (kind: number) => string,
  report: Report,
): Promise<void> {
  const times: number[][] = kinds.map(() => []);
  for (let round = 0; round < KILLS; round++) {
    for (const [i, kind] of kinds.entries()) {
      await using group = await Group.start(kind, where(i));
      times[i]?.push(await group.failoverMs());
      rmSync(where(i), { recursive: true, force: true });
    }
  }
  const [us = 0, them = 0] = times.map(median);
  report(
    "Raft: from the leader's death to the next commit",
    `${us.toFixed(0)} ms`,
    `at most Go's; Go ${them.toFixed(0)} ms, ${ratio(us, them)}`,
  );
}
