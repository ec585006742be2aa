/** Who pays when all peers together have us keep too much, and what counts. */
import { expect, test } from "bun:test";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { KeptBytes, type Share } from "../../../src/service/rpc/kept-bytes.ts";
import { Mux } from "../../../src/service/rpc/mux.ts";
import type { MuxStream } from "../../../src/service/rpc/mux-stream.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const KIB = 1024;

interface Held {
  readonly share: Share;
  isCutOff: boolean;
}

function hold(all: KeptBytes, peer: string): Held {
  const cutOff = (): void => {
    held.isCutOff = true;
  };
  const held: Held = { share: all.share(peer, cutOff), isCutOff: false };
  return held;
}

for (const [what, name] of [
  ["with a certificate of its own", () => "hostile"],
  ["with the certificate that all clients share", () => "client-0"],
] as const) {
  test(`a peer ${what} fills a hundred connections: it pays, and thousands go on`, () => {
    const all = new KeptBytes(256 * KIB * KIB);
    const shared = name() !== "hostile";
    const honest = Array.from({ length: 5000 }, (_, i) =>
      hold(all, shared ? "client-0" : `client-${i}`),
    );
    const server = hold(all, "server");
    const hostile = Array.from({ length: 100 }, () => hold(all, name()));
    expect(honest.every(({ share }) => share.take(20 * KIB))).toBe(true);
    expect(server.share.take(25 * KIB * KIB)).toBe(true);
    // Up to what a connection alone may have.
    for (let round = 0; round < 256; round++) {
      for (const { share } of hostile) share.take(64 * KIB);
    }
    expect(all.bytes).toBeLessThanOrEqual(257 * KIB * KIB);
    expect([...honest, server].some(({ isCutOff }) => isCutOff)).toBe(false);
    expect(honest.every(({ share }) => share.take(2 * KIB))).toBe(true);
    expect(hostile.filter(({ isCutOff }) => isCutOff).length).toBeGreaterThan(50);
    for (const { share } of [...honest, server, ...hostile]) share.close();
    expect(all.bytes).toBe(0);
  });
}

test("who asks for too much by itself is refused, and what it gives back is there again", () => {
  const all = new KeptBytes(1000);
  const [one, other] = [hold(all, "one"), hold(all, "other")];
  expect(other.share.take(100)).toBe(true);
  expect(one.share.take(950)).toBe(false);
  expect([one.isCutOff, other.isCutOff]).toEqual([false, false]);
  one.share.take(-950);
  expect(one.share.take(900)).toBe(true);
  one.share.close();
  expect([all.bytes, one.share.take(1), one.share.take(-900), all.bytes]).toEqual([
    ...[100, false, true, 100],
  ]);
});

/** A session whose streams are never read, and the peer's end of it. */
function session(all: KeptBytes) {
  const clock = new ManualClock();
  const [near, far] = streamPair();
  const streams: MuxStream[] = [];
  const peer = new Mux({
    ...{ stream: near, dialer: true, clock, onStream: () => undefined, onClosed: () => undefined },
  });
  let over = false;
  const share = all.share("peer", () => undefined);
  const mux = new Mux({
    ...{ stream: far, dialer: false, clock, budget: share },
    onStream: (stream) => void streams.push(stream),
    onClosed: () => {
      over = true;
    },
  });
  peer.start();
  mux.start();
  return { peer, share, streams, isOver: () => over };
}

test("a session counts what is unread, what is unsent, and streams beyond a few", async () => {
  const all = new KeptBytes(KIB * KIB);
  const { peer, share, streams, isOver } = session(all);
  const first = peer.openStream();
  first?.write(new Uint8Array(100 * KIB));
  await settle();
  expect(share.bytes).toBe(100 * KIB);
  streams[0]?.listen({ data: () => undefined, ended: () => undefined, closed: () => undefined });
  await settle();
  expect(share.bytes).toBe(0);
  // The peer's window is 256 KiB.
  streams[0]?.write(new Uint8Array(300 * KIB));
  await settle();
  expect(share.bytes).toBeGreaterThanOrEqual(44 * KIB);
  first?.listen({ data: () => undefined, ended: () => undefined, closed: () => undefined });
  await settle();
  expect(share.bytes).toBe(0);
  for (let i = 0; i < 100; i++) peer.openStream();
  await settle();
  expect(share.bytes).toBeGreaterThan(80 * 4 * KIB);
  expect(isOver()).toBe(false);
  for (let i = 0; i < 400; i++) peer.openStream();
  await settle();
  expect([isOver(), peer.open, share.bytes, all.bytes]).toEqual([true, false, 0, 0]);
});
