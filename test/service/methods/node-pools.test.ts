/** Node pools: two that are always there, the others made by the nodes that are in them. */
import { expect, test } from "bun:test";
import { createPrng } from "../../../src/protocol/prng.ts";
import { NodePoolMethods } from "../../../src/service/methods/node-pool-methods.ts";
import { command, MessageType } from "../../../src/state/command.ts";
import {
  nodePool,
  nodePoolDeleteRequest,
  nodePoolUpsertRequest,
} from "../../../src/state/node-pool.ts";
import { StateMachine } from "../../../src/state/state-machine.ts";
import { decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { nodePoolNodesRequest, nodePoolRequest } from "../../../src/wire/rpc-node.ts";
import { decodeQueryOptions, encodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { type Json, vectors } from "../../vectors.ts";
import { goCodec } from "../../wire/go-schema.ts";
import { ManualClock } from "../manual-clock.ts";
import { Server } from "./node-server.ts";

function asking(machine: StateMachine): (name: string, body: Uint8Array) => Promise<Uint8Array> {
  const stats = {
    ...{ term: 1, lastIndex: 1, lastTerm: 1, commitIndex: 1, appliedIndex: 1, pending: 0 },
    ...{ lastContactMs: 0, snapshotIndex: 0, snapshotTerm: 0, configurationIndex: 1 },
  };
  const consensus = {
    leader: { id: "a", address: "" },
    stats: () => stats,
    apply: async (data: Uint8Array) => {
      const index = machine.index + 1;
      return { index, outcome: machine.apply(index, data) };
    },
  };
  const init = {
    region: "global",
    consensus,
    machine,
    clock: new ManualClock(),
    prng: createPrng(1),
  };
  const methods = new NodePoolMethods(init).methods();
  return async (name, body) => {
    const options = decodeQueryOptions(body);
    const method = methods.get(`NodePool.${name}`);
    if (options === undefined || method === undefined) throw new Error("cannot be called");
    return method.run(options, body);
  };
}

async function filled(): Promise<Server> {
  const server = new Server();
  await server.register();
  await server.register({ ID: "g1", SecretID: "s", NodePool: "gpu" });
  await server.register({ ID: "g2", SecretID: "s", NodePool: "gpu", Name: "big" });
  return server;
}

async function pools(machine: StateMachine, fields: object = {}): Promise<Json> {
  const answer = await asking(machine)("List", encodeQueryOptions(fields));
  return decodeValue(goCodec("structs.NodePoolListResponse"), answer);
}

const names = (reply: Json): string[] => reply.NodePools.map((one: Json) => one.Name);

async function nodesOf(machine: StateMachine, Name: string, fields: object = {}): Promise<Json> {
  const request = structOf(nodePoolNodesRequest, { Name, ...fields });
  const answer = await asking(machine)("ListNodes", encodeValue(nodePoolNodesRequest, request));
  const reply = decodeValue(goCodec("structs.NodePoolNodesResponse"), answer);
  return reply.Nodes.map((one: Json) => one.ID);
}

test("all and default are there from index 1; a node makes the one that it is in", async () => {
  expect(await pools(new StateMachine())).toMatchObject({ Index: 1n });
  const { machine } = await filled();
  const reply = await pools(machine);
  expect(names(reply)).toEqual(["all", "default", "gpu"]);
  expect(reply.Index).toBe(9n);
  expect(reply.NodePools[2]).toMatchObject({ CreateIndex: 9n, ModifyIndex: 9n, Description: "" });
  expect(reply.NodePools[0].Description).toBe("Node pool with all nodes in the cluster.");
  expect(names(await pools(machine, { Prefix: "d" }))).toEqual(["default"]);
  expect(names(await pools(machine, { Filter: "Name != all", PerPage: 1 }))).toEqual(["default"]);
});

test("one pool, or none of that name; its nodes, and those of all", async () => {
  const { machine } = await filled();
  const get = async (Name: string): Promise<Json> => {
    const request = encodeValue(nodePoolRequest, structOf(nodePoolRequest, { Name }));
    const answer = await asking(machine)("GetNodePool", request);
    return decodeValue(goCodec("structs.SingleNodePoolResponse"), answer);
  };
  expect(await get("gpu")).toMatchObject({ NodePool: { Name: "gpu" }, Index: 9n });
  expect(await get("none")).toMatchObject({ NodePool: null, Index: 9n });
  expect(await nodesOf(machine, "gpu")).toEqual(["g1", "g2"]);
  expect(await nodesOf(machine, "gpu", { Filter: "Name == big" })).toEqual(["g2"]);
  expect(await nodesOf(machine, "all")).toHaveLength(3);
  expect(await nodesOf(machine, "none")).toEqual([]);
});

test("a node names a pool as it may be called", async () => {
  const server = new Server();
  for (const NodePool of ["a b", "x".repeat(129), "ä"]) {
    await expect(server.register({ NodePool })).rejects.toThrow("invalid node pool");
  }
  expect(server.machine.pools.all()).toHaveLength(2);
});

test("they are in a snapshot; one without them has those of its nodes", async () => {
  const { machine } = await filled();
  const again = new StateMachine();
  expect(again.restore(machine.snapshot(), 10)).toBe(true);
  expect(again.pools.all()).toEqual(machine.pools.all());
  expect(again.snapshot()).toEqual(machine.snapshot());
  const [recorded] = vectors("rpc/raft-snapshot.json");
  const theirs = new StateMachine();
  theirs.restore(Uint8Array.fromHex(recorded.snapshot_hex), 19);
  expect(theirs.pools.all().map((one) => one.Name)).toEqual(["all", "default"]);
});

test("a log of Nomad's makes and deletes pools, but for the two", () => {
  const machine = new StateMachine();
  const upsert = (index: number, Name: string): unknown => {
    const request = structOf(nodePoolUpsertRequest, { NodePools: [structOf(nodePool, { Name })] });
    return machine.apply(
      index,
      command(MessageType.nodePoolUpsert, nodePoolUpsertRequest, request),
    );
  };
  const remove = (index: number, name: string): unknown => {
    const request = structOf(nodePoolDeleteRequest, { Names: [name] });
    return machine.apply(
      index,
      command(MessageType.nodePoolDelete, nodePoolDeleteRequest, request),
    );
  };
  upsert(5, "a");
  upsert(6, "a");
  upsert(7, "all");
  expect(machine.pools.get("a")).toMatchObject({ CreateIndex: 5n, ModifyIndex: 6n });
  expect(machine.pools.get("all")).toMatchObject({ ModifyIndex: 1n });
  expect(remove(8, "default")).toBe("skipped");
  expect(remove(9, "a")).toBe("applied");
  expect(remove(10, "a")).toBe("skipped");
  expect(machine.pools.index).toBe(9);
});

test("an operator deletes a pool that nobody is in", async () => {
  const { machine } = await filled();
  machine.pools.use(12n, "typo");
  const remove = (...Names: readonly string[]): Promise<Uint8Array> => {
    const request = structOf(nodePoolDeleteRequest, { Names });
    return asking(machine)("DeleteNodePools", encodeValue(nodePoolDeleteRequest, request));
  };
  await expect(remove()).rejects.toThrow("must specify at least one node pool");
  await expect(remove("")).rejects.toThrow("node pool name is empty");
  await expect(remove("typo", "gpu")).rejects.toThrow(
    '1 error occurred:\n\t* node pool "gpu" has nodes in regions: [global]\n\n',
  );
  await expect(remove("all")).rejects.toThrow('deleting node pool "all" is not allowed');
  await expect(remove("none")).rejects.toThrow("node pool none not found");
  await remove("typo");
  expect(names(await pools(machine))).toEqual(["all", "default", "gpu"]);
});

test("an operator makes a pool and changes it; what is wrong with one is said", async () => {
  const machine = new StateMachine();
  const upsert = (...fields: readonly object[]): Promise<Uint8Array> => {
    const NodePools = fields.map((one) => structOf(nodePool, one));
    const request = structOf(nodePoolUpsertRequest, { NodePools, AuthToken: "secret" });
    return asking(machine)("UpsertNodePools", encodeValue(nodePoolUpsertRequest, request));
  };
  const wrong: readonly (readonly [readonly object[], string])[] = [
    [[], "400,must specify at least one node pool"],
    [[{ Name: "a b" }], '400,invalid node pool "a b": 1 error occurred:\n\t* invalid name "a b", '],
    [[{ Name: "a", Description: "é".repeat(129) }], "\t* description longer than 256\n"],
    [[{ Name: "a", NodeIdentityTTL: -1n }], "\t* node identity TTL must not be negative"],
    [[{ Name: "a" }, { Name: "default" }], '400,modifying node pool "default" is not allowed'],
  ];
  for (const [given, text] of wrong) await expect(upsert(...given)).rejects.toThrow(text);
  expect(machine.pools.size).toBe(2);
  await upsert({ Name: "gpu", Description: "d", Meta: new Map([["a", "b"]]) });
  const [created] = [machine.pools.get("gpu")];
  expect(created).toMatchObject({ Description: "d", NodeIdentityTTL: 86_400_000_000_000n });
  await upsert({ Name: "gpu", NodeIdentityTTL: 60_000_000_000n });
  expect(machine.pools.get("gpu")).toMatchObject({
    ...{ Description: "", Meta: null, NodeIdentityTTL: 60_000_000_000n },
    CreateIndex: created?.CreateIndex,
  });
  for (let i = machine.pools.size; i < 4096; i++) machine.pools.use(1n, `p${i}`);
  await expect(upsert({ Name: "one-more" })).rejects.toThrow("no room for more");
});

test("one client does not fill the state with pools", async () => {
  const server = new Server();
  for (let i = server.machine.pools.size; i < 4096; i++) server.machine.pools.use(1n, `p${i}`);
  await expect(server.register({ NodePool: "one-more" })).rejects.toThrow("no room for more");
  await server.register({ NodePool: "p100" });
});
