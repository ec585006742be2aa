/** Which calls over RPC are an operator's change, and that nobody's change is done unwritten. */
import { describe, expect, test } from "bun:test";
import { AuditLog, type AuditOutput } from "../../../src/service/audit/audit-log.ts";
import { auditedCalls, isOperatorChange } from "../../../src/service/methods/audited.ts";
import { RpcMethodError } from "../../../src/service/rpc/method-error.ts";
import { encodeQueryOptions } from "../../../src/wire/rpc-status.ts";
import { silent } from "../../silent.ts";

test("changes of operators, and what shows secrets; not what is said all the time", () => {
  for (const method of [
    ...["Operator.RaftRemovePeerByID", "Operator.RaftRemovePeerByAddress"],
    ...["Operator.TransferLeadershipToPeer", "Operator.AutopilotSetConfiguration"],
    ...["Operator.SnapshotSave", "Operator.SnapshotRestore", "Node.UpdateDrain"],
    ...["Node.UpdateEligibility", "Node.Deregister", "Node.BatchDeregister", "Node.Evaluate"],
    ...["NodePool.DeleteNodePools", "NodeMeta.Apply", "ACL.Bootstrap", "ACL.UpsertTokens"],
    ...["ACL.DeletePolicies", "ACL.UpsertRoles", "Namespace.UpsertNamespaces", "Keyring.Rotate"],
    ...["Job.Register", "System.GarbageCollect", "ACL.GetToken", "ACL.GetTokens"],
  ]) {
    expect([method, isOperatorChange(method)]).toEqual([method, true]);
  }
  for (const method of [
    ...["Status.Ping", "Status.Members", "Region.List", "Agent.Monitor", "Node.Register"],
    ...["Node.UpdateStatus", "Node.EmitEvents", "Node.List", "Node.GetNode", "Node.UpdateAlloc"],
    ...["Operator.RaftGetConfiguration", "Operator.AutopilotGetConfiguration", "ACL.WhoAmI"],
    ...[
      "Operator.ServerHealth",
      "NodeMeta.Read",
      "NodePool.List",
      "ACL.ListTokens",
      "Event.Stream",
    ],
    ...["Group.Self", "Group.Leave", "ServiceRegistration.Upsert", "Eval.Create"],
  ]) {
    expect([method, isOperatorChange(method)]).toEqual([method, false]);
  }
});

describe("a call", () => {
  const from = { address: "10.0.0.9:50000", names: ["server.global.nomad"], fingerprint: "ab" };
  const answer = Uint8Array.of(1);
  const bench = (run: () => Uint8Array | Promise<Uint8Array>, broken = false) => {
    const lines: string[] = [];
    let asked = 0;
    const output: AuditOutput = {
      ...{ path: "x", isEnforced: true, reopen: () => undefined, close: () => undefined },
      append: (line) => {
        if (broken) throw new Error("full");
        lines.push(line);
      },
    };
    const audit = new AuditLog({
      ...{ outputs: [output], filters: [], node: {}, log: silent, redact: (text) => text },
      ...{ wallMs: () => 0, newId: () => "id" },
    });
    const call = (): Uint8Array | Promise<Uint8Array> => {
      asked += 1;
      return run();
    };
    const calls = auditedCalls({ bodyBytesMax: () => 7, call }, audit, (secret) => {
      return secret === "s3cret" ? { accessor_id: "acc" } : undefined;
    });
    const responses = (): unknown[] => lines.map((line) => JSON.parse(line).payload.response);
    const auths = (): unknown[] => lines.map((line) => JSON.parse(line).payload.auth);
    return { calls, responses, auths, asked: () => asked };
  };
  const body = new Uint8Array(0);

  test("at once, later, and failed either way", async () => {
    const caller = { names: undefined, from };
    const sync = bench(() => answer);
    expect(sync.calls.call("Node.UpdateDrain", body, caller)).toBe(answer);
    expect(sync.responses()).toEqual([undefined, {}]);
    const later = bench(async () => answer);
    expect(await later.calls.call("Node.UpdateDrain", body, caller)).toBe(answer);
    expect(later.responses()).toEqual([undefined, {}]);
    const thrown = bench(() => {
      throw new RpcMethodError("no", false);
    });
    expect(() => thrown.calls.call("Node.UpdateDrain", body, caller)).toThrow("no");
    expect(thrown.responses()).toEqual([undefined, { error: "no" }]);
    const rejected = bench(() => Promise.reject(new RpcMethodError("no", false)));
    await expect(
      Promise.resolve(rejected.calls.call("Node.UpdateDrain", body, caller)),
    ).rejects.toThrow("no");
    expect(rejected.responses()).toEqual([undefined, { error: "no" }]);
  });

  test("has the accessor of its token, and not the token", () => {
    const { calls, auths } = bench(() => answer);
    const asked = encodeQueryOptions({ AuthToken: "s3cret" });
    calls.call("Node.UpdateDrain", asked, { names: undefined, from });
    const certificate = { names: from.names, fingerprint: "ab" };
    expect(auths()[0]).toEqual({ accessor_id: "acc", certificate });
  });

  test("of our own is not written down again, nor is what changes nothing", () => {
    const { calls, responses, asked } = bench(() => answer);
    calls.call("Node.UpdateDrain", body, { names: undefined });
    calls.call("Node.List", body, { names: undefined, from });
    expect([responses().length, asked()]).toEqual([0, 2]);
    expect(calls.bodyBytesMax("Node.List")).toBe(7);
  });

  test("that cannot be written down is not made", () => {
    const { calls, asked } = bench(() => answer, true);
    const run = (): unknown => calls.call("Node.UpdateDrain", body, { names: undefined, from });
    expect(run).toThrow("the audit log x cannot be written: full");
    expect(asked()).toBe(0);
  });
});
