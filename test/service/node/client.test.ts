/** A client node over the pool and yamux, and servers in this process that say what a test wants. */
import { describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/host/clock.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { CoreMeter } from "../../../src/host/usage.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import { StreamMethods } from "../../../src/service/methods/stream-methods.ts";
import { NodeClient } from "../../../src/service/node/client.ts";
import { ClientMethods } from "../../../src/service/node/client-methods.ts";
import { HeldIdentity } from "../../../src/service/node/held-identity.ts";
import { type ChangedMeta, NodeMeta } from "../../../src/service/node/node-meta.ts";
import { ReverseCalls } from "../../../src/service/node/reverse.ts";
import { CallStream } from "../../../src/service/rpc/call.ts";
import { RpcPool } from "../../../src/service/rpc/client/pool.ts";
import { createRpcCounters } from "../../../src/service/rpc/counters.ts";
import { RpcMethodError } from "../../../src/service/rpc/method-error.ts";
import { RpcMode } from "../../../src/service/rpc/mode.ts";
import { Mux } from "../../../src/service/rpc/mux.ts";
import { ByteBudget, serveCalls } from "../../../src/service/rpc/server/serve.ts";
import { nodeRegisterRequest, nodeStatusRequest } from "../../../src/state/command.ts";
import { mapBytes, node } from "../../../src/state/node.ts";
import { type Codec, decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import {
  clientStatsReply,
  hostDataReply,
  nodeMetaReply,
  nodeMetaRequest,
} from "../../../src/wire/rpc-client.ts";
import { nodeIdentityReply } from "../../../src/wire/rpc-keyring.ts";
import { clientAllocsReply, nodeRequest, nodeUpdateReply } from "../../../src/wire/rpc-node.ts";
import { encodeEmpty } from "../../../src/wire/rpc-status.ts";
import { silent } from "../../silent.ts";
import { ManualClock, settle } from "../manual-clock.ts";

const ID = "3f1c2a52-0000-4000-8000-000000000001";
const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";
const ADDRESSES = ["10.0.0.1:4647", "10.0.0.2:4647"];

class Bench {
  readonly clock = new ManualClock();
  /** `address method` of every call, with what matters of its body. */
  readonly said: string[] = [];
  readonly sessions: Mux[] = [];
  /** What a server says to a method; by default yes. */
  answer: (address: string, method: string) => Uint8Array | undefined | Promise<never> = () =>
    undefined;
  readonly down = new Set<string>();
  readonly told = [...ADDRESSES];
  kept: ChangedMeta = new Map();
  changes = 0;
  readonly meta = new NodeMeta({
    configured: { rack: "r1", zone: "z1" },
    changed: new Map(),
    save: (changed) => {
      this.kept = changed;
    },
  });
  debug = false;
  /** By what it has proved who it is, call by call. */
  readonly proofs: string[] = [];
  /** What the servers sign for it: null, nothing. */
  signed: string | null = null;
  /** Identities as they were kept, one after the other. */
  readonly saved: string[] = [];
  readonly identity: HeldIdentity;
  readonly pool = new RpcPool({
    dialer: { connect: (to) => this.#connect(`${to.ip.join(".")}:${to.port}`) },
    clock: this.clock,
    prng: createPrng(1),
    log: silent,
    onStream: (stream) => void this.reverse().serve(stream),
  });
  readonly client: NodeClient;

  constructor(identity = "", introduction = "") {
    this.identity = new HeldIdentity({
      ...{ secret: SECRET, identity, introduction },
      save: (token) => void this.saved.push(token),
    });
    this.client = this.#create();
  }

  #create = (): NodeClient =>
    new NodeClient({
      ...{ region: "global", id: ID, secret: SECRET, inProcess: false, identity: this.identity },
      servers: [ADDRESSES[0] ?? ""],
      record: () =>
        structOf(node, { ID, SecretID: SECRET, Name: "c1", Meta: mapBytes(this.meta.all) }),
      call: async (server, method, body, { timeoutMs, repeat, signal }) => {
        const [ip = "", port] = server.split(":");
        const address = { ip: Uint8Array.from(ip.split("."), Number), port: Number(port) };
        this.pool.forgive(address);
        const target = { address, region: "global" };
        return this.pool.call(target, method, body, timeoutMs, repeat, signal);
      },
      ...{ clock: this.clock, prng: createPrng(7), log: silent },
    });

  reverse(): ReverseCalls {
    const methods = new ClientMethods({
      ...{ id: ID, directory: "/", meta: this.meta, meter: new CoreMeter(), debug: this.debug },
      identity: this.identity,
      changed: () => {
        this.changes += 1;
      },
      clock: systemClock,
    });
    const streams = new StreamMethods({ methods: new Map(), counters: createRpcCounters() });
    return new ReverseCalls({ methods, streams, counters: createRpcCounters(), clock: this.clock });
  }

  async #connect(address: string) {
    await Promise.resolve();
    if (this.down.has(address)) throw new Error("connection refused");
    const [near, far] = streamPair();
    const mux = new Mux({
      ...{ stream: far, dialer: false, clock: this.clock, onClosed: () => undefined },
      onStream: async (stream) => {
        await stream.takeFirst(0);
        serveCalls(stream, {
          methods: {
            bodyBytesMax: () => 1e6,
            call: (name, body) => this.#serve(address, name, body),
          },
          ...{ counters: createRpcCounters(), clock: this.clock, caller: { names: undefined } },
          ...{ refuse: () => stream.destroy(), firstMs: 0, idleMs: 0 },
          budget: new ByteBudget(1e6),
        });
      },
    });
    mux.start();
    this.sessions.push(mux);
    return { stream: near, tls: undefined };
  }

  #serve(address: string, method: string, body: Uint8Array): Uint8Array | Promise<never> {
    const readers: Record<string, () => string | undefined> = {
      "Node.Register": () => {
        const request = decodeValue(nodeRegisterRequest, body);
        this.proofs.push(`Register ${request?.AuthToken}`);
        return request?.Node?.Name;
      },
      "Node.UpdateStatus": () => {
        const request = decodeValue(nodeStatusRequest, body);
        const forced = request?.ForceIdentityRenewal === true ? " renew" : "";
        this.proofs.push(`UpdateStatus ${request?.AuthToken}${forced}`);
        expect(request?.NodeID).toBe(ID);
        return request?.Status;
      },
      "Node.GetClientAllocs": () => {
        const request = decodeValue(nodeRequest, body);
        return `${request?.AllowStale} ${request?.MinQueryIndex}`;
      },
    };
    const what = readers[method]?.();
    this.said.push(`${address} ${method} ${what}`);
    const own = this.answer(address, method);
    if (own !== undefined) return own;
    if (method === "Node.GetClientAllocs") {
      if (what === "false 0") {
        return encodeValue(clientAllocsReply, structOf(clientAllocsReply, { Index: 5n }));
      }
      return new Promise<never>(() => undefined);
    }
    const Servers = this.told.map((RPCAdvertiseAddr) => {
      return { Datacenter: "dc1", RPCAdvertiseAddr, RPCMajorVersion: 0, RPCMinorVersion: 0 };
    });
    const reply = { HeartbeatTTL: 10_000_000_000n, Servers, SignedIdentity: this.signed };
    return encodeValue(nodeUpdateReply, structOf(nodeUpdateReply, reply));
  }

  /** As a server does it: a stream of its own for one call. */
  async ask<T>(method: string, body: Uint8Array, reply: Codec<T>): Promise<T | undefined> {
    const stream = this.sessions.at(-1)?.openStream();
    if (stream === undefined) throw new Error("no session");
    stream.write(Uint8Array.of(RpcMode.nomad));
    const answer = await new CallStream(stream, true).call(method, body, 5000);
    return decodeValue(reply, answer);
  }

  heard(method: string): readonly string[] {
    return this.said.filter((one) => one.includes(method));
  }
}

const no = (text: string) => {
  throw new RpcMethodError(text, false);
};

async function started(): Promise<Bench> {
  const bench = new Bench();
  bench.client.start();
  await bench.clock.advance(10);
  return bench;
}

describe("a node", () => {
  test("registers, is ready at once, keeps a poll open, and is heard well within its time", async () => {
    const bench = await started();
    await bench.clock.advance(1500);
    expect(bench.said).toEqual([
      `${ADDRESSES[0]} Node.Register c1`,
      `${ADDRESSES[0]} Node.UpdateStatus ready`,
      `${ADDRESSES[0]} Node.GetClientAllocs false 0`,
      `${ADDRESSES[0]} Node.GetClientAllocs true 5`,
    ]);
    expect(bench.client.report()).toMatchObject({
      ...{ state: "ready", server: ADDRESSES[0], ttlMs: 10_000, problem: "" },
      servers: ADDRESSES,
    });
    await bench.clock.advance(60_000);
    const beats = bench.heard("UpdateStatus").length;
    expect(beats).toBeGreaterThan(6);
    expect(beats).toBeLessThan(14);
    expect(bench.heard("Register")).toHaveLength(1);
    expect(bench.sessions).toHaveLength(1);
  });

  test("goes to a server that it was told of, and its poll with it", async () => {
    const bench = await started();
    bench.down.add(ADDRESSES[0] ?? "");
    for (const session of bench.sessions) session.close();
    await bench.clock.advance(10_000);
    expect(bench.client.report()).toMatchObject({ state: "ready", server: ADDRESSES[1] });
    expect(bench.heard(`${ADDRESSES[1]} Node.GetClientAllocs`)).not.toEqual([]);
    expect(bench.heard("Register")).toHaveLength(1);
  });

  test("registers again when the servers have forgotten it", async () => {
    const bench = await started();
    let known = false;
    bench.answer = (_address, method) => {
      if (method === "Node.Register") known = true;
      return known || method !== "Node.UpdateStatus" ? undefined : no("rpc error: node not found");
    };
    await bench.clock.advance(10_000);
    expect(bench.heard("Register")).toHaveLength(2);
    expect(bench.client.report().state).toBe("ready");
  });

  test("says why nobody answers", async () => {
    const bench = new Bench();
    bench.down.add(ADDRESSES[0] ?? "");
    bench.client.start();
    await bench.clock.advance(100);
    const { state, problem } = bench.client.report();
    expect([state, problem]).toEqual(["unregistered", `${ADDRESSES[0]}: connection refused`]);
  });

  test("leaves by saying so, and also where nobody hears it", async () => {
    const bench = await started();
    await Promise.all([bench.client.leave(), settle()]);
    expect(bench.said.at(-1)).toBe(`${ADDRESSES[0]} Node.UpdateStatus down`);
    const lonely = await started();
    lonely.answer = () => new Promise<never>(() => undefined);
    let left = false;
    void lonely.client.leave().then(() => {
      left = true;
    });
    await lonely.clock.advance(7000);
    expect(left).toBe(true);
  });
});

describe("by what a node proves who it is", () => {
  const [OLD, NEW] = ["a.b.c", "d.e.f"];

  async function running(bench: Bench): Promise<Bench> {
    bench.client.start();
    await bench.clock.advance(10);
    return bench;
  }

  test("its secret where servers sign nothing", async () => {
    const { proofs, saved } = await running(new Bench());
    expect(proofs).toEqual(["Register ", `UpdateStatus ${SECRET}`]);
    expect(saved).toEqual([]);
  });

  test("the identity that it was given, in the next run, too", async () => {
    const bench = new Bench();
    bench.signed = OLD;
    await running(bench);
    expect(bench.proofs).toEqual(["Register ", `UpdateStatus ${OLD}`]);
    expect(bench.saved).toEqual([OLD]);
    const next = await running(new Bench(OLD));
    expect(next.proofs).toEqual([`Register ${OLD}`, `UpdateStatus ${OLD}`]);
    next.signed = NEW;
    await next.clock.advance(20_000);
    expect(next.proofs.at(-1)).toBe(`UpdateStatus ${NEW}`);
    expect(next.saved).toEqual([NEW]);
  });

  test("its secret again when a server says that it has none", async () => {
    const bench = new Bench(OLD);
    bench.signed = "";
    await running(bench);
    expect(bench.proofs).toEqual([`Register ${OLD}`, `UpdateStatus ${SECRET}`]);
    expect(bench.saved).toEqual([""]);
  });

  test("its secret when no server takes its identity, and a heartbeat later it is ready", async () => {
    const bench = new Bench(OLD);
    bench.answer = () => {
      return bench.proofs.at(-1)?.endsWith(OLD) === true ? no("Permission denied") : undefined;
    };
    await running(bench);
    await bench.clock.advance(10_000);
    expect(bench.proofs.slice(0, 3)).toEqual([
      `Register ${OLD}`,
      "Register ",
      `UpdateStatus ${SECRET}`,
    ]);
    expect(bench.client.report().state).toBe("ready");
  });

  test("its introduction until it is let in, and never after", async () => {
    const bench = new Bench("", "i.n.t");
    let open = false;
    bench.answer = (_address, method) => {
      return open || method !== "Node.Register" ? undefined : no("Permission denied");
    };
    await running(bench);
    open = true;
    await bench.clock.advance(10_000);
    expect(bench.proofs.slice(0, 3)).toEqual([
      "Register i.n.t",
      "Register i.n.t",
      `UpdateStatus ${SECRET}`,
    ]);
    bench.client.changed();
    await bench.clock.advance(10);
    expect(bench.proofs).toContain("Register ");
  });

  test("another identity when an operator wants it to have one", async () => {
    const bench = new Bench();
    // A header and claims that say when it is over.
    const claims = Buffer.from('{"sub":"node:x","exp":4000000000,"aud":"a"}').toString("base64url");
    const token = `eyJhbGciOiJFZERTQSJ9.${claims}.AAAA`;
    await running(bench);
    const none = bench.ask("NodeIdentity.Renew", encodeEmpty(), nodeIdentityReply);
    await expect(none).rejects.toThrow("no identity");
    bench.signed = token;
    await bench.clock.advance(20_000);
    expect(bench.client.report().identityUntilMs).toBe(4e12);
    const shown = await bench.ask("NodeIdentity.Get", encodeEmpty(), nodeIdentityReply);
    expect([...(shown?.Claims?.keys() ?? [])]).toEqual(["sub", "exp", "aud"]);
    bench.signed = null;
    await bench.ask("NodeIdentity.Renew", encodeEmpty(), nodeIdentityReply);
    await bench.clock.advance(20_000);
    expect(bench.proofs.at(-1)).toBe(`UpdateStatus ${token} renew`);
    bench.signed = NEW;
    await bench.clock.advance(20_000);
    expect(bench.proofs.at(-1)).toBe(`UpdateStatus ${NEW}`);
  });
});

describe("a server asks", () => {
  test("for figures, which are this machine's", async () => {
    const bench = await started();
    const reply = await bench.ask("ClientStats.Stats", encodeEmpty(), clientStatsReply);
    const stats = reply?.HostStats;
    expect(stats?.Memory?.Total).toBeGreaterThan(0n);
    expect(stats?.AllocDirStats?.Size).toBeGreaterThan(0n);
    expect(stats?.Uptime).toBeGreaterThan(0n);
  });

  test("for metadata, and changes it", async () => {
    const bench = await started();
    const Meta = new Map([
      ["rack", "r2"],
      ["zone", null],
      ["disk", "ssd"],
    ]);
    const body = encodeValue(nodeMetaRequest, structOf(nodeMetaRequest, { Meta }));
    const reply = await bench.ask("NodeMeta.Apply", body, nodeMetaReply);
    expect(reply?.Meta).toEqual(
      new Map([
        ["rack", "r2"],
        ["disk", "ssd"],
      ]),
    );
    expect(reply?.Static).toEqual(
      new Map([
        ["rack", "r1"],
        ["zone", "z1"],
      ]),
    );
    expect(reply?.Dynamic).toEqual(Meta);
    expect(bench.kept).toEqual(Meta);
    expect(bench.changes).toBe(1);
    const read = await bench.ask("NodeMeta.Read", encodeEmpty(), nodeMetaReply);
    expect(read).toEqual(reply);
    for (const bad of [new Map(), new Map([["a..b", "x"]]), new Map([["a", "x".repeat(70_000)]])]) {
      const request = encodeValue(nodeMetaRequest, structOf(nodeMetaRequest, { Meta: bad }));
      expect(bench.ask("NodeMeta.Apply", request, nodeMetaReply)).rejects.toThrow(/meta/i);
    }
    expect(bench.kept).toEqual(Meta);
  });

  test("for the machine: only where enable_debug is on, and no secret of its environment", async () => {
    const bench = await started();
    const ask = () => bench.ask("Agent.Host", encodeEmpty(), hostDataReply);
    expect(ask()).rejects.toThrow("Permission denied");
    bench.debug = true;
    process.env["A_TEST_TOKEN"] = "hush";
    const reply = await ask();
    expect(reply?.AgentID).toBe(ID);
    expect(reply?.HostData?.Environment?.get("A_TEST_TOKEN")).toBe("<redacted>");
    expect(reply?.HostData?.Environment?.get("PATH")).toBe(process.env["PATH"] ?? "");
  });

  test("for what is not there, and hears so at once", async () => {
    const bench = await started();
    for (const [method, text] of [
      ["Allocations.Stats", "rpc: can't find service Allocations.Stats"],
      ["NodeMeta.Drop", "rpc: can't find method NodeMeta.Drop"],
    ] as const) {
      expect(bench.ask(method, encodeEmpty(), clientStatsReply)).rejects.toThrow(text);
    }
  });
});
