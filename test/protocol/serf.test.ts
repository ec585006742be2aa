import { describe, expect, test } from "bun:test";
import { createPrng } from "../../src/protocol/prng.ts";
import type { SerfEvent } from "../../src/protocol/serf/action.ts";
import { NOMAD_SERF, type SerfConfig } from "../../src/protocol/serf/config.ts";
import type { KeyKeeper } from "../../src/protocol/serf/key-queries.ts";
import { Serf } from "../../src/protocol/serf/serf.ts";
import { LAN } from "../../src/protocol/swim/config.ts";
import type { Message } from "../../src/protocol/swim/message.ts";
import { decodeMessage, encodeMessage } from "../../src/wire/gossip-message.ts";
import { StreamParser } from "../../src/wire/gossip-stream.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import { hex, type Json, vectors } from "../vectors.ts";

const RAW = { ip: hex("0a000063"), port: 7946 };
const HOUR = 3_600_000;
const NO_KEYS: KeyKeeper = {
  install: () => "No keyring to modify (encryption not enabled)",
  use: () => "No keyring to modify (encryption not enabled)",
  remove: () => "No keyring to modify (encryption not enabled)",
  list: () => [],
};

class Node {
  now = 1000;
  readonly serf: Serf;
  #events: SerfEvent[] = [];
  #said: Message[] = [];
  left = false;

  constructor(config: Partial<SerfConfig> = {}, tags: Record<string, string> = {}) {
    this.serf = new Serf({
      name: "me",
      address: { ip: hex("0a000001"), port: 7946 },
      tags: new Map(Object.entries(tags)),
      swim: {
        ...LAN,
        probeIntervalMs: HOUR,
        gossipIntervalMs: HOUR,
        pushPullIntervalMs: 0,
        retransmitMult: 1,
      },
      config: { ...NOMAD_SERF, ...config },
      prng: createPrng(5),
      codec: serfCodec,
      keys: NO_KEYS,
      sizeOf: (message) => encodeMessage(message).length,
      overheadBytes: () => 0,
      refuseMember: () => undefined,
    });
    this.serf.start(this.now);
    this.collect();
    this.take();
  }

  /** Everything queued goes out on the ack of a ping, as in production. */
  collect(): void {
    for (;;) {
      this.serf.receive(RAW, { kind: "ping", seqNo: 1, node: "" }, this.now);
      let gossip = 0;
      for (const action of this.serf.drain()) {
        if (action.kind === "event") this.#events.push(action.event);
        if (action.kind === "left") this.left = true;
        if (action.kind !== "send") continue;
        for (const message of action.messages) {
          if (message.kind === "ack") continue;
          this.#said.push(message);
          gossip += 1;
        }
      }
      if (gossip === 0) return;
    }
  }

  take(): { events: SerfEvent[]; said: Message[] } {
    this.collect();
    const taken = { events: this.#events, said: this.#said };
    this.#events = [];
    this.#said = [];
    return taken;
  }

  sleep(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const at = this.serf.deadline();
      if (at === undefined || at > until) break;
      this.now = Math.max(this.now, at);
      this.serf.expire(this.now);
      this.collect();
    }
    this.now = until;
  }

  step(step: Json, sleepMs: number): void {
    switch (step.do) {
      case "packet":
      case "message": {
        const message = decodeMessage(hex(step.hex));
        if (message === undefined) throw new Error("undecodable vector");
        this.serf.receive(RAW, message, this.now);
        return;
      }
      case "pushpull": {
        const none = { label: new Uint8Array(), expectLabelHeader: false, open: undefined };
        const parser = new StreamParser({ ...none, verifyIncoming: true });
        const read = parser.push(hex(step.hex));
        if (read.kind !== "message" || read.message.kind !== "pushPull") throw new Error(read.kind);
        const how = { joining: step.join, ignoreOld: false };
        this.serf.merge(read.message.states, read.message.userState, how, this.now);
        return;
      }
      case "leave":
        this.serf.leave(this.now);
        this.collect();
        this.serf.expire(this.now); // The gossip tick that notices: here it is an hour away.
        return;
      case "sleep":
        this.sleep(sleepMs);
        return;
      case "removeFailedNode":
      case "removeFailedNodePrune":
        this.serf.forceLeave(step.node, step.do.endsWith("Prune"), this.now);
        return;
      case "userEvent":
        this.serf.userEvent(step.name, new TextEncoder().encode("x"), true, this.now);
        return;
      default:
        throw new Error(`unknown step ${step.do}`);
    }
  }
}

