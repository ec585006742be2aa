/**
 * The RPC port against HashiCorp's own yamux and net-rpc over Go's TLS, in both directions: Go dials
 * the compiled binary, and our pool dials Go.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../src/host/clock.ts";
import { systemNetwork } from "../../src/host/network.ts";
import { streamPair } from "../../src/host/stream-pair.ts";
import type { Address } from "../../src/protocol/ports.ts";
import { createPrng } from "../../src/protocol/prng.ts";
import { RpcMethods } from "../../src/service/methods/methods.ts";
import { Monitor } from "../../src/service/methods/monitor.ts";
import { MONITOR, MonitorMethod } from "../../src/service/methods/monitor-method.ts";
import { StreamMethods } from "../../src/service/methods/stream-methods.ts";
import { RpcForwarder } from "../../src/service/rpc/client/forward.ts";
import type { PoolTarget, RpcPool } from "../../src/service/rpc/client/pool.ts";
import { createRpcCounters } from "../../src/service/rpc/counters.ts";
import { RpcMode } from "../../src/service/rpc/mode.ts";
import { Mux } from "../../src/service/rpc/mux.ts";
import type { MuxStream } from "../../src/service/rpc/mux-stream.ts";
import { NodeLines } from "../../src/service/rpc/node-lines.ts";
import type { TlsIdentity } from "../../src/tls/handshake.ts";
import {
  bool,
  decodeValue,
  encodeValue,
  raw,
  struct,
  structOf,
  text,
} from "../../src/wire/codec.ts";
import { encodeQueryOptions, queryFields } from "../../src/wire/rpc-status.ts";
import { type MonitorRequest, monitorRequest, streamFrame } from "../../src/wire/rpc-stream.ts";
import { ipOf, NET } from "../addresses.ts";
import { Lab, run, until } from "../cluster/agents.ts";
import { makeCa, serverTls, type TestCa } from "../cluster/certificates.ts";
import { loadIdentity, serverPool } from "../cluster/rpc-pool.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";
import { startMuxPeer } from "./mux-peer.ts";

const OURS = `${NET}.71.1`;
const PLAIN = `${NET}.71.2`;
const GO: Address = { ip: ipOf("71.3"), port: 4647 };
const MUX: Address = { ip: ipOf("71.4"), port: 4650 };
const GO_EU: Address = { ip: ipOf("71.5"), port: 4647 };

setDefaultTimeout(30_000);

const lab = new Lab();
let ca: TestCa;
let program = "";
const peers: Peer[] = [];

beforeAll(async () => {
  if (!mustRun) return;
  program = buildPeer("rpc-peer");
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  await run(["tls", "cert", "create", "-server", "-region=eu"], { cwd: ca.directory });
  await run(["tls", "cert", "create", "-client"], { cwd: ca.directory });
  await lab.agent({ name: "ours", ip: OURS, tls });
  await lab.agent({ name: "plain", ip: PLAIN });
  for (const name of ["ours", "plain"]) {
    await until(`${name} is up`, () => lab.log(name).includes("agent started"));
  }
});

afterAll(async () => {
  for (const peer of peers) await peer[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const file = (name: string): string => `${ca.directory}/${name}`;

async function goPeer(more: readonly string[] = [], who = "global-server"): Promise<Peer> {
  const tls = [`-ca=${ca.caFile}`, `-cert=${file(`${who}-nomad.pem`)}`];
  const peer = await Peer.start(program, [...tls, `-key=${file(`${who}-nomad-key.pem`)}`, ...more]);
  peers.push(peer);
  return peer;
}

async function plainPeer(
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const peer = await Peer.start(program, more, env);
  peers.push(peer);
  return peer;
}

/** The server's certificate of the test CA, as the agent loads it. */
function identity(): TlsIdentity {
  const pair = file("global-server-nomad");
  return loadIdentity(ca.caFile, `${pair}.pem`, `${pair}-key.pem`);
}

const echoRequest = struct({ ...queryFields, Data: raw, Text: text });
const echoReply = struct({ Data: raw, Forwarded: bool, Region: text, Text: text });

