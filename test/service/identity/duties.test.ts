/** A leader looks after the keys that sign, and servers find what opens them. */
import { describe, expect, test } from "bun:test";
import { command, MessageType, restoreCommand } from "../../../src/state/command.ts";
import { nodePool, nodePoolUpsertRequest } from "../../../src/state/node-pool.ts";
import { structOf } from "../../../src/wire/codec.ts";
import { eventually, Region, TIMES } from "./region.ts";

const HOUR_MS = 3_600_000;

/** Time passes, and whatever needs more than promises comes to its end. */
async function later(region: Region, ms: number): Promise<void> {
  await region.clock.advance(ms);
  for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
}

async function led(): Promise<{ region: Region; leader: ReturnType<Region["server"]> }> {
  const region = new Region();
  const leader = region.server();
  leader.duties.lead();
  await eventually(() => leader.active !== "");
  return { region, leader };
}

describe("a leader", () => {
  test("makes a key where there is none, and no second one", async () => {
    const { region, leader } = await led();
    expect(leader.states).toEqual(["active"]);
    leader.duties.lead();
    await later(region, TIMES.intervalMs * 3);
    expect(region.log.length).toBe(1);
  });

  test("of before can be followed by whoever has asked for what opens its key", async () => {
    const { region, leader } = await led();
    const next = region.server();
    next.finder.start();
    await eventually(() => next.keystore.ids().length === 1);
    leader.answers = false;
    leader.duties.stop();
    next.duties.lead();
    await later(region, TIMES.intervalMs);
    expect(next.active).toBe(leader.active);
    expect(next.states).toEqual(["active"]);
  });

  test("that nobody tells what opens the key makes another, and the old one is still believed", async () => {
    const { region, leader } = await led();
    const before = leader.active;
    leader.answers = false;
    leader.duties.stop();
    const next = region.server();
    next.duties.lead();
    await eventually(() => next.active !== before);
    expect(next.states).toEqual(["inactive", "active"]);
    const retired = next.machine.signingKeys.get(before)?.RetiredTime ?? 0n;
    expect(Number(retired / 1_000_000n)).toBe(region.clock.wallMs());
  });

  test("whose disk was lost asks the others before it makes another", async () => {
    const { region, leader } = await led();
    const other = region.server();
    other.finder.start();
    await eventually(() => other.keystore.ids().length === 1);
    leader.duties.stop();
    const next = region.server();
    leader.answers = false;
    next.duties.lead();
    await eventually(() => next.keystore.ids().length === 1);
    expect(next.active).toBe(leader.active);
  });

  test("replaces a key that is old, by one that was known for half its life", async () => {
    const { region, leader } = await led();
    const first = leader.active;
    await later(region, TIMES.rotationMs / 2 + TIMES.intervalMs);
    expect(leader.states).toEqual(["active", "prepublished"]);
    const other = region.server();
    other.finder.start();
    await eventually(() => other.keystore.ids().length === 2);
    await later(region, TIMES.rotationMs / 2 - 2 * TIMES.intervalMs);
    expect(leader.active).toBe(first);
    await later(region, 2 * TIMES.intervalMs);
    await eventually(() => leader.states.join() === "inactive,active");
    expect(leader.active).not.toBe(first);
  });

  test("keeps a key until all that it signed is over, and then nothing of it", async () => {
    const { region, leader } = await led();
    const first = leader.active;
    await leader.duties.rotate(0);
    await later(region, 24 * HOUR_MS);
    expect(leader.states).toEqual(["inactive", "active"]);
    // Nobody signs by it any more: nothing opens it.
    expect(leader.keystore.ids()).toEqual([leader.active]);
    expect(leader.keys.sealingKey(first)).toBeUndefined();
    await later(region, TIMES.graceMs + TIMES.intervalMs);
    await eventually(() => leader.states.join() === "active");
    expect(leader.keystore.ids()).toEqual([leader.active]);
  });

  test("keeps it longer where a pool's identities live longer", async () => {
    const { region, leader } = await led();
    const nanos = BigInt(72 * HOUR_MS) * 1_000_000n;
    const pool = structOf(nodePool, { Name: "long", NodeIdentityTTL: nanos });
    const request = structOf(nodePoolUpsertRequest, { NodePools: [pool] });
    const { nodePoolUpsert } = MessageType;
    await region.apply(command(nodePoolUpsert, nodePoolUpsertRequest, request));
    await later(region, TIMES.intervalMs);
    expect(leader.machine.signingKeys.active?.LifetimeMax).toBe(nanos);
    await leader.duties.rotate(0);
    await later(region, 72 * HOUR_MS);
    expect(leader.states).toEqual(["inactive", "active"]);
  });

  test("is told by an operator to replace it, at once or later", async () => {
    const { region, leader } = await led();
    const at = region.clock.wallMs() + HOUR_MS;
    const later1 = await leader.duties.rotate(at);
    expect(later1.State).toBe("prepublished");
    await later(region, HOUR_MS - 2);
    expect(leader.active).not.toBe(later1.KeyID);
    await later(region, 4);
    await eventually(() => leader.active === later1.KeyID);
    const now = await leader.duties.rotate(0);
    expect(leader.active).toBe(now.KeyID);
  });

  test("that cannot write for days makes one key only, and says why once", async () => {
    const region = new Region();
    const leader = region.server();
    region.broken = "server s2 runs a release that cannot keep this yet";
    leader.duties.lead();
    await later(region, 48 * HOUR_MS);
    expect(leader.keystore.ids()).toHaveLength(1);
    expect(leader.lines.filter((one) => one.includes("cannot look after"))).toHaveLength(1);
    region.broken = "";
    await later(region, TIMES.intervalMs);
    await eventually(() => leader.active !== "");
    expect(leader.keystore.ids()).toEqual([leader.active]);
    const { CreateTime = 0n } = leader.machine.signingKeys.active ?? {};
    expect(region.clock.wallMs() - Number(CreateTime / 1_000_000n)).toBeLessThan(HOUR_MS);
  });

  test("notes since when an archive's key does not sign, and keeps it for what it has signed", async () => {
    const { region, leader } = await led();
    const archive = await led();
    const old = archive.leader.active;
    await region.apply(restoreCommand(archive.leader.machine.snapshot()));
    expect(leader.states.toSorted()).toEqual(["active", "inactive"]);
    leader.duties.lead();
    await later(region, 1);
    const retired = leader.machine.signingKeys.get(old)?.RetiredTime ?? 0n;
    expect(region.clock.wallMs() - Number(retired / 1_000_000n)).toBeLessThan(HOUR_MS);
    await later(region, 24 * HOUR_MS);
    expect(leader.machine.signingKeys.get(old)).toBeDefined();
    await later(region, 2 * HOUR_MS);
    expect(leader.machine.signingKeys.get(old)).toBeUndefined();
  });

  test("that cannot write tries again, and stops when it does not lead", async () => {
    const region = new Region();
    const leader = region.server();
    region.broken = "no quorum";
    leader.duties.lead();
    await later(region, 1);
    expect(leader.active).toBe("");
    region.broken = "";
    await later(region, 6000);
    await eventually(() => leader.active !== "");
    leader.duties.stop();
    expect(region.clock.timers).toBe(0);
  });
});

