/** A client's log by way of the connection that the client has opened: here and through another server. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/host/clock.ts";
import type { ByteStream } from "../../src/host/host.ts";
import { dialSocket } from "../../src/host/network.ts";
import { RpcMode } from "../../src/service/rpc/mode.ts";
import { Mux } from "../../src/service/rpc/mux.ts";
import { ValueStream } from "../../src/service/rpc/value-stream.ts";
import { nodeRegisterRequest, nodeStatusRequest } from "../../src/state/command.ts";
import { mapBytes, node } from "../../src/state/node.ts";
import { encodeValue, structOf } from "../../src/wire/codec.ts";
import { decodeResponse, encodeRequest } from "../../src/wire/rpc-frame.ts";
import {
  encodeFrame,
  type MonitorRequest,
  monitorRequest,
  streamAck,
  streamHeader,
} from "../../src/wire/rpc-stream.ts";
import { ipOf, NET } from "../addresses.ts";
import { getJson, Lab, run, until } from "./agents.ts";

const [FIRST, SECOND] = [`${NET}.67.1`, `${NET}.67.2`];
const ID = "3f1c2a52-0000-4000-8000-000000000001";
const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";
const lab = new Lab();
afterAll(() => lab[Symbol.asyncDispose]());

/** As a Nomad client holds it: one connection, on which the server opens streams, too. */
class FakeClient {
  readonly asked: MonitorRequest[] = [];
  readonly #mux: Mux;

  constructor(stream: ByteStream) {
    stream.write(Uint8Array.of(RpcMode.multiplexV2));
    this.#mux = new Mux({
      stream,
      dialer: true,
      clock: systemClock,
      onStream: (one) => void this.#serve(one),
      onClosed: () => undefined,
    });
    this.#mux.start();
  }

  close(): void {
    this.#mux.close();
  }

  /** @returns the error, or "" */
  async call(method: string, body: Uint8Array): Promise<string> {
    const stream = this.#mux.openStream();
    if (stream === undefined) throw new Error("the session is over");
    stream.write(Uint8Array.of(RpcMode.nomad));
    stream.write(encodeRequest({ seq: 1n, method, body }));
    return new Promise((resolve) => {
      let bytes = new Uint8Array(0);
      stream.listen({
        data: (chunk) => {
          bytes = Uint8Array.from([...bytes, ...chunk]);
          const read = decodeResponse(bytes);
          if (read.kind !== "frame") return;
          resolve(read.frame.error);
          stream.end();
        },
        ended: () => resolve("ended"),
        closed: () => resolve("closed"),
      });
    });
  }

  async #serve(stream: ByteStream): Promise<void> {
    expect(await stream.takeFirst(5000)).toBe(RpcMode.streaming);
    const reader = new ValueStream(stream);
    expect(await reader.next(streamHeader, 5000)).toEqual({ Method: "Agent.Monitor" });
    stream.write(encodeValue(streamAck, { Error: "" }));
    const request = await reader.next(monitorRequest, 5000);
    if (request !== undefined) this.asked.push(request);
    stream.write(encodeFrame(new TextEncoder().encode("a line of the client's\n")));
    stream.end();
  }
}

let client: FakeClient;

beforeAll(async () => {
  const server = { bootstrap_expect: 2, retry_join: [FIRST, SECOND], retry_interval: "1s" };
  await lab.agent({ name: "m1", ip: FIRST, server });
  await lab.agent({ name: "m2", ip: SECOND, server });
  const to = { ip: ipOf("67.1"), port: 4647 };
  await until("the port answers", async () => {
    client = new FakeClient(await dialSocket(to, 1000));
    return true;
  });
  const Attributes = mapBytes(new Map([["os.name", "debian"]]));
  const Node = structOf(node, { ID, SecretID: SECRET, Name: "c1", Datacenter: "dc1", Attributes });
  const register = structOf(nodeRegisterRequest, { Node, Region: "global" });
  await until("it is registered", async () => {
    const body = encodeValue(nodeRegisterRequest, register);
    return (await client.call("Node.Register", body)) === "";
  });
  await until("both have heard of it", async () => {
    const known = await Promise.all([FIRST, SECOND].map((ip) => getJson(ip, "/v1/nodes?stale")));
    return known.every((nodes) => nodes.length === 1);
  });
}, 240_000);

function monitor(ip: string, id = "3f1c"): ReturnType<typeof run> {
  return run(["monitor", `-address=http://${ip}:4646`, `-node-id=${id}`, "-log-level=DEBUG"]);
}

test("a client that nobody has heard on a connection: there is no way to it", async () => {
  for (const ip of [FIRST, SECOND]) {
    const { code, err } = await monitor(ip);
    expect([code, err]).toEqual([
      1,
      "Error starting monitor: Unexpected response code: 404 (No path to node)\n",
    ]);
  }
}, 240_000);

test("its log comes through the server that it is connected to, and through others", async () => {
  const beat = { NodeID: ID, Status: "ready", AuthToken: SECRET, Region: "global" };
  const body = encodeValue(nodeStatusRequest, structOf(nodeStatusRequest, beat));
  expect(await client.call("Node.UpdateStatus", body)).toBe("");
  for (const ip of [FIRST, SECOND]) {
    expect(await monitor(ip)).toEqual({ code: 0, out: "a line of the client's\n", err: "" });
  }
  expect(client.asked.length).toBe(2);
  expect(client.asked[0]).toMatchObject({ NodeID: ID, LogLevel: "DEBUG", PlainText: true });
}, 240_000);

test("when it has gone there is no way again", async () => {
  client.close();
  await until("both know", async () => {
    const answers = await Promise.all([monitor(FIRST), monitor(SECOND)]);
    return answers.every(({ err }) => err.includes("No path to node"));
  });
}, 240_000);
