/** ACL methods behind their guard: who may what, what is written, and what nobody gets to see. */
import { describe, expect, test } from "bun:test";
import { methodNeed } from "../../../src/service/methods/method-needs.ts";
import { policyDeleteRequest, tokenDeleteRequest } from "../../../src/state/acl/acl.ts";
import { encodeValue, structOf } from "../../../src/wire/codec.ts";
import { decodeQueryOptions, encodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { METHODS, NOT_WALKED } from "../../acl-expectations.ts";
import { AclServer } from "./acl-server.ts";
import { ID, SECRET } from "./node-server.ts";

const UNKNOWN = "99999999-9999-4999-8999-999999999999";
const DENIED = "Permission denied";
const READER = 'agent { policy = "read" }\nnode { policy = "read" }';

async function withTokens() {
  const server = new AclServer();
  const management = await server.bootstrap();
  await server.policy(management, "reader", READER);
  await server.policy(management, "gpu", 'node_pool "gpu" { policy = "read" }');
  const reader = await server.token(management, { Name: "r", Policies: ["reader"] });
  return { server, management, reader };
}

test("every method that is served says what it needs", () => {
  const names = [...new AclServer().methods.names];
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => methodNeed(name) === undefined)).toEqual([]);
  // And the walk over a compiled server knows of it.
  const walked = [...Object.keys(METHODS), ...NOT_WALKED];
  expect(names.filter((name) => !walked.includes(name))).toEqual([]);
});

describe("without ACLs", () => {
  test("their methods say so, and everything else is as it was", async () => {
    const server = new AclServer({ enabled: false });
    const disabled = "RPC Error:: 400,ACL support disabled";
    for (const name of ["ACL.Bootstrap", "ACL.ListTokens", "ACL.WhoAmI", "ACL.GetPolicy"]) {
      expect(await server.outcome(name, "")).toBe(disabled);
    }
    expect(await server.outcome("Node.List", "")).toBe("ok");
    expect(await server.outcome("Node.List", UNKNOWN)).toBe("ok");
  });
});

describe("bootstrap", () => {
  test("gives one management token, and the reset file opens it once more", async () => {
    const server = new AclServer();
    const first = await server.bootstrap();
    expect(await server.outcome("ACL.ListTokens", first)).toBe("ok");
    const again = await server.outcome("ACL.Bootstrap", "");
    expect(again).toBe("RPC Error:: 400,ACL bootstrap already done (reset index: 1)");
    server.resetIndex = 7n;
    expect(await server.outcome("ACL.Bootstrap", "")).toBe(
      "RPC Error:: 400,Invalid bootstrap reset index (specified 7, reset index: 1)",
    );
    server.resetIndex = 1n;
    const second = await server.bootstrap();
    expect(second).not.toBe(first);
    expect(await server.outcome("ACL.ListTokens", first)).toBe("ok");
    expect(await server.outcome("ACL.Bootstrap", "")).toContain("Invalid bootstrap reset index");
  });

  test("takes an operator's secret, if it is a UUID that nobody has", async () => {
    const ask = (server: AclServer, BootstrapSecret: string) =>
      server.ask(
        ...(["ACL.Bootstrap", "structs.ACLTokenBootstrapRequest"] as const),
        "structs.ACLTokenUpsertResponse",
        { BootstrapSecret },
      );
    await expect(ask(new AclServer(), "letmein")).rejects.toThrow("invalid acl token");
    const server = new AclServer();
    expect((await ask(server, UNKNOWN)).Tokens[0].SecretID).toBe(UNKNOWN);
    const taken = new AclServer();
    await taken.nodes.register();
    await expect(ask(taken, SECRET)).rejects.toThrow("invalid acl token");
  });
});

