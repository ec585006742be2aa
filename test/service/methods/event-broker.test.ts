/** The broker of events: what is kept, what a subscriber gets, and who is cut off. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  CLOSED,
  EventBroker,
  type Subscription,
  TOO_SLOW,
} from "../../../src/service/methods/event-broker.ts";
import type { Change } from "../../../src/state/change.ts";
import { decodeValue } from "../../../src/wire/codec.ts";
import { eventFrame } from "../../../src/wire/rpc-event.ts";
import type { Json } from "../../vectors.ts";

let encoded = 0;

function change(key: string, fields: Partial<Change> = {}): Change {
  const payload = () => {
    encoded += 1;
    return { Node: { ID: key } };
  };
  return { topic: "Node", type: "NodeRegistration", key, bytes: 1000, payload, ...fields };
}

function brokerOf(eventsMax = 100) {
  let index = 0;
  const broker = new EventBroker({ eventsMax, index: () => index });
  return {
    broker,
    apply(at: number, ...changes: Change[]) {
      index = at;
      broker.applied(at, changes);
    },
    subscribe(topics: Record<string, string[]> = { "*": ["*"] }, from = 0, namespace = "") {
      const found = { woken: 0 };
      const wake = (): void => {
        found.woken += 1;
      };
      const all = Object.entries(topics).map(([topic, keys]) => [topic, new Set(keys)] as const);
      const asking = { topics: new Map(all), index: from, namespace, wake };
      return Object.assign(found, { one: broker.subscribe(asking) });
    },
  };
}

function read(frame: Uint8Array | undefined): Json {
  const data = frame && decodeValue(eventFrame, frame)?.Event?.Data;
  return data ? JSON.parse(new TextDecoder().decode(data)) : undefined;
}

function all(one: Subscription): Json[] {
  const found: Json[] = [];
  for (let next = one.next(); next !== undefined; next = one.next()) found.push(read(next));
  return found;
}

const keysOf = (one: Subscription): string[] => all(one).flatMap((some) => some.Events.map(keyOf));
const keyOf = (event: Json): string => event.Key;

describe("what a subscriber gets", () => {
  test("the events of one index together, with Nomad's names", () => {
    const { apply, subscribe } = brokerOf();
    const { one } = subscribe();
    apply(7, change("n1", { filterKeys: ["k"], namespace: "prod" }), change("n2"));
    expect(all(one)).toEqual([
      {
        Index: 7,
        Events: [
          {
            ...{ Topic: "Node", Type: "NodeRegistration", Key: "n1", Namespace: "prod" },
            ...{ FilterKeys: ["k"], Index: 7, Payload: { Node: { ID: "n1" } } },
          },
          {
            ...{ Topic: "Node", Type: "NodeRegistration", Key: "n2", Namespace: "" },
            ...{ FilterKeys: null, Index: 7, Payload: { Node: { ID: "n2" } } },
          },
        ],
      },
    ]);
  });

  test("by topic, key, filter key and namespace", () => {
    const { apply, subscribe } = brokerOf();
    const pool = change("p1", { topic: "NodePool", filterKeys: ["red"] });
    apply(1, change("n1"), pool, change("a1", { topic: "Allocation", namespace: "prod" }));
    const found = (topics: Record<string, string[]>, namespace = "") =>
      keysOf(subscribe(topics, 0, namespace).one);
    expect(found({ Node: ["*"] })).toEqual(["n1"]);
    expect(found({ Node: ["n2", "n1"] })).toEqual(["n1"]);
    expect(found({ Node: ["n2"] })).toEqual([]);
    expect(found({ NodePool: ["red"], Node: ["*"] })).toEqual(["n1", "p1"]);
    expect(found({ "*": ["*"] })).toEqual(["n1", "p1", "a1"]);
    expect(found({ "*": ["p1"] })).toEqual(["p1"]);
    expect(found({ "*": ["*"] }, "default")).toEqual(["n1", "p1"]);
    expect(found({ "*": ["*"] }, "*")).toEqual(["n1", "p1", "a1"]);
    expect(found({})).toEqual([]);
  });

  test("from an index on, or from the next one that is there; 0 is all that is kept", () => {
    const { apply, subscribe } = brokerOf();
    for (const index of [3, 5, 8]) apply(index, change(`n${index}`));
    const from = (index: number) => keysOf(subscribe({ Node: ["*"] }, index).one);
    expect(from(0)).toEqual(["n3", "n5", "n8"]);
    expect(from(1)).toEqual(["n3", "n5", "n8"]);
    expect(from(5)).toEqual(["n5", "n8"]);
    expect(from(6)).toEqual(["n8"]);
    const late = subscribe({ Node: ["*"] }, 9);
    expect(keysOf(late.one)).toEqual([]);
    apply(10, change("n10"));
    expect(late.woken).toBe(1);
    expect(keysOf(late.one)).toEqual(["n10"]);
  });

  test("what only this server knows has the last index", () => {
    const { apply, broker, subscribe } = brokerOf();
    const { one } = subscribe();
    broker.note(change("s1", { topic: "Agent" }));
    apply(12, change("n1"));
    broker.note(change("s2", { topic: "Agent" }));
    expect(all(one).map((some) => some.Index)).toEqual([1, 12, 12]);
  });

  test("two hundred subscribers share one encoding, and what nobody asks for has none", () => {
    const { apply, subscribe } = brokerOf();
    encoded = 0;
    const many = Array.from({ length: 200 }, () => subscribe({ Node: ["*"] }).one);
    apply(1, change("n1"));
    apply(2, change("p1", { topic: "NodePool" }));
    const frames = new Set(many.map((one) => one.next()));
    expect(frames.size).toBe(1);
    expect(encoded).toBe(1);
    expect(many.every((one) => one.next() === undefined)).toBe(true);
    expect(encoded).toBe(1);
  });

  test("a thousand nodes of one entry come in several frames of one index", () => {
    const { apply, subscribe } = brokerOf();
    const { one } = subscribe();
    apply(4, ...Array.from({ length: 1000 }, (_, i) => change(`n${i}`)));
    const found = all(one);
    expect(found.length).toBeGreaterThan(10);
    expect(found.every((some) => some.Index === 4)).toBe(true);
    expect(found.flatMap((some) => some.Events)).toHaveLength(1000);
  });
});

describe("what is kept", () => {
  test("the newest events, and nothing of the others: a storm holds no nodes", () => {
    const { apply, broker, subscribe } = brokerOf();
    for (let i = 1; i <= 5000; i++) apply(i, change(`n${i}`));
    expect(broker.held).toEqual({ events: 100, bytes: 100_000 });
    expect(keysOf(subscribe().one)).toHaveLength(100);
    expect(keysOf(subscribe({ Node: ["*"] }, 17).one)[0]).toBe("n4901");
  });

  test("no more than 8 MiB, however large they are", () => {
    const { apply, broker } = brokerOf();
    for (let i = 1; i <= 50; i++) apply(i, change(`n${i}`, { bytes: 1024 * 1024 }));
    expect(broker.held.events).toBe(8);
  });

  test("nothing with a buffer of no event; who listens hears all the same", () => {
    const { apply, broker, subscribe } = brokerOf(0);
    apply(1, change("n1"));
    expect(broker.held.events).toBe(0);
    const { one } = subscribe();
    apply(2, change("n2"), change("n3"));
    expect(keysOf(one)).toEqual(["n2", "n3"]);
    expect(broker.held).toEqual({ events: 0, bytes: 0 });
  });

  test("what a subscriber has not read yet, until it is too far behind: then it is cut off", () => {
    const { apply, broker, subscribe } = brokerOf();
    const [slow, quick, other] = [subscribe(), subscribe(), subscribe({ NodePool: ["*"] })];
    let heard = 0;
    for (let i = 1; i <= 20_000; i++) {
      apply(i, change(`n${i}`));
      heard += keysOf(quick.one).length;
    }
    expect(heard).toBe(20_000);
    expect(slow.one.ended).toBe(TOO_SLOW);
    expect(slow.one.next()).toBeUndefined();
    expect(slow.woken).toBeGreaterThan(0);
    expect(quick.one.ended).toBeUndefined();
    // What it does not want cannot be too much for it.
    expect(other.one.ended).toBeUndefined();
    expect(broker.subscribers).toBe(2);
    expect(broker.held.events).toBe(100);
  });

  test("... and no more than 32 MiB for all who are slow", () => {
    const { apply, broker, subscribe } = brokerOf();
    const slow = Array.from({ length: 3 }, () => subscribe().one);
    for (let i = 1; i <= 200; i++) {
      apply(i, change(`n${i}`, { bytes: 1024 * 1024 }));
      expect(broker.held.bytes).toBeLessThanOrEqual(32 * 1024 * 1024);
    }
    expect(slow.every((one) => one.ended === TOO_SLOW)).toBe(true);
  });

  test("another state ends all subscriptions, and nothing of before is told", () => {
    const { apply, broker, subscribe } = brokerOf();
    apply(1, change("n1"));
    const before = subscribe();
    broker.replaced();
    expect(before.one.ended).toBe(CLOSED);
    expect(before.one.next()).toBeUndefined();
    expect(keysOf(subscribe().one)).toEqual([]);
    expect(broker.held).toEqual({ events: 0, bytes: 0 });
  });
});

test("whoever keeps up gets every event once and in order, whatever the others do", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("apply" as const), count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ do: fc.constant("read" as const), who: fc.nat(3), count: fc.nat(9) }),
    fc.record({ do: fc.constant("leave" as const), who: fc.nat(3), count: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(30), (steps, eventsMax) => {
      const { apply, broker, subscribe } = brokerOf(eventsMax);
      let made = 0;
      let index = 0;
      const readers = Array.from({ length: 4 }, () => ({ ...subscribe(), heard: [""].slice(1) }));
      for (const one of steps) {
        if (one.do === "apply") {
          index += 1;
          apply(index, ...Array.from({ length: one.count }, () => change(`${made++}`)));
          continue;
        }
        const reader = readers[one.who];
        if (one.do === "leave") reader?.one.end(CLOSED);
        for (let i = 0; i < one.count; i++) {
          reader?.heard.push(...(read(reader.one.next())?.Events ?? []).map(keyOf));
        }
      }
      const whole = Array.from({ length: made }, (_, i) => `${i}`);
      for (const { one, heard } of readers) {
        heard.push(...keysOf(one));
        expect(heard).toEqual(one.ended === undefined ? whole : whole.slice(0, heard.length));
      }
      expect(broker.held.events).toBeLessThanOrEqual(eventsMax);
      const bytes = broker.held.bytes;
      broker.replaced();
      expect(bytes).toBeGreaterThanOrEqual(0);
      expect(broker.held).toEqual({ events: 0, bytes: 0 });
    }),
    { numRuns: 200 },
  );
});
