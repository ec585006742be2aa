/** What a leader does for its group, with a group that is played: who is let in, who votes, who goes. */
import { expect, test } from "bun:test";
import { Directory } from "../../src/agent/directory.ts";
import { LeaderDuties } from "../../src/agent/leader-duties.ts";
import type { ConfigurationChange } from "../../src/protocol/raft/configurations.ts";
import type { RaftServer } from "../../src/protocol/raft/message.ts";
import type { SerfMember } from "../../src/protocol/serf/message.ts";
import { RpcRemoteError } from "../../src/service/rpc/call.ts";
import { AUTOPILOT_DEFAULTS, type AutopilotConfig, MessageType } from "../../src/state/command.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { encodeSelf, GROUP_SELF } from "../../src/wire/rpc-group.ts";
import { encodeRaftStats } from "../../src/wire/rpc-status.ts";
import { ManualClock, settle } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";

const STRANGER = "a server that does not know our methods";
const ipOf = (id: string): Uint8Array => Uint8Array.of(127, 0, 0, id.charCodeAt(0) - 96);
const addressOf = (id: string): string => `${ipOf(id).join(".")}:4647`;

class Group {
  readonly clock = new ManualClock();
  readonly machine = new StateMachine();
  readonly members = new Map<string, SerfMember["status"]>();
  /** They do not answer. */
  readonly deaf = new Set<string>();
  /** While this is a list, who is asked for its figures has not answered yet. */
  held: (() => void)[] | undefined;
  /** Node ids of servers that stand where another one was. */
  readonly standIns = new Map<string, string>();
  /** They ask to be let go. */
  readonly leaving = new Set<string>();
  readonly changes: string[] = [];
  /** Members that gossip tells of besides: anybody with its key can. */
  readonly more: SerfMember[] = [];
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
      self: { id: "a", address: addressOf("a") },
      mixes: false,
      ownStats: () => ({ lastContactMs: 0, lastIndex: 10n, lastTerm: 3n }),
      pool: {
        call: async ({ address }, method) => {
          const { held } = self;
          if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
          const at = String.fromCharCode(96 + (address.ip[3] ?? 0));
          if (self.deaf.has(at)) throw new Error("no answer");
          if (method !== GROUP_SELF) {
            return encodeRaftStats({ lastContactMs: 5, lastIndex: 10n, lastTerm: 3n });
          }
          const ID = self.standIns.get(at) ?? at;
          if (ID === STRANGER) throw new RpcRemoteError("rpc: can't find service Group.Self");
          return encodeSelf({ ID, Address: addressOf(at), Leaving: self.leaving.has(ID) });
        },
        forgive: () => undefined,
      },
      clock: this.clock,
      log: silent,
      directory: new Directory({
        members: () => [
          ...[...self.members].map(([id, status]) => memberOf(id, status)),
          ...self.more,
        ],
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
    this.changes.push(`${change.kind} ${change.id}`);
    this.servers = this.servers.filter((one) => one.id !== change.id);
    if (change.kind === "add-voter" || change.kind === "add-nonvoter") {
      const suffrage = change.kind === "add-voter" ? "voter" : "nonvoter";
      this.servers.push({ id: change.id, address: change.address, suffrage });
    }
    this.#index += 1;
    return this.#index;
  }
}

function memberOf(id: string, status: SerfMember["status"], name = id, at = id): SerfMember {
  const tags = new Map([
    ["id", id],
    ["port", "4647"],
    ["role", "nomad"],
    ["region", "global"],
    ["impl", "nomad-encrypted"],
  ]);
  const versions = new Uint8Array(6);
  const where = { name: `${name}.global`, ip: ipOf(at), port: 4648 };
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

test("a server of a release that would lose what the group has stays outside", async () => {
  const group = new Group("abc");
  await group.lead();
  group.machine.apply(11, Uint8Array.of(MessageType.namespaceUpsert, 0x80));
  expect(group.machine.format).toBe(2);
  group.members.set("d", "alive"); // It says nothing of formats: it reads the first.
  const e = memberOf("e", "alive");
  group.more.push({ ...e, tags: new Map([...e.tags, ["state_format", "2"]]) });
  await group.clock.advance(5000);
  expect(group.ids("nonvoter")).toBe("e");
});

/** Its process is gone, and gossip says how. */
function gone(group: Group, id: string, status: "left" | "failed"): void {
  group.deaf.add(id);
  group.members.set(id, status);
}

test("who left or failed goes, one at a time, while a quorum is kept", async () => {
  const group = new Group("abcde");
  await group.lead();
  gone(group, "e", "left");
  await group.clock.advance(4100);
  expect(group.ids("voter")).toBe("abcd");
  // Ten seconds of quiet between one voter and the next.
  gone(group, "d", "failed");
  await group.clock.advance(6000);
  expect(group.ids("voter")).toBe("abcd");
  await group.clock.advance(6000);
  expect(group.ids("voter")).toBe("abc");
  // Two of three: the one that is left could decide nothing.
  gone(group, "b", "failed");
  gone(group, "c", "left");
  await group.clock.advance(100_000);
  expect(group.ids("voter")).toBe("abc");
});

test("a server that answers stays, whatever gossip says about it", async () => {
  for (const status of ["left", "failed"] as const) {
    const group = new Group("abc");
    await group.lead();
    group.members.set("b", status);
    group.members.set("c", status);
    await group.clock.advance(200_000);
    expect(group.ids("voter")).toBe("abc");
    expect(group.changes).toEqual([]);
  }
});

test("gossip without a word of a server that answers does not take it out, either", async () => {
  const group = new Group("abc");
  group.members.delete("c");
  await group.lead();
  await group.clock.advance(200_000);
  expect(group.changes).toEqual([]);
});

test("a renamed server on the same data_dir: nothing changes in the group", async () => {
  const group = new Group("abc");
  await group.lead();
  group.members.set("c", "left");
  group.more.push(memberOf("c", "alive", "new-name"));
  await group.clock.advance(60_000);
  expect(group.changes).toEqual([]);
  expect(group.duties.health().map((one) => one.name)).toContain("new-name.global");
});

test("a made-up member at the leader's address, or with its id, changes nothing", async () => {
  const group = new Group("abc");
  await group.lead();
  group.more.push(memberOf("z", "alive", "fake", "a"), memberOf("a", "alive", "fake2", "x"));
  group.more.push(memberOf("y", "alive", "fake3", "b"), memberOf("w", "alive", "fake4", "w"));
  group.deaf.add("w");
  group.standIns.set("v", STRANGER);
  group.more.push(memberOf("v", "alive", "no-kin"));
  await group.clock.advance(60_000);
  expect(group.changes).toEqual([]);
});

test("among members that somebody has made up, a true one has its turn", async () => {
  const group = new Group("abc");
  await group.lead();
  for (let i = 0; i < 50; i++) group.more.push(memberOf("w", "alive", `fake${i}`, "w"));
  group.deaf.add("w");
  group.more.push(memberOf("n", "alive"));
  for (let i = 0; i < 50; i++) group.more.push(memberOf("w", "alive", `more${i}`, "w"));
  await group.clock.advance(40_000);
  expect(group.changes).toEqual(["add-nonvoter n", "add-voter n"]);
});

test("a copy of a data_dir elsewhere is not let in while the server is there", async () => {
  const group = new Group("abc");
  await group.lead();
  group.standIns.set("k", "c");
  group.more.push(memberOf("c", "alive", "copy", "k"));
  await group.clock.advance(60_000);
  expect(group.changes).toEqual([]);
  // The first one is gone for good: then the other one has moved.
  gone(group, "c", "failed");
  await group.clock.advance(4000);
  expect(group.changes).toEqual(["remove c", "add-nonvoter c"]);
  expect(group.servers.find((one) => one.id === "c")?.address).toBe(addressOf("k"));
});

test("another server where a voter was: the voter goes, the other one comes in", async () => {
  const group = new Group("abc");
  await group.lead();
  group.standIns.set("c", "n");
  group.members.set("c", "failed");
  group.more.push(memberOf("n", "alive", "c", "c"));
  await group.clock.advance(3000);
  expect(group.ids("voter")).toBe("ab");
  expect(group.ids("nonvoter")).toBe("n");
});

test("who asks to leave goes at once, also of two; who would take the quorum along stays", async () => {
  const group = new Group("abc");
  await group.lead();
  await expect(group.duties.leave("b")).rejects.toThrow("cannot let b go");
  group.leaving.add("b");
  expect(await group.duties.leave("b")).toBe("");
  // It is still there when gossip has not heard of it yet.
  await group.clock.advance(6000);
  expect(group.changes).toEqual(["remove b"]);
  group.leaving.add("c");
  expect(await group.duties.leave("c")).toBe("");
  expect(group.ids("voter")).toBe("a");

  const weak = new Group("abc");
  await weak.lead();
  weak.deaf.add("c");
  weak.leaving.add("b");
  expect(await weak.duties.leave("b")).toBe("1 of 2 voters answer without it");
  expect(weak.ids("voter")).toBe("abc");
  await expect(weak.duties.leave("a")).rejects.toThrow("leadership");
});

test("who has left by gossip and says so itself goes, too: the leader was not asked in time", async () => {
  const group = new Group("abc");
  await group.lead();
  group.leaving.add("b");
  group.members.set("b", "left");
  await group.clock.advance(2100);
  expect(group.changes).toEqual(["remove b"]);
});

test("a leader that has moved tells the others where it is", async () => {
  const group = new Group("a");
  group.servers = [{ id: "a", address: addressOf("z"), suffrage: "voter" }];
  await group.lead();
  expect(group.changes).toEqual(["add-voter a"]);
  expect(group.servers).toEqual([{ id: "a", address: addressOf("a"), suffrage: "voter" }]);
});

test("health tells who never answered from who does not answer any more", async () => {
  const group = new Group("abc");
  group.deaf.add("c");
  await group.lead();
  await group.clock.advance(2000);
  group.deaf.add("b");
  await group.clock.advance(10_000);
  const [a, b, c] = group.duties.health();
  expect(a).toMatchObject({ healthy: true, lastContactMs: 0 });
  expect(b).toMatchObject({ healthy: false, lastIndex: 10n });
  expect(b?.lastContactMs).toBeGreaterThan(9000);
  expect(c).toMatchObject({ healthy: false, lastContactMs: undefined });
});

test("min_quorum and cleanup_dead_servers keep failed servers", async () => {
  for (const settings of [{ MinQuorum: 3 }, { CleanupDeadServers: false }]) {
    const group = new Group("abc", settings);
    await group.lead();
    gone(group, "c", "failed");
    await group.clock.advance(120_000);
    expect(group.ids("voter")).toBe("abc");
  }
});

test("whom gossip does not know is waited for, then goes", async () => {
  const group = new Group("abc");
  group.members.delete("c");
  group.deaf.add("c");
  await group.lead();
  await group.clock.advance(58_000);
  expect(group.ids("voter")).toBe("abc");
  await group.clock.advance(6000);
  expect(group.ids("voter")).toBe("ab");
});

test("whom gossip hears of in time stays", async () => {
  const group = new Group("abc");
  group.members.delete("c");
  group.deaf.add("c");
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