function eventAsRecorded(event: SerfEvent): Json {
  switch (event.kind) {
    case "user":
      return {
        event: "user",
        ltime: Number(event.lTime),
        name: event.name,
        payload: new TextDecoder().decode(event.payload),
        coalesce: event.coalesce,
      };
    case "query":
      return {
        event: "query",
        ltime: Number(event.lTime),
        name: event.name,
        payload: new TextDecoder().decode(event.payload),
        source: event.sourceNode,
      };
    default:
      return { event: event.kind, members: [`${event.member.name}/${event.member.status}`] };
  }
}

function saidAsRecorded(message: Message): string {
  if (message.kind !== "user") return message.kind;
  const inner = serfCodec.decode(message.body);
  if (inner === undefined) return "undecodable";
  return `serf.${inner.kind} ${inner.kind === "relay" ? "" : inner.lTime}`;
}

const CONFIGS: Record<string, Partial<SerfConfig>> = {
  "user-events": { eventBuffer: 4 },
  queries: { queryBuffer: 4 },
  reap: { reapIntervalMs: 60, reconnectTimeoutMs: 50, tombstoneTimeoutMs: 200 },
};
const SLEEP_MS: Record<string, number> = { reap: 160, prune: 7000, "leave-own": 3000 };

describe("scenarios recorded from a real Serf node", () => {
  for (const scenario of vectors("gossip/serf-scenarios.json").scenarios) {
    test(`${scenario.name}: ${scenario.about}`, () => {
      const node = new Node(CONFIGS[scenario.name], { role: "web", dc: "east-1" });
      scenario.steps.forEach((step: Json, index: number) => {
        node.step(step, SLEEP_MS[scenario.name] ?? 0);
        const { events, said } = node.take();
        const at = `step ${index}: ${step.note ?? step.do}`;
        expect([at, events.map(eventAsRecorded)]).toEqual([at, step.events]);
        const broadcasts = step.broadcasts.map((one: Json) =>
          one.type.startsWith("serf.") ? `${one.type} ${one.fields.LTime}` : one.type,
        );
        expect([at, said.map(saidAsRecorded).sort()]).toEqual([at, broadcasts.sort()]);
        const members = [...node.serf.members()]
          .map(({ name, status, statusLTime }) => {
            return { name, status, statusLTime: Number(statusLTime) };
          })
          .sort((a, b) => (a.name < b.name ? -1 : 1));
        expect([at, members]).toEqual([at, step.members]);
        const stats = node.serf.stats();
        expect([at, Number(stats["member_time"])]).toEqual([at, step.clock]);
        expect([at, Number(stats["event_time"])]).toEqual([at, step.eventClock]);
        expect([at, Number(stats["query_time"])]).toEqual([at, step.queryClock]);
        const state = serfCodec.decodePushPull(node.serf.pushPullState());
        expect([at, state?.leftMembers]).toEqual([at, step.left]);
      });
    });
  }

  test("leave ends with the action left, also when nobody hears it", () => {
    const node = new Node();
    node.serf.leave(node.now);
    node.sleep(20_000);
    expect(node.left).toBe(true);
  });

  const alive = (incarnation: number): Message => ({
    kind: "alive",
    node: "x",
    incarnation,
    addr: hex("0a000002"),
    port: 7946,
    meta: hex("ff80"),
    vsn: hex("010502020504"),
  });
  const intent = (kind: "join" | "leave", lTime: bigint): Message => {
    const body = { lTime, node: "x" };
    const message =
      kind === "join" ? ({ kind, ...body } as const) : { kind, ...body, prune: false };
    return { kind: "user", body: serfCodec.encode(message) };
  };

  test("a member that says it leaves and stays is alive again after a minute", () => {
    const node = new Node();
    for (const message of [alive(1), intent("leave", 5n), intent("join", 5n)]) {
      node.serf.receive(RAW, message, node.now);
    }
    expect(node.serf.member("x")?.status).toBe("leaving");
    node.sleep(50_000);
    expect(node.serf.member("x")?.status).toBe("leaving");
    node.sleep(40_000);
    expect(node.serf.member("x")?.status).toBe("alive");
  });

  test("a newer intent about us that we never gave is answered by a join", () => {
    const node = new Node();
    const state = (lTime: bigint): Uint8Array =>
      serfCodec.encodePushPull({
        lTime: 1n,
        statusLTimes: new Map([["me", lTime]]),
        leftMembers: [],
        eventLTime: 1n,
        events: [],
        queryLTime: 1n,
      });
    const how = { joining: false, ignoreOld: false };
    node.serf.merge([], state(9n), how, node.now);
    expect(node.take().said.map(saidAsRecorded)).toEqual(["serf.join 10"]);
    node.serf.merge([], state(9n), how, node.now);
    expect(node.take().said).toEqual([]);
  });
});