describe.if(mustRun)("Go dials the binary", () => {
  for (const [how, ip] of [
    ["over TLS 1.3", OURS],
    ["in the clear", PLAIN],
  ] as const) {
    test(`${how}: calls, errors, many streams, a ping`, async () => {
      const go = how === "in the clear" ? await plainPeer() : await goPeer();
      expect(await go.ask(`dial ${ip}:4647`)).toEqual({ dialled: true });
      const { reply } = await go.ask("call Status.Members");
      expect(reply.Members[0]).toMatchObject({ Status: "alive", Port: 4648 });
      expect((await go.ask("call Region.List")).reply).toEqual(["global"]);
      expect((await go.ask("call Nothing.Here")).error).toBe(
        "rpc: can't find service Nothing.Here",
      );
      const nowhere = await go.ask('call Node.List {"Region":"mars"}');
      expect(nowhere.error).toBe("No path to region");
      expect((await go.ask("ping")).us).toBeGreaterThan(0);
      expect((await go.ask("pings 2000 16")).calls).toBe(2000);
      expect((await go.ask("open 300")).failed).toBe("");
      expect((await go.ask("pings 2560 128")).calls).toBe(2560);
    });
  }

  test("Status.Leader that must be the leader's own waits, then there is none", async () => {
    const go = await goPeer();
    await go.ask(`dial ${OURS}:4647`);
    const { error } = await go.ask('call Status.Leader {"AllowStale":false,"Region":""}');
    expect(error).toBe("No cluster leader");
    expect((await go.ask("call Status.Leader")).reply).toBe("");
  });

  test("Agent.Monitor: frames of log lines, and of life", async () => {
    const go = await goPeer();
    await go.ask(`dial ${OURS}:4647`);
    const { payloads } = await go.ask('monitor {"LogLevel":"trace"}');
    expect(payloads.length).toBeGreaterThan(2);
    expect(payloads).toContain("{}");
    expect((await go.ask('monitor {"LogLevel":"loud"}')).problem).toBe("Unknown log level: loud");
    const other = await go.ask('monitor {"ServerID":"nobody"}');
    expect(other.problem).toBe("unknown Nomad server nobody");
  });

  test("a client's certificate may not use what is for servers", async () => {
    const go = await goPeer([], "global-client");
    await go.ask(`dial ${OURS}:4647`);
    expect((await go.ask("call Keyring.Get")).error).toBe("Permission denied");
    expect((await go.ask("call Status.Ping")).error).toBeUndefined();
    const server = await goPeer();
    await server.ask(`dial ${OURS}:4647`);
    expect((await server.ask("call Keyring.Get")).error).toStartWith("rpc: can't find");
  });
});

