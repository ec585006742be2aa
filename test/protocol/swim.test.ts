import { describe, expect, test } from "bun:test";
import { createPrng } from "../../src/protocol/prng.ts";
import { LAN, type SwimConfig } from "../../src/protocol/swim/config.ts";
import type { Message } from "../../src/protocol/swim/message.ts";
import { Swim, type SwimDelegate } from "../../src/protocol/swim/swim.ts";
import { decodeMessage, encodeMessage } from "../../src/wire/gossip-message.ts";
import { bytesOf, hex, type Json, vectors } from "../vectors.ts";

const VSN = hex("010502000000");
const HOUR = 3_600_000;

class Node {
  readonly events: string[] = [];
  readonly swim: Swim;
  now = 1000;

  constructor(config: Partial<SwimConfig> = {}) {
    const delegate: SwimDelegate = {
      refuseAlive: () => undefined,
      refuseMerge: () => undefined,
      changed: (change, member) => void this.events.push(`${change}:${member.name}`),
      userMessage: () => undefined,
      broadcasts: () => [],
      ackPayload: () => null,
      pinged: () => undefined,
    };
    this.swim = new Swim({
      name: "me",
      address: { ip: hex("0a000001"), port: 7946 },
      meta: new TextEncoder().encode("mine"),
      versions: VSN,
      config: { ...LAN, probeIntervalMs: HOUR, retransmitMult: 1, ...config },
      prng: createPrng(7),
      sizeOf: (message: Message) => encodeMessage(message).length,
      overheadBytes: () => 0,
      delegate,
    });
    this.swim.start(this.now);
    this.take();
  }

  take(): { broadcasts: string[]; events: string[] } {
    const events = this.events.splice(0);
    for (const action of this.swim.drain()) {
      const conflict = action.kind === "note" && action.note.what === "conflict";
      if (conflict) events.push(`conflict:${action.note.node}`);
    }
    const broadcasts = this.swim.takeBroadcasts(1 << 20).map((one) => encodeMessage(one).toHex());
    return { broadcasts, events };
  }

  step(step: Json): void {
    switch (step.do) {
      case "packet": {
        const message = decodeMessage(hex(step.hex));
        if (message === undefined) throw new Error("undecodable vector");
        this.swim.receive({ ip: hex("0a000063"), port: 1 }, message, this.now);
        return;
      }
      case "pushpull":
        this.swim.merge(
          step.states.map((state: Json) => ({
            name: state.Name,
            addr: bytesOf(state.Addr),
            port: state.Port,
            meta: bytesOf(state.Meta),
            incarnation: state.Incarnation,
            state: ["alive", "suspect", "dead", "left"][state.State] ?? "unknown",
            vsn: bytesOf(state.Vsn),
          })),
          step.join,
          this.now,
        );
        return;
      case "sleep":
        this.now += step.ms;
        return;
      case "leave":
        this.swim.leave(this.now);
        return;
      case "updateNode":
        this.swim.update(new TextEncoder().encode(step.meta), this.now);
        return;
      default:
        throw new Error(`unknown step ${step.do}`);
    }
  }
}

function acknowledgePings(node: Node): void {
  for (const action of node.swim.drain()) {
    const [ping] = action.kind === "send" ? action.messages : [];
    if (ping?.kind !== "ping") continue;
    const ack = { kind: "ack", seqNo: ping.seqNo, payload: null } as const;
    node.swim.receive({ ip: hex("0a000009"), port: 1 }, ack, node.now);
  }
}

function recorded(broadcasts: Json[]): Json[] {
  return broadcasts.map((one) => {
    const { fields: f } = one;
    const base = { kind: one.type, incarnation: f.Incarnation, node: f.Node };
    if (one.type !== "alive") return { ...base, from: f.From };
    const [addr, meta, vsn] = [f.Addr, f.Meta, f.Vsn].map(bytesOf);
    return { ...base, addr, port: f.Port, meta, vsn };
  });
}

describe("scenarios recorded from a real node", () => {
  for (const scenario of vectors("gossip/swim-scenarios.json").scenarios) {
    test(`${scenario.name}: ${scenario.about}`, () => {
      const { deadNodeReclaimTimeMs, ...config } = scenario.config;
      const node = new Node({
        ...config,
        ...(deadNodeReclaimTimeMs ? { deadNodeReclaimMs: deadNodeReclaimTimeMs } : {}),
      });
      scenario.steps.forEach((step: Json, index: number) => {
        // A real node can be pushed to the end of the range, where it cannot refute any more.
        if (step.message?.fields.Incarnation > 2 ** 24) return;
        node.step(step);
        const { broadcasts, events } = node.take();
        const at = `step ${index}: ${step.note ?? step.do}`;
        expect([at, events]).toEqual([at, step.events]);
        const said = broadcasts.map((one) => decodeMessage(hex(one)));
        expect([at, said]).toEqual([at, recorded(step.broadcasts)]);
        expect([at, node.swim.healthScore()]).toEqual([at, step.health]);
        const nodes = [...node.swim.members()].sort((a, b) => (a.name < b.name ? -1 : 1));
        const table = nodes.map((member) => ({
          name: member.name,
          state: member.state,
          incarnation: member.incarnation,
          addr: member.ip.toHex(),
          port: member.port,
          meta: new TextDecoder().decode(member.meta ?? new Uint8Array()),
          vsn: member.versions.toHex(),
        }));
        expect([at, table]).toEqual([at, step.nodes]);
      });
    });
  }

  for (const timing of vectors("gossip/swim-scenarios.json").suspicionTiming) {
    test(`suspicion of ${timing.nodes} nodes, ${timing.confirmations} confirmations`, () => {
      const { probeIntervalMs, suspicionMult, suspicionMaxTimeoutMult } = timing;
      const mults = { suspicionMult, suspicionMaxTimeoutMult, gossipIntervalMs: HOUR };
      const node = new Node({ ...mults, pushPullIntervalMs: 0, probeIntervalMs });
      const from = { ip: hex("0a000063"), port: 1 };
      for (let i = 1; i < timing.nodes; i++) {
        const alive = {
          kind: "alive",
          incarnation: 1,
          node: `n${i}`,
          port: 1,
          meta: null,
        } as const;
        node.swim.receive(from, { ...alive, addr: hex("0a000009"), vsn: VSN }, node.now);
      }
      const accuse = (accuser: string): void => {
        const suspect = { kind: "suspect", incarnation: 1, node: "n1", from: accuser } as const;
        node.swim.receive(from, suspect, node.now);
      };
      for (let i = 0; i <= timing.confirmations; i++) accuse(`accuser${i}`);
      const start = node.now;
      while (node.swim.member("n1")?.state === "suspect") {
        node.now = node.swim.deadline() ?? Number.POSITIVE_INFINITY;
        node.swim.expire(node.now);
        acknowledgePings(node); // The recording node did not probe: ours must not accuse either.
      }
      expect(node.now - start).toBe(timing.expectedMs);
    });
  }
});
