/** What a leader does for its group, with a group that is played: who is let in, who votes, who goes. */
import { expect, test } from "bun:test";
import { Directory } from "../../src/agent/directory.ts";
import { LeaderDuties } from "../../src/agent/leader-duties.ts";
import type { ConfigurationChange } from "../../src/protocol/raft/configurations.ts";
import type { RaftServer } from "../../src/protocol/raft/message.ts";
import type { SerfMember } from "../../src/protocol/serf/message.ts";
import { AUTOPILOT_DEFAULTS, type AutopilotConfig } from "../../src/state/command.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { encodeRaftStats } from "../../src/wire/rpc-status.ts";
import { ManualClock, settle } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";

const ipOf = (id: string): Uint8Array => Uint8Array.of(127, 0, 0, id.charCodeAt(0) - 96);
const addressOf = (id: string): string => `${ipOf(id).join(".")}:4647`;

class Group {
  readonly clock = new ManualClock();
  readonly machine = new StateMachine();
  readonly members = new Map<string, SerfMember["status"]>();
  readonly deaf = new Set<string>();
  /** While this is a list, who is asked for its figures has not answered yet. */
  held: (() => void)[] | undefined;
  servers: RaftServer[] = [];
  established = 0;
  #index = 10;
  readonly duties: LeaderDuties;

