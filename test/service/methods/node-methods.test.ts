/** The Node methods: what clients may say, and what the leader does when they say nothing. */

import { describe, expect, test } from "bun:test";
import {
  nodeBatchDeregisterRequest,
  nodeDeregisterRequest,
  nodeRegisterRequest,
} from "../../../src/state/command.ts";
import { mapBytes, type Node, node } from "../../../src/state/node.ts";
import { NODES_BYTES_MAX } from "../../../src/state/node-table.ts";
import { decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { MsgpackReader } from "../../../src/wire/msgpack-reader.ts";
import { nodeListRequest, nodeRequest } from "../../../src/wire/rpc-node.ts";
import { hex, type Json, vectors } from "../../vectors.ts";
import { goCodec } from "../../wire/go-schema.ts";
import { settle } from "../manual-clock.ts";
import { CONFIG, ID, SECRET, Server, updated } from "./node-server.ts";

/** The body behind a recorded header. */
function bodyOf(text: string): Uint8Array {
  const bytes = hex(text);
  const reader = new MsgpackReader(bytes);
  reader.skip();
  return bytes.subarray(reader.at);
}

describe("recorded from a client and servers of Nomad 2.0.5", () => {
  const calls = vectors("rpc/rpc-calls.json");
  const recorded = (name: string): Json => calls.find((one: Json) => one.name === name);

  test("it registers, becomes ready, and is listed as they list it", async () => {
    const server = new Server();
    const first = recorded("Node.Register/conn13#1");
    const reply = updated(await server.call("Node.Register", bodyOf(first.hex)));
    const theirs = updated(bodyOf(first.response_hex));
    expect(reply).toMatchObject({ Index: theirs.Index, NodeModifyIndex: theirs.NodeModifyIndex });
    expect(reply).toMatchObject({ SchedulingEligibility: "eligible", NumNodes: 1n });
    expect(reply.LeaderRPCAddr).toBe(theirs.LeaderRPCAddr);
    expect(Object.keys(reply)).toEqual(Object.keys(theirs));
    const secret = server.node?.SecretID ?? "";
    expect(await server.status("ready", secret)).toMatchObject({ Index: 9n, NodeModifyIndex: 9n });
    const list = recorded("Node.List/forwarded/conn1#1");
    const codec = goCodec("structs.NodeListResponse");
    const ours = decodeValue(codec, await server.call("Node.List", bodyOf(list.hex)));
    expect(ours).toEqual(decodeValue(codec, bodyOf(list.response_hex)));
  });

  test("one node, its secret left out, all else as the client sent it", async () => {
    const server = new Server();
    const first = recorded("Node.Register/conn13#1");
    await server.call("Node.Register", bodyOf(first.hex));
    const get = recorded("Node.GetNode/forwarded/conn1#1");
    const codec = goCodec("structs.SingleNodeResponse");
    const ours = decodeValue(codec, await server.call("Node.GetNode", bodyOf(get.hex)));
    const theirs = decodeValue(codec, bodyOf(get.response_hex));
    const shared = ["Name", "Drivers", "NodeResources", "HostNetworks", "HTTPAddr", "SecretID"];
    for (const name of shared) expect(ours.Node[name]).toEqual(theirs.Node[name]);
  });
});

describe("a registration is refused", () => {
  const cases: readonly [string, Partial<Node>][] = [
    ["missing node ID for client registration", { ID: "" }],
    ["invalid node ID for client registration", { ID: "a\r\nb: c" }],
    ["invalid node ID for client registration", { ID: "\u20ac" }],
    ["invalid node ID for client registration", { ID: "x".repeat(129) }],
    ["missing datacenter for client registration", { Datacenter: "" }],
    ["missing node name for client registration", { Name: "" }],
    ["missing attributes for client registration", { Attributes: mapBytes(new Map()) }],
    ["missing node secret ID for client registration", { SecretID: "" }],
    ['node is not allowed to register in node pool "all"', { NodePool: "all" }],
    ["invalid status for node", { Status: "asleep" }],
  ];
  for (const [text, fields] of cases) {
    test(text, async () => {
      const server = new Server();
      await expect(server.register(fields)).rejects.toThrow(text);
      expect(server.written).toEqual([]);
    });
  }

  test("without a node", async () => {
    const body = encodeValue(nodeRegisterRequest, structOf(nodeRegisterRequest, {}));
    const call = new Server().call("Node.Register", body);
    await expect(call).rejects.toThrow("missing node for client registration");
  });

  test("with another secret than the node has", async () => {
    const server = new Server();
    await server.register();
    const again = server.register({ SecretID: "another" });
    await expect(again).rejects.toThrow("node secret ID does not match");
    expect(server.node?.SecretID).toBe(SECRET);
  });
});

describe("a status", () => {
  test("is taken from whoever knows the node's secret", async () => {
    const server = new Server();
    await server.register();
    await expect(server.status("ready", "")).rejects.toThrow("Permission denied");
    await expect(server.status("ready", "a guess")).rejects.toThrow("Permission denied");
    await expect(server.status("awake")).rejects.toThrow("invalid status for node");
    await expect(server.status("ready", SECRET, "nobody")).rejects.toThrow("node not found");
    expect(server.node?.Status).toBe("initializing");
    await server.status("ready");
    expect(server.node?.Status).toBe("ready");
  });

  test("that is no news writes nothing, and says so", async () => {
    const server = new Server();
    await server.register();
    await server.status("ready");
    const before = server.written.length;
    const reply = await server.status("ready");
    expect(reply).toMatchObject({ Index: 0n, NodeModifyIndex: 0n });
    expect(Number(reply.HeartbeatTTL) / 1e6).toBeGreaterThanOrEqual(10_000);
    expect(Number(reply.HeartbeatTTL) / 1e6).toBeLessThanOrEqual(20_000);
    expect(server.written.length).toBe(before);
  });

  test("of a client that comes again does not change by registering", async () => {
    const server = new Server();
    await server.register();
    await server.status("ready");
    await server.register({ Status: "initializing", Name: "renamed" });
    expect(server.node).toMatchObject({ Status: "ready", Name: "renamed" });
  });

  test("puts no token into the log", async () => {
    const server = new Server();
    await server.register();
    await server.status("ready");
    const last = server.written.at(-1) ?? new Uint8Array(0);
    expect(Buffer.from(last).includes(SECRET)).toBe(false);
  });
});

describe("a client that falls silent", () => {
  test("is down when its time and the grace are over, and ready when it is back", async () => {
    const server = new Server();
    await server.register();
    const { HeartbeatTTL } = await server.status("ready");
    const untilDown = Number(HeartbeatTTL) / 1e6 + CONFIG.graceMs;
    await server.clock.advance(untilDown - 1);
    expect(server.node?.Status).toBe("ready");
    await server.clock.advance(2);
    await settle();
    expect(server.node).toMatchObject({ Status: "down" });
    await server.status("ready");
    const messages = server.node?.Events?.map((event) => event.Message);
    expect(messages).toEqual([
      "Node registered",
      "Node heartbeat missed",
      "Node reregistered by heartbeat",
    ]);
    expect(server.node?.Status).toBe("ready");
  });

  test("has five minutes when a leader is new, and none when nobody leads", async () => {
    const server = new Server();
    await server.register();
    await server.status("ready");
    server.methods.stop();
    await server.clock.advance(1_000_000);
    expect(server.node?.Status).toBe("ready");
    server.methods.lead();
    await server.clock.advance(CONFIG.failoverTtlMs - 1);
    expect(server.node?.Status).toBe("ready");
    await server.clock.advance(2);
    await settle();
    expect(server.node?.Status).toBe("down");
  });
});

test("nodes that are taken out are gone, all or none of them", async () => {
  const server = new Server();
  await server.register();
  await server.register({ ID: "n2", SecretID: "s2" });
  const batch = (NodeIDs: readonly string[]): Promise<Uint8Array> => {
    const request = structOf(nodeBatchDeregisterRequest, { NodeIDs });
    return server.call("Node.BatchDeregister", encodeValue(nodeBatchDeregisterRequest, request));
  };
  await expect(batch([])).rejects.toThrow("missing node IDs");
  await expect(batch([ID, "nobody"])).rejects.toThrow("node not found");
  expect(server.machine.nodes.size).toBe(2);
  await batch([ID]);
  const one = structOf(nodeDeregisterRequest, { NodeID: "n2" });
  await server.call("Node.Deregister", encodeValue(nodeDeregisterRequest, one));
  expect(server.machine.nodes.size).toBe(0);
});

test("a list comes in pages, by prefix, in both directions", async () => {
  const server = new Server();
  for (const id of ["a1", "a2", "a3", "b1"]) await server.register({ ID: id });
  const list = async (fields: object): Promise<[string[], string]> => {
    const body = encodeValue(nodeListRequest, structOf(nodeListRequest, fields));
    const codec = goCodec("structs.NodeListResponse");
    const reply = decodeValue(codec, await server.call("Node.List", body));
    return [(reply.Nodes ?? []).map((one: Json) => one.ID), reply.NextToken];
  };
  expect(await list({ PerPage: 2 })).toEqual([["a1", "a2"], "a3"]);
  expect(await list({ PerPage: 2, NextToken: "a3" })).toEqual([["a3", "b1"], ""]);
  expect(await list({ Prefix: "a", Reverse: true })).toEqual([["a3", "a2", "a1"], ""]);
  expect(await list({ Reverse: true, PerPage: 1, NextToken: "a2" })).toEqual([["a2"], "a1"]);
  expect(await list({ NextToken: "c" })).toEqual([[], ""]);
  expect(await list({ Filter: 'ID matches "2$"' })).toEqual([["a2"], ""]);
  expect(await list({ Filter: "ID != a1", PerPage: 2 })).toEqual([["a2", "a3"], "b1"]);
  await expect(list({ Filter: "ID ==" })).rejects.toThrow("RPC Error:: 400,failed to read filter");
  await expect(list({ Filter: "Secret == x" })).rejects.toThrow("there is no /Secret");
  // Nobody guesses at a secret.
  expect(await list({ Filter: "SecretID is not empty" })).toEqual([[], ""]);
});

test("a list is the same until a node changes, however that comes", async () => {
  const server = new Server();
  await server.register();
  const list = (fields: object = {}): Promise<Uint8Array> =>
    server.call("Node.List", encodeValue(nodeListRequest, structOf(nodeListRequest, fields)));
  const first = await list();
  expect(await list()).toBe(first);
  expect(await list({ Fields: { OS: true, Resources: false } })).not.toBe(first);
  expect(await list({ Prefix: "zz" })).not.toBe(first);
  expect(await list()).toBe(first);
  const { nodes } = server.machine;
  const index = BigInt(nodes.index);
  // As a snapshot would: the same index, and other nodes.
  nodes.replace([], index, index);
  const none = decodeValue(goCodec("structs.NodeListResponse"), await list());
  expect(none).toMatchObject({ Index: index, Nodes: [] });
});

test("allocations are none, and whoever waits for some waits", async () => {
  const server = new Server();
  await server.register();
  const ask = (fields: object): Promise<Uint8Array> => {
    const request = structOf(nodeRequest, { NodeID: ID, AuthToken: SECRET, ...fields });
    return server.call("Node.GetClientAllocs", encodeValue(nodeRequest, request));
  };
  const codec = goCodec("structs.NodeClientAllocsResponse");
  const first = decodeValue(codec, await ask({}));
  expect(first).toMatchObject({ Allocs: new Map(), MigrateTokens: new Map(), Index: 1n });
  await expect(ask({ AuthToken: "a guess" })).rejects.toThrow("Permission denied");
  let done = false;
  void ask({ MinQueryIndex: 1n, MaxQueryTime: 5_000_000_000n }).then(() => {
    done = true;
  });
  await server.clock.advance(4999);
  expect(done).toBe(false);
  await server.clock.advance(400);
  expect(done).toBe(true);
});

describe("a client's first question, to a server that has not heard of it yet", () => {
  function asked(server: Server): Promise<string> {
    const fields = { NodeID: ID, AuthToken: SECRET, AllowStale: true };
    const body = encodeValue(nodeRequest, structOf(nodeRequest, fields));
    return server.call("Node.GetClientAllocs", body).then(
      () => "answered",
      (error: Error) => error.message,
    );
  }
  test("waits until the registration is here", async () => {
    const server = new Server();
    server.role = "follower";
    const answer = asked(server);
    await server.clock.advance(1000);
    await server.register();
    expect(await answer).toBe("answered");
  });
  test("but not for ever, and not where everybody would know", async () => {
    const server = new Server();
    server.role = "follower";
    const answer = asked(server);
    await server.clock.advance(6000);
    expect(await answer).toBe("node not found");
    server.role = "leader";
    expect(await asked(server)).toBe("node not found");
  });
});

describe("a client with an identity that it has from servers elsewhere", () => {
  const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJub2RlOmV1In0.c2lnbmF0dXJl";
  const register = async (server: Server, AuthToken: string, SecretID = SECRET): Promise<Json> => {
    const Attributes = mapBytes(new Map([["nomad.version", "2.0.5"]]));
    const named = { ID, SecretID, Name: "c1", Datacenter: "dc1", Attributes };
    const request = structOf(nodeRegisterRequest, { Node: structOf(node, named), AuthToken });
    const body = encodeValue(nodeRegisterRequest, request);
    return updated(await server.call("Node.Register", body));
  };

  test("drops it when it registers, and is known by its secret from then on", async () => {
    const server = new Server();
    // An empty one: Nomad's client keeps that, and then proves itself by its secret again.
    expect((await register(server, JWT)).SignedIdentity).toBe("");
    expect((await server.status("ready")).SignedIdentity).toBe(null);
    expect(Buffer.from(server.written[0] ?? []).includes(JWT)).toBe(false);
  });

  test("is told to register when it only says that it lives", async () => {
    const server = new Server();
    expect((await register(server, "")).SignedIdentity).toBe(null);
    expect((await register(server, SECRET)).SignedIdentity).toBe(null);
    await expect(server.status("ready", JWT)).rejects.toThrow("node not found");
    expect(server.node?.Status).toBe("initializing");
    expect((await register(server, JWT)).SignedIdentity).toBe("");
    await server.status("ready");
    expect(server.node?.Status).toBe("ready");
  });

  test("does not get past its secret by it", async () => {
    const server = new Server();
    await register(server, "");
    await expect(register(server, JWT, "another")).rejects.toThrow("secret ID does not match");
    const request = structOf(nodeRequest, { NodeID: ID, AuthToken: JWT });
    const asked = server.call("Node.GetClientAllocs", encodeValue(nodeRequest, request));
    await expect(asked).rejects.toThrow("Permission denied");
  });
});

test("nodes have room together, and one that goes gives its part back", async () => {
  const server = new Server();
  const { nodes } = server.machine;
  await server.register({ ID: "n1" });
  await server.register({ ID: "n2", SecretID: "s2" });
  expect(nodes.bytes).toBe(nodes.bytesOf("n1") + nodes.bytesOf("n2"));
  const one = structOf(nodeDeregisterRequest, { NodeID: "n2" });
  await server.call("Node.Deregister", encodeValue(nodeDeregisterRequest, one));
  expect([nodes.bytes, nodes.bytesOf("n2")]).toEqual([nodes.bytesOf("n1"), 0]);
  const other = new Server();
  other.machine.restore(server.machine.snapshot(), 9);
  expect(other.machine.nodes.bytes).toBe(nodes.bytes);
  const { bytes } = nodes;
  Object.defineProperty(nodes, "bytes", { get: () => NODES_BYTES_MAX - bytes });
  const large = { Attributes: mapBytes(new Map([["a", "x".repeat(2 * bytes)]])) };
  const full = "there are 256 MiB of client nodes, and no room for more";
  await expect(server.register({ ID: "n3", ...large })).rejects.toThrow(full);
  // It is there, and takes no more than before.
  await server.register({ ID: "n1" });
});
