/** What a stranger's connection may cost: the compiled binary, at each stage of a connection. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { encodeRequest } from "../../src/wire/rpc-frame.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { ipOf, NET } from "../addresses.ts";
import { hex } from "../vectors.ts";
import { type Agent, getJson, type Json, Lab, run, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";
import { Load, loadIdentity, serverPool, testPool } from "./rpc-pool.ts";

setDefaultTimeout(60_000);

const SHORT = `${NET}.75.1`;
const DEFAULTS = `${NET}.75.2`;
const LIVING = ipOf("75.2");

/** Of a session that is to hold much. */
const STREAMS = 32;
const lab = new Lab();
let ca: TestCa;
let agent: Agent;

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  const limits = { rpc_handshake_timeout: "400ms" };
  await lab.agent({ name: "short", ip: SHORT, tls, extra: { limits } });
  const upgrade = { ...tls, rpc_upgrade_mode: true };
  agent = await lab.agent({ name: "defaults", ip: DEFAULTS, tls: upgrade });
  for (const ip of [SHORT, DEFAULTS]) await until(`${ip} is up`, () => getJson(ip, "/v1/status"));
});

afterAll(() => lab[Symbol.asyncDispose]());

interface Dialled {
  readonly socket: Socket;
  /** Resolves with milliseconds from the dial to the end. */
  readonly ended: Promise<number>;
  readonly heard: Uint8Array[];
}

function dial(ip: string, say: Uint8Array, from?: string, port = 4647): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const local = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host: ip, port, ...local });
    const heard: Uint8Array[] = [];
    const ended = new Promise<number>((end) => {
      socket.on("close", () => end(performance.now() - startedAt));
    });
    socket.on("data", (chunk: Uint8Array) => void heard.push(chunk));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      if (say.length > 0) socket.write(say);
      resolve({ socket, ended, heard });
    });
  });
}

async function refusals(ip: string): Promise<Record<string, number>> {
  return (await getJson(ip, "/v1/status")).rpc.refused;
}

const helloStart = hex("04160301020001");

describe("closed when its time is over", () => {
  const slow: readonly (readonly [string, Uint8Array])[] = [
    ["no byte at all", new Uint8Array(0)],
    ["the byte for TLS and silence", Uint8Array.of(4)],
    ["half a ClientHello", helloStart],
  ];
  for (const [what, say] of slow) {
    test(what, async () => {
      const before = (await refusals(SHORT))["timeout"] ?? 0;
      const { ended } = await dial(SHORT, say);
      const took = await ended;
      expect(took).toBeGreaterThan(350);
      expect(took).toBeLessThan(2000);
      expect((await refusals(SHORT))["timeout"]).toBe(before + 1);
    });
  }

  test("a stream without its first byte is reset, and its session lives", async () => {
    // 400 ms on this one too, but in the clear: rpc_upgrade_mode is on.
    const { socket, heard, ended } = await dial(DEFAULTS, hex("06000100010000000100000000"));
    const reset = hex("000100080000000100000000").toHex();
    await until("the stream is reset", () => Buffer.concat(heard).toString("hex").includes(reset));
    socket.write(hex("000200010000000000000007"));
    const pong = "000200020000000000000007";
    await until("a ping is answered", () => Buffer.concat(heard).toString("hex").includes(pong));
    socket.destroy();
    await ended;
  });

  test("a yamux header in pieces", async () => {
    const { ended } = await dial(DEFAULTS, hex("060001"));
    const took = await ended;
    expect(took).toBeGreaterThan(9000);
    expect(took).toBeLessThan(12_000);
    const { session_failures: failures } = (await getJson(DEFAULTS, "/v1/status")).rpc;
    expect(failures["header-timeout"]).toBe(1);
  });
});

describe("a wrong word ends it", () => {
  const wrong: readonly (readonly [string, Uint8Array, string])[] = [
    [
      "a stream's first byte that is none",
      hex("0600010001000000010000000000000000000000010000000109"),
      "bad-stream-byte",
    ],
    ["a call that is no msgpack", hex("01c1c1c1c1"), "malformed"],
    ["a Raft request of no type", hex("0209"), ""],
  ];
  for (const [what, say, reason] of wrong) {
    test(what, async () => {
      const before = reason === "" ? 0 : ((await refusals(DEFAULTS))[reason] ?? 0);
      const { ended } = await dial(DEFAULTS, say);
      expect(await ended).toBeLessThan(2000);
      if (reason !== "") expect((await refusals(DEFAULTS))[reason]).toBe(before + 1);
    });
  }
});

