/** One Raft group of our servers and the real hashicorp/raft, over TLS: two of ours, then two of theirs. */

import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { packArchive, unpackArchive } from "../../src/service/methods/snapshot-archive.ts";
import { NET } from "../addresses.ts";
import { Lab, until } from "../cluster/agents.ts";
import { makeCa, serverTls, type TestCa } from "../cluster/certificates.ts";
import { loadIdentity } from "../cluster/rpc-pool.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";
import { RaftNode } from "./raft-node.ts";

setDefaultTimeout(90_000);

const lab = new Lab();
let ca: TestCa;
let program = "";
let round = 0;
const ours: RaftNode[] = [];
const theirs: Peer[] = [];

beforeAll(async () => {
  if (!mustRun) return;
  ca = await makeCa(lab.directory, "ca");
  await serverTls(ca);
  program = buildPeer("raft-peer", ".", "raft-peer");
});

afterEach(async () => {
  for (const node of ours.splice(0)) node.kill();
  for (const peer of theirs.splice(0)) await peer[Symbol.asyncDispose]();
});

afterAll(() => lab[Symbol.asyncDispose]());

const pair = (): string => `${ca.directory}/global-server-nomad`;
/** A fresh address for each member of each test. */
const ipOf = (index: number): string => `${NET}.79.${round * 10 + index}`;
const addressOf = (index: number): string => `${ipOf(index)}:4647`;

async function startOurs(index: number, more: Record<string, unknown> = {}): Promise<RaftNode> {
  const directory = lab.path(`raft-${round}-${index}`);
  mkdirSync(directory, { recursive: true });
  const node = await RaftNode.start({
    self: { id: `id-${index}`, address: addressOf(index) },
    bind: { ip: Uint8Array.from(ipOf(index).split(".").map(Number)), port: 4647 },
    identity: loadIdentity(ca.caFile, `${pair()}.pem`, `${pair()}-key.pem`),
    directory,
    ...more,
  });
  ours.push(node);
  return node;
}

async function startTheirs(index: number, ...more: string[]): Promise<Peer> {
  const tls = [`-ca=${ca.caFile}`, `-cert=${pair()}.pem`, `-key=${pair()}-key.pem`];
  const args = [`-id=id-${index}`, `-bind=${addressOf(index)}`, ...tls, ...more];
  const peer = await Peer.start(program, args);
  theirs.push(peer);
  return peer;
}

/** Every member writes the same first configuration, as Nomad's servers do. */
async function bootstrap(count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  const servers = ids.map((i) => {
    return { id: `id-${i}`, address: addressOf(i), suffrage: "voter" } as const;
  });
  for (const node of ours) expect(node.consensus.bootstrap({ servers })).toBeUndefined();
  const words = ids.map((i) => `id-${i} ${addressOf(i)}`).join(" ");
  for (const peer of theirs) expect(await peer.ask(`bootstrap ${words}`)).toEqual({ done: true });
}

/** The id of the leader that every living member names. */
async function leader(): Promise<string> {
  return until("all agree on a leader", async () => {
    const said = ours.map((node) => node.consensus.leader?.id);
    for (const peer of theirs) said.push((await peer.ask("state")).leaderId);
    return said.every((one) => one === said[0] && one !== "") && said[0];
  });
}

async function write(count: number): Promise<void> {
  const node = ours.find((one) => one.consensus.role === "leader");
  if (node === undefined) {
    const states = await Promise.all(theirs.map((peer) => peer.ask("state")));
    const at = states.findIndex((one) => one.role === "Leader");
    expect(await theirs[at]?.ask(`apply ${count}`)).toHaveProperty("seconds");
    return;
  }
  for (let done = 0; done < count; ) {
    const some = Math.min(64, count - done);
    const writes = Array.from({ length: some }, (_, i) => {
      const data = new Uint8Array(256);
      new TextEncoder().encodeInto(`ours ${done + i}`, data);
      return node.consensus.apply(data);
    });
    await Promise.all(writes);
    done += some;
  }
}

/** Every state machine has the same commands in the same order. */
async function same(count: number): Promise<void> {
  let seen: unknown[] = [];
  await until(
    `${count} commands everywhere`,
    async () => {
      seen = ours.map(({ machine }) => `${machine.count} ${machine.hash}`);
      for (const peer of theirs) {
        const { count: one, hash } = await peer.ask("state");
        seen.push(`${one} ${hash}`);
      }
      return seen.every((one) => one === seen[0]) && String(seen[0]).startsWith(`${count} `);
    },
    30_000,
  ).catch((error: unknown) => {
    throw new Error(
      `${String(error)}: ${seen.join(", ")} ${ours.map((n) => n.consensus.broken)} ${JSON.stringify(ours.map((n) => n.consensus.stats()))}`,
    );
  });
}