describe("the guard", () => {
  test("by default nobody may anything but what is for everybody", async () => {
    const server = new AclServer();
    for (const token of ["", UNKNOWN, "no-uuid", "a.b.c"]) {
      expect(await server.outcome("Node.List", token)).toBe(DENIED);
      expect(await server.outcome("Status.Members", token)).toBe(DENIED);
      expect(await server.outcome("Status.Leader", token)).toBe("ok");
      expect(await server.outcome("Region.List", token)).toBe("ok");
    }
  });

  test("a policy gives what it says, and only while it is there", async () => {
    const { server, management, reader } = await withTokens();
    expect(await server.outcome("Node.List", reader.SecretID)).toBe("ok");
    expect(await server.outcome("Node.Deregister", reader.SecretID)).toBe(DENIED);
    expect(await server.outcome("ACL.ListTokens", reader.SecretID)).toBe(DENIED);
    await server.policy(management, "reader", 'agent { policy = "read" }');
    expect(await server.outcome("Node.List", reader.SecretID)).toBe(DENIED);
    await server.policy(management, "reader", READER);
    expect(await server.outcome("Node.List", reader.SecretID)).toBe("ok");
    const request = structOf(policyDeleteRequest, {
      ...{ AuthToken: management, Names: ["reader"], Region: "global" },
    });
    await server.call("ACL.DeletePolicies", encodeValue(policyDeleteRequest, request));
    expect(await server.outcome("Node.List", reader.SecretID)).toBe(DENIED);
  });

  test("those without a token have what the policy `anonymous` says", async () => {
    const { server, management } = await withTokens();
    expect(await server.outcome("Node.List", "")).toBe(DENIED);
    await server.policy(management, "anonymous", 'node { policy = "read" }');
    expect(await server.outcome("Node.List", "")).toBe("ok");
    expect(await server.outcome("Node.List", UNKNOWN)).toBe(DENIED);
  });

  test("a token ends at its time to the millisecond, and so does one that is deleted", async () => {
    const { server, management } = await withTokens();
    const ExpirationTTL = 60_000_000_000n;
    const one = await server.token(management, { Policies: ["reader"], ExpirationTTL });
    await server.clock.advance(59_999);
    expect(await server.outcome("Node.List", one.SecretID)).toBe("ok");
    await server.clock.advance(1);
    expect(await server.outcome("Node.List", one.SecretID)).toBe(DENIED);
    expect(await server.outcome("ACL.WhoAmI", one.SecretID)).toBe("ACL token expired");
    const other = await server.token(management, { Policies: ["reader"] });
    const AccessorIDs = [other.AccessorID];
    const fields = { AuthToken: management, AccessorIDs, Region: "global" };
    const body = encodeValue(tokenDeleteRequest, structOf(tokenDeleteRequest, fields));
    await server.call("ACL.DeleteTokens", body);
    expect(await server.outcome("Node.List", other.SecretID)).toBe(DENIED);
    expect(await server.outcome("ACL.WhoAmI", other.SecretID)).toBe("ACL token not found");
  });

  test("a node's secret shows nodes, and changes that one only", async () => {
    const { server } = await withTokens();
    await server.nodes.register();
    expect(await server.outcome("Node.List", SECRET)).toBe("ok");
    expect(await server.outcome("NodePool.List", SECRET)).toBe("ok");
    expect(await server.outcome("Node.Deregister", SECRET)).toBe(DENIED);
    expect(await server.outcome("ACL.ListPolicies", SECRET)).toBe("ok");
    const drain = (NodeID: string) =>
      server.ask(
        ...(["Node.UpdateDrain", "structs.NodeUpdateDrainRequest"] as const),
        "structs.NodeDrainUpdateResponse",
        { AuthToken: SECRET, NodeID },
      );
    expect((await drain(ID)).NodeModifyIndex).toBeGreaterThan(0n);
    await expect(drain(UNKNOWN)).rejects.toThrow(DENIED);
  });

  test("node pools: a list has those that may be seen, one may be asked for by name", async () => {
    const { server, management } = await withTokens();
    await server.nodes.register({ NodePool: "gpu" });
    const gpu = await server.token(management, { Policies: ["gpu"] });
    const list = async (AuthToken: string): Promise<string[]> => {
      const reply = await server.ask(
        ...(["NodePool.List", "structs.NodePoolListRequest"] as const),
        "structs.NodePoolListResponse",
        { AuthToken },
      );
      return reply.NodePools.map((one: { Name: string }) => one.Name);
    };
    expect(await list(gpu.SecretID)).toEqual(["gpu"]);
    expect(await list(management)).toEqual(["all", "default", "gpu"]);
    expect(await list("")).toEqual([]);
    expect(await server.outcome("NodePool.GetNodePool", gpu.SecretID)).toBe(DENIED);
  });
});