describe.if(mustRun)("our pool dials Go", () => {
  const target: PoolTarget = { address: GO, region: "global" };

  test("calls over one TLS session, errors, 100 at once", async () => {
    await using go = await goPeer([`-bind=${NET}.71.3:4647`]);
    const pool = serverPool(ca);
    const body = encodeQueryOptions({ Region: "global" });
    expect((await pool.call(target, "Status.Ping", body, 5000, true)).toHex()).toBe("80");
    const fail = encodeValue(echoRequest, structOf(echoRequest, { Text: "as it may be" }));
    const failed = pool.call(target, "Test.Fail", fail, 5000, true);
    expect(failed).rejects.toThrow("as it may be");
    await failed.catch(() => undefined);
    const data = crypto.getRandomValues(new Uint8Array(60_000));
    const echoes = Array.from({ length: 100 }, async () => {
      const request = encodeValue(echoRequest, structOf(echoRequest, { Data: data }));
      const reply = decodeValue(
        echoReply,
        await pool.call(target, "Test.Echo", request, 5000, true),
      );
      return Buffer.from(reply?.Data ?? []).equals(data);
    });
    expect((await Promise.all(echoes)).every(Boolean)).toBe(true);
    const [session, ...others] = pool.reports();
    expect(others).toEqual([]);
    expect(session?.tls?.version).toBe("TLSv1.3");
    expect((await go.ask("stats")).streams).toBeGreaterThan(50);
    pool.close();
  });

  test("a blocking query holds its stream, and others pass it by", async () => {
    await using _go = await goPeer([`-bind=${NET}.71.3:4647`]);
    const pool = serverPool(ca);
    const order: string[] = [];
    const wait = structOf(echoRequest, { MinQueryIndex: 5n, MaxQueryTime: 300_000_000n });
    const call = async (method: string, body: Uint8Array): Promise<void> => {
      await pool.call(target, method, body, 5000, true);
      order.push(method);
    };
    const options = encodeQueryOptions({ Region: "global" });
    await Promise.all([
      call("Test.Wait", encodeValue(echoRequest, wait)),
      call("Status.Ping", options).then(() => call("Status.Ping", options)),
    ]);
    expect(order).toEqual(["Status.Ping", "Status.Ping", "Test.Wait"]);
    pool.close();
  });

  test("go-away: calls move to a new session, and none fails", async () => {
    await using go = await goPeer([`-bind=${NET}.71.3:4647`]);
    const pool = serverPool(ca);
    const body = encodeQueryOptions({ Region: "global" });
    await pool.call(target, "Status.Ping", body, 5000, false);
    let stop = false;
    const load = Array.from({ length: 8 }, async () => {
      let calls = 0;
      for (; !stop; calls++) await pool.call(target, "Status.Ping", body, 5000, false);
      return calls;
    });
    for (let i = 0; i < 5; i++) {
      await go.ask("goaway");
      await pool.call(target, "Status.Ping", body, 5000, false);
    }
    stop = true;
    const calls = await Promise.all(load);
    expect(Math.min(...calls)).toBeGreaterThan(0);
    pool.close();
  });

  test("a server that is restarted is dialled again", async () => {
    const pool = serverPool(ca);
    const body = encodeQueryOptions({ Region: "global" });
    for (let round = 0; round < 2; round++) {
      await using _go = await goPeer([`-bind=${NET}.71.3:4647`]);
      pool.forgive(GO);
      await pool.call(target, "Status.Ping", body, 5000, true);
    }
    await expect(pool.call(target, "Status.Ping", body, 5000, true)).rejects.toThrow("refused");
    pool.close();
  });

  test("requests for a region or the leader are passed on, marked, with all their fields", async () => {
    await using _go = await goPeer([`-bind=${NET}.71.5:4647`, "-region=eu"], "eu-server");
    const pool = serverPool(ca);
    const forwarder = new RpcForwarder({
      pool,
      counters: createRpcCounters(),
      clock: systemClock,
      prng: createPrng(1),
      servers: (region) => (region === "eu" ? [{ address: GO_EU, region: "eu" }] : []),
      leader: () => ({ address: GO_EU, region: "eu" }),
    });
    const methods = new RpcMethods({
      lines: new NodeLines(() => 0),
      isNode: (id, token) => id === "n1" && token === "secret",
      region: "global",
      members: () => ({ serverName: "", serverRegion: "", serverDc: "", members: [] }),
      regions: () => [],
      raftPeers: () => [],
      leader: () => "",
      raftStats: () => ({ lastContactMs: undefined, lastIndex: 0n, lastTerm: 0n }),
      verify: async () => undefined,
      others: new Map(),
      forwarder,
    });
    const caller = { names: undefined };
    const request = structOf(echoRequest, { Region: "eu", Text: "kept", Data: Uint8Array.of(7) });
    const answer = await methods.call("Test.Echo", encodeValue(echoRequest, request), caller);
    expect(decodeValue(echoReply, answer)).toEqual({
      Data: Uint8Array.of(7),
      Forwarded: true,
      Region: "eu",
      Text: "kept",
    });
    const leader = await methods.call("Status.Leader", encodeQueryOptions({}), caller);
    expect(decodeValue(text, leader)).toBe("127.0.0.9:4647");
    const failing = encodeValue(echoRequest, structOf(echoRequest, { Region: "eu", Text: "no" }));
    const failed = async (): Promise<unknown> => methods.call("Test.Fail", failing, caller);
    expect(failed()).rejects.toThrow("rpc error: no");
    const coded = structOf(echoRequest, { Region: "eu", Text: "RPC Error:: 404,gone" });
    const asIs = async (): Promise<unknown> =>
      methods.call("Test.Fail", encodeValue(echoRequest, coded), caller);
    await expect(asIs()).rejects.toThrow(/^RPC Error:: 404,gone$/);
    pool.close();
  });

  test("a streaming call for another region is passed on", async () => {
    await using _go = await goPeer([`-bind=${NET}.71.5:4647`, "-region=eu"], "eu-server");
    const pool = serverPool(ca);
    const streams = relay(pool);
    const request = structOf(monitorRequest, { Region: "eu", LogLevel: "debug" });
    expect(await payloads(streams, request)).toEqual([
      '{"Data":"b25lCg==","FileEvent":"log"}',
      '{"Data":"dHdvCg==","FileEvent":"log"}',
      '{"Data":"dGhyZWUK","FileEvent":"log"}',
    ]);
    pool.close();
  });
});

