/** Bytes from strangers: counted, answered with silence, and nothing changes. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { sha256 } from "../../src/host/digest.ts";
import { systemEntropy } from "../../src/host/entropy.ts";
import { isKeyFault, parseKey } from "../../src/secret/key.ts";
import { Keyring } from "../../src/secret/keyring.ts";
import { nativeAead } from "../../src/secret/native-aead.ts";
import { Sealer } from "../../src/service/gossip/sealer.ts";
import { compress } from "../../src/wire/compress.ts";
import { encodeMessage } from "../../src/wire/gossip-message.ts";
import { encodePackets, makeCompound } from "../../src/wire/gossip-packet.ts";
import { encodeStream } from "../../src/wire/gossip-stream.ts";
import { ipOf, NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, membersSeenBy, run, until } from "./agents.ts";

const KEY = Buffer.alloc(16, 11).toString("base64");
const WRONG_KEY = Buffer.alloc(16, 12).toString("base64");
const [FIRST, SECOND] = [`${NET}.64.1`, `${NET}.64.2`] as const;
const NONE = new Uint8Array(0);

const lab = new Lab();
let first: Agent;

beforeAll(async () => {
  const server = { bootstrap_expect: 1 };
  first = await lab.agent({ name: "first", ip: FIRST, encrypt: KEY, server });
  await lab.agent({ name: "second", ip: SECOND, encrypt: KEY, join: [FIRST] });
  await until("two members", async () => Object.keys(await membersSeenBy(FIRST)).length === 2);
});

afterAll(() => lab[Symbol.asyncDispose]());

function sealer(key: string): Sealer {
  const parsed = parseKey(key, sha256);
  if (isKeyFault(parsed)) throw new Error(parsed.kind);
  return new Sealer(new Keyring([parsed]), nativeAead, systemEntropy);
}

/** One message as a sealed packet, as a holder of `key` would send it. */
function sealed(key: string, message: Uint8Array): Uint8Array {
  const seal = sealer(key).layer();
  const [packet] = encodePackets([message], { label: NONE, compress: false, crc: false, seal });
  if (packet === undefined) throw new Error("no packet");
  return packet;
}

const dead = encodeMessage({ kind: "dead", node: "second.global", incarnation: 99, from: "x" });
const packets = async (): Promise<Json> => (await getJson(FIRST, "/v1/status")).gossip.packets;

/** Sends in portions that the receiver's socket buffer holds, and waits until all were read. */
async function flood(datagrams: readonly Uint8Array[], timeoutMs = 30_000): Promise<Json> {
  const socket = await Bun.udpSocket({ hostname: `${NET}.64.9` });
  const before = (await packets()).received;
  let sent = 0;
  for (let at = 0; at < datagrams.length; at += 100) {
    for (const datagram of datagrams.slice(at, at + 100)) {
      sent += socket.send(datagram, 4648, FIRST) ? 1 : 0;
    }
    // An answer shows that the agent has had its turn: its socket buffer is empty again.
    await getJson(FIRST, "/v1/regions");
  }
  socket.close();
  const after = await until(
    "the datagrams are read",
    async () => {
      const found = await packets();
      // A full socket buffer may lose some; most must have come.
      return found.received - before >= sent * 0.5 ? found : undefined;
    },
    timeoutMs,
  );
  return after;
}

async function stillFine(): Promise<void> {
  expect(await membersSeenBy(FIRST)).toEqual({ "first.global": "alive", "second.global": "alive" });
  expect(first.log).not.toContain("internal error");
  expect(first.log).not.toContain("Suspect second.global");
}

