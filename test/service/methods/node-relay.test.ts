/** What is asked of a node by way of its server: there, elsewhere, nowhere. */
import { expect, test } from "bun:test";
import type { ByteStream } from "../../../src/host/host.ts";
import { streamPair } from "../../../src/host/stream-pair.ts";
import { createPrng } from "../../../src/protocol/prng.ts";
import { nodeRelayMethods } from "../../../src/service/methods/node-relay-methods.ts";
import { RpcForwarder } from "../../../src/service/rpc/client/forward.ts";
import { createRpcCounters } from "../../../src/service/rpc/counters.ts";
import { RpcMode } from "../../../src/service/rpc/mode.ts";
import { NodeLines } from "../../../src/service/rpc/node-lines.ts";
import { structOf } from "../../../src/wire/codec.ts";
import { encodeResponse } from "../../../src/wire/rpc-frame.ts";
import {
  encodeNodeConn,
  encodeNodeNamed,
  encodeText,
  queryOptions,
  withField,
} from "../../../src/wire/rpc-status.ts";
import { ipOf } from "../../addresses.ts";
import { ManualClock } from "../manual-clock.ts";

const SECRET = "an operator's token";
const ANSWER = Uint8Array.of(0x81, 0xa1, 0x61, 0x01);
const other = { address: { ip: ipOf("1.2"), port: 4647 }, region: "global" };

/** @param answers what a node says on a stream of its connection; undefined: it has none here */
function bench(answers?: (stream: ByteStream) => void) {
  const asked: string[] = [];
  const lines = new NodeLines(() => 1000);
  if (answers !== undefined) {
    const openStream = (): ByteStream => {
      const [near, far] = streamPair();
      answers(far);
      return near;
    };
    lines.heard("n1", { open: true, openStream });
  }
  const pool = {
    call: async (_to: unknown, name: string): Promise<Uint8Array> => {
      asked.push(name);
      return name === "Status.HasNodeConn" ? encodeNodeConn(1000) : ANSWER;
    },
    stream: () => Promise.reject(new Error("not asked for")),
  };
  const forwarder = new RpcForwarder({
    ...{ pool, counters: createRpcCounters(), clock: new ManualClock(), prng: createPrng(1) },
    ...{ servers: () => [other], leader: () => undefined },
  });
  const nodes = { isKnown: (id: string) => id === "n1", lines };
  const methods = nodeRelayMethods({ region: "global", nodes, forwarder });
  const ask = async (id: string, Forwarded = false): Promise<Uint8Array> => {
    const options = structOf(queryOptions, { Region: "global", Forwarded });
    const named = encodeNodeNamed(id, "global");
    const body = withField(named, "AuthToken", encodeText(SECRET));
    return methods.get("ClientStats.Stats")?.run(options, body) ?? new Uint8Array(0);
  };
  return { ask, asked };
}

const saying = (error: string) => (stream: ByteStream) => {
  stream.listen({
    data: () => {
      stream.write(encodeResponse({ seq: 1n, method: "ClientStats.Stats", error, body: ANSWER }));
    },
    ended: () => undefined,
    closed: () => undefined,
  });
};

test("a node that is connected here answers, or says why not", async () => {
  expect(await bench(saying("")).ask("n1")).toEqual(ANSWER);
  await expect(bench(saying("no figures")).ask("n1")).rejects.toThrow("no figures");
  const hangsUp = bench((stream) => stream.destroy());
  await expect(hangsUp.ask("n1")).rejects.toThrow("the node does not answer");
});

test("a node hears what is asked, and not by which token", async () => {
  const heard: Uint8Array[] = [];
  const { ask } = bench((stream) => {
    stream.listen({
      data: (bytes) => {
        heard.push(bytes.slice());
        if (bytes.length > 1) stream.destroy();
      },
      ended: () => undefined,
      closed: () => undefined,
    });
  });
  await ask("n1").catch(() => undefined);
  const text = Buffer.concat(heard).toString("latin1");
  expect(text).toContain("n1");
  expect(text).not.toContain(SECRET);
});

test("the stream begins with the byte of a call", async () => {
  const first = Promise.withResolvers<unknown>();
  const { ask } = bench((stream) => {
    void stream.takeFirst(1000).then((byte) => {
      first.resolve(byte);
      stream.destroy();
    });
  });
  await expect(ask("n1")).rejects.toThrow("the node does not answer");
  expect(await first.promise).toBe(RpcMode.nomad);
});

test("one that another server has is asked there, once", async () => {
  const { ask, asked } = bench();
  expect(await ask("n1")).toEqual(ANSWER);
  expect(asked).toEqual(["Status.HasNodeConn", "ClientStats.Stats"]);
  await expect(ask("n1", true)).rejects.toThrow("No path to node");
});

test("one that nobody knows is said so", async () => {
  await expect(bench().ask("n2")).rejects.toThrow('Unknown node "n2"');
  await expect(bench().ask("")).rejects.toThrow("missing NodeID");
});
