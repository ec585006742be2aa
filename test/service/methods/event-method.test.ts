/** Event.Stream: its frames and signs of life, and how it ends. */
import { describe, expect, test } from "bun:test";
import type { ByteStream } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import type { Address } from "../../../src/protocol/ports.ts";
import { CLOSED, EventBroker, TOO_SLOW } from "../../../src/service/methods/event-broker.ts";
import { EVENTS, EventMethod, eventNeeds } from "../../../src/service/methods/event-method.ts";
import { StreamMethods } from "../../../src/service/methods/stream-methods.ts";
import { createRpcCounters } from "../../../src/service/rpc/counters.ts";
import type { Change } from "../../../src/state/change.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { type EventRequest, eventFrame, eventRequest } from "../../../src/wire/rpc-event.ts";
import { readValue, streamAck, streamHeader } from "../../../src/wire/rpc-stream.ts";
import { ManualClock } from "../manual-clock.ts";

type Init = ConstructorParameters<typeof EventMethod>[0];

function change(key: string, bytes = 1000): Change {
  const text = "x".repeat(bytes);
  const payload = () => ({ ID: key, text });
  return { topic: "Node", type: "NodeRegistration", key, bytes, payload };
}

/** A server with one index after the other. */
class Server {
  readonly clock = new ManualClock();
  readonly broker = new EventBroker({ eventsMax: 100, index: () => this.index });
  readonly method: EventMethod;
  readonly streams: StreamMethods;
  index = 0;

  constructor(init: Partial<Init> = {}) {
    const { clock, broker } = this;
    const usual = { region: "global", broker, clock, streamTo: undefined };
    this.method = new EventMethod({ ...usual, ...init });
    this.streams = new StreamMethods({
      methods: new Map([[EVENTS, this.method]]),
      counters: createRpcCounters(),
    });
  }

  apply(...changes: Change[]): void {
    this.index += 1;
    this.broker.applied(this.index, changes);
  }

  /** The other end of a stream to us. */
  open(): ByteStream {
    const [near, far] = streamPair();
    void this.streams.serve(far, { names: undefined });
    return near;
  }

  subscribe(fields: Partial<EventRequest> = {}): Caller {
    const Topics = new Map([["*", ["*"]]]);
    return new Caller(this.open(), structOf(eventRequest, { Region: "global", Topics, ...fields }));
  }
}

class Caller {
  readonly near: ByteStream;
  ended = false;
  bytes = 0;
  readonly #heard: Uint8Array[] = [];

  constructor(near: ByteStream, request: EventRequest) {
    this.near = near;
    near.listen({
      data: (bytes) => {
        this.#heard.push(bytes);
        this.bytes += bytes.length;
      },
      ended: () => {
        this.ended = true;
      },
      closed: () => {
        this.ended = true;
      },
    });
    near.write(encodeValue(streamHeader, { Method: EVENTS }));
    near.write(encodeValue(eventRequest, request));
  }

