/** Nomad's official Go client over TLS, with ACLs: tokens, policies, roles, and who is denied what. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../cluster/agents.ts";
import { mustRun } from "./go.ts";
import { BEYOND, HOUR_NANOS, Region, readAll, UNKNOWN_ID, WITHOUT } from "./sdk-region.ts";

setDefaultTimeout(60_000);

describe.if(mustRun)("with ACLs, by tokens", () => {
  const region = new Region(151, 1);
  let management = "";
  beforeAll(async () => {
    if (!mustRun) return;
    await region.start(false, { acl: { enabled: true } });
    const { walk } = region;
    expect(await walk.refused("Nodes.List")).toBe("403 Permission denied");
    const [token] = await until("the first token", () => walk.ok("ACLTokens.Bootstrap"));
    expect(token).toMatchObject({ Type: "management", Global: true, Name: "Bootstrap Token" });
    management = token.SecretID;
    walk.token = management;
  });
  afterAll(() => region[Symbol.asyncDispose]());

  test("a management token reads all", async () => {
    await readAll(region.walk, await region.ready());
    const [{ AgentID, HostData }] = await region.walk.ok("Agent.Host", "", "");
    expect(AgentID).toBeString();
    expect(HostData).toMatchObject({ OS: expect.any(String), Environment: expect.anything() });
    for (const method of ["ACLAuthMethods.List", "ACLBindingRules.List"]) {
      expect(await region.walk.refused(method)).toStartWith("501 auth methods");
    }
    expect(await region.walk.refused("ACLTokens.UpsertOneTimeToken")).toStartWith("501 ");
    expect(await region.walk.refused("ACLTokens.Bootstrap")).toMatch(
      /^400 ACL bootstrap already done \(reset index: \d+\)$/,
    );
  });

  test("policies, roles and tokens that expire are made, read, changed and deleted", async () => {
    const { walk } = region;
    const policy = { Name: "readers", Description: "d", Rules: 'node { policy = "read" }' };
    await walk.ok("ACLPolicies.Upsert", policy);
    expect((await walk.ok("ACLPolicies.Info", "readers"))[0]).toMatchObject(policy);
    expect((await walk.ok("ACLPolicies.List"))[0]).toMatchObject([{ Name: "readers" }]);
    const wrong = await walk.refused("ACLPolicies.Upsert", { ...policy, Rules: "x {" });
    expect(wrong).toStartWith("400 ");
    const [role] = await walk.ok("ACLRoles.Create", { Name: "r", Policies: [{ Name: "readers" }] });
    await walk.ok("ACLRoles.Update", { ...role, Description: "changed" });
    expect((await walk.ok("ACLRoles.Get", role.ID))[0].Description).toBe("changed");
    expect((await walk.ok("ACLRoles.GetByName", "r"))[0].ID).toBe(role.ID);
    expect((await walk.ok("ACLRoles.List"))[0]).toHaveLength(1);
    const asked = {
      Name: "t",
      Type: "client",
      Roles: [{ ID: role.ID }],
      ExpirationTTL: HOUR_NANOS,
    };
    const [token] = await walk.ok("ACLTokens.Create", asked);
    expect(token).toMatchObject({ ExpirationTTL: "1h0m0s", Roles: [{ Name: "r" }] });
    expect(Date.parse(token.ExpirationTime) - Date.parse(token.CreateTime)).toBe(3_600_000);
    const [renamed] = await walk.ok("ACLTokens.Update", { ...token, Name: "u" });
    expect(renamed.Name).toBe("u");
    expect((await walk.ok("ACLTokens.Info", token.AccessorID))[0].SecretID).toBe(token.SecretID);
    expect((await walk.ok("ACLTokens.List"))[0]).toHaveLength(2);
    expect(await walk.refused("ACLTokens.Info", UNKNOWN_ID)).toBe("404 ACL token not found");

    walk.token = token.SecretID;
    await walk.ok("Nodes.List");
    expect((await walk.ok("ACLTokens.Self"))[0].AccessorID).toBe(token.AccessorID);
    expect((await walk.ok("ACLPolicies.Self"))[0]).toMatchObject([{ Name: "readers" }]);
    expect(await walk.refused("Agent.Self")).toContain("403 (Permission denied)");
    const denied = ["ACLTokens.List", "Operator.RaftGetConfiguration", "Agent.ListKeys"];
    for (const method of [...denied, "Keyring.List", "System.GarbageCollect"]) {
      expect(await walk.refused(method)).toBe("403 Permission denied");
    }
    expect(await walk.refused("NodePools.Register", { Name: "x" })).toBe("403 Permission denied");
    walk.token = management;
    await walk.ok("ACLTokens.Delete", token.AccessorID);
    await walk.ok("ACLRoles.Delete", role.ID);
    await walk.ok("ACLPolicies.Delete", "readers");
    expect(await walk.refused("ACLPolicies.Info", "readers")).toBe("404 ACL policy not found");
    expect(await walk.refused("ACLRoles.GetByName", "r")).toBe("404 ACL role not found");
  });

  test("an introduction's lifetime is in nanoseconds, as Go writes it", async () => {
    const asked = { NodeName: "n1", NodePool: "default", TTL: 60e9 };
    const method = "ACLIdentity.CreateClientIntroductionToken";
    const [{ JWT }] = await region.walk.ok(method, asked);
    const claims = JSON.parse(Buffer.from(JWT.split(".")[1], "base64url").toString());
    expect(claims.exp - claims.iat).toBe(60);
  });

  test("with no token, and one that nobody has", async () => {
    const { walk } = region;
    for (const token of ["", UNKNOWN_ID, "no uuid"]) {
      walk.token = token;
      expect(await walk.refused("Nodes.List")).toBe("403 Permission denied");
      await walk.ok("Status.Leader");
      await walk.ok("Agent.Health");
    }
    walk.token = management;
  });

  test("what the client does not know of our answers is Nomad's own", () => {
    const one = (group: string, ...methods: readonly string[]): Record<string, readonly string[]> =>
      Object.fromEntries(methods.map((method) => [`${group}.${method}`, ["Hash"]]));
    const list = ["[].Hash"];
    expect(region.walk.unknown).toEqual({
      ...BEYOND,
      "ACLPolicies.Info": ["Hash", "RulesJSON"],
      ...{ "ACLPolicies.List": list, "ACLPolicies.Self": list },
      ...one("ACLRoles", "Create", "Get", "GetByName", "Update"),
      ...{ "ACLRoles.List": list, "ACLTokens.List": list },
      ...one("ACLTokens", "Bootstrap", "Create", "Info", "Self", "Update"),
    });
    expect(region.walk.missing).toEqual(WITHOUT);
  });
});