function relay(pool: RpcPool): StreamMethods {
  const counters = createRpcCounters();
  const method = new MonitorMethod({
    region: "global",
    monitor: new Monitor({ sink: { listen: () => () => true }, clock: systemClock }),
    forwarder: new RpcForwarder({
      pool,
      counters,
      clock: systemClock,
      prng: createPrng(1),
      servers: () => [{ address: GO_EU, region: "eu" }],
      leader: () => undefined,
    }),
    server: () => undefined,
    nodes: undefined,
    ownNode: undefined,
  });
  return new StreamMethods({ methods: new Map([[MONITOR, method]]), counters });
}

async function payloads(streams: StreamMethods, request: MonitorRequest): Promise<string[]> {
  const heard: string[] = [];
  const { values } = await streams.open(MONITOR, encodeValue(monitorRequest, request));
  for (;;) {
    const frame = await values.next(streamFrame, 10_000);
    if (frame === undefined) return heard;
    heard.push(new TextDecoder().decode(frame.Payload ?? undefined));
  }
}

describe.if(mustRun)("yamux itself, Go dialling", () => {
  for (const secure of [false, true]) {
    test(`${secure ? "TLS" : "clear"}: echoes of all sizes, 100 MB through one window`, async () => {
      const own = await startMuxPeer(MUX, secure ? identity() : undefined);
      await using go = secure ? await goPeer() : await plainPeer();
      expect(await go.ask(`dial ${NET}.71.4:4650`)).toEqual({ dialled: true });
      for (const bytes of [0, 1, 11, 12, 13, 1000, 262_143, 262_144, 262_145, 3_000_000]) {
        expect(await go.ask(`echo ${bytes}`)).toEqual({ equal: true, bytes });
      }
      const before = process.memoryUsage.rss();
      expect((await go.ask("bulk 100 S")).bytes).toBe(100 * 1024 * 1024);
      expect((await go.ask("bulk 100 E")).bytes).toBe(100 * 1024 * 1024);
      expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 * 1024);
      expect((await go.ask("ping")).us).toBeGreaterThan(0);
      expect(await own.last().ping()).toBeGreaterThan(0);
      await until("every stream is gone", () => own.last().streams === 0);
      own.last().close();
      await own.server.close();
    });
  }

  test("Go resets a stream that we never end; we go away and it opens no more", async () => {
    const own = await startMuxPeer(MUX, undefined);
    await using go = await plainPeer([], { PEER_STREAM_CLOSE: "100ms" });
    await go.ask(`dial ${NET}.71.4:4650`);
    await go.ask("reset");
    await until("the stream is gone here too", () => own.last().streams === 0);
    own.last().goAway();
    await until(
      "Go knows",
      async () => (await go.ask("echo 1")).error === "remote end is not accepting connections",
    );
    own.last().close();
    await own.server.close();
  });

  test("we open streams towards the dialer, too: even numbers", async () => {
    const own = await startMuxPeer(MUX, undefined);
    await using go = await plainPeer();
    await go.ask(`dial ${NET}.71.4:4650`);
    await until("we have the session", () => own.last().open);
    for (const id of [2, 4]) {
      const accepted = go.ask("accept");
      const stream = own.last().openStream();
      if (stream === undefined) throw new Error("no stream");
      let back = 0;
      const over = new Promise<void>((resolve) => {
        stream.listen({
          data: (bytes) => {
            back += bytes.length;
          },
          ended: () => resolve(),
          closed: () => resolve(),
        });
      });
      stream.write(new Uint8Array(300_000));
      stream.end();
      await over;
      expect(back).toBe(300_000);
      expect(await accepted).toEqual({ bytes: 300_000, id });
    }
    own.last().close();
    await own.server.close();
  });

  test("a peer with a short keepalive is answered", async () => {
    const own = await startMuxPeer(MUX, undefined);
    await using go = await plainPeer([], { PEER_KEEPALIVE: "20ms" });
    await go.ask(`dial ${NET}.71.4:4650`);
    await until("twenty pings later", async () => (await go.ask("ping")).us > 0);
    expect(await go.ask("echo 10000")).toEqual({ equal: true, bytes: 10_000 });
    own.last().close();
    await own.server.close();
  });
});

