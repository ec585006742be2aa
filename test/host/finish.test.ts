/** How a connection ends when its peer does not: real sockets, time by hand. */
import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { finish } from "../../src/host/finish.ts";
import type { ByteStream, StreamServer } from "../../src/host/host.ts";
import { Inbox } from "../../src/host/inbox.ts";
import { listenSockets } from "../../src/host/network.ts";
import { streamPair } from "../../src/host/stream-pair.ts";
import { ManualClock, settle } from "../service/manual-clock.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);

/** A connection whose far end does not end when ours does. */
async function halfOpen(): Promise<{ ours: ByteStream; theirs: Socket; server: StreamServer }> {
  let accepted: (stream: ByteStream) => void = () => undefined;
  const first = new Promise<ByteStream>((resolve) => {
    accepted = resolve;
  });
  const server = await listenSockets({ ip: LOOPBACK, port: 0 }, (stream) => accepted(stream));
  const theirs = connect({ host: "127.0.0.1", port: server.local.port, allowHalfOpen: true });
  theirs.on("error", () => undefined);
  theirs.resume();
  return { ours: await first, theirs, server };
}

test("what was written goes out; then the peer's time runs, and it is closed once", async () => {
  const { ours, theirs, server } = await halfOpen();
  const clock = new ManualClock();
  let heard = "";
  theirs.on("data", (chunk: Uint8Array) => {
    heard += new TextDecoder().decode(chunk);
  });
  const ended = new Promise<void>((resolve) => theirs.once("end", resolve));
  let closed = 0;
  ours.write(new TextEncoder().encode("goodbye"));
  const over = finish(ours, 1000, clock).then(() => {
    closed += 1;
  });
  await ended;
  expect(heard).toBe("goodbye");
  await clock.advance(999);
  await Bun.sleep(20);
  expect(closed).toBe(0);
  await clock.advance(1);
  await over;
  expect(closed).toBe(1);
  theirs.destroy();
  await server.close();
});

test("a peer that ends its side does not have to wait", async () => {
  const { ours, theirs, server } = await halfOpen();
  theirs.once("end", () => theirs.end());
  await finish(ours, 1000, new ManualClock());
  await server.close();
});

test("one that is destroyed, or gone already, is closed at once", async () => {
  const { ours, server } = await halfOpen();
  ours.destroy();
  await finish(ours, 1000, new ManualClock());
  await finish(ours, 1000, new ManualClock());
  await server.close();
});

test("what still comes is dropped, also when nobody was reading", async () => {
  const [near, far] = streamPair();
  far.pause();
  near.write(new Uint8Array(1000));
  const over = finish(far, 1000, new ManualClock());
  near.end();
  await settle();
  await over;
});

test("a listener that has paused hears that the stream was cut off, and nothing else", () => {
  const heard: string[] = [];
  const inbox = new Inbox();
  const handler = {
    data: () => void heard.push("data"),
    ended: () => void heard.push("ended"),
    closed: () => void heard.push("closed"),
  };
  inbox.listen(handler);
  inbox.pause();
  inbox.push(Uint8Array.of(1));
  inbox.closed(new Error("reset"));
  expect(heard).toEqual(["closed"]);
});

test("one that was cut off before anybody listened is over for whoever pauses at its bytes", () => {
  const heard: string[] = [];
  const inbox = new Inbox();
  inbox.push(Uint8Array.of(1));
  inbox.closed(new Error("reset"));
  inbox.listen({
    data: () => {
      heard.push("data");
      inbox.pause();
    },
    ended: () => void heard.push("ended"),
    closed: () => void heard.push("closed"),
  });
  expect(heard).toEqual(["data", "closed"]);
});

test("what came before an end in order is heard, however late", () => {
  const heard: string[] = [];
  const inbox = new Inbox();
  inbox.listen({
    data: () => void heard.push("data"),
    ended: () => void heard.push("ended"),
    closed: () => void heard.push("closed"),
  });
  inbox.pause();
  inbox.push(Uint8Array.of(1));
  inbox.peerEnded();
  inbox.closed(undefined);
  expect(heard).toEqual([]);
  inbox.resume();
  expect(heard).toEqual(["data", "ended", "closed"]);
});

test("small chunks that wait are joined, and come as they went", () => {
  const inbox = new Inbox();
  const sent = Array.from({ length: 20_000 }, (_, i) => new Uint8Array(1 + (i % 7)).fill(i));
  const large = new Uint8Array(5000).fill(9);
  for (const [i, chunk] of sent.entries()) inbox.push(i === 10_000 ? large : chunk);
  const all = Buffer.concat(sent.map((chunk, i) => (i === 10_000 ? large : chunk)));
  expect(inbox.bytes).toBe(all.length);
  const heard: Uint8Array[] = [];
  inbox.listen({
    data: (chunk) => void heard.push(chunk),
    ended: () => undefined,
    closed: () => undefined,
  });
  expect(Buffer.concat(heard).equals(all)).toBe(true);
  expect(heard.length).toBeLessThan(40);
  const kept = new Set(heard.map((chunk) => chunk.buffer));
  const bytes = [...kept].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  expect(bytes).toBeLessThan(2 * all.length);
});