describe("connections from one address", () => {
  async function openFrom(from: string, say: Uint8Array, count: number): Promise<Dialled[]> {
    const opened: Dialled[] = [];
    for (let i = 0; i < count; i++) opened.push(await dial(DEFAULTS, say, from));
    return opened;
  }

  test("a hundred, and no more; another address is not touched by it", async () => {
    const before = (await refusals(DEFAULTS))["too-many-connections"] ?? 0;
    const opened = await openFrom(`${NET}.75.50`, Uint8Array.of(6), 103);
    await until("three are refused", async () => {
      return (await refusals(DEFAULTS))["too-many-connections"] === before + 3;
    });
    const [other] = await openFrom(`${NET}.75.51`, hex("06000200010000000000000001"), 1);
    await until("another address is served", () => (other?.heard.length ?? 0) > 0);
    for (const one of [...opened, ...(other === undefined ? [] : [other])]) one.socket.destroy();
    await until("all are gone", async () => {
      return (await getJson(DEFAULTS, "/v1/status")).rpc.open_connections === 0;
    });
  });

  test("eighty of them for streaming, so that calls have room", async () => {
    const before = (await refusals(DEFAULTS))["too-many-streaming"] ?? 0;
    const opened = await openFrom(`${NET}.75.52`, Uint8Array.of(5), 82);
    await until("two are refused", async () => {
      return (await refusals(DEFAULTS))["too-many-streaming"] === before + 2;
    });
    const body = encodeQueryOptions({ AllowStale: true });
    const ping = encodeRequest({ seq: 1n, method: "Status.Ping", body });
    const [call] = await openFrom(`${NET}.75.52`, Buffer.concat([Uint8Array.of(1), ping]), 1);
    await until("a call is answered", () => (call?.heard.length ?? 0) > 0);
    for (const one of [...opened, ...(call === undefined ? [] : [call])]) one.socket.destroy();
  });

  test("HTTP: the hundred and first hears 429", async () => {
    const none = new Uint8Array(0);
    const opened: Dialled[] = [];
    for (let i = 0; i < 101; i++) opened.push(await dial(DEFAULTS, none, `${NET}.75.53`, 4646));
    await until("one is told so", () =>
      opened.some((one) => Buffer.concat(one.heard).toString().includes("429 Too Many Requests")),
    );
    for (const one of opened) one.socket.destroy();
  });
});

test("10,000 connections that only open do not starve a living peer", async () => {
  const pair = `${ca.directory}/global-server-nomad`;
  const identity = loadIdentity(ca.caFile, `${pair}.pem`, `${pair}-key.pem`);
  const security = { identity, verifyServerHostname: true, upgradeMode: false };
  const pool = testPool(() => security);
  const target = { address: { ip: LIVING, port: 4647 }, region: "global", wanted: "global" };
  const load = new Load(pool, [target], 1);
  await until("it lives", () => load.calls > 100);
  const residentBefore = agent.residentKb;
  const opened: Dialled[] = [];
  let slowest = 0;
  for (let address = 0; address < 100; address++) {
    const from = `${NET}.76.${address + 1}`;
    const some = Array.from({ length: 100 }, () => dial(DEFAULTS, new Uint8Array(0), from));
    const before = load.calls;
    const startedAt = performance.now();
    opened.push(...(await Promise.all(some)));
    await until("the peer is still answered", () => load.calls > before + 1);
    slowest = Math.max(slowest, performance.now() - startedAt);
  }
  const open = (await getJson(DEFAULTS, "/v1/status")).rpc.open_connections;
  expect(open).toBeGreaterThan(1000);
  expect(slowest).toBeLessThan(2000);
  expect(agent.residentKb - residentBefore).toBeLessThan(120 * 1024);
  await Promise.all(opened.map((one) => one.ended));
  await load.stop();
  expect(load.failures).toEqual([]);
  pool.close();
});

test("a request of 200,000 values in frames of one byte holds nobody up", async () => {
  const pool = serverPool(ca);
  const target = { address: { ip: LIVING, port: 4647 }, region: "global", wanted: "global" };
  const load = new Load(pool, [target], 1);
  await until("it lives", () => load.calls > 10);
  const list = new Uint8Array(200_005).fill(0xc0);
  list.set(hex("dd00030d40"));
  const call = encodeRequest({ seq: 1n, method: "Node.Register", body: list });
  const frames = Buffer.alloc((call.length + 1) * 13);
  for (const [i, byte] of [1, ...call].entries()) {
    frames.set(hex("000000000000000100000001"), i * 13);
    frames[i * 13 + 12] = byte;
  }
  const opening = hex("06000100010000000100000000");
  const { socket, heard } = await dial(DEFAULTS, opening, `${NET}.75.60`);
  let slowestMs = 0;
  let last = { calls: load.calls, at: performance.now() };
  socket.write(frames);
  await until("it is answered", () => {
    const now = performance.now();
    if (load.calls > last.calls) last = { calls: load.calls, at: now };
    slowestMs = Math.max(slowestMs, now - last.at);
    return Buffer.concat(heard).includes("Node.Register");
  });
  expect(slowestMs).toBeLessThan(1500);
  await load.stop();
  expect(load.failures).toEqual([]);
  socket.destroy();
  pool.close();
});

