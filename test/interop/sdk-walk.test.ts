/**
 * Nomad's official Go client over TLS, without ACLs: every method of it that can reach something here,
 * and the errors of the others.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { type Json, until } from "../cluster/agents.ts";
import { mustRun } from "./go.ts";
import {
  BEYOND,
  EMPTY_OF_NETWORKS,
  HOUR_NANOS,
  KEY,
  Region,
  readAll,
  UNKNOWN_ID,
  WITHOUT,
} from "./sdk-region.ts";

setDefaultTimeout(60_000);

const NEXT_KEY = Buffer.alloc(32, 8).toString("base64");
const NO_SCHEDULER = "this agent has no job scheduler";

describe.if(mustRun)("without ACLs, by a certificate", () => {
  const region = new Region(150, 3);
  let node: Json;
  beforeAll(async () => {
    if (!mustRun) return;
    await region.start(true, {});
    node = await region.ready();
  });
  afterAll(() => region[Symbol.asyncDispose]());

  test("whatever there is can be read", async () => {
    await readAll(region.walk, node);
    const [{ Members }] = await region.walk.ok("Agent.Members");
    expect(Members.map((one: Json) => one.Status)).toEqual(["alive", "alive", "alive"]);
  });

  test("lists of nodes: filter, prefix, pages, fields, waiting, any server", async () => {
    const { walk } = region;
    const names = async (options: object): Promise<readonly string[]> => {
      const [found] = await walk.ok("Nodes.List", options);
      return found.map((one: Json) => one.Name);
    };
    expect(await names({ Filter: 'Name == "c1"', PerPage: 1 })).toEqual(["c1"]);
    expect(await names({ Filter: 'Name != "c1"' })).toEqual([]);
    expect(await names({ NextToken: "ffffffff", AllowStale: true })).toEqual([]);
    expect(await names({ Params: { os: "true", resources: "true" } })).toEqual(["c1"]);
    expect((await walk.ok("Nodes.PrefixList", node.ID.slice(0, 5)))[0]).toHaveLength(1);
    const [, { LastIndex }] = await walk.ok("Nodes.List");
    const [, waited] = await walk.ok("Nodes.List", { WaitIndex: LastIndex, WaitTime: 50e6 });
    expect(waited.LastIndex).toBe(LastIndex);
    expect(waited.RequestTime).toBeGreaterThan(50e6);
    expect(await walk.refused("Nodes.List", { Filter: "Nope ==" })).toStartWith("400 failed to");
    expect(await walk.refused("Nodes.List", { PerPage: -1 })).toStartWith("400 ");
    expect(await walk.refused("Nodes.Info", "short")).toContain("UUID must be 36 characters");
    expect(await walk.refused("Nodes.Info", UNKNOWN_ID)).toBe("404 node not found");
  });

  test("a node is drained, made ineligible and told metadata", async () => {
    const { walk } = region;
    const { ID } = node;
    const [drained] = await walk.ok("Nodes.UpdateDrain", ID, { Deadline: HOUR_NANOS }, false);
    expect(drained.LastIndex).toBe(drained.NodeModifyIndex);
    await walk.ok("Nodes.UpdateDrain", ID, null, true);
    await walk.ok("Nodes.ToggleEligibility", ID, false);
    expect((await walk.ok("Nodes.Info", ID))[0]).toMatchObject({
      ...{ SchedulingEligibility: "ineligible", Drain: false, DrainStrategy: null },
      LastDrain: { Status: expect.anything() },
    });
    await walk.ok("Nodes.ToggleEligibility", ID, true);
    const [{ Meta }] = await walk.ok("Nodes.Meta.Apply", { NodeID: ID, Meta: { a: "b" } });
    expect(Meta).toEqual({ rack: "r1", a: "b" });
    await walk.ok("Nodes.Identity.Renew", { NodeID: ID });
    await walk.ok("Nodes.ForceEvaluate", ID);
    expect(await walk.refused("Nodes.GC", ID)).toBe(`501 ${NO_SCHEDULER}`);
  });

  test("a pool and a namespace are made and deleted", async () => {
    const { walk } = region;
    const pool = { Name: "gpu", Meta: { a: "b" }, NodeIdentityTTL: HOUR_NANOS };
    const [made] = await walk.ok("NodePools.Register", pool);
    expect((await walk.ok("NodePools.Info", "gpu"))[0]).toMatchObject({
      ...{ Name: "gpu", Meta: { a: "b" }, NodeIdentityTTL: "1h0m0s", CreateIndex: made.LastIndex },
    });
    const [gone] = await walk.ok("NodePools.Delete", "gpu");
    expect(gone.LastIndex).toBeGreaterThan(made.LastIndex);
    expect(await walk.refused("NodePools.Info", "gpu")).toBe("404 node pool not found");
    expect(await walk.refused("NodePools.Register", { Name: "a b" })).toContain("must match regex");
    await walk.ok("Namespaces.Register", { Name: "prod" });
    expect((await walk.ok("Namespaces.PrefixList", "pr"))[0]).toHaveLength(1);
    await walk.ok("Namespaces.Delete", "prod");
    expect(await walk.refused("Namespaces.Info", "prod")).toBe("404 Namespace not found");
  });

  test("gossip keys, joins and the agent itself", async () => {
    const { walk, server } = region;
    expect((await walk.ok("Agent.ListKeys"))[0]).toEqual({
      ...{ Keys: { [KEY]: 3 }, Messages: {}, NumNodes: 3 },
    });
    for (const method of ["InstallKey", "UseKey"]) {
      expect((await walk.ok(`Agent.${method}`, NEXT_KEY))[0].NumNodes).toBe(3);
    }
    expect(await walk.refused("Agent.RemoveKey", NEXT_KEY)).toContain("nodes reported failure");
    await walk.ok("Agent.RemoveKey", KEY);
    expect(await walk.refused("Agent.InstallKey", "x")).toStartWith("500 ");
    expect(await walk.ok("Agent.Join", server)).toEqual([1]);
    expect(await walk.refused("Agent.Join", "127.0.0.1:1")).toContain("connection refused");
    expect(await walk.refused("Agent.Join")).toContain("400 (missing address to join)");
    await walk.ok("Agent.ForceLeave", "nobody.global");
    await walk.ok("Agent.Reload", null);
    expect(await walk.refused("Agent.Servers")).toBe("501 Invalid method");
    expect(await walk.refused("Agent.SetServers", ["x"])).toBe("501 Invalid method");
    const noisy = walk.ok("Agent.Monitor", null, { Params: { log_level: "DEBUG" } });
    const noise = setInterval(() => fetch(`https://${server}:4646/`).catch(() => undefined), 50);
    expect((await noisy.finally(() => clearInterval(noise)))[0]).toContain("[");
    const level = { Params: { log_level: "X" } };
    expect(await walk.refused("Agent.Monitor", null, level)).toBe("400 Unknown log level: X");
    expect(await walk.refused("Status.RegionLeader", "mars")).toBe("500 No path to region");
  });

  test("autopilot, a snapshot and a signing key", async () => {
    const { walk } = region;
    const [settings] = await walk.ok("Operator.AutopilotGetConfiguration");
    const changed = { ...settings, CleanupDeadServers: false, LastContactThreshold: "300ms" };
    await walk.ok("Operator.AutopilotSetConfiguration", changed);
    const [stale] = await walk.ok("Operator.AutopilotCASConfiguration", {
      ...changed,
      ModifyIndex: 1,
    });
    expect(stale).toBe(false);
    const [now] = await walk.ok("Operator.AutopilotGetConfiguration");
    expect(now).toMatchObject({ LastContactThreshold: "300ms", CleanupDeadServers: false });
    expect((await walk.ok("Operator.AutopilotCASConfiguration", now))[0]).toBe(true);
    const [file] = await walk.ok("Operator.Snapshot");
    await walk.ok("Namespaces.Register", { Name: "later" });
    await walk.ok("Operator.SnapshotRestore", file);
    rmSync(file);
    expect(await walk.refused("Namespaces.Info", "later")).toBe("404 Namespace not found");
    const [key, { LastIndex }] = await walk.ok("Keyring.Rotate", {});
    expect(LastIndex).toBe(key.ModifyIndex);
    const [keys] = await walk.ok("Keyring.List");
    const old = keys.find((one: Json) => one.State !== "active");
    const [deleted] = await walk.ok("Keyring.Delete", { KeyID: old.KeyID, Force: true });
    expect(deleted.LastIndex).toBeGreaterThan(LastIndex);
    expect(await walk.refused("Keyring.Delete", { KeyID: "x" })).toContain("root key not found");
  });

  test("what belongs to a scheduler is empty, not there or refused", async () => {
    const { walk } = region;
    const lists = ["Jobs", "Allocations", "Evaluations", "Deployments", "CSIVolumes", "CSIPlugins"];
    for (const one of [...lists, "HostVolumes", "Variables", "Services"]) {
      expect((await walk.ok(`${one}.List`))[0]).toEqual([]);
    }
    expect((await walk.ok("Scaling.ListPolicies"))[0]).toEqual([]);
    expect((await walk.ok("Jobs.Allocations", "x"))[0]).toEqual([]);
    expect((await walk.ok("Services.Get", "x"))[0]).toEqual([]);
    const one = ["Jobs.Info", "Allocations.Info", "Evaluations.Info", "Deployments.Info"];
    for (const method of [...one, "CSIVolumes.Info", "CSIPlugins.Info", "HostVolumes.Get"]) {
      expect(await walk.refused(method, "x")).toMatch(/^404 \w+ not found$/);
    }
    expect(await walk.refused("Variables.Read", "x")).toBe("variable not found");
    expect((await walk.ok("Variables.Peek", "x"))[0]).toBeNull();
    const job = { ID: "x", Name: "x" };
    for (const method of ["Jobs.Register", "Jobs.Validate", "Jobs.Plan"]) {
      expect(await walk.refused(method, job)).toBe(`501 ${NO_SCHEDULER}`);
    }
    const stops = ["Jobs.Deregister", "Jobs.ForceEvaluate", "Deployments.Fail", "Variables.Delete"];
    for (const method of [...stops, "CSIVolumes.Deregister", "CSIVolumes.Delete"]) {
      expect(await walk.refused(method, "x")).toBe(`501 ${NO_SCHEDULER}`);
    }
    expect((await walk.ok("Evaluations.Count"))[0].Count).toBe(0);
    for (const method of ["ACLTokens.Bootstrap", "ACLTokens.List", "ACLPolicies.List"]) {
      expect(await walk.refused(method)).toBe("400 ACL support disabled");
    }
  });

  test("what is Enterprise's, a plugin's or Go's is refused, and says why", async () => {
    const { walk } = region;
    const enterprise = ["Quotas.List", "Quotas.ListUsage", "SentinelPolicies.List"];
    for (const method of [...enterprise, "Recommendations.List", "Operator.LicensePut"]) {
      expect(await walk.refused(method)).toBe("501 Nomad Enterprise only endpoint");
    }
    expect(await walk.refused("Operator.LicenseGet")).toBe("Nomad Enterprise only endpoint");
    const utilization = await walk.refused("Operator.Utilization", {});
    expect(utilization).toBe("501 Nomad Enterprise only endpoint");
    expect(await walk.refused("CSIVolumes.ListExternal", "x", {})).toBe(`501 ${NO_SCHEDULER}`);
    const snapshot = { PluginID: "p", ID: "x" };
    for (const method of ["CSIVolumes.CreateSnapshot", "CSIVolumes.DeleteSnapshot"]) {
      expect(await walk.refused(method, snapshot)).toBe(`501 ${NO_SCHEDULER}`);
    }
    expect(await walk.refused("Operator.SchedulerGetConfiguration")).toStartWith("404 ");
    expect(await walk.refused("Agent.Lookup", "heap")).toContain(
      "501 this agent is not written in",
    );
    expect(await walk.refused("Agent.MonitorExport", null, {})).toStartWith(
      "501 this agent exports",
    );
    expect(await walk.refused("Agent.Host", "", "")).toBe("403 Permission denied");
    const [check] = await walk.ok("Operator.UpgradeCheckVaultWorkloadIdentity");
    expect(Object.values(check)).toEqual([[], [], []]);
  });

  test("the leadership is given away, a server removed, a node purged", async () => {
    const { walk, servers } = region;
    const raft = async (): Promise<Json[]> => {
      return (await walk.ok("Operator.RaftGetConfiguration"))[0].Servers;
    };
    const heir = (await raft()).find((one) => one.Node !== "s3.global" && !one.Leader);
    await walk.ok("Operator.RaftTransferLeadershipByID", heir.ID);
    await until("it leads", async () =>
      (await raft()).some((one) => one.Leader && one.ID === heir.ID),
    );
    await walk.ok("Operator.RaftTransferLeadershipByAddress", heir.Address);
    const byAddress = await walk.refused("Operator.RaftTransferLeadershipByAddress", "1.2.3.4:5");
    expect(byAddress).toBe('400 address "1.2.3.4:5" was not found in the Raft configuration');
    const removed = await walk.refused("Operator.RaftRemovePeerByAddress", heir.Address);
    expect(removed).toStartWith("400 Removing a peer by address is not supported");
    expect(await walk.refused("Operator.RaftRemovePeerByID", "x")).toContain("was not found");
    servers[2]?.kill("SIGKILL");
    await servers[2]?.exited;
    const dead = (await raft()).find((one) => one.Node === "s3.global");
    await walk.ok("Operator.RaftRemovePeerByID", dead.ID);
    expect(await raft()).toHaveLength(2);
    await walk.ok("Agent.ForceLeaveWithOptions", "s3.global", { Prune: true });
    const [purged, { LastIndex }] = await walk.ok("Nodes.Purge", node.ID);
    expect(LastIndex).toBe(purged.NodeModifyIndex);
    expect(await walk.refused("Nodes.Purge", UNKNOWN_ID)).toContain("node not found");
  });

  test("what the client does not know of our answers is Nomad's own", () => {
    const { unknown, missing } = region.walk;
    // Wrapped in another type; and once with resources.
    const { "Keyring.Rotate": rotated, ...others } = unknown;
    expect(rotated).toEqual(["Index", "Key"]);
    expect(others).toEqual({
      ...BEYOND,
      "Nodes.List": [
        ...BEYOND["Nodes.List"],
        ...BEYOND["Nodes.Info"].filter((one) => one.includes(".")).map((one) => `[].${one}`),
      ],
      "Nodes.PrefixList": ["[].HostVolumes"],
      "Nodes.ToggleEligibility": ["Index"],
      "Nodes.UpdateDrain": ["Index"],
    });
    expect(missing).toMatchObject({
      ...WITHOUT,
      "Nodes.List": EMPTY_OF_NETWORKS.map((one) => `[].${one}`),
    });
    expect(Object.keys(missing).toSorted()).toEqual(["Keyring.Rotate", "Nodes.Info", "Nodes.List"]);
  });
});
