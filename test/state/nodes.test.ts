/** The node table: what a real Nomad's log and snapshot make of it, and its rules. */
import { describe, expect, test } from "bun:test";
import {
  command,
  MessageType,
  nodeRegisterRequest,
  nodeStatusRequest,
  restoreCommand,
} from "../../src/state/command.ts";
import { countRecords } from "../../src/state/image.ts";
import { mapBytes, type Node, node } from "../../src/state/node.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { decodeValue, encodeValue, structOf } from "../../src/wire/codec.ts";
import { hex, type Json, vectors } from "../vectors.ts";
import { goCodec } from "../wire/go-schema.ts";

const [recorded] = vectors("rpc/raft-snapshot.json");
const snapshot = hex(recorded.snapshot_hex);
const NODE_ID = "039c2320-4e04-1ded-db86-5b4b28b29265";

/** As it is in the recorded snapshot, which was taken after the recorded log. */
function nodeRecord(): Uint8Array {
  const { offset, len } = recorded.records.find((one: Json) => one.type === 0);
  return snapshot.subarray(offset + 1, offset + len);
}

function replayed(upTo: number): StateMachine {
  const machine = new StateMachine();
  for (const { decoded } of vectors("rpc/raft-log.json")) {
    if (decoded.Index > upTo) continue;
    if (decoded.Type === 0) machine.apply(decoded.Index, hex(decoded.data_hex));
    else machine.advance(decoded.Index);
  }
  return machine;
}

function nodeOf(fields: Partial<Node>): Node {
  const Attributes = mapBytes(new Map([["nomad.version", "2.0.5"]]));
  const named = { ID: "n1", Name: "one", Datacenter: "dc1", SecretID: "s", Status: "initializing" };
  return structOf(node, { ...named, Attributes, StatusUpdatedAt: 1000n, ...fields });
}

function register(machine: StateMachine, index: number, fields: Partial<Node> = {}): void {
  const request = structOf(nodeRegisterRequest, { Node: nodeOf(fields) });
  machine.apply(index, command(MessageType.nodeRegister, nodeRegisterRequest, request));
}

function status(machine: StateMachine, index: number, Status: string, NodeID = "n1"): void {
  const request = structOf(nodeStatusRequest, { NodeID, Status, UpdatedAt: BigInt(index) });
  machine.apply(index, command(MessageType.nodeUpdateStatus, nodeStatusRequest, request));
}

describe("recorded from Nomad 2.0.5", () => {
  test("its log makes of the node what its own snapshot has", () => {
    const one = replayed(17).nodes.get(NODE_ID);
    if (one === undefined) throw new Error("no node");
    // Go's maps have no order: both as values, by Go's own description of the type.
    const read = (bytes: Uint8Array): Json => decodeValue(goCodec("structs.Node"), bytes);
    expect(read(encodeValue(node, one))).toEqual(read(nodeRecord()));
    expect(replayed(17).nodes.index).toBe(17);
  });

  test("its snapshot is read, and the node goes back byte for byte", () => {
    const machine = new StateMachine();
    expect(machine.restore(snapshot, 19)).toBe(true);
    const one = machine.nodes.get(NODE_ID);
    if (one === undefined) throw new Error("no node");
    expect(encodeValue(node, one)).toEqual(nodeRecord());
    expect(machine.nodes.index).toBe(17);
    expect(machine.cluster?.ClusterID).toBe(
      recorded.records.find((one: Json) => one.type === 14).decoded.ClusterID,
    );
    const again = new StateMachine();
    expect(again.restore(machine.snapshot(), 19)).toBe(true);
    expect(again.nodes.get(NODE_ID)).toEqual(one);
    expect(again.snapshot()).toEqual(machine.snapshot());
  });

  test("every record of it is counted, whether it is kept here or not", () => {
    const counts = countRecords(snapshot) ?? [];
    const records = recorded.records.length;
    expect(counts.reduce((sum, one) => sum + one.count, 0)).toBe(records);
    // One byte of header.
    expect(counts.reduce((sum, one) => sum + one.size, 0)).toBe(snapshot.length - 1);
    expect(counts.map((one) => one.name)).toContain("Eval");
    const sizes = counts.map((one) => one.size);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  });
});