describe("tokens", () => {
  test("their secrets are in no list and in no entry but their own, nor the caller's token", async () => {
    const { server, management, reader } = await withTokens();
    const reply = await server.ask(
      ...(["ACL.ListTokens", "structs.ACLTokenListRequest"] as const),
      "structs.ACLTokenListResponse",
      { AuthToken: management },
    );
    expect(reply.Tokens).toHaveLength(2);
    const raw = JSON.stringify(reply, (_key, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
    for (const secret of [management, reader.SecretID]) expect(raw).not.toContain(secret);
    const entries = server.written.map((one) => new TextDecoder("latin1").decode(one));
    expect(entries.filter((one) => one.includes(management))).toHaveLength(1);
    expect(entries.filter((one) => one.includes(reader.SecretID))).toHaveLength(1);
  });

  test("one sees itself, and a management token sees all", async () => {
    const { server, management, reader } = await withTokens();
    const get = (AuthToken: string, AccessorID: string) =>
      server.ask(
        ...(["ACL.GetToken", "structs.ACLTokenSpecificRequest"] as const),
        "structs.SingleACLTokenResponse",
        { AuthToken, AccessorID },
      );
    expect((await get(reader.SecretID, reader.AccessorID)).Token.Name).toBe("r");
    expect((await get(management, reader.AccessorID)).Token.SecretID).toBe(reader.SecretID);
    const other = await server.token(management, { Policies: ["gpu"] });
    await expect(get(reader.SecretID, other.AccessorID)).rejects.toThrow(DENIED);
    await expect(get("", "anonymous")).rejects.toThrow(DENIED);
    await expect(get(UNKNOWN, reader.AccessorID)).rejects.toThrow("ACL token not found");
    expect((await get(management, UNKNOWN)).Token).toBeNull();
  });

  test("what cannot be is refused in Nomad's words", async () => {
    const { server, management } = await withTokens();
    for (const [fields, expected] of [
      [{ Type: "root" }, "token type must be client or management"],
      [{ Type: "client" }, "client token missing policies or roles"],
      [{ Type: "management", Policies: ["a"] }, "management token cannot be associated with"],
      [{ Policies: ["a"], Name: "x".repeat(257) }, "token name too long"],
      [
        { Policies: ["a"], ExpirationTTL: 1_000_000_000n },
        "cannot be less than 1m0s in the future (was 1s)",
      ],
      [
        { Policies: ["a"], ExpirationTTL: 90_000_000_000_000n },
        "cannot be more than 24h0m0s in the",
      ],
      [{ Policies: ["a"], ExpirationTTL: -1n }, "should not be negative"],
      [{ Policies: ["a"], AccessorID: UNKNOWN }, `cannot find token ${UNKNOWN}`],
      [{ Roles: [{ ID: "", Name: "nobody" }] }, "cannot find role nobody"],
    ] as const) {
      await expect(server.token(management, fields)).rejects.toThrow(expected);
    }
  });

  test("of a known one neither its secret nor its end can be changed", async () => {
    const { server, management, reader } = await withTokens();
    const changed = { ...reader, SecretID: UNKNOWN, Name: "renamed" };
    const stored = await server.token(management, changed);
    expect([stored.SecretID, stored.Name]).toEqual([reader.SecretID, "renamed"]);
    await expect(server.token(management, { ...reader, Global: true })).rejects.toThrow(
      "cannot toggle global mode",
    );
    const ExpirationTTL = 60_000_000_000n;
    await expect(server.token(management, { ...reader, ExpirationTTL })).rejects.toThrow(
      "cannot update expiration TTL",
    );
  });
});

test("who has no management token sees its own policies and roles", async () => {
  const { server, management, reader } = await withTokens();
  const names = async (AuthToken: string): Promise<string[]> => {
    const reply = await server.ask(
      ...(["ACL.ListPolicies", "structs.ACLPolicyListRequest"] as const),
      "structs.ACLPolicyListResponse",
      { AuthToken },
    );
    return (reply.Policies ?? []).map((one: { Name: string }) => one.Name);
  };
  expect(await names(management)).toEqual(["gpu", "reader"]);
  expect(await names(reader.SecretID)).toEqual(["reader"]);
  expect(await names("")).toEqual([]);
  const get = (AuthToken: string, Name: string) =>
    server.ask(
      ...(["ACL.GetPolicy", "structs.ACLPolicySpecificRequest"] as const),
      "structs.SingleACLPolicyResponse",
      { AuthToken, Name },
    );
  expect((await get(reader.SecretID, "reader")).Policy.RulesJSON.Agent).toEqual({ Policy: "read" });
  await expect(get(reader.SecretID, "gpu")).rejects.toThrow(DENIED);
  expect((await get("", "anonymous")).Policy).toBeNull();
});

test("roles: by name or id, with policies that are there, and each name once", async () => {
  const { server, management } = await withTokens();
  const upsert = (fields: object) =>
    server.ask(
      ...(["ACL.UpsertRoles", "structs.ACLRolesUpsertRequest"] as const),
      "structs.ACLRolesUpsertResponse",
      {
        AuthToken: management,
        ACLRoles: [
          { ID: "", Description: "", Hash: null, CreateIndex: 0n, ModifyIndex: 0n, ...fields },
        ],
      },
    );
  const Policies = [{ Name: "reader" }, { Name: "reader" }];
  const [role] = (await upsert({ Name: "readers", Policies })).ACLRoles;
  expect(role.Policies).toEqual([{ Name: "reader" }]);
  await expect(upsert({ Name: "readers", Policies })).rejects.toThrow(
    "role with name readers already",
  );
  await expect(upsert({ Name: "x", Policies: [{ Name: "no" }] })).rejects.toThrow(
    "cannot find policy no",
  );
  await expect(upsert({ Name: "x y", Policies })).rejects.toThrow("invalid name 'x y'");
  await expect(upsert({ Name: "x", Policies: null })).rejects.toThrow(
    "at least one policy should be",
  );
  await expect(upsert({ ID: UNKNOWN, Name: "x", Policies })).rejects.toThrow("cannot find role");
  const token = await server.token(management, { Roles: [{ ID: "", Name: "readers" }] });
  expect(token.Roles).toEqual([{ ID: role.ID, Name: "readers" }]);
  expect(await server.outcome("Node.List", token.SecretID)).toBe("ok");
  const get = (AuthToken: string, RoleName: string) =>
    server.ask(
      ...(["ACL.GetRoleByName", "structs.ACLRoleByNameRequest"] as const),
      "structs.ACLRoleByNameResponse",
      { AuthToken, RoleName },
    );
  expect((await get(token.SecretID, "readers")).ACLRole.ID).toBe(role.ID);
  await expect(get("", "readers")).rejects.toThrow(DENIED);
  await expect(get("", "nobody")).rejects.toThrow(DENIED);
});

test("what is global is changed in the authoritative region, where its own token is judged", async () => {
  const server = new AclServer({ region: "eu", authoritativeRegion: "global" });
  const { passedOn } = server;
  expect(await server.outcome("ACL.UpsertPolicies", UNKNOWN, { Region: "eu" })).toBe("ok");
  await server.token(UNKNOWN, { Global: true, Policies: ["a"] }).catch(() => 0);
  expect(passedOn.map(({ region, name }) => `${name} ${region}`)).toEqual([
    ...["ACL.UpsertPolicies global", "ACL.UpsertTokens global"],
  ]);
  expect(passedOn.map(({ body }) => decodeQueryOptions(body)?.Region)).toEqual([
    "global",
    "global",
  ]);
  expect(await server.outcome("ACL.ListTokens", UNKNOWN, { Region: "eu" })).toBe(DENIED);
});

test("a request by the order of its fields, which is another one for each method, is none", async () => {
  const server = new AclServer({ region: "eu", authoritativeRegion: "global" });
  const body = Uint8Array.of(0x9b, ...Array(10).fill(0xc0), 0xa2, 0x65, 0x75);
  await expect(server.call("ACL.Bootstrap", body)).rejects.toThrow("is not a struct");
  expect(server.passedOn).toEqual([]);
});

test("a client's certificate changes nothing in a region that looks at no token", async () => {
  const server = new AclServer();
  const names = ["client.global.nomad"];
  const passed = (): string[] => server.passedOn.splice(0).map(({ name }) => name);
  const drain = async (Region: string): Promise<unknown> => {
    const body = encodeQueryOptions({ AuthToken: UNKNOWN, Region });
    return server.methods.call("Node.UpdateDrain", body, { names });
  };
  await drain("other");
  expect(passed()).toEqual(["ACL.ListPolicies", "Node.UpdateDrain"]);
  server.abroad = (name) => {
    if (name === "ACL.ListPolicies") throw new Error("RPC Error:: 400,ACL support disabled");
    return Uint8Array.of(0x80);
  };
  await expect(drain("other")).rejects.toThrow("Permission denied");
  expect(passed()).toEqual(["ACL.ListPolicies"]);
});
