/** What grows belongs to the interval in which it is seen. */
import { expect, test } from "bun:test";
import { MetricIntervals } from "../../../src/service/telemetry/intervals.ts";
import type { Metric } from "../../../src/service/telemetry/metric.ts";

const counter = (value: number, labels: Record<string, string> = {}): Metric => ({
  ...{ name: "nomad.x", kind: "counter", value, labels },
});
const sums = (intervals: MetricIntervals): readonly number[] =>
  intervals.latest().growths.map(({ sum }) => sum);

test("the first interval is shown while it goes on, then the last that is over", () => {
  const intervals = new MetricIntervals(10_000, 103_000);
  expect(intervals.endMs).toBe(110_000);
  intervals.observe([counter(5)], 104_000);
  intervals.observe([counter(7)], 105_000);
  expect(intervals.latest()).toMatchObject({ startMs: 100_000, isPresent: true });
  expect(sums(intervals)).toEqual([7]);
  intervals.observe([counter(9)], 110_001);
  expect(intervals.latest()).toMatchObject({ startMs: 100_000, isPresent: false });
  expect(sums(intervals)).toEqual([9]);
  intervals.observe([counter(10)], 112_000);
  expect(sums(intervals)).toEqual([9]);
  intervals.observe([counter(10)], 120_000);
  expect(intervals.latest().startMs).toBe(110_000);
  expect(sums(intervals)).toEqual([1]);
});

test("what has not grown is not there, gauges neither, and labels are kept apart", () => {
  const intervals = new MetricIntervals(10_000, 100_000);
  const gauge: Metric = { ...counter(3), kind: "gauge" };
  intervals.observe([counter(0), counter(2, { a: "b" }), gauge], 101_000);
  expect(intervals.latest().growths.map(({ metric }) => metric.labels)).toEqual([{ a: "b" }]);
});