describe("a server that cannot open the key", () => {
  test("asks again, less and less often, until somebody can tell", async () => {
    const { region, leader } = await led();
    leader.answers = false;
    const server = region.server();
    server.finder.start();
    await later(region, HOUR_MS);
    expect(leader.asked).toBeGreaterThan(8);
    expect(leader.asked).toBeLessThan(25);
    leader.answers = true;
    server.finder.wake();
    await eventually(() => server.keystore.ids().length === 1);
    const { asked } = leader;
    await later(region, HOUR_MS);
    expect(leader.asked).toBe(asked);
    server.finder.stop();
  });

  test("does not wait for one that stands still where another knows", async () => {
    const { region, leader } = await led();
    const frozen = region.server();
    frozen.stands = true;
    const server = region.server();
    expect(await server.finder.find(leader.active)).toBe(true);
  });

  test("believes nobody whose answer does not open it", async () => {
    const { region, leader } = await led();
    const liar = region.server();
    liar.keystore.save(leader.active, new Uint8Array(32).fill(9));
    leader.answers = false;
    const server = region.server();
    expect(await server.finder.find(leader.active)).toBe(false);
    expect(server.keystore.ids()).toEqual([]);
    leader.answers = true;
    expect(await server.finder.find(leader.active)).toBe(true);
  });

  test("forgets what opens a key that was replaced", async () => {
    const { leader, region } = await led();
    const server = region.server();
    server.finder.start();
    await eventually(() => server.keys.has(leader.active));
    const first = leader.active;
    await leader.duties.rotate(0);
    expect(server.keystore.ids()).not.toContain(first);
  });

  test("learns of one that is made while it asks for another", async () => {
    const { region, leader } = await led();
    const server = region.server();
    server.finder.start();
    await leader.duties.rotate(0);
    await eventually(() => server.keys.has(leader.active));
    expect(server.keystore.ids()).toEqual([leader.active]);
  });
});
