/** Names, numbers and tags of metrics; go-metrics itself judges them in test/interop. */
import { describe, expect, test } from "bun:test";
import {
  datadogLine,
  type MetricNaming,
  type MetricPoint,
  namedPoint,
  packLines,
  statsdLine,
} from "../../src/wire/metric-line.ts";

const GAUGE: MetricPoint = {
  parts: ["nomad", "raft", "peers"],
  kind: "gauge",
  value: 3,
  labels: [{ name: "state", value: "alive" }],
};
const COUNTER: MetricPoint = { ...GAUGE, kind: "counter" };
const OPEN: MetricNaming = { host: "", hostAsLabel: true, prefixFilter: [], filterDefault: true };

const nameOf = (point: MetricPoint, naming: MetricNaming): string | undefined => {
  const found = namedPoint(point, naming);
  return found === undefined ? undefined : statsdLine(found);
};

describe("the host", () => {
  test("is the last label, which ends a name of statsd's", () => {
    const naming = { ...OPEN, host: "h.example" };
    expect(nameOf(GAUGE, naming)).toBe("nomad.raft.peers.alive.h.example:3.000000|g");
    expect(nameOf(COUNTER, naming)).toBe("nomad.raft.peers.alive.h.example:3.000000|c");
  });

  test("or a part of the names of gauges, behind the service", () => {
    const naming = { ...OPEN, host: "n1", hostAsLabel: false };
    expect(nameOf(GAUGE, naming)).toBe("nomad.n1.raft.peers.alive:3.000000|g");
    expect(nameOf(COUNTER, naming)).toBe("nomad.raft.peers.alive:3.000000|c");
  });

  test("or nothing", () => {
    expect(nameOf(GAUGE, OPEN)).toBe("nomad.raft.peers.alive:3.000000|g");
  });
});

describe("prefix_filter", () => {
  const isLet = (prefixFilter: readonly string[], filterDefault = true): boolean =>
    namedPoint(GAUGE, { ...OPEN, prefixFilter, filterDefault }) !== undefined;

  test("the longest prefix decides, in whatever order", () => {
    expect(isLet(["-nomad.raft", "+nomad.raft.peers"])).toBe(true);
    expect(isLet(["+nomad.raft.peers", "-nomad.raft"])).toBe(true);
    expect(isLet(["+nomad", "-nomad.raft"])).toBe(false);
  });

  test("of two for the same prefix the one that holds back", () => {
    expect(isLet(["-nomad.raft", "+nomad.raft"])).toBe(false);
    expect(isLet(["+nomad.raft", "-nomad.raft"])).toBe(false);
  });

  test("filter_default for all others", () => {
    expect(isLet(["-nomad.serf"])).toBe(true);
    expect(isLet(["+nomad.serf"], false)).toBe(false);
    expect(isLet([], false)).toBe(false);
  });

  test("the host's part of a name counts", () => {
    const naming = { ...OPEN, host: "n1", hostAsLabel: false, prefixFilter: ["-nomad.n1."] };
    expect(namedPoint(GAUGE, naming)).toBeUndefined();
    expect(namedPoint(COUNTER, naming)).toBeDefined();
  });
});

test("numbers: six digits of 32 bits, the middle to the even side", () => {
  const number = (value: number): string | undefined =>
    /:(.*)\|/.exec(statsdLine({ ...GAUGE, value }))?.[1];
  expect(number(0.1)).toBe("0.100000");
  expect(number(-1.5)).toBe("-1.500000");
  expect(number(0.0078125)).toBe("0.007812");
  expect(number(0.0234375)).toBe("0.023438");
  expect(number(16_777_217)).toBe("16777216.000000");
  expect(number(1e20)).toBe("100000002004087734272.000000");
  expect(number(Number.NaN)).toBe("0.000000");
});

describe("Datadog", () => {
  test("has labels as tags, and no name of the node in names", () => {
    const point = { ...GAUGE, parts: ["nomad", "n1", "raft", "peers"] };
    expect(datadogLine(point, "n1", ["env:dev", "x"])).toBe(
      "nomad.raft.peers:3|g|#env:dev,x,state:alive",
    );
  });

  test("has whole counters, and gauges with the digits that they need", () => {
    expect(datadogLine({ ...COUNTER, value: 2.9, labels: [] }, "", [])).toBe(
      "nomad.raft.peers:2|c",
    );
    const gauge = (value: number): string => datadogLine({ ...GAUGE, value, labels: [] }, "", []);
    expect(gauge(0.1)).toBe("nomad.raft.peers:0.10000000149011612|g");
    expect(gauge(1e-7)).toMatch(/:0\.0000001\d*\|g$/);
    expect(gauge(1e22)).toMatch(/:9999999\d{15}\|g$/);
  });
});

test("nobody's name ends a line or a name", () => {
  const evil = { ...GAUGE, labels: [{ name: "a b", value: "x:1|c\nnomad.up:1" }] };
  expect(statsdLine(evil).split("\n")).toHaveLength(1);
  expect(datadogLine(evil, "", []).split("\n")).toHaveLength(1);
});

test("packets are no longer than they may be, and lines stay whole", () => {
  const lines = Array.from({ length: 200 }, (_, i) => `nomad.metric.${i}:${"1".repeat(i % 40)}|c`);
  const packets = packLines(lines, 300);
  expect(packets.every((packet) => packet.length <= 300)).toBe(true);
  const text = packets.map((packet) => new TextDecoder().decode(packet)).join("");
  expect(text).toBe(lines.map((line) => `${line}\n`).join(""));
  expect(packLines([], 300)).toEqual([]);
});
