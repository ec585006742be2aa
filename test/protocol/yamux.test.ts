/** The yamux session: recorded sessions of real agents, the rules of the spec, and random traffic. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createPrng, randomInt } from "../../src/protocol/prng.ts";
import type { YamuxAction } from "../../src/protocol/yamux/action.ts";
import { YAMUX } from "../../src/protocol/yamux/config.ts";
import { Flag, type FrameHeader, FrameType, WINDOW_BYTES } from "../../src/protocol/yamux/frame.ts";
import { YamuxSession } from "../../src/protocol/yamux/session.ts";
import { FrameReader, FrameWriter, HEADER_BYTES } from "../../src/wire/yamux-frame.ts";
import { hex, type Json, vectors } from "../vectors.ts";

const EMPTY = new Uint8Array(0);

function frameBytes(actions: readonly YamuxAction[]): string[] {
  return actions.flatMap((action) => {
    if (action.kind !== "frame") return [];
    const writer = new FrameWriter();
    writer.add(action.header, action.payload);
    return [writer.take().toHex()];
  });
}

function feed(session: YamuxSession, bytes: Uint8Array, now = 0): void {
  new FrameReader({
    header: (header) => session.header(header, now),
    payload: (payload) => session.payload(payload),
    garbled: (why) => session.garbled(why),
  }).read(bytes);
}

function send(
  session: YamuxSession,
  header: Partial<FrameHeader>,
  payload: Uint8Array = EMPTY,
  now = 0,
): readonly YamuxAction[] {
  const writer = new FrameWriter();
  const whole = { type: FrameType.windowUpdate, flags: 0, stream: 0, length: 0, ...header };
  writer.add(whole, payload);
  feed(session, writer.take(), now);
  return session.drain();
}

/** An accepting session with stream 1 open. */
function accepted(now = 0): YamuxSession {
  const session = new YamuxSession(false, YAMUX, now);
  send(session, { flags: Flag.syn, stream: 1 });
  return session;
}

describe("recorded sessions of real agents", () => {
  for (const recorded of vectors("rpc/yamux.json")) {
    for (const we of ["acceptor", "dialer"]) {
      test(`${recorded.note}, we are the ${we}: the same frames, byte for byte`, () => {
        const session = new YamuxSession(we === "dialer", YAMUX, 0);
        let ours: string[] = [];
        for (const frame of recorded.frames) {
          const bytes = whole(frame);
          if (frame.dir !== we) {
            feed(session, bytes);
            ours.push(...frameBytes(session.drain()));
            continue;
          }
          if (ours.length === 0) {
            command(session, frame, bytes);
            ours = frameBytes(session.drain());
          }
          expect(ours.shift()).toBe(bytes.toHex());
        }
        expect(session.failed).toBe(false);
      });
    }
  }
});

/** What the application did to cause a frame. */
function command(session: YamuxSession, frame: Json, bytes: Uint8Array): void {
  if (frame.type === "Ping") session.ping(0);
  else if (frame.flags.includes("SYN")) session.openStream(0);
  else if (frame.flags.includes("FIN")) session.end(frame.stream, 0);
  else session.write(frame.stream, bytes.subarray(HEADER_BYTES));
}

/** Long payloads are cut short in the recording: any bytes will do for the rest. */
function whole(frame: Json): Uint8Array {
  const known = hex(frame.hex.replace("...", ""));
  if (frame.type !== "Data") return known;
  const bytes = new Uint8Array(HEADER_BYTES + frame.length);
  bytes.set(known);
  return bytes;
}

describe("a session ends", () => {
  const fatal: readonly (readonly [string, string, (session: YamuxSession) => void])[] = [
    ["bad-version", "", (one) => feed(one, hex("010000000000000000000000"))],
    ["bad-type", "", (one) => feed(one, hex("000400000000000000000000"))],
    ["duplicate-stream", "01", (one) => void sendQuiet(one, { flags: Flag.syn, stream: 1 })],
    [
      "window-exceeded",
      "01",
      (one) => void sendQuiet(one, { type: FrameType.data, stream: 1, length: WINDOW_BYTES + 1 }),
    ],
    [
      "unexpected-fin",
      "01",
      (one) => {
        sendQuiet(one, { flags: Flag.fin, stream: 1 });
        sendQuiet(one, { flags: Flag.fin, stream: 1 });
      },
    ],
    [
      "peer-protocol-error",
      "",
      (one) => void sendQuiet(one, { type: FrameType.goAway, length: 1 }),
    ],
    [
      "peer-internal-error",
      "",
      (one) => void sendQuiet(one, { type: FrameType.goAway, length: 2 }),
    ],
  ];
  for (const [why, goAway, cause] of fatal) {
    test(`${why}${goAway === "" ? "" : ", and tells the peer so"}`, () => {
      const session = accepted();
      cause(session);
      const actions = session.drain();
      expect(actions.at(-1)).toEqual({ kind: "failed", why: why as never });
      expect(actions).toContainEqual({
        kind: "closed",
        stream: 1,
        why: `session shutdown: ${why}`,
      });
      const told = frameBytes(actions).includes("000300000000000000000001");
      expect(told).toBe(goAway !== "");
      expect(session.open).toBe(false);
      expect(session.deadline()).toBeUndefined();
    });
  }
});