describe.if(mustRun)("two of ours and one of Go's", () => {
  test("10,000 writes, leaders of both kinds in turn, and all machines equal", async () => {
    round = 1;
    await startOurs(1);
    await startOurs(2);
    const go = await startTheirs(3);
    await bootstrap(3);
    let written = 0;
    const kinds = new Set<string>();
    for (let turn = 0; turn < 8 && (written < 10_000 || kinds.size < 2); turn++) {
      const id = await leader();
      kinds.add(id === "id-3" ? "go" : "ours");
      await write(2500);
      written += 2500;
      await same(written);
      if (id === "id-3") await go.ask("transfer");
      else {
        // To the one whose turn it is: Go's when one of ours led.
        const node = ours.find((one) => one.consensus.role === "leader");
        node?.consensus.transfer(kinds.has("go") ? undefined : "id-3");
      }
      await until("another one leads", async () => (await leader()) !== id);
    }
    expect([...kinds].sort()).toEqual(["go", "ours"]);
    expect(written).toBeGreaterThanOrEqual(10_000);
  });

  test("the leader is killed: the others elect another; what was written stays", async () => {
    round = 2;
    await startOurs(1);
    await startOurs(2);
    await startTheirs(3);
    await bootstrap(3);
    const id = await leader();
    await write(500);
    await same(500);
    if (id === "id-3") {
      await theirs.splice(0)[0]?.[Symbol.asyncDispose]();
    } else {
      const at = ours.findIndex((node) => node.self.id === id);
      ours.splice(at, 1)[0]?.kill();
    }
    const next = await until("another one leads", async () => {
      const now = await leader();
      return now !== id && now;
    });
    expect(next).not.toBe(id);
    await write(500);
    await same(1000);
    // One of ours comes back from its disk, and catches up.
    if (id !== "id-3") {
      await startOurs(Number(id.slice(3)));
      await same(1000);
    }
  });
});

describe.if(mustRun)("a leader that is cut off", () => {
  /** Written where a leader of the majority is; whoever is cut off is not asked. */
  async function writeAmong(nodes: readonly RaftNode[], count: number): Promise<void> {
    const node = await until("one of these leads", () => {
      return nodes.find((one) => one.consensus.role === "leader");
    });
    for (let i = 0; i < count; i++) await node.consensus.apply(new Uint8Array(256).fill(i));
  }

  /** Has this one lead, whoever does now. */
  async function make(id: string): Promise<void> {
    await until(`${id} leads`, async () => {
      const now = await leader();
      if (now === id) return true;
      ours.find((one) => one.self.id === now)?.consensus.transfer(id);
      if (now === "id-3") await theirs[0]?.ask("transfer");
      return false;
    });
  }

  test("ours: it steps down, the others go on, and it follows when it is back", async () => {
    round = 5;
    await startOurs(1);
    const other = await startOurs(2);
    const go = await startTheirs(3);
    await bootstrap(3);
    await make("id-1");
    await write(200);
    const cutOff = ours[0];
    if (cutOff === undefined) throw new Error("no node");
    cutOff.partition();
    // What it takes now it cannot keep.
    const lost = cutOff.consensus.apply(new Uint8Array(8)).catch((error: Error) => error.message);
    expect(await lost).toBe("leadership lost while committing log");
    await until("another one leads", async () => {
      const state = await go.ask("state");
      return state.leaderId !== "id-1" && state.leaderId !== "" && state.leaderId;
    });
    if (other.consensus.role === "leader") await writeAmong([other], 100);
    else expect(await go.ask("apply 100")).toHaveProperty("seconds");
    expect(cutOff.machine.count).toBe(200);
    cutOff.heal();
    await same(300);
    expect(await leader()).not.toBe("");
  });

  test("Go's: ours elect one of theirs, and Go follows when it is back", async () => {
    round = 6;
    await startOurs(1);
    await startOurs(2);
    const go = await startTheirs(3);
    await bootstrap(3);
    await make("id-3");
    expect(await go.ask("apply 200")).toHaveProperty("seconds");
    go.pause();
    await writeAmong(ours, 100);
    go.resume();
    await same(300);
    expect(["id-1", "id-2"]).toContain(await leader());
  });
});