describe("registering", () => {
  test("a new node gets its indexes and its first event", () => {
    const machine = new StateMachine();
    register(machine, 5);
    const one = machine.nodes.get("n1");
    expect(one).toMatchObject({ CreateIndex: 5n, ModifyIndex: 5n, Status: "initializing" });
    expect(one?.Events?.map((event) => event.Message)).toEqual(["Node registered"]);
    expect(machine.nodes.index).toBe(5);
  });

  test("again keeps what others have set: eligibility, drain, first index", () => {
    const machine = new StateMachine();
    register(machine, 5, { SchedulingEligibility: "ineligible" });
    register(machine, 8, { SchedulingEligibility: "eligible", Name: "renamed" });
    const one = machine.nodes.get("n1");
    expect(one).toMatchObject({ CreateIndex: 5n, ModifyIndex: 8n, Name: "renamed" });
    expect(one?.SchedulingEligibility).toBe("ineligible");
    expect(one?.Events).toHaveLength(1);
  });

  test("back from the dead is an event", () => {
    const machine = new StateMachine();
    register(machine, 5);
    status(machine, 6, "down");
    register(machine, 7, { Status: "initializing" });
    const messages = machine.nodes.get("n1")?.Events?.map((event) => event.Message);
    expect(messages).toEqual(["Node registered", "Node re-registered"]);
  });
});

test("a missed heartbeat is remembered until the node has caught up", () => {
  const machine = new StateMachine();
  register(machine, 5);
  status(machine, 6, "ready");
  status(machine, 7, "down");
  status(machine, 8, "down");
  expect(machine.nodes.get("n1")?.LastMissedHeartbeatIndex).toBe(7n);
  status(machine, 9, "ready");
  // Its allocations, if it had any, were last told of before that.
  expect(machine.nodes.get("n1")).toMatchObject({ Status: "ready", LastMissedHeartbeatIndex: 7n });
  register(machine, 10, { ID: "n2", LastAllocUpdateIndex: 20n });
  status(machine, 11, "down", "n2");
  status(machine, 12, "ready", "n2");
  expect(machine.nodes.get("n2")?.LastMissedHeartbeatIndex).toBe(0n);
});

test("events are kept to the last ten, and an unknown node changes nothing", () => {
  const machine = new StateMachine();
  register(machine, 1);
  for (let index = 2; index < 40; index += 2) {
    status(machine, index, "down");
    register(machine, index + 1);
  }
  expect(machine.nodes.get("n1")?.Events).toHaveLength(10);
  const before = machine.nodes.index;
  status(machine, 50, "ready", "nobody");
  expect(machine.nodes.index).toBe(before);
  expect(machine.skipped).toBe(1);
});

test("a restored archive brings nothing from the future, and keeps settings that it does not have", () => {
  const machine = replayed(6);
  const before = machine.autopilot;
  expect(before).toBeDefined();
  machine.apply(7, restoreCommand(snapshot));
  const one = machine.nodes.get(NODE_ID);
  expect(one).toMatchObject({ CreateIndex: 7n, ModifyIndex: 7n });
  expect(machine.nodes.index).toBe(7);
  expect(machine.autopilot).toEqual(before);
  expect(machine.cluster?.ClusterID).toMatch(/^[0-9a-f-]{36}$/);
  machine.apply(8, restoreCommand(Uint8Array.of(1, 2, 3)));
  expect(machine.nodes.size).toBe(1);
  expect(machine.skipped).toBeGreaterThan(0);
});

test("no bytes make a snapshot throw, or half of it count", () => {
  for (let length = 0; length < snapshot.length; length += 7) {
    const machine = new StateMachine();
    register(machine, 3);
    const taken = machine.restore(snapshot.subarray(0, length), 9);
    if (taken) continue;
    expect(machine.nodes.get("n1")).toBeDefined();
    expect(machine.index).toBe(3);
  }
});
