/** A Raft connection of a server that does not keep to it: what it costs, and for how long. */
import { expect, spyOn, test } from "bun:test";
import { streamPair } from "../../../src/host/stream-pair.ts";
import type { RaftAnswer, RaftCall } from "../../../src/protocol/raft/message.ts";
import { serveRaft } from "../../../src/service/raft/serve.ts";
import type { Budget } from "../../../src/service/rpc/value-stream.ts";
import { MsgpackReader } from "../../../src/wire/msgpack-reader.ts";
import { encodeCall } from "../../../src/wire/raft-codec.ts";
import { GREETING_TYPE } from "../../../src/wire/raft-greeting.ts";
import { RaftType } from "../../../src/wire/raft-message.ts";
import { hex } from "../../vectors.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const FROM = { id: "a", address: "127.0.0.2:4647" };
const ENTRIES: RaftCall = {
  ...{ kind: "append-entries", from: FROM, term: 1, prevIndex: 0, prevTerm: 0, commitIndex: 0 },
  entries: [{ index: 1, term: 1, type: 0, data: new Uint8Array(20_000), appendedAtMs: undefined }],
};
const INSTALL: RaftCall = {
  ...{ kind: "install-snapshot", from: FROM, term: 1 },
  meta: { index: 1, term: 1, configuration: { servers: [] }, configurationIndex: 1 },
};

function served(budget?: Budget) {
  const clock = new ManualClock();
  const [near, far] = streamPair();
  const one = { clock, near, calls: [] as [RaftCall, number][], malformed: 0, closed: false };
  let answer: (() => void) | undefined;
  serveRaft(far, {
    self: { id: "b", address: "127.0.0.1:4647" },
    door: { unsafeWithoutGreeting: true, greeted: () => undefined, notGreeted: () => "" },
    handle: (call, data) => {
      one.calls.push([call, data.length]);
      return new Promise<RaftAnswer>((resolve) => {
        answer = () => resolve({ kind: "timeout-now" });
      });
    },
    malformed: () => {
      one.malformed += 1;
      far.destroy();
    },
    clock,
    ...(budget === undefined ? {} : { budget }),
  });
  near.listen({
    data: () => undefined,
    ended: () => undefined,
    closed: () => {
      one.closed = true;
    },
  });
  return { ...one, one, answer: () => answer?.() };
}

test("a call byte by byte is decoded once, when it is whole", async () => {
  const { one, near } = served();
  const bytes = encodeCall(ENTRIES, 0);
  const struct = spyOn(MsgpackReader.prototype, "struct");
  for (const byte of bytes) {
    near.write(Uint8Array.of(byte));
    await Promise.resolve();
  }
  await settle();
  const decoded = struct.mock.calls.length;
  struct.mockRestore();
  expect(one.calls).toEqual([[ENTRIES, 0]]);
  // The call, and its one entry.
  expect(decoded).toBe(2);
});

test("what no call of its kind can have is refused before it has come", async () => {
  const text = (bytes: number): Uint8Array => {
    const head = new Uint8Array(5).fill(0xdb);
    new DataView(head.buffer).setUint32(1, bytes);
    return head;
  };
  const kinds: readonly (readonly [number, number])[] = [
    [GREETING_TYPE, 4096],
    [RaftType.requestVote, 4096],
    [RaftType.requestPreVote, 4096],
    [RaftType.timeoutNow, 4096],
    [RaftType.installSnapshot, 1024 * 1024],
    [RaftType.appendEntries, 40 * 1024 * 1024],
  ];
  for (const [type, most] of kinds) {
    for (const [bytes, malformed] of [[most - 100, 0] as const, [most, 1] as const]) {
      const { one, near } = served();
      near.write(Buffer.concat([Uint8Array.of(type), hex("81a141"), text(bytes)]));
      await settle();
      expect([type, bytes, one.malformed]).toEqual([type, bytes, malformed]);
    }
  }
  const unknown = served();
  unknown.near.write(Uint8Array.of(9));
  await settle();
  expect(unknown.one.malformed).toBe(1);
});

test("a snapshot comes with its bytes, and none of a size that no state has", async () => {
  const { one, near } = served();
  near.write(encodeCall(INSTALL, 1000));
  near.write(new Uint8Array(999));
  await settle();
  expect(one.calls).toEqual([]);
  near.write(new Uint8Array(1));
  await settle();
  expect(one.calls.map(([call, bytes]) => [call.kind, bytes])).toEqual([
    ["install-snapshot", 1000],
  ]);
  const large = served();
  large.near.write(encodeCall(INSTALL, 2 ** 30));
  await settle();
  expect(large.one.malformed).toBe(1);
});

test("what has begun goes on, piece by piece, or ends; silence between calls is fine", async () => {
  const idle = served();
  await idle.clock.advance(3_600_000);
  expect(idle.one.closed).toBe(false);
  idle.near.write(encodeCall(ENTRIES, 0).subarray(0, 10_000));
  await idle.clock.advance(9999);
  idle.near.write(Uint8Array.of(0));
  await settle();
  expect(idle.one.closed).toBe(false);
  await idle.clock.advance(1);
  expect(idle.one.closed).toBe(true);

  const steady = served();
  steady.near.write(encodeCall(INSTALL, 2 ** 20));
  for (let i = 0; i < 4; i++) {
    await steady.clock.advance(9000);
    steady.near.write(new Uint8Array(2 ** 18));
    await settle();
  }
  expect(steady.one.calls.length).toBe(1);
  await steady.clock.advance(100_000);
  expect(steady.one.closed).toBe(false);
});

test("calls behind one that takes its time wait, in the end with whoever sends them", async () => {
  const { one, near, answer } = served();
  const bytes = encodeCall(ENTRIES, 0);
  let written = 0;
  while (near.write(bytes) && written < 1000) {
    written += 1;
    await settle();
  }
  expect(written).toBeLessThan(100);
  expect(one.calls.length).toBe(1);
  answer();
  await settle();
  expect(one.calls.length).toBe(2);
});

test("calls that are not whole, and those that wait for an answer, count until they are over", async () => {
  const kept = { bytes: 0 };
  const budget = {
    take: (bytes: number) => {
      kept.bytes += bytes;
      return kept.bytes < 50_000;
    },
  };
  const bytes = encodeCall(ENTRIES, 0);
  const first = served(budget);
  first.near.write(bytes.subarray(0, 10_000));
  await settle();
  expect(kept.bytes).toBe(10_000);
  first.near.write(bytes.subarray(10_000));
  await settle();
  expect([kept.bytes, first.one.calls.length]).toEqual([bytes.length, 1]);
  first.answer();
  await settle();
  expect(kept.bytes).toBe(0);
  const [second, third] = [served(budget), served(budget)];
  const install = encodeCall(INSTALL, 100_000);
  second.near.write(install);
  second.near.write(new Uint8Array(30_000));
  third.near.write(bytes.subarray(0, 20_000));
  third.near.write(bytes.subarray(20_000, 20_010));
  await settle();
  expect([second.one.closed, third.one.closed, kept.bytes]).toEqual([false, true, 30_000]);
  second.near.destroy();
  await settle();
  expect(kept.bytes).toBe(0);
});
