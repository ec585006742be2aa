import { describe, expect, test } from "bun:test";
import { sha256 } from "../../src/host/digest.ts";
import { createPrng } from "../../src/protocol/prng.ts";
import {
  type Coordinate,
  Coordinates,
  distanceSeconds,
  ORIGIN,
} from "../../src/protocol/serf/coordinate.ts";
import { KnownMembersWriter, readKnownMembers } from "../../src/protocol/serf/known-members.ts";
import { LamportClock } from "../../src/protocol/serf/lamport.ts";
import { type GossipKey, isKeyFault, makeKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { hex, type Json, vectors } from "../vectors.ts";

const misc = vectors("gossip/gossip-misc.json");

test("the Lamport clock moves as the real one does", () => {
  const clock = new LamportClock(); // Ours is born after the increment of the start.
  for (const { op, value, time } of misc.lamport.slice(2)) {
    if (op === "witness") clock.witness(BigInt(value));
    else if (op === "increment") clock.increment();
    expect(clock.time()).toBe(BigInt(time));
  }
});

test("the keyring follows the real one, step by step", () => {
  const key = (name: string): GossipKey => {
    const made = makeKey(hex(misc.keys[name]), sha256);
    if (isKeyFault(made)) throw new Error(name);
    return made;
  };
  let ring = new Keyring([]);
  for (const step of misc.keyring) {
    let error: string | undefined;
    if (step.op === "new") {
      // Keys without a primary cannot be made here: the first is the primary.
      if (step.error) continue;
      ring = new Keyring([step.primary, ...step.keys].filter((name) => name !== "").map(key));
    } else if (step.op === "add") {
      if (step.key === "20 bytes") {
        expect(makeKey(new Uint8Array(20), sha256)).toEqual({ kind: "bad-length", bytes: 20 });
      } else ring.add(key(step.key));
    } else if (step.op === "use") error = ring.use(key(step.key));
    else error = ring.remove(key(step.key));
    if (step.key !== "20 bytes") expect(error ?? "").toBe(step.error ?? "");
    const names = Object.keys(misc.keys);
    const held = ring.keys.map((one) =>
      names.find((name) => misc.keys[name] === one.bytes.toHex()),
    );
    expect(held as string[]).toEqual(step.ring);
  }
});

describe("the file of known members, Serf's snapshot", () => {
  for (const one of misc.snapshots) {
    if (one.alive === undefined) continue;
    test(`${one.name}: ${one.note}`, () => {
      const read = readKnownMembers(one.text, one.rejoinAfterLeave);
      expect([...read.alive].map(([name, address]) => `${name} = ${address}`)).toEqual(one.alive);
      expect([read.clock, read.eventClock, read.queryClock].map(Number)).toEqual([
        one.clock,
        one.eventClock,
        one.queryClock,
      ]);
    });
  }

  test("written as Serf writes it", () => {
    const wanted = misc.snapshots.find((one: Json) => one.name === "written").text;
    const member = (name: string) => ({ name, ip: hex("0a000001"), port: 4648 });
    const rest = {
      tags: new Map(),
      status: "alive",
      statusLTime: 0n,
      versions: hex("010502020504"),
      goneAt: undefined,
    } as const;
    const empty = { alive: new Map(), clock: 0n, eventClock: 0n, queryClock: 0n };
    const writer = new KnownMembersWriter(empty);
    const user = (lTime: bigint) =>
      ({ kind: "user", lTime, name: "e", payload: new Uint8Array(), coalesce: false }) as const;
    const [a, b] = [
      { ...member("a.global"), ...rest },
      { ...member("b.global"), ...rest },
    ];
    const query = {
      kind: "query",
      lTime: 8n,
      id: 1,
      name: "q",
      payload: new Uint8Array(),
      sourceNode: "x",
    } as const;
    const clock = 11n;
    // One event of two members: its clock line comes after both.
    const lines = [
      writer.event({ kind: "member-join", member: a }, "10.0.0.1:4648", 1n),
      writer.event({ kind: "member-join", member: b }, "[fd00::2]:4648", clock),
      writer.event(user(5n), "", clock),
      writer.event(user(4n), "", clock),
      writer.event(query, "", clock),
      writer.event({ kind: "member-failed", member: b }, "", clock),
      writer.event({ kind: "member-update", member: a }, "", clock),
      writer.event({ kind: "member-reap", member: b }, "", clock),
    ];
    expect(lines.join("")).toBe(wanted);
    expect(writer.compacted()).toBe(
      "alive: a.global 10.0.0.1:4648\nclock: 10\nevent-clock: 5\nquery-clock: 8\n",
    );
    expect([writer.leave(), writer.event({ kind: "member-join", member: a }, "x", 99n)]).toEqual([
      "leave\n",
      "",
    ]);
  });
});

describe("coordinates", () => {
  const toCoordinate = (one: Json): Coordinate => {
    const { vec, error, adjustment, height } = one;
    return { vec, error, adjustment, height };
  };

  test("move as Serf's do, update by update", () => {
    const vec = [0.01, ...new Array<number>(7).fill(0)];
    const coordinates = new Coordinates(createPrng(1), { ...ORIGIN, vec });
    for (const step of misc.coordinates) {
      const other = toCoordinate(step.other);
      const used = coordinates.update("peer", other, step.rttNs / 1e9);
      expect(used).toBe(step.error === undefined);
      if (!used) continue;
      const after = coordinates.own;
      step.after.vec.forEach((value: number, i: number) => {
        expect(after.vec[i]).toBeCloseTo(value, 14);
      });
      expect(after.error).toBeCloseTo(step.after.error, 12);
      expect(after.adjustment).toBeCloseTo(step.after.adjustment, 14);
      expect(after.height).toBeCloseTo(step.after.height, 14);
      expect(distanceSeconds(after, other) * 1e9).toBeCloseTo(step.distanceToOtherNs, 0);
      expect(coordinates.roundTripSeconds("peer")).toBe(distanceSeconds(after, other));
    }
  });

  test("payloads, both ways", () => {
    for (const one of vectors("gossip/serf-messages.json").coordinates) {
      if (one.coordinate === undefined || one.payload === undefined) continue;
      const { Vec, Error: error, Adjustment: adjustment, Height: height } = one.coordinate;
      const read = serfCodec.decodeCoordinate(hex(one.payload));
      if (one.version !== 1) {
        expect(read).toBeUndefined();
        continue;
      }
      expect(read).toEqual({ vec: Vec ?? [], error, adjustment, height });
      if (Vec !== null && read !== undefined) {
        expect(serfCodec.encodeCoordinate(read).toHex()).toBe(one.payload);
      }
    }
  });

  test("to whom nobody has measured, or who is gone, there is no distance", () => {
    const coordinates = new Coordinates(createPrng(1));
    expect(coordinates.roundTripSeconds("peer")).toBeUndefined();
    coordinates.update("peer", ORIGIN, 0.01);
    expect(coordinates.roundTripSeconds("peer")).toBeNumber();
    coordinates.forget("peer");
    expect(coordinates.roundTripSeconds("peer")).toBeUndefined();
  });

  test("garbage moves nothing", () => {
    const coordinates = new Coordinates(createPrng(1));
    for (const bad of [
      { ...ORIGIN, vec: [1, 2] },
      { ...ORIGIN, error: Number.NaN },
      { ...ORIGIN, height: Number.POSITIVE_INFINITY },
    ]) {
      expect(coordinates.update("x", bad, 0.1)).toBe(false);
    }
    expect(coordinates.update("x", ORIGIN, Number.NaN)).toBe(false);
    expect(coordinates.own).toEqual(ORIGIN);
  });
});
