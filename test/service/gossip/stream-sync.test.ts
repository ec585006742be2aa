/** Exchanges over TCP: what a stranger's connection holds, and for how long. */
import { expect, test } from "bun:test";
import type { Network } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
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

function served() {
  const clock = new ManualClock();
  const counters = createGossipCounters().streams;
  const streams = new StreamSync({
    clock,
    network,
    sealer: new Sealer(new Keyring([]), nativeAead, { bytes: (n) => new Uint8Array(n) }),
    label: NONE,
    counters,
    timeoutMs: 5000,
    serve: () => ({ answer: { kind: "ack", ack: { kind: "ack", seqNo: 7, payload: null } } }),
    refused: () => undefined,
  });
  /** A stranger's connection; it never ends its side. */
  const open = async (say: Uint8Array) => {
    const [near, far] = streamPair();
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