  /** What came behind the yes: JSON, or an error. */
  get frames(): string[] {
    const heard = Buffer.concat(this.#heard);
    const ack = readValue(streamAck, heard);
    if (ack.kind !== "value") return [];
    const found: string[] = [];
    for (let rest = heard.subarray(ack.bytes); rest.length > 0; ) {
      const one = readValue(eventFrame, rest);
      if (one.kind !== "value") throw new Error(one.kind);
      const { Error: error, Event } = one.value;
      const text = new TextDecoder().decode(Event?.Data ?? undefined);
      found.push(error === null ? text : `${error.Code} ${error.Message}`);
      rest = rest.subarray(one.bytes);
    }
    return found;
  }

  get keys(): string[] {
    const lines = this.frames.filter((one) => one !== "{}" && one.startsWith("{"));
    return lines.flatMap((one) => JSON.parse(one).Events.map(({ Key }: { Key: string }) => Key));
  }
}

/** Turns of the loop, until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    if (turns > 5000) throw new Error("it never came");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a stream", () => {
  test("begins with a sign of life, and has one every ten seconds", async () => {
    const server = new Server();
    const caller = server.subscribe();
    await until(() => caller.frames.length === 1);
    expect(caller.frames).toEqual(["{}"]);
    await server.clock.advance(10_000);
    await server.clock.advance(10_000);
    await until(() => caller.frames.length === 3);
    server.apply(change("n1"));
    await until(() => caller.frames.length === 4);
    expect(caller.keys).toEqual(["n1"]);
  });

  test("ends when the caller hangs up: its timer and its subscription go", async () => {
    const server = new Server();
    const caller = server.subscribe();
    await until(() => caller.frames.length === 1);
    expect(server.broker.subscribers).toBe(1);
    caller.near.destroy();
    await until(() => server.broker.subscribers === 0);
    await server.clock.advance(20_000);
    expect(server.clock.timers).toBe(0);
  });

  test("of one that does not read ends with an error as soon as it is too far behind", async () => {
    const cutOff: Address[] = [];
    const server = new Server({ cutOff: (remote) => void cutOff.push(remote) });
    const [slow, quick] = [server.subscribe(), server.subscribe()];
    await until(() => slow.frames.length === 1 && quick.frames.length === 1);
    slow.near.pause();
    for (let i = 1; i <= 40; i++) {
      server.apply(change(`n${i}`, 1024 * 1024));
      await until(() => quick.bytes > i * 1024 * 1024);
    }
    expect(server.broker.subscribers).toBe(1);
    expect(server.broker.held.bytes).toBeLessThan(33 * 1024 * 1024);
    slow.near.resume();
    await until(() => slow.ended);
    expect(slow.frames.at(-1)).toBe(`500 ${TOO_SLOW}`);
    expect(cutOff).toHaveLength(1);
    expect(slow.keys.length).toBeLessThan(3);
    expect(quick.keys).toHaveLength(40);
  });

  test("of one that takes nothing for a minute is none, however little there is", async () => {
    const server = new Server();
    const caller = server.subscribe();
    await until(() => caller.frames.length === 1);
    caller.near.pause();
    server.apply(change("n1", 400_000));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await server.clock.advance(80_000);
    expect(server.broker.subscribers).toBe(0);
  });

  test("ends when the state is replaced, and a client hears that it may begin anew", async () => {
    const server = new Server();
    const caller = server.subscribe();
    server.apply(change("n1"));
    await until(() => caller.keys.length === 1);
    server.broker.replaced();
    await until(() => caller.ended);
    expect(caller.frames.at(-1)).toBe(`500 ${CLOSED}`);
  });

  test("where there is no broker is an error with a code", async () => {
    const server = new Server({ broker: undefined });
    const caller = server.subscribe();
    await until(() => caller.ended);
    expect(caller.frames).toEqual(["500 EventBroker not configured"]);
  });

  test("of a request that is none is none", async () => {
    const server = new Server();
    const near = server.open();
    let closed = false;
    near.listen({
      data: () => {},
      ended: () => {},
      closed: () => {
        closed = true;
      },
    });
    near.write(encodeValue(streamHeader, { Method: EVENTS }));
    near.write(Uint8Array.of(0xc1));
    await until(() => closed);
  });

  test("after 1024 others there is no room", async () => {
    const server = new Server();
    const many = Array.from({ length: 1025 }, () => server.subscribe());
    await until(() => many.every((one) => one.frames.length > 0));
    expect(many.at(-1)?.frames).toEqual(["429 1024 event streams are open already"]);
    for (const one of many) one.near.destroy();
    await until(() => server.broker.subscribers === 0);
    const again = server.subscribe();
    await until(() => again.frames.length > 0);
    expect(again.frames).toEqual(["{}"]);
  });
});

test("256 of one address over RPC, and others still have room", async () => {
  const server = new Server();
  const subscribe = (last: number): Caller => {
    const [near, far] = streamPair();
    const remote = { ip: Uint8Array.of(10, 0, 0, last), port: 4000 };
    const named = new Proxy(far, {
      get: (target, key) => {
        const found: unknown = key === "remote" ? remote : Reflect.get(target, key);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    void server.streams.serve(named, { names: undefined });
    const Topics = new Map([["*", ["*"]]]);
    return new Caller(near, structOf(eventRequest, { Region: "global", Topics }));
  };
  const many = Array.from({ length: 257 }, () => subscribe(1));
  await until(() => many.every((one) => one.frames.length > 0));
  const full = "429 256 event streams of this address are open already";
  expect(many.at(-1)?.frames).toEqual([full]);
  const others = [subscribe(2), server.subscribe()];
  await until(() => others.every((one) => one.frames.length > 0));
  expect(others.map((one) => one.frames)).toEqual([["{}"], ["{}"]]);
  many[0]?.near.destroy();
  await until(() => server.broker.subscribers === 257);
  const again = subscribe(1);
  await until(() => again.frames.length > 0);
  expect(again.frames).toEqual(["{}"]);
});

describe("tokens", () => {
  test("each topic needs what Nomad's does: nodes node:read, ours agent:read, the rest all", () => {
    const needs = (...topics: string[]) =>
      eventNeeds(new Map(topics.map((one) => [one, new Set(["*"])])));
    expect(needs("Node", "Agent")).toEqual(["node:read", "agent:read"]);
    for (const one of ["*", "ACLToken", "ACLPolicy", "ACLRole", "NodePool", "Job", "x"]) {
      expect(needs(one)).toEqual(["management"]);
    }
  });

  test("one that may not hears no event; one that may not any more hears that it is over", async () => {
    const allowed = new Set(["good"]);
    const server = new Server({
      refusal: (token, needs) => {
        return allowed.has(token) && needs[0] !== "management" ? undefined : "Permission denied";
      },
    });
    server.apply(change("n1"));
    const Topics = new Map([["Node", ["*"]]]);
    const stranger = server.subscribe({ Topics, AuthToken: "bad" });
    const wide = server.subscribe({ AuthToken: "good" });
    const good = server.subscribe({ Topics, AuthToken: "good" });
    await until(() => stranger.ended && wide.ended && good.keys.length === 1);
    expect(stranger.frames).toEqual(["403 Permission denied"]);
    expect(wide.frames).toEqual(["403 Permission denied"]);
    server.method.tokensChanged();
    server.apply(change("n2"));
    await until(() => good.keys.length === 2);
    allowed.clear();
    server.method.tokensChanged();
    server.apply(change("n3"));
    await until(() => good.ended);
    expect(good.keys).toEqual(["n1", "n2"]);
    expect(good.frames.at(-1)).toBe(`500 ${CLOSED}`);
  });

  test("... at the latest with the next sign of life: a token may just have run out", async () => {
    let runsOut = false;
    const server = new Server({ refusal: () => (runsOut ? "ACL token expired" : undefined) });
    const caller = server.subscribe();
    await until(() => caller.frames.length === 1);
    runsOut = true;
    await server.clock.advance(10_000);
    await until(() => caller.ended);
    expect(server.broker.subscribers).toBe(0);
  });
});

describe("another server", () => {
  test("of the region that is asked for answers, through us, and through no third one", async () => {
    const west = new Server({ region: "west" });
    const east = new Server({ region: "east", streamTo: async () => west.open() });
    const caller = east.subscribe({ Region: "west" });
    west.apply(change("n1"));
    await until(() => caller.keys.length === 1);
    expect(east.broker.subscribers).toBe(0);
    caller.near.destroy();
    await until(() => west.broker.subscribers === 0);
    const circle = east.subscribe({ Region: "west", Forwarded: true });
    await until(() => circle.ended);
    expect(circle.frames).toEqual(["500 No path to region"]);
  });

  test("answers for an agent that is a client only, or there is an error", async () => {
    const server = new Server();
    let isThere = true;
    const streamTo = async () => {
      if (!isThere) throw new Error("no servers");
      return server.open();
    };
    const client = new Server({ broker: undefined, isClient: true, streamTo });
    server.apply(change("n1"));
    const caller = client.subscribe({ Region: "" });
    await until(() => caller.keys.length === 1);
    isThere = false;
    const lost = client.subscribe();
    await until(() => lost.ended);
    expect(lost.frames).toEqual(["500 no servers"]);
  });
});
