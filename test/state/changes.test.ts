/** What the state machine says of its changes: Nomad's topics, types and keys, and no secret. */
import { describe, expect, test } from "bun:test";
import {
  aclPolicy,
  aclRole,
  aclToken,
  policyUpsertRequest,
  rolesUpsertRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "../../src/state/acl/acl.ts";
import { AclMessage } from "../../src/state/acl/acl-changes.ts";
import type { Change } from "../../src/state/change.ts";
import {
  command,
  MessageType,
  nodeBatchDeregisterRequest,
  nodeDeregisterRequest,
  nodeDrainRequest,
  nodeEligibilityRequest,
  nodeEventsRequest,
  nodeRegisterRequest,
  nodeStatusRequest,
  restoreCommand,
} from "../../src/state/command.ts";
import { clusterEvent, mapBytes, node } from "../../src/state/node.ts";
import {
  nodePool,
  nodePoolDeleteRequest,
  nodePoolUpsertRequest,
} from "../../src/state/node-pool.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { type Codec, structOf } from "../../src/wire/codec.ts";
import { hex, vectors } from "../vectors.ts";

const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";

/** A machine, and what it has said: an entry each. */
function listened(machine = new StateMachine()) {
  const heard: { index: number; changes: readonly Change[] }[] = [];
  const replaced: number[] = [];
  machine.tell({
    applied: (index, changes) => void heard.push({ index, changes }),
    replaced: (index) => void replaced.push(index),
  });
  let index = 10;
  return {
    ...{ machine, heard, replaced },
    apply<T>(type: number, codec: Codec<T>, value: T) {
      index += 1;
      machine.apply(index, command(type, codec, value));
    },
    lines: () =>
      heard.map(({ index, changes }) => {
        return [index, ...changes.map(({ topic, type, key }) => `${topic} ${type} ${key}`)];
      }),
  };
}

function nodeOf(ID: string, NodePool = "default") {
  const Attributes = mapBytes(new Map([["os.name", "debian"]]));
  return structOf(node, { ID, SecretID: SECRET, Attributes, NodePool, Status: "initializing" });
}

describe("of nodes", () => {
  test("each entry says what it has done to which node", () => {
    const { apply, lines } = listened();
    const T = MessageType;
    const [NodeID, id] = ["n1", { NodeID: "n1" }];
    const Node = nodeOf("n1", "red");
    apply(T.nodeRegister, nodeRegisterRequest, structOf(nodeRegisterRequest, { Node }));
    const ready = structOf(nodeStatusRequest, { NodeID, Status: "ready" });
    apply(T.nodeUpdateStatus, nodeStatusRequest, ready);
    const off = structOf(nodeEligibilityRequest, { NodeID, Eligibility: "ineligible" });
    apply(T.nodeUpdateEligibility, nodeEligibilityRequest, off);
    apply(T.nodeUpdateDrain, nodeDrainRequest, structOf(nodeDrainRequest, id));
    const NodeEvents = new Map([["n1", [clusterEvent("hot", 1n)]]]);
    apply(T.nodeEvents, nodeEventsRequest, structOf(nodeEventsRequest, { NodeEvents }));
    apply(T.nodeDeregister, nodeDeregisterRequest, structOf(nodeDeregisterRequest, id));
    expect(lines()).toEqual([
      [11, "NodePool NodePoolUpserted red", "Node NodeRegistration n1"],
      [12, "Node NodeStreamEvent n1"],
      [13, "Node NodeEligibility n1"],
      [14, "Node NodeDrain n1"],
      [15, "Node NodeStreamEvent n1"],
      [16, "Node NodeDeregistration n1"],
    ]);
  });

  test("what changes nothing says nothing", () => {
    const { apply, heard } = listened();
    const gone = structOf(nodeDeregisterRequest, { NodeID: "n1" });
    apply(MessageType.nodeDeregister, nodeDeregisterRequest, gone);
    const [NodeIDs] = [["n1", "n2"]];
    const both = structOf(nodeBatchDeregisterRequest, { NodeIDs });
    apply(MessageType.nodeBatchDeregister, nodeBatchDeregisterRequest, both);
    apply(99, nodeDeregisterRequest, gone);
    expect(heard).toEqual([]);
  });

  test("the payload is the node as it was then, as the API shows it, without its secret", () => {
    const { apply, heard } = listened();
    const Node = nodeOf("n1");
    const T = MessageType;
    apply(T.nodeRegister, nodeRegisterRequest, structOf(nodeRegisterRequest, { Node }));
    const down = structOf(nodeStatusRequest, { NodeID: "n1", Status: "down" });
    apply(T.nodeUpdateStatus, nodeStatusRequest, down);
    apply(T.nodeBatchDeregister, nodeBatchDeregisterRequest, {
      ...structOf(nodeBatchDeregisterRequest, { NodeIDs: ["n1"] }),
    });
    const payloads = heard.map(({ changes }) => changes.at(-1)?.payload());
    expect(payloads).toMatchObject([
      { Node: { ID: "n1", Attributes: { "os.name": "debian" }, Status: "initializing" } },
      { Node: { Status: "down", ModifyIndex: 12, CreateIndex: 11 } },
      { Node: { Status: "down", SecretID: "" } },
    ]);
    expect(JSON.stringify(payloads)).not.toContain(SECRET);
  });
});

test("of node pools; Nomad's hash of one is no text", () => {
  const { apply, heard, lines } = listened();
  const pool = structOf(nodePool, { Name: "red", Hash: Uint8Array.of(1, 2) });
  const NodePools = [pool, structOf(nodePool, { Name: "default" })];
  const T = MessageType;
  const upsert = structOf(nodePoolUpsertRequest, { NodePools });
  apply(T.nodePoolUpsert, nodePoolUpsertRequest, upsert);
  const gone = structOf(nodePoolDeleteRequest, { Names: ["red"] });
  apply(T.nodePoolDelete, nodePoolDeleteRequest, gone);
  expect(lines()).toEqual([
    [11, "NodePool NodePoolUpserted red"],
    [12, "NodePool NodePoolDeleted red"],
  ]);
  const [first] = heard[0]?.changes ?? [];
  expect(first?.payload()).toMatchObject({ NodePool: { Name: "red", ModifyIndex: 11 } });
  expect(JSON.stringify(first?.payload())).not.toContain("Hash");
});

test("another state altogether is said once, and its nodes are no changes", () => {
  const [recorded] = vectors("rpc/raft-snapshot.json");
  const snapshot = hex(recorded.snapshot_hex);
  const { machine, heard, replaced } = listened();
  expect(machine.restore(snapshot, 19)).toBe(true);
  machine.apply(20, restoreCommand(snapshot));
  machine.apply(21, restoreCommand(Uint8Array.of(0xc1)));
  expect(replaced).toEqual([19, 20]);
  expect(heard).toEqual([]);
});

test("a recorded log of Nomad's: nothing of it is a secret", () => {
  const { machine, heard } = listened();
  let secret = "";
  for (const { decoded } of vectors("rpc/raft-log.json")) {
    if (decoded.Type !== 0) machine.advance(decoded.Index);
    else machine.apply(decoded.Index, hex(decoded.data_hex));
    secret ||= machine.nodes.all()[0]?.SecretID ?? "";
  }
  expect(secret).toHaveLength(36);
  const all = heard.flatMap(({ changes }) => changes.map((one) => JSON.stringify(one.payload())));
  expect(all.length).toBeGreaterThan(1);
  expect(all.join()).not.toContain(secret);
});

test("of tokens, policies and roles; the secret of a token is in no event", () => {
  const { apply, heard, lines } = listened();
  const T = AclMessage;
  const token = structOf(aclToken, { AccessorID: "a1", SecretID: SECRET, Name: "me" });
  const policy = structOf(aclPolicy, { Name: "p1", Rules: 'node { policy = "read" }' });
  apply(T.policyUpsert, policyUpsertRequest, {
    ...structOf(policyUpsertRequest, { Policies: [policy] }),
  });
  apply(T.tokenUpsert, tokenUpsertRequest, structOf(tokenUpsertRequest, { Tokens: [token] }));
  const role = structOf(aclRole, { ID: "r1", Name: "ops", Policies: [{ Name: "p1" }] });
  apply(T.rolesUpsert, rolesUpsertRequest, structOf(rolesUpsertRequest, { ACLRoles: [role] }));
  const AccessorIDs = ["a1"];
  apply(T.tokenDelete, tokenDeleteRequest, structOf(tokenDeleteRequest, { AccessorIDs }));
  expect(lines()).toEqual([
    [11, "ACLPolicy ACLPolicyUpserted p1"],
    [12, "ACLToken ACLTokenUpserted a1"],
    [13, "ACLRole ACLRoleUpserted r1"],
    [14, "ACLToken ACLTokenDeleted a1"],
  ]);
  const all = heard.flatMap(({ changes }) => changes);
  expect(all.map((one) => one.payload())).toMatchObject([
    { ACLPolicy: { Name: "p1", Rules: policy.Rules } },
    { ACLToken: { AccessorID: "a1", Name: "me", ModifyIndex: 12 } },
    { ACLRole: { ID: "r1", Name: "ops" } },
    { ACLToken: { AccessorID: "a1" } },
  ]);
  expect(all[2]?.filterKeys).toEqual(["ops"]);
  expect(JSON.stringify(all.map((one) => [one, one.payload()]))).not.toContain(SECRET);
});