  constructor(voters: string, initial: Partial<AutopilotConfig> = {}) {
    for (const id of voters) {
      this.members.set(id, "alive");
      this.servers.push({ id, address: addressOf(id), suffrage: "voter" });
    }
    const self = this;
    this.duties = new LeaderDuties({
      consensus: {
        role: "leader",
        leader: { id: "a", address: addressOf("a") },
        get servers() {
          return self.servers;
        },
        stats: () => ({
          ...{ term: 3, lastIndex: 10, lastTerm: 3, commitIndex: 10, appliedIndex: 10 },
          ...{ lastContactMs: 0, snapshotIndex: 0, snapshotTerm: 0, configurationIndex: 1 },
          pending: 0,
        }),
        barrier: async () => self.#index,
        apply: async (data) => {
          self.#index += 1;
          const outcome = self.machine.apply(self.#index, data);
          return { index: self.#index, outcome };
        },
        change: async (change) => self.#change(change),
      },
      machine: this.machine,
      region: "global",
      selfId: "a",
      ownStats: () => ({ lastContactMs: 0, lastIndex: 10n, lastTerm: 3n }),
      pool: {
        call: async ({ address }) => {
          const { held } = self;
          if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
          const id = String.fromCharCode(96 + (address.ip[3] ?? 0));
          if (self.deaf.has(id)) throw new Error("no answer");
          return encodeRaftStats({ lastContactMs: 5, lastIndex: 10n, lastTerm: 3n });
        },
      },
      clock: this.clock,
      log: silent,
      directory: new Directory({
        members: () => [...self.members].map(([id, status]) => memberOf(id, status)),
        self: { name: "a.global", id: "a", region: "global" },
      }),
      initial: { ...AUTOPILOT_DEFAULTS, ...initial },
      established: () => {
        self.established += 1;
      },
    });
  }

  async lead(): Promise<void> {
    this.duties.start();
    await settle();
  }

  ids(suffrage: RaftServer["suffrage"]): string {
    return this.servers.flatMap((one) => (one.suffrage === suffrage ? [one.id] : [])).join("");
  }

  #change(change: ConfigurationChange): number {
    this.servers = this.servers.filter((one) => one.id !== change.id);
    if (change.kind === "add-voter" || change.kind === "add-nonvoter") {
      const suffrage = change.kind === "add-voter" ? "voter" : "nonvoter";
      this.servers.push({ id: change.id, address: change.address, suffrage });
    }
    this.#index += 1;
    return this.#index;
  }
}

function memberOf(id: string, status: SerfMember["status"]): SerfMember {
  const tags = new Map([
    ["id", id],
    ["port", "4647"],
    ["role", "nomad"],
    ["region", "global"],
  ]);
  const versions = new Uint8Array(6);
  const where = { name: `${id}.global`, ip: ipOf(id), port: 4648 };
  return { ...where, tags, status, statusLTime: 1n, versions, goneAt: undefined };
}

test("a new leader writes the settings that it was configured with, once, then is established", async () => {
  const group = new Group("abc", { MaxTrailingLogs: 77n });
  await group.lead();
  expect(group.machine.autopilot?.MaxTrailingLogs).toBe(77n);
  expect(group.machine.cluster?.ClusterID).toMatch(/^[0-9a-f-]{36}$/);
  expect(group.established).toBe(1);
  const again = group.machine.autopilot;
  group.duties.stop();
  await group.lead();
  expect(group.machine.autopilot).toBe(again);
  expect(group.established).toBe(2);
});

test("who joins is let in without a vote, and votes after ten healthy seconds", async () => {
  const group = new Group("abc");
  await group.lead();
  group.members.set("d", "alive");
  await group.clock.advance(3000);
  expect(group.ids("nonvoter")).toBe("d");
  await group.clock.advance(5000);
  group.deaf.add("d");
  await group.clock.advance(4000);
  group.deaf.delete("d");
  await group.clock.advance(8000);
  expect(group.ids("nonvoter")).toBe("d");
  await group.clock.advance(6000);
  expect(group.ids("voter")).toBe("abcd");
});

test("who left goes at once, who failed goes while a quorum is kept", async () => {
  const group = new Group("abcde");
  await group.lead();
  group.members.set("e", "left");
  await group.clock.advance(2100);
  expect(group.ids("voter")).toBe("abcd");
  group.members.set("d", "failed");
  await group.clock.advance(2100);
  expect(group.ids("voter")).toBe("abc");
  // Two of three: the one that is left could decide nothing.
  group.members.set("b", "failed");
  group.members.set("c", "failed");
  await group.clock.advance(10_000);
  expect(group.ids("voter")).toBe("abc");
});

test("min_quorum and cleanup_dead_servers keep failed servers", async () => {
  for (const settings of [{ MinQuorum: 3 }, { CleanupDeadServers: false }]) {
    const group = new Group("abc", settings);
    await group.lead();
    group.members.set("c", "failed");
    await group.clock.advance(120_000);
    expect(group.ids("voter")).toBe("abc");
  }
});

test("whom gossip does not know is waited for, then goes", async () => {
  const group = new Group("abc");
  group.members.delete("c");
  await group.lead();
  await group.clock.advance(58_000);
  expect(group.ids("voter")).toBe("abc");
  await group.clock.advance(6000);
  expect(group.ids("voter")).toBe("ab");
});

test("whom gossip hears of in time stays", async () => {
  const group = new Group("abc");
  group.members.delete("c");
  await group.lead();
  await group.clock.advance(50_000);
  group.members.set("c", "alive");
  await group.clock.advance(100_000);
  expect(group.ids("voter")).toBe("abc");
});

test("leadership that is lost and won within one round has its duties done all the same", async () => {
  const group = new Group("abc");
  group.held = [];
  await group.lead();
  const { held } = group;
  expect(held).toHaveLength(2);
  group.duties.stop();
  await group.lead();
  group.held = undefined;
  for (const answer of held) answer();
  group.members.set("d", "alive");
  await group.clock.advance(2100);
  expect(group.ids("nonvoter")).toBe("d");
  await group.clock.advance(14_000);
  expect(group.ids("voter")).toBe("abcd");
});

test("lost within a round and not won again, nothing more is done", async () => {
  const group = new Group("abc");
  group.held = [];
  await group.lead();
  const { held } = group;
  group.duties.stop();
  await group.lead();
  group.duties.stop();
  group.held = undefined;
  group.members.set("d", "alive");
  for (const answer of held) answer();
  await group.clock.advance(20_000);
  expect(group.servers).toHaveLength(3);
});
