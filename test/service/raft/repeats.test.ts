/** What is said twice is put into bytes, and read, once; and nothing else is taken for it. */
import { expect, test } from "bun:test";
import { LastRead, LastWritten } from "../../../src/service/raft/repeats.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("the same bytes are what they were, whatever comes behind them", () => {
  const last = new LastRead<string>();
  expect(last.again(bytes(1, 2, 3))).toBeUndefined();
  const first = bytes(1, 2, 3);
  last.keep(first, "one");
  first.fill(9); // A buffer that is used again.
  expect(last.again(bytes(1, 2, 3))).toEqual({ value: "one", length: 3 });
  expect(last.again(bytes(1, 2, 3, 4))).toEqual({ value: "one", length: 3 });
  for (const other of [bytes(), bytes(1, 2), bytes(1, 2, 4), bytes(0, 1, 2, 3)]) {
    expect(last.again(other)).toBeUndefined();
  }
  last.keep(bytes(7), "two");
  expect(last.again(bytes(1, 2, 3))).toBeUndefined();
  last.keep(new Uint8Array(2000), "long");
  expect(last.again(new Uint8Array(2000))).toBeUndefined();
});

test("equal messages are encoded once, others anew", () => {
  const last = new LastWritten<Record<string, unknown>>();
  const none: readonly number[] = [];
  let times = 0;
  const write = (message: Record<string, unknown>): number => {
    const encoded = last.bytesOf(message, () => {
      times += 1;
      return bytes(times);
    });
    return encoded[0] ?? 0;
  };
  const message = { term: 1, entries: none };
  expect([write(message), write({ ...message })]).toEqual([1, 1]);
  expect(write({ term: 2, entries: none })).toBe(2);
  expect(write({ term: 2, entries: [] })).toBe(3);
  expect(write({ term: 2 })).toBe(4);
  expect(write({ term: 2, more: undefined })).toBe(5);
  expect(write({ other: 2 })).toBe(6);
});