describe("datagrams", () => {
  const recorded = sealed(KEY, encodeMessage({ kind: "ping", seqNo: 127, node: "nobody" }));
  const kinds: readonly (readonly [string, string, () => Uint8Array])[] = [
    ["wrong key", "no-key-opens", () => sealed(WRONG_KEY, dead)],
    ["no key", "plaintext", () => dead],
    [
      "random bytes",
      "no-key-opens",
      () => Buffer.concat([Uint8Array.of(1), systemEntropy.bytes(99)]),
    ],
    ["truncated", "no-key-opens", () => recorded.slice(0, recorded.length - 3)],
    [
      "a flipped bit",
      "no-key-opens",
      () => recorded.map((byte, i) => (i === 20 ? byte ^ 4 : byte)),
    ],
    ["the version byte changed", "no-key-opens", () => recorded.map((b, i) => (i === 0 ? 0 : b))],
    ["an unexpected label", "label", () => Buffer.concat([Uint8Array.of(244, 1, 65), recorded])],
    ["a bomb, with the key", "compression", () => sealed(KEY, bomb())],
    ["lengths that lie, with the key", "compound", () => sealed(KEY, Uint8Array.of(7, 255, 0))],
    ["nesting, with the key", "too-much", () => sealed(KEY, nested(40))],
    ["a name of 60,000 bytes, cut", "malformed", () => sealed(KEY, longName().slice(0, 40_000))],
    ["an unknown type, with the key", "unknown-type", () => sealed(KEY, Uint8Array.of(99, 1))],
  ];
  for (const [name, reason, make] of kinds) {
    test(`${name}: counted as ${reason}, nothing changes`, async () => {
      const before = (await packets()).refused[reason] ?? 0;
      const datagram = make();
      // No more than the receiver's socket buffer holds, or the kernel drops them.
      const count = Math.max(2, Math.min(100, Math.floor(80_000 / datagram.length)));
      const after = await flood(new Array<Uint8Array>(count).fill(datagram));
      expect(after.refused[reason]).toBeGreaterThanOrEqual(before + count / 2);
      await stillFine();
    }, 240_000);
  }

  test("what no honest member says is refused and counted, though it has the key", async () => {
    const vsn = Uint8Array.of(1, 5, 2, 2, 5, 4);
    const addr = ipOf("64.2");
    const alive = { kind: "alive", addr, port: 4648, meta: NONE, vsn } as const;
    const about = { node: "second.global", incarnation: 2 ** 32 - 1 };
    const said = [
      encodeMessage({ kind: "dead", ...about, from: "x" }),
      encodeMessage({ kind: "suspect", ...about, node: "first.global", from: "x" }),
      encodeMessage({
        ...alive,
        node: "x\n2026-11-25T06:43:57.708Z [ERROR] forged",
        incarnation: 1,
      }),
      encodeMessage({ ...alive, node: "\u001b[2J", incarnation: 1 }),
    ];
    await flood(said.map((message) => sealed(KEY, message)));
    const { messages } = (await getJson(FIRST, "/v1/status")).gossip;
    expect(messages.refused).toMatchObject({ "bad-name": 2, "incarnation-jump": 2 });
    expect(first.log).toContain("ignoring an incarnation that no node can have reached");
    expect(first.log).not.toMatch(/^\s*2026-11-25T06:43:57|\u001b/m);
    await stillFine();
  });

  test("a recorded packet, played again and again, changes nothing", async () => {
    const alive = encodeMessage({
      kind: "alive",
      node: "second.global",
      incarnation: 1,
      addr: ipOf("64.2"),
      port: 4648,
      meta: NONE,
      vsn: Uint8Array.of(1, 5, 2, 2, 5, 4),
    });
    await flood(new Array<Uint8Array>(500).fill(sealed(KEY, alive)));
    await stillFine();
  });

  test("20,000 of them are a few lines in the log, not 20,000", async () => {
    const lines = first.log.split("\n").length;
    const junk = Array.from({ length: 20_000 }, () =>
      systemEntropy.bytes((64 + Math.random() * 200) | 0),
    );
    for (const datagram of junk) datagram[0] = 1;
    const startedAt = performance.now();
    await flood(junk);
    const seconds = (performance.now() - startedAt) / 1000;
    const requests = first.log.split("request complete").length;
    const more = first.log.split("\n").length - lines;
    expect(more).toBeLessThan(20 + 3 * seconds + requests);
    await stillFine();
  }, 240_000);
});

