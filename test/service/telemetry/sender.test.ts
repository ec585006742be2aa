/** Metrics that go out, and those that cannot: nothing waits for anybody. */
import { expect, test } from "bun:test";
import { MetricSender, type Outlet } from "../../../src/service/telemetry/sender.ts";
import type { MetricPoint } from "../../../src/wire/metric-line.ts";
import { silent } from "../../silent.ts";
import { ManualClock } from "../manual-clock.ts";

const POINT: MetricPoint = { parts: ["nomad", "x"], kind: "counter", value: 1, labels: [] };
const LINE = "nomad.x:1.000000|c\n";

interface Bench {
  readonly sender: MetricSender;
  readonly clock: ManualClock;
  readonly sent: string[];
  readonly dropped: Map<string, number>;
  readonly opened: () => number;
  lose(): void;
}

function bench(open?: () => Promise<Outlet>, takes = true): Bench {
  const clock = new ManualClock();
  const sent: string[] = [];
  const dropped = new Map<string, number>();
  let opened = 0;
  let lost: (why: string) => void = () => undefined;
  const outlet: Outlet = {
    send: (packet) => {
      if (takes) sent.push(new TextDecoder().decode(packet));
      return takes;
    },
    close: () => undefined,
  };
  const sender = new MetricSender({
    dialect: "statsd",
    address: "127.0.0.1:8125",
    open: async (hear) => {
      opened += 1;
      lost = hear;
      return open?.() ?? outlet;
    },
    ...{ tags: [], node: "n1", clock, log: silent, dropped },
  });
  return { sender, clock, sent, dropped, opened: () => opened, lose: () => lost("gone") };
}

test("what comes while the outlet opens goes out first", async () => {
  const { sender, clock, sent } = bench();
  sender.send([POINT]);
  sender.send([POINT, POINT]);
  expect(sent).toEqual([]);
  await clock.advance(0);
  sender.send([POINT]);
  expect(sent).toEqual([LINE, LINE + LINE, LINE]);
});

test("an outlet that cannot be opened is tried again after five seconds, not before", async () => {
  const { sender, clock, dropped, opened } = bench(() => Promise.reject(new Error("refused")));
  for (let second = 0; second < 11; second++) {
    sender.send([POINT]);
    await clock.advance(1000);
    clock.stall(0);
  }
  expect(opened()).toBe(3);
  expect(dropped.get("statsd")).toBe(11);
});

test("an outlet that is lost is opened again", async () => {
  const { sender, clock, sent, opened, lose } = bench();
  sender.send([POINT]);
  await clock.advance(0);
  lose();
  sender.send([POINT]);
  await clock.advance(6000);
  sender.send([POINT]);
  await clock.advance(0);
  expect(opened()).toBe(2);
  expect(sent).toHaveLength(2);
});

test("what an outlet has no room for is gone, and so is what is too much for its opening", async () => {
  const full = bench(undefined, false);
  full.sender.send([POINT]);
  await full.clock.advance(0);
  full.sender.send([POINT]);
  expect(full.dropped.get("statsd")).toBe(2);
  const slow = bench(() => new Promise(() => undefined));
  for (let i = 0; i < 100; i++) slow.sender.send([POINT]);
  expect(slow.dropped.get("statsd")).toBe(36);
});

test("nothing is opened or sent once it is closed", async () => {
  const { sender, clock, sent } = bench();
  sender.send([POINT]);
  sender.close();
  await clock.advance(0);
  expect(sent).toEqual([]);
});
