/** Values off a stream: what waits for its rest counts against whoever sent it. */
import { expect, test } from "bun:test";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { ByteBudget } from "../../../src/service/rpc/server/serve.ts";
import { ValueStream } from "../../../src/service/rpc/value-stream.ts";
import { encodeValue } from "../../../src/wire/codec.ts";
import { streamHeader } from "../../../src/wire/rpc-stream.ts";
import { settle } from "../manual-clock.ts";

test("streams with half a request each are cut off when the budget is used up, then it is free", async () => {
  const budget = new ByteBudget(10_000);
  const closed: number[] = [];
  const streams = Array.from({ length: 5 }, (_, i) => {
    const [near, far] = streamPair();
    near.listen({
      data: () => undefined,
      ended: () => undefined,
      closed: () => void closed.push(i),
    });
    const values = new ValueStream(far, budget);
    near.write(new Uint8Array(3000));
    return values;
  });
  await settle();
  expect(closed).toEqual([3, 4]);
  for (const values of streams) values.release();
  expect(budget.take(10_000)).toBe(true);
});

test("what was read is given back", async () => {
  const budget = new ByteBudget(100);
  const [near, far] = streamPair();
  const reader = new ValueStream(far, budget);
  for (let i = 0; i < 50; i++) {
    near.write(encodeValue(streamHeader, { Method: `Some.Method${i}` }));
    const read = await reader.next(streamHeader, 0);
    expect(read?.Method).toBe(`Some.Method${i}`);
  }
});
