/** Which certificate may call what on the RPC port. */
import { expect, test } from "bun:test";
import { createPrng } from "../../../src/protocol/prng.ts";
import { type Method, RpcMethods } from "../../../src/service/methods/methods.ts";
import { RpcForwarder } from "../../../src/service/rpc/client/forward.ts";
import { createRpcCounters } from "../../../src/service/rpc/counters.ts";
import { NodeLines } from "../../../src/service/rpc/node-lines.ts";
import { mayOperate } from "../../../src/service/rpc/roles.ts";
import { nodeDrainRequest } from "../../../src/state/command.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { encodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { ManualClock } from "../manual-clock.ts";

const ANSWER = Uint8Array.of(0x80);
const method: Method = { where: "here", run: () => ANSWER };
const FOR_SERVERS = [
  ...["Operator.RaftGetConfiguration", "Operator.AnythingNew", "Node.Deregister"],
  ...["Node.Evaluate", "Node.UpdateDrain", "Node.UpdateEligibility"],
];

const nobody = { call: () => Promise.reject(), stream: () => Promise.reject() };
const methods = new RpcMethods({
  lines: new NodeLines(() => 0),
  isNode: (id, token) => id === "n1" && token === "secret",
  region: "global",
  members: () => ({ members: [], serverName: "", serverRegion: "", serverDc: "" }),
  regions: () => [],
  raftPeers: () => [],
  leader: () => "",
  raftStats: () => ({ lastContactMs: 0, lastTerm: 0n, lastIndex: 0n }),
  verify: async () => undefined,
  others: new Map([...FOR_SERVERS, "Node.List", "Node.Register"].map((name) => [name, method])),
  forwarder: new RpcForwarder({
    pool: nobody,
    counters: createRpcCounters(),
    clock: new ManualClock(),
    prng: createPrng(1),
    servers: () => [],
    leader: () => "self",
  }),
});

const call = (name: string, names: readonly string[] | undefined) =>
  methods.call(name, encodeQueryOptions({ Region: "global" }), { names });

test("a client's certificate calls neither Operator nor Node.Deregister, and lists nodes", () => {
  for (const name of [...FOR_SERVERS, "Plan.Submit"]) {
    for (const names of [
      ["client.global.nomad"],
      ["cli.global.nomad"],
      [],
      ["server.global.nomad.evil"],
    ]) {
      expect(() => call(name, names)).toThrow("Permission denied");
    }
  }
  expect(call("Node.List", ["client.global.nomad"])).toBe(ANSWER);
});

test("servers do, of other regions too, and whoever need not prove a name", () => {
  for (const name of FOR_SERVERS) {
    for (const names of [["server.global.nomad"], ["server.eu.nomad"], undefined]) {
      expect(call(name, names)).toBe(ANSWER);
    }
  }
});

test("a client whose secret is that of the node drains it, and does not take it out", () => {
  const names = ["client.global.nomad"];
  const ask = (name: string, NodeID: string, AuthToken: string) => {
    const request = structOf(nodeDrainRequest, { NodeID, AuthToken, Region: "global" });
    return () => methods.call(name, encodeValue(nodeDrainRequest, request), { names });
  };
  expect(ask("Node.UpdateDrain", "n1", "secret")()).toBe(ANSWER);
  expect(ask("Node.UpdateEligibility", "n1", "secret")()).toBe(ANSWER);
  for (const [id, token] of [
    ["n2", "secret"],
    ["n1", ""],
  ] as const) {
    expect(ask("Node.UpdateDrain", id, token)).toThrow("Permission denied");
  }
  expect(ask("Node.Deregister", "n1", "secret")).toThrow("Permission denied");
});

test("a node speaks with a client's certificate of the region, or through a server", () => {
  const register = (names: readonly string[] | undefined, Forwarded = false) => {
    const body = encodeQueryOptions({ Region: "global", Forwarded });
    return () => methods.call("Node.Register", body, { names });
  };
  for (const names of [["client.global.nomad"], ["server.global.nomad", "client.global.nomad"]]) {
    expect(register(names)()).toBe(ANSWER);
  }
  expect(register(undefined)()).toBe(ANSWER);
  expect(register(["server.global.nomad"], true)()).toBe(ANSWER);
  for (const name of ["server.global.nomad", "server.eu.nomad"]) {
    expect(register([name])).toThrow(
      `Permission denied: a client node must prove client.global.nomad, and this certificate is for ${name}`,
    );
  }
});

test("operators over HTTP are cli and server of this region, and nobody else", () => {
  const may = (...names: readonly string[]): boolean => mayOperate(names, "global");
  expect([may("cli.global.nomad"), may("x", "server.global.nomad")]).toEqual([true, true]);
  for (const name of ["client.global.nomad", "cli.eu.nomad", "server.eu.nomad", "localhost"]) {
    expect([name, may(name)]).toEqual([name, false]);
  }
  expect(may()).toBe(false);
});
