/** What operators and clients change of a node: drain, eligibility, events. */
import { expect, test } from "bun:test";
import {
  command,
  MessageType,
  nodeDrainRequest,
  nodeEligibilityRequest,
  nodeEventsRequest,
} from "../../../src/state/command.ts";
import { drainStrategy, nodeEventNow } from "../../../src/state/node.ts";
import { decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { allocUpdateRequest, nodeNamedWrite } from "../../../src/wire/rpc-node.ts";
import { type Json, vectors } from "../../vectors.ts";
import { goCodec } from "../../wire/go-schema.ts";
import { settle } from "../manual-clock.ts";
import { ID, SECRET, Server } from "./node-server.ts";

const HOUR = 3_600_000_000_000n;

async function drain(server: Server, fields: object): Promise<Json> {
  const request = structOf(nodeDrainRequest, { NodeID: ID, ...fields });
  const answer = await server.call("Node.UpdateDrain", encodeValue(nodeDrainRequest, request));
  return decodeValue(goCodec("structs.NodeDrainUpdateResponse"), answer);
}

async function eligibility(server: Server, Eligibility: string, NodeID = ID): Promise<Json> {
  const request = structOf(nodeEligibilityRequest, { NodeID, Eligibility });
  const body = encodeValue(nodeEligibilityRequest, request);
  const answer = await server.call("Node.UpdateEligibility", body);
  return decodeValue(goCodec("structs.NodeEligibilityUpdateResponse"), answer);
}

function events(server: Server): readonly string[] {
  return server.node?.Events?.map((one) => `${one.Subsystem}: ${one.Message}`) ?? [];
}

async function ready(): Promise<Server> {
  const server = new Server();
  await server.register();
  await server.status("ready");
  return server;
}

const strategy = (Deadline: bigint) => structOf(drainStrategy, { Deadline });

test("a drain begins, and is complete at once: there is nothing on the node", async () => {
  const server = await ready();
  const Meta = new Map([["message", "new kernel"]]);
  const reply = await drain(server, { DrainStrategy: strategy(HOUR), Meta });
  expect(reply).toMatchObject({ Index: 10n, NodeModifyIndex: 10n, EvalIDs: null });
  await settle();
  expect(server.node).toMatchObject({
    DrainStrategy: null,
    SchedulingEligibility: "ineligible",
    LastDrain: { Status: "complete", Meta },
  });
  expect(events(server).slice(1)).toEqual([
    "Drain: Node drain strategy set",
    "Drain: Node drain complete",
  ]);
  // As Nomad's own types read what is in the log.
  const theirs = (type: string, at: number): Json =>
    decodeValue(goCodec(type), server.written.at(at)?.subarray(1) ?? new Uint8Array(0));
  expect([server.written.at(-2)?.[0], server.written.at(-1)?.[0]]).toEqual([3, 29]);
  expect(theirs("structs.NodeUpdateDrainRequest", -2).DrainStrategy.Deadline).toBe(HOUR);
  expect([...theirs("structs.BatchNodeUpdateDrainRequest", -1).Updates.keys()]).toEqual([ID]);
});

test("a drain that the leader before us began is completed by us", async () => {
  const server = await ready();
  const request = structOf(nodeDrainRequest, { NodeID: ID, DrainStrategy: strategy(-1n) });
  const entry = command(MessageType.nodeUpdateDrain, nodeDrainRequest, request);
  server.index += 1;
  server.machine.apply(server.index, entry);
  expect(server.node).toMatchObject({ SchedulingEligibility: "ineligible" });
  await expect(eligibility(server, "eligible")).rejects.toThrow("while it is draining");
  server.methods.lead();
  await settle();
  expect(server.node).toMatchObject({ DrainStrategy: null, LastDrain: { Status: "complete" } });
});

test("a drain that is taken back is canceled, and the node eligible if that is asked", async () => {
  const server = await ready();
  const entry = (fields: object): Uint8Array => {
    const request = structOf(nodeDrainRequest, { NodeID: ID, ...fields });
    return command(MessageType.nodeUpdateDrain, nodeDrainRequest, request);
  };
  server.machine.apply(20, entry({ DrainStrategy: strategy(0n), Meta: new Map([["a", "b"]]) }));
  server.machine.apply(21, entry({ MarkEligible: true }));
  expect(server.node).toMatchObject({
    DrainStrategy: null,
    SchedulingEligibility: "eligible",
    LastDrain: { Status: "canceled", Meta: new Map([["a", "b"]]) },
  });
  // Without a drain before, nothing of it is remembered anew.
  server.machine.apply(22, entry({}));
  expect(server.node).toMatchObject({ LastDrain: { Status: "canceled" } });
});

test("what makes no drain is refused in Nomad's words, and writes nothing", async () => {
  const server = await ready();
  const before = server.written.length;
  const tries: [object, string][] = [
    [{ NodeID: "" }, "missing node ID for drain update"],
    [{ NodeID: "x" }, "node not found"],
    [{ NodeEvent: nodeEventNow("Drain", "of my own", 0n) }, "node event must not be set"],
    [{ Meta: new Map([["a", "b".repeat(20_000)]]) }, "longer than 16384 bytes"],
  ];
  for (const [fields, text] of tries) await expect(drain(server, fields)).rejects.toThrow(text);
  expect(server.written.length).toBe(before);
});

test("eligibility changes with an event, and once only", async () => {
  const server = await ready();
  expect(await eligibility(server, "ineligible")).toMatchObject({ Index: 10n });
  expect(await eligibility(server, "ineligible")).toMatchObject({ Index: 0n });
  expect(await eligibility(server, "eligible")).toMatchObject({ Index: 11n });
  expect(events(server).slice(1)).toEqual([
    "Cluster: Node marked as ineligible for scheduling",
    "Cluster: Node marked as eligible for scheduling",
  ]);
  await expect(eligibility(server, "perhaps")).rejects.toThrow(
    'invalid scheduling eligibility "perhaps"',
  );
  await expect(eligibility(server, "eligible", "")).rejects.toThrow("missing node ID");
  await expect(eligibility(server, "eligible", "x")).rejects.toThrow("node not found");
});

test("a client tells of events of its own node, and of no other", async () => {
  const server = await ready();
  await server.register({ ID: "other", SecretID: "another secret" });
  const emit = (id: string, count: number, AuthToken = SECRET): Promise<Uint8Array> => {
    const one = nodeEventNow("Driver", "Healthy", 0n);
    const NodeEvents = new Map([[id, Array<typeof one>(count).fill(one)]]);
    const request = structOf(nodeEventsRequest, { NodeEvents, AuthToken });
    return server.call("Node.EmitEvents", encodeValue(nodeEventsRequest, request));
  };
  const reply = decodeValue(goCodec("structs.EmitNodeEventsResponse"), await emit(ID, 1));
  expect(reply).toEqual({ Index: 11n });
  expect(events(server).at(-1)).toBe("Driver: Healthy");
  expect(server.node?.Events?.at(-1)?.CreateIndex).toBe(11n);
  expect(Buffer.from(server.written.at(-1) ?? []).includes(SECRET)).toBe(false);
  await expect(emit("other", 1)).rejects.toThrow("Permission denied");
  await expect(emit(ID, 1, "")).rejects.toThrow("Permission denied");
  await expect(emit(ID, 0)).rejects.toThrow("no node events given for node");
  await emit(ID, 25);
  expect(server.node?.Events).toHaveLength(10);
});

test("of allocations a client may tell, and nothing is kept", async () => {
  const server = await ready();
  const before = server.written.length;
  const update = (ids: readonly string[], AuthToken = SECRET): Promise<Uint8Array> => {
    const Alloc = ids.map((NodeID) => ({ NodeID }));
    const request = structOf(allocUpdateRequest, { Alloc, AuthToken });
    return server.call("Node.UpdateAlloc", encodeValue(allocUpdateRequest, request));
  };
  expect((await update([ID, ID])).length).toBeGreaterThan(0);
  await expect(update([])).rejects.toThrow("must update at least one allocation");
  await expect(update([ID], "a guess")).rejects.toThrow("Permission denied");
  await expect(update([ID, "x"])).rejects.toThrow("node not found");
  expect(server.written.length).toBe(before);
});

test("an evaluation finds the node, and has nothing to do", async () => {
  const server = await ready();
  const evaluate = (NodeID: string): Promise<Uint8Array> => {
    const request = structOf(nodeNamedWrite, { NodeID });
    return server.call("Node.Evaluate", encodeValue(nodeNamedWrite, request));
  };
  const reply = decodeValue(goCodec("structs.NodeUpdateResponse"), await evaluate(ID));
  expect(reply).toMatchObject({ EvalIDs: null, NodeModifyIndex: server.node?.ModifyIndex });
  await expect(evaluate("")).rejects.toThrow("missing node ID for evaluation");
  await expect(evaluate("x")).rejects.toThrow("node not found");
});

test("the requests are Nomad's, field by field", () => {
  const { types } = vectors("rpc/schema.json");
  const names = (type: string): string[] => types[type].map((one: Json) => one.n);
  expect(Object.keys(nodeDrainRequest.zero)).toEqual(names("structs.NodeUpdateDrainRequest"));
  expect(Object.keys(nodeEventsRequest.zero)).toEqual(names("structs.EmitNodeEventsRequest"));
  expect(Object.keys(drainStrategy.zero)).toEqual(names("structs.DrainStrategy"));
});