test("a hundred connections that are full of what waits: they pay, and others go on", async () => {
  const pool = serverPool(ca);
  const target = { address: { ip: LIVING, port: 4647 }, region: "global", wanted: "global" };
  const load = new Load(pool, [target], 1);
  await until("it lives", () => load.calls > 10);
  const residentBefore = agent.residentKb;
  // A question that waits for five minutes on each stream, and as much behind it as a window has.
  const waiting = { Region: "global", AllowStale: true, MinQueryIndex: 1_000_000n };
  const body = encodeQueryOptions(waiting);
  const call = Uint8Array.of(1, ...encodeRequest({ seq: 1n, method: "Node.List", body }));
  const full = Buffer.alloc(256 * 1024);
  full.set(call);
  const session = Buffer.alloc(1 + STREAMS * (24 + full.length));
  session[0] = 6;
  for (let i = 0, at = 1; i < STREAMS; i++) {
    const [opening, data] = [yamux(1, 1, 2 * i + 1, 0), yamux(0, 0, 2 * i + 1, full.length)];
    for (const part of [opening, data, full]) {
      session.set(part, at);
      at += part.length;
    }
  }
  const some = Array.from({ length: 90 }, () => dial(DEFAULTS, new Uint8Array(0), `${NET}.75.61`));
  const opened = await Promise.all(some);
  for (const { socket } of opened) socket.write(session);
  const cutOff = async (): Promise<number> => (await refusals(DEFAULTS))["too-much-kept"] ?? 0;
  await until("the fullest are cut off", async () => (await cutOff()) > 10);
  await until("all has come", () => opened.every((one) => one.socket.writableLength === 0));
  const before = load.calls;
  await until("others are answered", () => load.calls > before + 100);
  // What is kept, as much that is not collected yet, and the room that buffers grow into.
  expect(agent.residentKb - residentBefore).toBeLessThan(1200 * 1024);
  for (const { socket } of opened) socket.destroy();
  await load.stop();
  expect(load.failures).toEqual([]);
  pool.close();
});

test("nomad monitor shows another server's log as it is written", async () => {
  const tls = await serverTls(ca);
  const other = await lab.agent({ name: "other", ip: `${NET}.75.3`, tls, join: [SHORT] });
  await until("they know each other", async () => {
    const { Members } = await getJson(SHORT, "/v1/agent/members");
    return Members.filter((one: Json) => one.Status === "alive").length === 2;
  });
  const url = `http://${SHORT}:4646/v1/agent/monitor?server_id=other&log_level=debug`;
  const answer = await fetch(url);
  expect(answer.headers.get("content-type")).toContain("application/json");
  const reader = answer.body?.getReader();
  let heard = "";
  while (!heard.includes("reloaded")) {
    if (heard.split("{").length < 3) other.kill("SIGHUP");
    const next = await reader?.read();
    if (next === undefined || next.done) break;
    const frames = new TextDecoder().decode(next.value).match(/\{[^}]*\}/g) ?? [];
    for (const frame of frames) {
      heard += Buffer.from(JSON.parse(frame).Data ?? "", "base64").toString() || "{}";
    }
  }
  await reader?.cancel();
  expect(heard).toContain("agent: reloaded: the tls block is the same");
  const env = { NOMAD_ADDR: `http://${SHORT}:4646` };
  const none = await run(["monitor", "-server-id=nobody"], { env });
  expect(none).toMatchObject({ code: 1 });
  expect(none.err).toContain("unknown Nomad server nobody");
  const loud = await run(["monitor", "-log-level=LOUD"], { env });
  expect(loud.err).toContain("Unknown log level: LOUD");
});

function yamux(type: number, flags: number, stream: number, length: number): Uint8Array {
  const header = Buffer.alloc(12);
  header.writeUInt8(type, 1);
  header.writeUInt16BE(flags, 2);
  header.writeUInt32BE(stream, 4);
  header.writeUInt32BE(length, 8);
  return header;
}