describe("streams", () => {
  const dial = (): Promise<ReturnType<typeof connect>> =>
    new Promise((resolve, reject) => {
      const to = { host: FIRST, port: 4648, localAddress: `${NET}.64.9` };
      const socket = connect(to, () => resolve(socket));
      socket.on("error", reject);
    });

  test("10,000 connections that say nothing: the living still get through", async () => {
    const held: ReturnType<typeof connect>[] = [];
    const before = first.residentKb;
    for (let at = 0; at < 10_000; at += 500) {
      const sockets = await Promise.all(
        Array.from({ length: 500 }, () => dial().catch(() => undefined)),
      );
      for (const socket of sockets) if (socket !== undefined) held.push(socket);
    }
    expect(held.length).toBeGreaterThan(9000);
    // While they are held: somebody new joins from another address, and everybody stays alive.
    const third = `${NET}.64.3`;
    await lab.agent({ name: "third", ip: third, encrypt: KEY, join: [FIRST] });
    await until("the third is in", async () => {
      return (await membersSeenBy(FIRST))["third.global"] === "alive";
    });
    const { streams } = (await getJson(FIRST, "/v1/status")).gossip;
    expect(streams.refused["too-many-connections"]).toBeGreaterThan(9000);
    expect(first.residentKb - before).toBeLessThan(100 * 1024);
    for (const socket of held) socket.destroy();
    expect(first.log).not.toContain("Suspect second.global");
  }, 240_000);

  test("20 MB of ciphertext on each of 32: a few megabytes are held, the rest is refused", async () => {
    const before = first.residentKb;
    const frame = Buffer.alloc(20_000_000, 7);
    frame.writeUInt8(10);
    frame.writeUInt32BE(frame.length - 5, 1);
    const ended = Array.from({ length: 32 }, () => {
      return new Promise<void>((resolve) => {
        const socket = connect({ host: FIRST, port: 4648, localAddress: `${NET}.64.8` });
        socket.on("connect", () => socket.write(frame));
        socket.on("error", () => resolve()).on("close", () => resolve());
        socket.on("end", () => socket.destroy()).resume();
      });
    });
    let most = 0;
    await Promise.race([
      Promise.all(ended),
      until("all are refused", async () => {
        most = Math.max(most, first.residentKb);
        const { refused } = (await getJson(FIRST, "/v1/status")).gossip.streams;
        return (refused["no-room"] ?? 0) + (refused["no-key-opens"] ?? 0) >= 32;
      }),
    ]);
    expect(most - before).toBeLessThan(200_000);
    expect(await membersSeenBy(FIRST)).toMatchObject({ "second.global": "alive" });
    expect(first.log).not.toContain("Suspect second.global");
  }, 240_000);

  test("what comes over them in place of a push/pull is refused by reason", async () => {
    const state = { kind: "pushPull", join: true, states: [], userState: NONE } as const;
    const how = { compress: false, label: NONE };
    const kinds = {
      plaintext: encodeStream(state, { ...how, seal: undefined }),
      "no-key-opens": encodeStream(state, { ...how, seal: sealer(WRONG_KEY).layer() }),
      "too-much": Uint8Array.of(10, 255, 255, 255, 255),
      label: Uint8Array.of(244, 1, 65),
    };
    for (const [reason, bytes] of Object.entries(kinds)) {
      const socket = await dial();
      socket.write(bytes);
      await until(`${reason} is counted`, async () => {
        return (await getJson(FIRST, "/v1/status")).gossip.streams.refused[reason] > 0;
      });
      socket.destroy();
    }
  }, 240_000);

  test("a client that only sends a frame's beginning is cut off in time", async () => {
    const socket = await dial();
    socket.write(Uint8Array.of(10, 0, 0, 1, 0, 1));
    const closed = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 15_000);
      socket.on("close", () => {
        clearTimeout(timer);
        resolve(true);
      });
      socket.resume();
    });
    expect(closed).toBe(true);
  }, 240_000);
});

test("at the end the agent leaves as gracefully as ever", async () => {
  const env = { NOMAD_ADDR: `http://${FIRST}:4646` };
  expect((await run(["server", "members"], { env })).code).toBe(0);
  first.kill("SIGINT");
  expect(await first.exited).toBe(0);
}, 240_000);

/** 40 bytes that open to gigabytes, as far as they are let. */
function bomb(): Uint8Array {
  return compress(new Uint8Array(8 * 1024 * 1024));
}

function nested(depth: number): Uint8Array {
  let message = Uint8Array.of(8, 1);
  for (let i = 0; i < depth; i++) message = new Uint8Array(makeCompound([message]));
  return message;
}

function longName(): Uint8Array {
  const node = "n".repeat(60_000);
  return encodeMessage({ kind: "suspect", node, incarnation: 1, from: "x" });
}