describe.if(mustRun)("one of ours and two of Go's", () => {
  test("Go leads, snapshots, and brings us up to date by its snapshot", async () => {
    round = 3;
    const go = await startTheirs(1, "-trailing=10");
    await startTheirs(2, "-trailing=10");
    expect(await go.ask(`bootstrap id-1 ${addressOf(1)}`)).toEqual({ done: true });
    await until("Go leads", async () => (await go.ask("state")).role === "Leader");
    expect(await go.ask(`voter id-2 ${addressOf(2)}`)).toEqual({ done: true });
    expect(await go.ask("apply 1000")).toHaveProperty("seconds");
    expect(await go.ask("snapshot")).toEqual({ done: true });
    expect(await go.ask("apply 50")).toHaveProperty("seconds");
    const node = await startOurs(3);
    expect(await go.ask(`nonvoter id-3 ${addressOf(3)}`)).toEqual({ done: true });
    await same(1050);
    expect(node.consensus.servers.find((one) => one.id === "id-3")?.suffrage).toBe("nonvoter");
    expect(await go.ask(`voter id-3 ${addressOf(3)}`)).toEqual({ done: true });
    await until("we vote", () => node.consensus.servers.every((one) => one.suffrage === "voter"));
    // Go's first one goes: whoever leads then has our vote, or is us.
    await theirs.shift()?.[Symbol.asyncDispose]();
    await until("a new leader", async () => (await leader()) !== "id-1");
    await write(100);
    await same(1150);
  });

  test("we lead, snapshot, and bring Go up to date by ours; members changed from here", async () => {
    round = 4;
    const node = await startOurs(1, { snapshotThreshold: 500, trailingEntries: 10 });
    expect(
      node.consensus.bootstrap({
        servers: [{ id: "id-1", address: addressOf(1), suffrage: "voter" }],
      }),
    ).toBeUndefined();
    await until("we lead", () => node.consensus.role === "leader");
    await write(1200);
    const go = await startTheirs(2);
    await node.consensus.change({ kind: "add-nonvoter", id: "id-2", address: addressOf(2) });
    await same(1200);
    await node.consensus.change({ kind: "add-voter", id: "id-2", address: addressOf(2) });
    await startTheirs(3);
    await node.consensus.change({ kind: "add-voter", id: "id-3", address: addressOf(3) });
    await write(300);
    await same(1500);
    expect(await node.consensus.verify()).toBeGreaterThanOrEqual(1500);
    await node.consensus.change({ kind: "remove", id: "id-3" });
    await until("Go knows", async () => (await go.ask("state")).leaderId === "id-1");
    node.consensus.transfer("id-2");
    await until("Go leads", async () => (await go.ask("state")).role === "Leader");
    expect(await go.ask("apply 100")).toHaveProperty("seconds");
    await until("we have it", () => node.machine.count === 1600);
    await expect(node.consensus.apply(new Uint8Array(1))).rejects.toThrow("not the leader");
  });
});

describe.if(mustRun)("ours and Go's as in production: each a kind of its own", () => {
  test("a leader of Go's takes in one of ours in vain, and ours sends Go's nothing", async () => {
    round = 7;
    const go = await startTheirs(1);
    const node = await startOurs(2, { greets: true });
    expect(await go.ask(`bootstrap id-1 ${addressOf(1)}`)).toEqual({ done: true });
    await until("Go leads", async () => (await go.ask("state")).role === "Leader");
    expect(await go.ask(`nonvoter id-2 ${addressOf(2)}`)).toEqual({ done: true });
    expect(await go.ask("apply 100")).toHaveProperty("seconds");
    await until("Go was turned away, for heartbeats and for entries", () => node.turnedAway > 5);
    expect(node.consensus.stats()).toMatchObject({ term: 0, lastIndex: 0 });
    expect(node.consensus.servers).toEqual([]);

    const servers = [{ id: "id-2", address: addressOf(2), suffrage: "voter" }] as const;
    expect(node.consensus.bootstrap({ servers })).toBeUndefined();
    await until("we lead ourselves", () => node.consensus.role === "leader");
    const fresh = await startTheirs(3);
    await node.consensus.change({ kind: "add-nonvoter", id: "id-3", address: addressOf(3) });
    await node.consensus.apply(new Uint8Array(256));
    const { dialled } = node;
    await until("Go has hung up on us again and again", () => node.dialled > dialled + 5);
    expect(await fresh.ask("state")).toMatchObject({ count: 0, term: 0, leaderId: "" });
    // Two of ours are one group, greeted.
    const other = await startOurs(4, { greets: true });
    await node.consensus.change({ kind: "add-voter", id: "id-4", address: addressOf(4) });
    await until("it has all", () => other.machine.count === node.machine.count);
  });
});

describe.if(mustRun)("snapshot archives and Go", () => {
  const STATE = new TextEncoder().encode("the state of the servers");

  test("Go's tar, gzip and hashicorp/raft's SnapshotMeta read ours", async () => {
    round += 1;
    const peer = await startTheirs(1);
    const servers = [{ id: "a", address: "127.0.0.1:4647", suffrage: "nonvoter" }] as const;
    const meta = { index: 22, term: 3, configuration: { servers }, configurationIndex: 5 };
    const path = lab.path("ours.snap");
    writeFileSync(path, await packArchive(meta, STATE, 1764061386000));
    const read = await peer.ask(`archive-read ${path}`);
    expect(read).toMatchObject({ files: 3, sums: 2, state: STATE.toHex() });
    expect(read.meta).toMatchObject({
      ...{ Version: 1, ID: "3-22-1764061386000", Index: 22, Term: 3, ConfigurationIndex: 5 },
      ...{ Size: STATE.length, Peers: "kA==" },
      Configuration: { Servers: [{ Suffrage: 1, ID: "a", Address: "127.0.0.1:4647" }] },
    });
  });

  test("and ours read Go's", async () => {
    round += 1;
    const peer = await startTheirs(1);
    const path = lab.path("theirs.snap");
    expect(await peer.ask(`archive-write ${path} ${STATE.toHex()}`)).toEqual({ done: true });
    const { meta, state } = await unpackArchive(new Uint8Array(readFileSync(path)));
    expect(meta).toMatchObject({ id: "3-21-1764061386000", index: 21, term: 3 });
    expect(state).toEqual(STATE);
  });
});
