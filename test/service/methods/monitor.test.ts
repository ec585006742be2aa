/** Agent.Monitor's frames: when they come, and what a slow listener loses. */
import { expect, test } from "bun:test";
import type { LogListener } from "../../../src/host/log.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { Monitor } from "../../../src/service/methods/monitor.ts";
import { structOf } from "../../../src/wire/codec.ts";
import {
  type MonitorRequest,
  monitorRequest,
  readValue,
  streamFrame,
} from "../../../src/wire/rpc-stream.ts";
import { hex, vectors } from "../../vectors.ts";
import { ManualClock, settle } from "../manual-clock.ts";

function start(fields: Partial<MonitorRequest>) {
  const clock = new ManualClock();
  const listeners = new Set<LogListener>();
  const sink = {
    listen(listener: LogListener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const [near, far] = streamPair();
  void new Monitor({ sink, clock }).serve(far, structOf(monitorRequest, fields));
  let heard = Buffer.alloc(0);
  let ended = false;
  near.listen({
    data: (bytes) => {
      heard = Buffer.concat([heard, bytes]);
    },
    ended: () => {
      ended = true;
    },
    closed: () => undefined,
  });
  return {
    clock,
    near,
    listeners,
    say: (line: string) => listeners.forEach((one) => void one.line(line)),
    isOver: () => ended,
    frames() {
      const found: { payload: string; error: string }[] = [];
      for (let rest: Uint8Array = heard; rest.length > 0; ) {
        const read = readValue(streamFrame, rest);
        if (read.kind !== "value") throw new Error(read.kind);
        const { Payload, Error: error } = read.value;
        const payload = new TextDecoder().decode(Payload ?? undefined);
        found.push({ payload, error: error === null ? "" : `${error.Code} ${error.Message}` });
        rest = rest.subarray(read.bytes);
      }
      return found;
    },
  };
}

const lines = (payload: string): string =>
  Buffer.from(JSON.parse(payload).Data ?? "", "base64").toString();

test("lines go out together five times a second, and a sign of life each second", async () => {
  const monitor = start({ LogLevel: "debug" });
  await settle();
  monitor.say("one");
  monitor.say("two");
  await monitor.clock.advance(200);
  expect(monitor.frames().map((one) => lines(one.payload))).toEqual(["one\ntwo\n"]);
  await monitor.clock.advance(1000);
  expect(monitor.frames().map((one) => one.payload)[1]).toBe("{}");
  monitor.say("three");
  await monitor.clock.advance(200);
  expect(lines(monitor.frames()[2]?.payload ?? "")).toBe("three\n");
});

test("plain text has no frames around it, and no signs of life", async () => {
  const monitor = start({ LogLevel: "INFO", PlainText: true });
  await settle();
  monitor.say("one");
  await monitor.clock.advance(5000);
  expect(monitor.frames()).toEqual([{ payload: "one\n", error: "" }]);
});

test("the level that was asked for, below the agent's own too; JSON if wanted", () => {
  const [listener] = start({ LogLevel: "trace", LogJSON: true }).listeners;
  expect(listener).toMatchObject({ level: "TRACE", json: true });
  const [usual] = start({ LogLevel: "" }).listeners;
  expect(usual).toMatchObject({ level: "INFO", json: false });
});

test("an unknown level is an error with a code", async () => {
  const monitor = start({ LogLevel: "loud" });
  await settle();
  expect(monitor.frames()).toEqual([{ payload: "", error: "400 Unknown log level: loud" }]);
  expect(monitor.isOver()).toBe(true);
});

test("a listener that does not read costs 512 lines, and hears how many it lost", async () => {
  const monitor = start({ LogLevel: "debug" });
  monitor.near.pause();
  const line = "x".repeat(1000);
  for (let i = 0; i < 10; i++) {
    for (let j = 0; j < 600; j++) monitor.say(line);
    await monitor.clock.advance(200);
  }
  monitor.near.resume();
  await monitor.clock.advance(1000);
  const all = monitor.frames().map((one) => (one.payload === "{}" ? "" : lines(one.payload)));
  expect(all.join("").split(line).length - 1).toBeLessThan(2000);
  expect(all.join("")).toMatch(/\[WARN\] Monitor dropped \d+ logs during monitor request/);
});

test("... and no more bytes than a quarter of a mebibyte, however long the lines are", async () => {
  const monitor = start({ LogLevel: "debug", PlainText: true });
  await settle();
  for (let i = 0; i < 100; i++) monitor.say("x".repeat(50_000));
  await monitor.clock.advance(200);
  const [first] = monitor.frames();
  expect(first?.payload.length).toBeLessThan(256 * 1024);
  expect(first?.payload).toContain("Monitor dropped 95 logs");
});

test("a listener that takes nothing for a minute is none", async () => {
  const monitor = start({ LogLevel: "debug" });
  monitor.near.pause();
  for (let i = 0; i < 600; i++) monitor.say("x".repeat(500));
  await monitor.clock.advance(200);
  for (let i = 0; i < 600; i++) monitor.say("x".repeat(500));
  await monitor.clock.advance(59_000);
  expect(monitor.listeners.size).toBe(1);
  await monitor.clock.advance(1600);
  expect(monitor.listeners.size).toBe(0);
});

test("who hangs up is forgotten", async () => {
  const monitor = start({ LogLevel: "debug" });
  await settle();
  expect(monitor.listeners.size).toBe(1);
  monitor.near.destroy();
  await settle();
  expect(monitor.listeners.size).toBe(0);
});

test("a real agent's request is understood", () => {
  for (const recorded of vectors("rpc/streaming.json")) {
    const read = readValue(monitorRequest, hex(recorded.request_hex));
    if (read.kind !== "value") throw new Error(read.kind);
    const { LogLevel, NodeID, PlainText } = recorded.request;
    expect(read.value).toMatchObject({ LogLevel, NodeID, PlainText });
  }
});