function sendQuiet(session: YamuxSession, header: Partial<FrameHeader>): void {
  const writer = new FrameWriter();
  writer.add({ type: FrameType.windowUpdate, flags: 0, stream: 0, length: 0, ...header }, EMPTY);
  feed(session, writer.take());
}

describe("streams", () => {
  test("each end numbers its own: odd for the dialer, even for the other", () => {
    const [dialer, other] = [true, false].map((one) => new YamuxSession(one, YAMUX, 0));
    expect([dialer?.openStream(0), dialer?.openStream(0)]).toEqual([1, 3]);
    expect([other?.openStream(0), other?.openStream(0)]).toEqual([2, 4]);
  });

  test("a SYN on a data frame opens and delivers", () => {
    const session = new YamuxSession(false, YAMUX, 0);
    const header = { type: FrameType.data, flags: Flag.syn, stream: 7, length: 2 };
    const actions = send(session, header, Uint8Array.of(8, 9));
    expect(actions.map((one) => one.kind)).toEqual(["opened", "frame", "data"]);
  });

  test("a FIN on a data frame ends the stream behind its bytes, whatever pieces they come in", () => {
    const session = accepted();
    const writer = new FrameWriter();
    const header = { type: FrameType.data, flags: Flag.fin, stream: 1, length: 3 };
    writer.add(header, Uint8Array.of(1, 2, 3));
    const bytes = writer.take();
    const reader = new FrameReader({
      header: (one) => session.header(one, 0),
      payload: (one) => session.payload(one),
      garbled: (why) => session.garbled(why),
    });
    for (const byte of bytes) reader.read(Uint8Array.of(byte));
    expect(session.drain().map((one) => one.kind)).toEqual(["data", "data", "data", "ended"]);
  });

  test("half closed, both ways on: gone when both have ended", () => {
    const session = accepted();
    expect(send(session, { flags: Flag.fin, stream: 1 }).map((one) => one.kind)).toEqual(["ended"]);
    expect(session.write(1, Uint8Array.of(5))).toBe(true);
    session.end(1, 0);
    const actions = session.drain();
    expect(frameBytes(actions)).toEqual(["00000000000000010000000105", "000100040000000100000000"]);
    expect(actions.at(-1)).toEqual({ kind: "closed", stream: 1, why: "" });
    expect(session.streams).toBe(0);
  });

  test("what comes for a stream that is gone is skipped, and the session lives", () => {
    const session = accepted();
    session.reset(1);
    expect(frameBytes(session.drain())).toEqual(["000100080000000100000000"]);
    send(session, { type: FrameType.data, stream: 1, length: 4 }, new Uint8Array(4));
    send(session, { flags: Flag.fin, stream: 1 });
    expect(session.failed).toBe(false);
    const again = send(session, { type: FrameType.ping, flags: Flag.syn, length: 9 });
    expect(frameBytes(again)).toEqual(["000200020000000000000009"]);
  });

  test("RST ends one stream", () => {
    const session = accepted();
    const [closed] = send(session, { flags: Flag.rst, stream: 1 });
    expect(closed).toEqual({ kind: "closed", stream: 1, why: "connection reset by the peer" });
  });

  test("go-away: the peer's refuses ours, ours refuses the peer's", () => {
    const session = accepted();
    expect(send(session, { type: FrameType.goAway })).toEqual([{ kind: "go-away" }]);
    expect(session.openStream(0)).toBeUndefined();
    session.goAway();
    expect(frameBytes(session.drain())).toEqual(["000300000000000000000000"]);
    const refused = send(session, { flags: Flag.syn, stream: 3 });
    expect(frameBytes(refused)).toEqual(["000100080000000300000000"]);
    expect(session.streams).toBe(1);
  });

  test("the peer has at most so many; one more is reset", () => {
    const session = new YamuxSession(false, { ...YAMUX, streamsMax: 2 }, 0);
    for (const id of [1, 3, 5]) send(session, { flags: Flag.syn, stream: id });
    expect(session.streams).toBe(2);
    send(session, { flags: Flag.rst, stream: 1 });
    send(session, { flags: Flag.syn, stream: 7 });
    expect(session.streams).toBe(2);
  });
});

