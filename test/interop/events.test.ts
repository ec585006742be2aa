/** User events and queries with HashiCorp's `serf` agent: our gossip engine in this process. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/host/clock.ts";
import { sha256 } from "../../src/host/digest.ts";
import { systemEntropy } from "../../src/host/entropy.ts";
import { LogSink } from "../../src/host/log.ts";
import { systemNetwork } from "../../src/host/network.ts";
import type { QueryResult, Question, SerfEvent } from "../../src/protocol/serf/action.ts";
import { NOMAD_SERF } from "../../src/protocol/serf/config.ts";
import { LAN } from "../../src/protocol/swim/config.ts";
import { isKeyFault, parseKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { nativeAead } from "../../src/secret/native-aead.ts";
import { Gossip } from "../../src/service/gossip/gossip.ts";
import { Sealer } from "../../src/service/gossip/sealer.ts";
import { ipOf, NET } from "../addresses.ts";
import { type Json, Lab, until } from "../cluster/agents.ts";
import { mustRun } from "./go.ts";
import { SerfPeers } from "./serf-agent.ts";

const KEY = Buffer.alloc(16, 8).toString("base64");
const OURS = { ip: ipOf("81.1"), port: 4648 };
const THEIRS = [`${NET}.81.11`, `${NET}.81.12`];
const NO_KEYS = { install: () => "no", use: () => "no", remove: () => "no", list: () => [] };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array | undefined): string => new TextDecoder().decode(payload);

function createGossip(onEvent: (event: SerfEvent) => void): Gossip {
  const key = parseKey(KEY, sha256);
  if (isKeyFault(key)) throw new Error(key.kind);
  const log = new LogSink({ level: "OFF", json: false, outputs: [] }).logger("test");
  return new Gossip({
    name: "ts.global",
    bind: OURS,
    advertise: OURS,
    tags: new Map([["role", "nomad"]]),
    swim: LAN,
    serf: NOMAD_SERF,
    label: new Uint8Array(0),
    streamTimeoutMs: 5000,
    sealer: new Sealer(new Keyring([key]), nativeAead, systemEntropy),
    keys: NO_KEYS,
    clock: systemClock,
    entropy: systemEntropy,
    network: systemNetwork,
    log,
    refuseMember: () => undefined,
    onEvent,
    knownMembers: undefined,
  });
}

describe.if(mustRun)("user events and queries with the serf agent", () => {
  const lab = new Lab();
  const events: SerfEvent[] = [];
  let serf: SerfPeers;
  let gossip: Gossip;
  let logs: () => string[];

  beforeAll(async () => {
    serf = new SerfPeers(lab);
    const peers = THEIRS.map((ip, i) =>
      serf.start(`go${i + 1}.global`, ip, [`-encrypt=${KEY}`, "-event-handler=query:echo=cat"]),
    );
    logs = () => peers.map((peer) => peer.log);
    for (const ip of THEIRS) await until(`${ip} is up`, () => serf.members(ip));
    gossip = createGossip((event) => {
      events.push(event);
      if (event.kind !== "query" || event.name !== "colour") return;
      const { lTime, id } = event;
      // Not from inside the machine's own event: it is being driven now.
      queueMicrotask(() =>
        gossip.tell((machine, now) => machine.respond(lTime, id, bytes("green"), now)),
      );
    });
    await gossip.start();
    const targets = THEIRS.map((ip) => ({
      ip: Uint8Array.from(ip.split(".").map(Number)),
      port: 4648,
    }));
    expect(await gossip.join(targets, false)).toEqual({ joined: 2, errors: [] });
    await until("all see three", async () => [...gossip.members()].length === 3);
  }, 240_000);

  afterAll(async () => {
    await gossip.leave();
    await gossip.close();
    await lab[Symbol.asyncDispose]();
  });

  async function ask(question: Partial<Question>): Promise<QueryResult> {
    const asked = gossip.ask({
      name: "echo",
      payload: bytes("hello"),
      filters: [],
      wantAcks: true,
      relayFactor: 0,
      timeoutMs: 2000,
      ...question,
    });
    if (typeof asked === "string") throw new Error(asked);
    return await asked;
  }

  test("our user event reaches both, once", async () => {
    expect(gossip.tell((machine, now) => machine.userEvent("ours", bytes("v1"), false, now))).toBe(
      true,
    );
    await until("both have it", async () =>
      logs().every((log) => log.includes("user-event: ours")),
    );
    for (const log of logs()) expect(log.split("user-event: ours").length).toBe(2);
  }, 240_000);

  test("their user event reaches us with its payload", async () => {
    await serf.ask(THEIRS[0] ?? "", ["event", "-coalesce=false", "theirs", "v2"]);
    const got = await until("we have it", () =>
      events.find((event) => event.kind === "user" && event.name === "theirs"),
    );
    expect(got).toMatchObject({ kind: "user", payload: bytes("v2"), coalesce: false });
  }, 240_000);

  test("our query is acknowledged by all and answered by them", async () => {
    const { acks, answers, expected } = await ask({});
    expect(expected).toBe(3);
    expect([...acks].sort()).toEqual(["go1.global", "go2.global", "ts.global"]);
    expect([...answers].map(([who, payload]) => [who, text(payload)]).sort()).toEqual([
      ["go1.global", "hello\n"], // The agent ends what it hands to its `cat` with a newline.
      ["go2.global", "hello\n"],
    ]);
  }, 240_000);

  test("filters by node and by tag leave the others out", async () => {
    const one = await ask({ filters: [{ kind: "nodes", names: ["go2.global"] }] });
    expect([[...one.acks], [...one.answers.keys()]]).toEqual([["go2.global"], ["go2.global"]]);
    const tagged = await ask({ filters: [{ kind: "tag", tag: "dc", expr: "^dc[0-9]$" }] });
    expect([...tagged.answers.keys()].sort()).toEqual(["go1.global", "go2.global"]);
    expect([...tagged.acks].sort()).toEqual(["go1.global", "go2.global"]); // We carry no dc here.
  }, 240_000);

  test("answers that are relayed too count once", async () => {
    const { answers } = await ask({ relayFactor: 1 });
    expect([...answers.keys()].sort()).toEqual(["go1.global", "go2.global"]);
  }, 240_000);

  test("we answer their query", async () => {
    const out = await serf.ask(THEIRS[0] ?? "", ["query", "-timeout=3s", "colour"]);
    expect(out).toContain("Response from 'ts.global': green");
    expect(out).toContain("Total Acks: 3");
    expect(out).toContain("Total Responses: 1");
    const relayed = await serf.ask(THEIRS[1] ?? "", [
      "query",
      "-timeout=3s",
      "-relay-factor=1",
      "colour",
    ]);
    expect(relayed).toContain("Response from 'ts.global': green");
  }, 240_000);

  test("our changed tags arrive there", async () => {
    const tags = new Map([
      ["role", "nomad"],
      ["colour", "blue"],
    ]);
    gossip.tell((machine, now) => machine.updateTags(tags, now));
    for (const ip of THEIRS) {
      await until(`${ip} sees them`, async () => {
        const { members } = JSON.parse(await serf.ask(ip, ["members", "-format=json"]));
        const ours = members.find((one: Json) => one.name === "ts.global");
        return Bun.deepEquals(ours.tags, Object.fromEntries(tags));
      });
    }
  }, 240_000);

  test("too large a query is not sent", () => {
    const asked = gossip.ask({
      name: "big",
      payload: new Uint8Array(1025),
      filters: [],
      wantAcks: false,
      relayFactor: 0,
      timeoutMs: undefined,
    });
    expect(asked).toBe("query exceeds limit of 1024 bytes");
  });
});