describe.if(mustRun)("yamux itself, we dialling", () => {
  async function dialGo(): Promise<Mux> {
    const stream = await systemNetwork.dial(GO, 5000);
    stream.write(Uint8Array.of(RpcMode.multiplexV2));
    const mux = new Mux({
      stream,
      dialer: true,
      clock: systemClock,
      onStream: (one) => one.destroy(),
      onClosed: () => undefined,
    });
    mux.start();
    return mux;
  }

  test("100 MB to Go and back through one stream, at the pace of the reader", async () => {
    await using _go = await plainPeer([`-bind=${NET}.71.3:4647`]);
    const mux = await dialGo();
    const stream = mux.openStream();
    if (stream === undefined) throw new Error("no stream");
    stream.write(Uint8Array.of(0x45));
    const block = crypto.getRandomValues(new Uint8Array(64 * 1024));
    const blocks = 1600;
    const sent = new Bun.CryptoHasher("sha256");
    const heard = new Bun.CryptoHasher("sha256");
    let count = 0;
    const back = new Promise<void>((resolve) => {
      stream.listen({
        data: (bytes) => {
          heard.update(bytes);
          count += bytes.length;
        },
        ended: () => resolve(),
        closed: () => resolve(),
        drained: () => wake?.(),
      });
    });
    let wake: (() => void) | undefined;
    for (let i = 0; i < blocks; i++) {
      sent.update(block);
      if (stream.write(block)) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    stream.end();
    await back;
    expect(count).toBe(blocks * block.length);
    expect(heard.digest("hex")).toBe(sent.digest("hex"));
    await until("the stream is gone", () => mux.streams === 0);
    mux.close();
  });

  test("reset here ends it there, and Go's go-away is heard", async () => {
    await using go = await plainPeer([`-bind=${NET}.71.3:4647`]);
    const mux = await dialGo();
    const streams: MuxStream[] = [];
    for (let i = 0; i < 5; i++) {
      const stream = mux.openStream();
      if (stream === undefined) throw new Error("no stream");
      stream.write(Uint8Array.of(0x45));
      streams.push(stream);
    }
    await until("Go has five", async () => (await go.ask("stats")).streams === 5);
    for (const stream of streams) stream.destroy();
    await until("Go has none", async () => (await go.ask("stats")).streams === 0);
    await go.ask("goaway");
    await until("no new streams", () => !mux.open);
    mux.close();
  });
});

test("the two ends of a pair in one process hear each other, and the end", async () => {
  const [near, far] = streamPair();
  const heard: string[] = [];
  const over = new Promise<void>((resolve) => {
    far.listen({
      data: (bytes) => void heard.push(new TextDecoder().decode(bytes)),
      ended: () => heard.push("ended"),
      closed: () => resolve(),
    });
  });
  near.write(new TextEncoder().encode("hello"));
  near.end();
  far.end();
  await over;
  expect(heard).toEqual(["hello", "ended"]);
});
