/** Exchanges over TCP: what a stranger's connection holds, and for how long. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../src/host/digest.ts";
import type { Network } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { type GossipKey, isKeyFault, makeKey } from "../../../src/secret/key.ts";
import { Keyring } from "../../../src/secret/keyring.ts";
import { nativeAead } from "../../../src/secret/native-aead.ts";
import { createGossipCounters } from "../../../src/service/gossip/counters.ts";
import { Sealer } from "../../../src/service/gossip/sealer.ts";
import { StreamSync } from "../../../src/service/gossip/stream-sync.ts";
import { encodeStream } from "../../../src/wire/gossip-stream.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const NONE = new Uint8Array(0);
const nobody = (): Promise<never> => Promise.reject(new Error("not in this test"));
const network: Network = { dial: nobody, listen: nobody, datagrams: nobody };
const PLAIN = { compress: false, seal: undefined, label: NONE };
const PING = encodeStream({ kind: "ping", ping: { kind: "ping", seqNo: 7, node: "" } }, PLAIN);

const MEMBER = 9;
const MIB = 1024 * 1024;
const KEY = makeKey(new Uint8Array(16).fill(1), sha256);
if (isKeyFault(KEY)) throw new Error(KEY.kind);

function served(keys: readonly GossipKey[] = []) {
  const clock = new ManualClock();
  const counters = createGossipCounters().streams;
  const streams = new StreamSync({
    clock,
    network,
    sealer: sealerOf(keys),
    label: NONE,
    counters,
    timeoutMs: 5000,
    serve: () => ({ answer: { kind: "ack", ack: { kind: "ack", seqNo: 7, payload: null } } }),
    refused: () => undefined,
    isMember: (ip) => ip[3] === MEMBER,
  });
  /** A connection from 127.0.0.`host`; it never ends its side. */
  const open = async (say: Uint8Array, host = 1) => {
    const [near, far] = streamPair();
    Object.defineProperty(far, "remote", { value: { ip: [127, 0, 0, host], port: 1 } });
    const one = { heard: 0, ended: false, closed: false, near };
    near.listen({
      data: (bytes) => {
        one.heard += bytes.length;
      },
      ended: () => {
        one.ended = true;
      },
      closed: () => {
        one.closed = true;
      },
    });
    void streams.accept(far);
    near.write(say);
    await settle();
    return one;
  };
  return { clock, counters, open };
}

function sealerOf(keys: readonly GossipKey[]): Sealer {
  return new Sealer(new Keyring(keys), nativeAead, { bytes: (n) => new Uint8Array(n) });
}

/** A user message of so many bytes in a sealed frame. */
function sealed(bytes: number): Uint8Array {
  const message = { kind: "user", body: new Uint8Array(bytes) } as const;
  const seal = sealerOf(KEY === undefined || isKeyFault(KEY) ? [] : [KEY]).layer();
  return encodeStream(message, { compress: false, seal, label: NONE });
}

test("whoever does not end after the answer is let go of after the time of an exchange", async () => {
  const { clock, open } = served();
  const one = await open(PING);
  expect(one.heard).toBeGreaterThan(0);
  expect([one.ended, one.closed]).toEqual([true, false]);
  await clock.advance(4999);
  expect(one.closed).toBe(false);
  await clock.advance(1);
  expect(one.closed).toBe(true);
  expect(clock.timers).toBe(0);
});

test("whoever was refused has a second to read why", async () => {
  const { clock, open } = served();
  const one = await open(Uint8Array.of(0x63));
  expect(one.closed).toBe(false);
  await clock.advance(1000);
  expect(one.closed).toBe(true);
});

test("its place is free when the connection is gone, not before", async () => {
  const { clock, counters, open } = served();
  const many = await Promise.all(Array.from({ length: 32 }, () => open(PING)));
  expect(many.every((one) => one.ended && !one.closed)).toBe(true);
  const late = await open(PING);
  expect([late.heard, late.closed]).toEqual([0, true]);
  expect(counters.refused.get("too-many-connections")).toBe(1);
  many[0]?.near.destroy();
  await settle();
  expect((await open(PING)).heard).toBeGreaterThan(0);
  await clock.advance(5000);
  expect(many.every((one) => one.closed)).toBe(true);
});

describe("bytes that no key has opened", () => {
  const keyed = () => served(isKeyFault(KEY) ? [] : [KEY]);
  /** All but the last byte of a frame. */
  const begun = (bytes: number): Uint8Array => sealed(bytes).subarray(0, -1);

  test("of strangers are a few megabytes over all connections; members' and small ones go on", async () => {
    const { clock, counters, open } = keyed();
    const many = [];
    for (let i = 0; i < 32; i++) {
      many.push(await open(begun(MIB), i >> 3));
      await clock.advance(1);
    }
    const refused = counters.refused.get("no-room") ?? 0;
    expect(refused).toBe(28);
    expect((await open(sealed(5000))).heard).toBeGreaterThan(0);
    expect((await open(sealed(19 * MIB), MEMBER)).heard).toBeGreaterThan(0);
    // What was held is free again: a joiner with much to tell is heard.
    for (const one of many) one.near.destroy();
    await clock.advance(1);
    expect((await open(sealed(3 * MIB))).heard).toBeGreaterThan(0);
    expect(counters.refused.get("no-room")).toBe(refused);
  });

  test("are worked on so much in one turn, in order, and what waits is heard in the next", async () => {
    const { clock, counters, open } = keyed();
    const half = sealed(MIB / 2);
    const before = counters.opened;
    const many = await Promise.all([1, 2, 3, 4, 5, 6].map((host) => open(half, host)));
    expect(counters.opened - before).toBe(2);
    await clock.advance(1);
    expect(counters.opened - before).toBe(6);
    expect(many.every((one) => one.heard > 0)).toBe(true);
  });
});
