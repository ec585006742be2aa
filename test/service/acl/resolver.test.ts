/** Whose token or secret it is, while the state changes. */
import { expect, test } from "bun:test";
import { AclResolver } from "../../../src/service/acl/resolver.ts";
import { command, MessageType, nodeEligibilityRequest } from "../../../src/state/command.ts";
import { structOf } from "../../../src/wire/codec.ts";
import { Server } from "../methods/node-server.ts";

function bench() {
  const server = new Server();
  const { machine, clock } = server;
  let looks = 0;
  const nodes = {
    get: (id: string) => machine.nodes.get(id),
    get secretsRevision() {
      return machine.nodes.secretsRevision;
    },
    all: () => {
      looks += 1;
      return machine.nodes.all();
    },
  };
  const resolver = new AclResolver({ enabled: true, machine: { acl: machine.acl, nodes }, clock });
  const idOf = (secret: string): string => {
    try {
      return resolver.resolve(secret).nodeId ?? "";
    } catch {
      return "nobody";
    }
  };
  return { server, idOf, looks: () => looks };
}

test("wrong tokens while nodes change cost no look at all nodes", async () => {
  const { server, idOf, looks } = bench();
  await server.register({ ID: "n1", SecretID: "s1" });
  expect([idOf("s1"), idOf("wrong")]).toEqual(["n1", "nobody"]);
  const before = looks();
  for (const Eligibility of ["ineligible", "eligible", "ineligible"]) {
    const request = structOf(nodeEligibilityRequest, { NodeID: "n1", Eligibility });
    const type = MessageType.nodeUpdateEligibility;
    const { machine } = server;
    machine.apply(machine.index + 1, command(type, nodeEligibilityRequest, request));
    expect([idOf("s1"), idOf("wrong")]).toEqual(["n1", "nobody"]);
  }
  expect(looks()).toBe(before);
});

test("a node that comes, goes, or is another one after a restore", async () => {
  const { server, idOf } = bench();
  const { machine } = server;
  expect(idOf("s1")).toBe("nobody");
  await server.register({ ID: "n1", SecretID: "s1" });
  const image = machine.snapshot();
  expect(idOf("s1")).toBe("n1");
  const other = new Server();
  await other.register({ ID: "n1", SecretID: "s2" });
  expect(machine.restore(other.machine.snapshot(), machine.index)).toBe(true);
  expect([idOf("s1"), idOf("s2")]).toEqual(["nobody", "n1"]);
  expect(machine.restore(image, machine.index)).toBe(true);
  expect([idOf("s1"), idOf("s2")]).toEqual(["n1", "nobody"]);
});