describe("flow control", () => {
  test("sends a window's worth, and the rest when there is room", () => {
    const session = accepted();
    const big = new Uint8Array(WINDOW_BYTES + 10);
    expect(session.write(1, big)).toBe(false);
    const sent = session.drain().flatMap((one) => (one.kind === "frame" ? [one.payload] : []));
    expect(sent.reduce((sum, one) => sum + one.length, 0)).toBe(WINDOW_BYTES);
    expect(Math.max(...sent.map((one) => one.length))).toBe(YAMUX.frameBytesMax);
    const more = send(session, { stream: 1, length: 10 });
    expect(more.map((one) => one.kind)).toEqual(["frame", "drained"]);
  });

  test("grants again when half the window is used up", () => {
    const session = accepted();
    const half = WINDOW_BYTES / 2;
    send(session, { type: FrameType.data, stream: 1, length: half }, new Uint8Array(half));
    session.consumed(1, half - 1);
    expect(session.drain()).toEqual([]);
    session.consumed(1, 1);
    expect(frameBytes(session.drain())).toEqual(["000100000000000100020000"]);
  });

  test("bytes that nobody consumes are limited over all streams", () => {
    const session = new YamuxSession(false, { ...YAMUX, unreadBytesMax: 100 }, 0);
    for (const id of [1, 3]) send(session, { flags: Flag.syn, stream: id });
    const push = (stream: number): readonly YamuxAction[] =>
      send(session, { type: FrameType.data, stream, length: 60 }, new Uint8Array(60));
    expect(push(1).map((one) => one.kind)).toEqual(["data"]);
    expect(push(3).map((one) => one.kind)).toEqual(["frame", "closed"]);
    expect(session.streams).toBe(1);
  });

  test("bytes that the peer does not let us send are limited over all streams", () => {
    const session = new YamuxSession(false, { ...YAMUX, unsentBytesMax: 1_000_000 }, 0);
    for (const id of [1, 3]) send(session, { flags: Flag.syn, stream: id });
    session.write(1, new Uint8Array(256 * 1024 + 900_000));
    session.flushed(true, 0);
    expect(session.streams).toBe(2);
    session.write(3, new Uint8Array(256 * 1024));
    session.flushed(true, 0);
    expect(session.streams).toBe(2);
    expect(session.write(3, new Uint8Array(200_000))).toBe(false);
    session.flushed(true, 0);
    expect(session.streams).toBe(1);
    // What was kept for it is free again.
    send(session, { flags: Flag.syn, stream: 5 });
    session.write(5, new Uint8Array(256 * 1024 + 50_000));
    expect(session.streams).toBe(2);
  });

  test("a connection that is full keeps data back, and ends the session if it stays so", () => {
    const session = accepted();
    session.flushed(false, 0);
    expect(session.write(1, Uint8Array.of(1))).toBe(false);
    expect(session.drain()).toEqual([]);
    session.flushed(true, 5000);
    expect(session.drain().map((one) => one.kind)).toEqual(["frame", "drained"]);
    session.flushed(false, 6000);
    session.expire(16_000);
    expect(session.drain().at(-1)).toEqual({ kind: "failed", why: "write-timeout" });
  });

  test("streams take turns", () => {
    const session = new YamuxSession(false, YAMUX, 0);
    for (const id of [1, 3]) send(session, { flags: Flag.syn, stream: id });
    session.flushed(false, 0);
    for (const id of [1, 3]) session.write(id, new Uint8Array(YAMUX.frameBytesMax * 2));
    session.flushed(true, 0);
    const order = session
      .drain()
      .flatMap((one) => (one.kind === "frame" ? [one.header.stream] : []));
    expect(order).toEqual([1, 3, 1, 3]);
  });
});

describe("time", () => {
  test("a ping every 30 s; no answer in 10 s ends the session", () => {
    const session = accepted();
    expect(session.deadline()).toBe(30_000);
    session.expire(30_000);
    expect(frameBytes(session.drain())).toEqual(["000200010000000000000000"]);
    const pong = send(session, { type: FrameType.ping, flags: Flag.ack }, EMPTY, 30_004);
    expect(pong).toEqual([{ kind: "pong", id: 0, rttMs: 4 }]);
    session.expire(60_000);
    expect(frameBytes(session.drain())).toEqual(["000200010000000000000001"]);
    session.expire(69_999);
    expect(session.failed).toBe(false);
    session.expire(70_000);
    expect(session.drain().at(-1)).toEqual({ kind: "failed", why: "keepalive-timeout" });
  });

  test("a stream that is not acknowledged in 75 s costs the session", () => {
    const session = new YamuxSession(true, { ...YAMUX, keepAliveMs: 1e9 }, 0);
    session.openStream(0);
    session.expire(74_999);
    expect(session.failed).toBe(false);
    session.expire(75_000);
    expect(session.drain().at(-1)).toEqual({ kind: "failed", why: "open-timeout" });
  });

  test("a stream that the peer never ends is reset after 5 minutes", () => {
    const session = new YamuxSession(false, { ...YAMUX, keepAliveMs: 1e9 }, 0);
    send(session, { flags: Flag.syn, stream: 1 });
    session.end(1, 0);
    session.drain();
    session.expire(300_000);
    expect(frameBytes(session.drain())).toEqual(["000100080000000100000000"]);
    expect(session.streams).toBe(0);
  });

  test("part of a header must become a whole one", () => {
    const session = accepted();
    session.partial(true, 1000);
    session.partial(true, 9000);
    session.expire(11_000);
    expect(session.drain().at(-1)).toEqual({ kind: "failed", why: "header-timeout" });
  });
});

