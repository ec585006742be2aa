/** Requests for the leader while there is none, another one, or one that ends. */
import { expect, test } from "bun:test";
import { createPrng } from "../../../src/protocol/prng.ts";
import { RpcLostError, RpcRemoteError } from "../../../src/service/rpc/call.ts";
import { type ForwardedRequest, RpcForwarder } from "../../../src/service/rpc/client/forward.ts";
import type { PoolTarget } from "../../../src/service/rpc/client/pool.ts";
import { createRpcCounters } from "../../../src/service/rpc/counters.ts";
import { RpcMethodError } from "../../../src/service/rpc/method-error.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { encodeQueryOptions, queryOptions } from "../../../src/wire/rpc-status.ts";
import { ManualClock } from "../manual-clock.ts";

const OTHER: PoolTarget = {
  address: { ip: Uint8Array.of(127, 0, 0, 9), port: 4647 },
  region: "global",
};
const DONE = Uint8Array.of(1);

/** @param answers of the other server, one after the other; the last one again and again */
function forwarder(
  answers: readonly (Error | Uint8Array)[],
  leader: () => PoolTarget | "self" | undefined,
) {
  const clock = new ManualClock();
  let calls = 0;
  const call = async (): Promise<Uint8Array> => {
    const answer = answers[Math.min(calls, answers.length - 1)];
    calls += 1;
    if (answer instanceof Error) throw answer;
    return answer ?? DONE;
  };
  const pool = { call, stream: () => Promise.reject(new Error("no streams")) };
  const counters = createRpcCounters();
  const init = { pool, counters, clock, prng: createPrng(1), servers: () => [], leader };
  return { clock, made: new RpcForwarder(init), calls: () => calls };
}

function request(isRead: boolean): ForwardedRequest {
  const fields = { Region: "global", MinQueryIndex: isRead ? 7n : 0n };
  const options = structOf(queryOptions, fields);
  const body = isRead
    ? encodeValue(queryOptions, options)
    : encodeQueryOptions({ Region: "global" });
  return { name: "Node.Register", body, options, signal: undefined };
}

async function outcome(
  { clock, made }: ReturnType<typeof forwarder>,
  isRead: boolean,
  lead: () => Promise<Uint8Array> = () => Promise.reject(new Error("we do not lead")),
): Promise<string> {
  let told = "";
  const done = made.toLeader(request(isRead), lead).then(
    () => {
      told = "done";
    },
    (error: Error) => {
      told = error.message;
    },
  );
  for (let i = 0; i < 40 && told === ""; i++) await clock.advance(200);
  await done;
  return told;
}

const refused = new Error("dial tcp 127.0.0.9:4647: connect: connection refused");
const lost = new RpcLostError("rpc error: EOF");

test("one that was not reached, or leads no more, has done nothing: it is asked again", async () => {
  for (const first of [refused, new RpcRemoteError("node is not the leader")]) {
    const tried = forwarder([first, first, DONE], () => OTHER);
    expect(await outcome(tried, false)).toBe("done");
    expect(tried.calls()).toBe(3);
  }
});

test("one that was lost before its answer may have done it: only a question is asked again", async () => {
  const write = forwarder([lost, DONE], () => OTHER);
  expect(await outcome(write, false)).toBe("rpc error: EOF");
  expect(write.calls()).toBe(1);
  expect(
    await outcome(
      forwarder([lost, DONE], () => OTHER),
      true,
    ),
  ).toBe("done");
});

test("an answer is an answer, and after five seconds the last failure is told", async () => {
  const said = forwarder([new RpcRemoteError("node not found"), DONE], () => OTHER);
  expect(await outcome(said, false)).toBe("rpc error: node not found");
  expect(
    await outcome(
      forwarder([refused], () => OTHER),
      false,
    ),
  ).toBe(refused.message);
  expect(
    await outcome(
      forwarder([DONE], () => undefined),
      false,
    ),
  ).toBe("No cluster leader");
});

test("we ourselves may lead no more before it is in the log: then whoever does is asked", async () => {
  let leader: PoolTarget | "self" = "self";
  const tried = forwarder([DONE], () => leader);
  const lead = (): Promise<Uint8Array> => {
    leader = OTHER;
    return Promise.reject(new RpcMethodError("node is not the leader", false));
  };
  expect(await outcome(tried, false, lead)).toBe("done");
  expect(tried.calls()).toBe(1);
  leader = "self";
  const denied = (): Promise<Uint8Array> =>
    Promise.reject(new RpcMethodError("Permission denied", false));
  expect(await outcome(tried, false, denied)).toBe("Permission denied");
});
