/** An agent without a state of its own: what it believes, for how long, and what an outage changes. */
import { describe, expect, test } from "bun:test";
import { RemoteResolver } from "../../../src/service/acl/remote-resolver.ts";
import { policyDeleteRequest, tokenDeleteRequest } from "../../../src/state/acl/acl.ts";
import { mayUse } from "../../../src/state/acl/need.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { AclServer } from "../methods/acl-server.ts";
import { SECRET } from "../methods/node-server.ts";

const UNKNOWN = "99999999-9999-4999-8999-999999999999";
const READER = 'node { policy = "read" }';

async function setUp() {
  const server = new AclServer();
  const management = await server.bootstrap();
  await server.policy(management, "reader", READER);
  const reader = await server.token(management, { Policies: ["reader"] });
  const asked: string[] = [];
  const state = { isOut: false };
  const resolver = new RemoteResolver({
    region: "global",
    ttlMs: { token: 30_000, policy: 10_000, role: 20_000 },
    ask: async (method, body) => {
      asked.push(method);
      if (state.isOut) throw new Error("no servers: connection refused");
      return server.call(method, body);
    },
    clock: server.clock,
  });
  const mayRead = async (secret: string): Promise<boolean> =>
    mayUse((await resolver.resolve(secret)).grants, "node:read");
  return { server, management, reader, asked, state, resolver, mayRead };
}

test("what a token may do is asked once, and again when its time is over", async () => {
  const { server, reader, asked, mayRead } = await setUp();
  expect(await mayRead(reader.SecretID)).toBe(true);
  expect(await mayRead(reader.SecretID)).toBe(true);
  expect(asked).toEqual(["ACL.WhoAmI", "ACL.GetPolicies"]);
  await server.clock.advance(10_001);
  expect(await mayRead(reader.SecretID)).toBe(true);
  expect(asked.slice(2)).toEqual(["ACL.GetPolicies"]);
  await server.clock.advance(20_000);
  await mayRead(reader.SecretID);
  expect(asked.slice(3)).toEqual(["ACL.WhoAmI", "ACL.GetPolicies"]);
});

test("a management token may all, and is asked for no policies", async () => {
  const { management, asked, resolver } = await setUp();
  expect((await resolver.resolve(management)).grants.isManagement).toBe(true);
  expect(asked).toEqual(["ACL.WhoAmI"]);
});

test("a policy that is deleted grants nothing once policy_ttl is over", async () => {
  const { server, management, reader, mayRead } = await setUp();
  expect(await mayRead(reader.SecretID)).toBe(true);
  const fields = { AuthToken: management, Names: ["reader"], Region: "global" };
  const body = encodeValue(policyDeleteRequest, structOf(policyDeleteRequest, fields));
  await server.call("ACL.DeletePolicies", body);
  expect(await mayRead(reader.SecretID)).toBe(true);
  await server.clock.advance(10_001);
  expect(await mayRead(reader.SecretID)).toBe(false);
});

describe("a token that holds no more", () => {
  test("deleted: is refused once token_ttl is over, and at once when it was not asked before", async () => {
    const { server, management, reader, resolver, mayRead } = await setUp();
    await mayRead(reader.SecretID);
    const AccessorIDs = [reader.AccessorID];
    const fields = { AuthToken: management, AccessorIDs, Region: "global" };
    const body = encodeValue(tokenDeleteRequest, structOf(tokenDeleteRequest, fields));
    await server.call("ACL.DeleteTokens", body);
    await server.clock.advance(30_001);
    await expect(resolver.resolve(reader.SecretID)).rejects.toThrow("ACL token not found");
    await expect(resolver.resolve(reader.SecretID)).rejects.toThrow("ACL token not found");
    await expect(resolver.resolve(UNKNOWN)).rejects.toThrow("ACL token not found");
  });

  test("expired: is refused at that moment, whatever is known of it", async () => {
    const { server, management, resolver, mayRead } = await setUp();
    const ExpirationTTL = 60_000_000_000n;
    const one = await server.token(management, { Policies: ["reader"], ExpirationTTL });
    await server.clock.advance(59_999);
    expect(await mayRead(one.SecretID)).toBe(true);
    await server.clock.advance(1);
    await expect(resolver.resolve(one.SecretID)).rejects.toThrow("ACL token expired");
  });
});

describe("while no server answers", () => {
  test("what was known holds on, and what was not is refused", async () => {
    const { server, management, reader, state, resolver, mayRead } = await setUp();
    expect(await mayRead(reader.SecretID)).toBe(true);
    state.isOut = true;
    await server.clock.advance(60_000);
    expect(await mayRead(reader.SecretID)).toBe(true);
    await expect(resolver.resolve(management)).rejects.toThrow("no servers");
    await expect(resolver.resolve("")).rejects.toThrow("no servers");
  });

  test("but not for whom a server has denied since", async () => {
    const { server, management, reader, state, resolver, mayRead } = await setUp();
    await mayRead(reader.SecretID);
    const AccessorIDs = [reader.AccessorID];
    const fields = { AuthToken: management, AccessorIDs, Region: "global" };
    const body = encodeValue(tokenDeleteRequest, structOf(tokenDeleteRequest, fields));
    await server.call("ACL.DeleteTokens", body);
    await server.clock.advance(30_001);
    await expect(resolver.resolve(reader.SecretID)).rejects.toThrow("not found");
    state.isOut = true;
    await expect(resolver.resolve(reader.SecretID)).rejects.toThrow("no servers");
  });
});

test("nobody's token is the policy `anonymous`, which need not be there", async () => {
  const { server, management, mayRead } = await setUp();
  expect(await mayRead("")).toBe(false);
  await server.policy(management, "anonymous", READER);
  await server.clock.advance(10_001);
  expect(await mayRead("")).toBe(true);
});

test("a role's policies count, and a node's secret sees nodes", async () => {
  const { server, management, mayRead } = await setUp();
  await server.nodes.register();
  expect(await mayRead(SECRET)).toBe(true);
  const [Description, Hash, ID] = ["", null, ""];
  const role = { Description, Hash, ID, CreateIndex: 0n, ModifyIndex: 0n, Name: "readers" };
  await server.ask(
    ...(["ACL.UpsertRoles", "structs.ACLRolesUpsertRequest"] as const),
    "structs.ACLRolesUpsertResponse",
    { AuthToken: management, ACLRoles: [{ ...role, Policies: [{ Name: "reader" }] }] },
  );
  const linked = await server.token(management, { Roles: [{ ID: "", Name: "readers" }] });
  expect(await mayRead(linked.SecretID)).toBe(true);
});

test("of many tokens only the last are kept, and of none the secret", async () => {
  const { server, management, resolver, asked } = await setUp();
  const first = await server.token(management, { Policies: ["reader"] });
  const found = await resolver.resolve(first.SecretID);
  expect(found.token?.SecretID).toBe("");
  for (let i = 0; i < 128; i++) {
    const one = await server.token(management, { Policies: ["reader"] });
    await resolver.resolve(one.SecretID);
  }
  const before = asked.length;
  await resolver.resolve(first.SecretID);
  expect(asked.slice(before)).toEqual(["ACL.WhoAmI"]);
});