test("any traffic in any pieces arrives whole and in order, and nothing is left over", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (seed) => {
      const traffic = new Traffic(seed);
      for (let step = 0; step < 400; step++) traffic.step();
      traffic.finish();
      for (const [key, sent] of traffic.sent) {
        expect(Buffer.concat(traffic.heard.get(key) ?? []).equals(Buffer.concat(sent))).toBe(true);
      }
      expect(traffic.sessions.map((one) => [one.failed, one.streams])).toEqual([
        [false, 0],
        [false, 0],
      ]);
    }),
    { numRuns: 60 },
  );
});

/** Two sessions and a connection between them that delivers when it likes. */
class Traffic {
  readonly sessions = [true, false].map((dialer) => new YamuxSession(dialer, YAMUX, 0));
  /** By receiving side and stream. */
  readonly sent = new Map<string, Uint8Array[]>();
  readonly heard = new Map<string, Uint8Array[]>();
  readonly #prng;
  readonly #wires: Uint8Array[][] = [[], []];
  readonly #readers;
  readonly #live: Set<number>[] = [new Set(), new Set()];
  readonly #unread: { side: number; stream: number; bytes: number }[] = [];

  constructor(seed: number) {
    this.#prng = createPrng(seed);
    this.#readers = this.sessions.map(
      (session) =>
        new FrameReader({
          header: (header) => session.header(header, 0),
          payload: (bytes) => session.payload(bytes),
          garbled: (why) => session.garbled(why),
        }),
    );
  }

  step(): void {
    const side = randomInt(this.#prng, 2);
    const session = this.sessions[side];
    const streams = [...(this.#live[side] ?? [])];
    const stream = streams[randomInt(this.#prng, Math.max(1, streams.length))];
    const choice = randomInt(this.#prng, 8);
    if (choice === 0) {
      const id = session?.openStream(0);
      if (id !== undefined) this.#live[side]?.add(id);
    } else if (choice <= 2 && stream !== undefined) {
      const bytes = new Uint8Array(randomInt(this.#prng, 60_000)).fill(randomInt(this.#prng, 256));
      const key = `${1 - side}:${stream}`;
      this.sent.set(key, [...(this.sent.get(key) ?? []), bytes]);
      session?.write(stream, bytes);
    } else if (choice === 3 && stream !== undefined && this.#prng.next() < 0.3) {
      session?.end(stream, 0);
      this.#live[side]?.delete(stream);
    } else if (choice === 4) this.#consume();
    else this.#deliver(side);
    this.#perform();
  }

  finish(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      for (const side of [0, 1]) {
        for (const stream of this.#live[side] ?? []) this.sessions[side]?.end(stream, 0);
      }
      this.#perform();
      this.#consume();
      if (this.#wires.every((wire) => wire.length === 0) && this.#unread.length === 0) break;
      this.#deliver(0);
      this.#deliver(1);
    }
  }

  #perform(): void {
    for (const [side, session] of this.sessions.entries()) {
      for (const action of session.drain()) {
        if (action.kind === "frame") {
          const writer = new FrameWriter();
          writer.add(action.header, action.payload);
          this.#wires[1 - side]?.push(writer.take());
        } else if (action.kind === "opened") this.#live[side]?.add(action.stream);
        else if (action.kind === "data") {
          const key = `${side}:${action.stream}`;
          this.heard.set(key, [...(this.heard.get(key) ?? []), action.bytes.slice()]);
          this.#unread.push({ side, stream: action.stream, bytes: action.bytes.length });
        }
      }
      session.flushed(true, 0);
    }
  }

  /** Some of what is on the wire to `side`, cut anywhere. */
  #deliver(side: number): void {
    const wire = this.#wires[side] ?? [];
    const all = Buffer.concat(wire.splice(0));
    const cut = randomInt(this.#prng, all.length + 1);
    if (cut < all.length) wire.push(all.subarray(cut));
    this.#readers[side]?.read(all.subarray(0, cut));
  }

  #consume(): void {
    for (const { side, stream, bytes } of this.#unread.splice(0)) {
      this.sessions[side]?.consumed(stream, bytes);
    }
  }
}
