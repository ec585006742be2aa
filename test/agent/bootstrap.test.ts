/** The first configuration of a group, with other servers that are played. */
import { expect, test } from "bun:test";
import { Bootstrap } from "../../src/agent/bootstrap.ts";
import type { KnownServer } from "../../src/agent/directory.ts";
import type { Configuration } from "../../src/protocol/raft/message.ts";
import { encodeTexts } from "../../src/wire/rpc-status.ts";
import { ManualClock, settle } from "../service/manual-clock.ts";
import { silent } from "../silent.ts";

function known(id: string): KnownServer {
  const address = { ip: Uint8Array.of(127, 0, 0, id.charCodeAt(0) - 96), port: 4647 };
  return {
    ...{ id, name: `${id}.global`, region: "global", datacenter: "dc1", build: "2.0.5" },
    ...{ status: "alive", address, clientAddress: address, raftAddress: `${address.ip[3]}:4647` },
    ...{
      expect: "3",
      alone: false,
      mayVote: true,
      isOurKind: true,
      stateFormat: 1,
      gossipAddress: "",
    },
  };
}

const FOUNDERS = ["a", "b", "c"].map(known);

async function bootstrapOf(
  answers: (() => Uint8Array)[],
  servers: readonly KnownServer[] = FOUNDERS,
) {
  const clock = new ManualClock();
  const written: Configuration[] = [];
  const bootstrap = new Bootstrap({
    self: { id: "a", address: "1:4647" },
    expect: 3,
    consensus: {
      servers: [],
      bootstrap: (configuration) => {
        written.push(configuration);
        return undefined;
      },
    },
    pool: { call: async () => (answers.shift() ?? (() => encodeTexts([])))() },
    directory: { ownAlive: () => servers },
    clock,
    log: silent,
  });
  await bootstrap.look();
  await settle();
  return { bootstrap, clock, written };
}

test("when all say that they have no group, each writes the same first configuration", async () => {
  const { written } = await bootstrapOf([]);
  expect(written.map((one) => one.servers.map(({ id }) => id))).toEqual([["a", "b", "c"]]);
});

test("who expects nothing founds nothing, and is in nobody's way", async () => {
  const later = { ...known("d"), expect: "" };
  const { written } = await bootstrapOf([], [later, ...FOUNDERS]);
  expect(written.map((one) => one.servers.map(({ id }) => id))).toEqual([["a", "b", "c"]]);
  expect((await bootstrapOf([], [later, ...FOUNDERS.slice(1)])).written).toEqual([]);
  // It may have a group already, and then there is one.
  const asked = [() => encodeTexts([]), () => encodeTexts([]), () => encodeTexts(["9:4647"])];
  expect((await bootstrapOf(asked, [...FOUNDERS, later])).written).toEqual([]);
});

test("with another number there is no group", async () => {
  for (const other of [{ expect: "5" }, { expect: "1", alone: true }]) {
    const servers = [...FOUNDERS, { ...known("d"), ...other }];
    expect((await bootstrapOf([], servers)).written).toEqual([]);
  }
});

test("a server that does not say is asked again, whatever came instead", async () => {
  const refused = (): never => {
    throw new Error("connection refused");
  };
  for (const bad of [refused, () => Uint8Array.of(0xc1), () => new Uint8Array(0)]) {
    const { written, clock } = await bootstrapOf([bad, bad]);
    expect(written).toEqual([]);
    await clock.advance(1000);
    expect(written).toEqual([]);
    await clock.advance(1000);
    expect(written).toHaveLength(1);
  }
});

test("an existing group makes no new one; stopped, it asks nobody any more", async () => {
  const found = await bootstrapOf([() => encodeTexts(["9:4647"])]);
  await found.clock.advance(10_000);
  expect(found.written).toEqual([]);
  const stopped = await bootstrapOf([() => Uint8Array.of(0xc1)]);
  stopped.bootstrap.stop();
  await stopped.clock.advance(10_000);
  expect(stopped.written).toEqual([]);
});
