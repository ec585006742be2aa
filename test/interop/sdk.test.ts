/** Nomad's official Go client: it follows events, searches, and works with namespaces. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "../cluster/agents.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(60_000);

const [SERVER, CLIENT] = [`${NET}.141.1`, `${NET}.141.2`] as const;
/** By itself, with ACLs. */
const GUARDED = `${NET}.141.3`;

const lab = new Lab();
let sdk: Peer;
let program = "";

const startClient = (): Promise<Agent> => {
  const client = { enabled: true, servers: [SERVER] };
  const extra = { client, leave_on_terminate: false };
  return lab.agent({ name: "c1", ip: CLIENT, server: { enabled: false }, extra });
};

beforeAll(async () => {
  if (!mustRun) return;
  program = buildPeer("sdk-peer", ".", "sdk-peer");
  await lab.agent({ name: "s1", ip: SERVER, server: { bootstrap_expect: 1 } });
  const acl = { enabled: true };
  await lab.agent({ name: "a1", ip: GUARDED, server: { bootstrap_expect: 1 }, extra: { acl } });
  await until("a leader", async () => (await getJson(GUARDED, "/v1/status/leader")) !== "");
  await until("a leader", async () => (await getJson(SERVER, "/v1/status/leader")) !== "");
  sdk = await Peer.start(program, [`http://${SERVER}:4646`]);
});

afterAll(async () => {
  await sdk?.[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** Events as they come, until there is one of this type. */
async function upTo(peer: Peer, type: string): Promise<Json[]> {
  const found: Json[] = [];
  for (;;) {
    const { index, events, error } = await peer.ask("next");
    if (error !== undefined) throw new Error(error);
    expect(events.every((one: Json) => one.index === index)).toBe(true);
    found.push(...events);
    const last = events.find((one: Json) => one.type === type);
    if (last !== undefined) return found;
  }
}

describe.if(mustRun)("Nomad's Go client", () => {
  test("sees a node register, become ready, be drained and purged", async () => {
    expect(await sdk.ask("subscribe 0 Node:*")).toEqual({ subscribed: true });
    const agent = await startClient();
    const first = await upTo(sdk, "NodeStreamEvent");
    const [registered, ready] = first;
    expect(registered).toMatchObject({ topic: "Node", type: "NodeRegistration" });
    expect(registered.node).toMatchObject({ ID: registered.key, Name: "c1" });
    expect(ready.node).toMatchObject({ Status: "ready", Name: "c1" });
    expect(ready.node.Attributes["nomad.version"]).toBeString();

    expect(await sdk.ask(`drain ${registered.key}`)).toHaveProperty("drained.NodeModifyIndex");
    const drained = await upTo(sdk, "NodeDrain");
    expect(drained.at(-1).node).toMatchObject({
      SchedulingEligibility: "ineligible",
      // The client does not look into what is embedded in it.
      DrainStrategy: expect.anything(),
    });
    const [complete] = await upTo(sdk, "NodeDrain");
    expect(complete.node).toMatchObject({ DrainStrategy: null, LastDrain: { Status: "complete" } });

    agent.kill("SIGKILL");
    await agent.exited;
    expect(await sdk.ask(`purge ${registered.key}`)).toHaveProperty("purged");
    const gone = (await upTo(sdk, "NodeDeregistration")).at(-1);
    expect(gone).toMatchObject({ key: registered.key, node: { Name: "c1" } });

    // One who comes later, and asks from an index on, at an agent that is a client only.
    await startClient();
    await until("it to be back", async () => (await getJson(CLIENT, "/v1/nodes")).length === 1);
    await using late = await Peer.start(program, [`http://${CLIENT}:4646`]);
    await late.ask(`subscribe ${complete.index} Node:${registered.key}`);
    const again = await upTo(late, "NodeDeregistration");
    expect(again.map((one) => one.type)).toEqual(["NodeDrain", "NodeDeregistration"]);
  });

  test("sees members and encryption as a topic that it does not know", async () => {
    await sdk.ask("subscribe 0 Agent:members");
    const [joined] = (await sdk.ask("next")).events;
    expect(joined).toMatchObject({ topic: "Agent", type: "ServerJoined", key: "s1.global" });
    expect(joined.payload.Server).toMatchObject({ Name: "s1.global", Region: "global" });
  });

  test("searches by prefix and by a part of the name", async () => {
    const [{ ID }] = await getJson(SERVER, "/v1/nodes");
    const { found, meta } = await sdk.ask(`search ${ID.slice(0, 4)} all`);
    expect(found.Matches).toMatchObject({ nodes: [ID], jobs: [], node_pools: [] });
    expect(found.Truncations.nodes).toBe(false);
    expect(meta.LastIndex).toBeGreaterThan(0);
    const fuzzy = await sdk.ask("fuzzy C1 nodes");
    expect(fuzzy.found.Matches).toEqual({ nodes: [{ ID: "c1", Scope: [ID] }] });
    const wrong = await sdk.ask("fuzzy x nodes");
    expect(wrong.error).toContain("fuzzy search query must be at least 2 characters, got 1");
    expect((await sdk.ask("search x cats")).error).toContain("context must be one of [allocs");
  });

  test("makes, reads, changes and deletes a namespace", async () => {
    const one = { Name: "prod", Meta: { a: "b" }, Capabilities: { EnabledTaskDrivers: ["exec"] } };
    const { meta } = await sdk.ask(`register-namespace ${JSON.stringify(one)}`);
    expect(meta.LastIndex).toBeGreaterThan(0);
    expect((await sdk.ask("namespace prod")).found).toMatchObject({
      ...{ ...one, CreateIndex: meta.LastIndex },
    });
    await sdk.ask(`register-namespace ${JSON.stringify({ ...one, Description: "live" })}`);
    const { found } = await sdk.ask("namespaces");
    expect(found.map((each: Json) => `${each.Name}: ${each.Description}`).sort()).toEqual([
      "default: Default shared namespace",
      "prod: live",
    ]);
    expect((await sdk.ask("delete-namespace prod")).meta.LastIndex).toBeGreaterThan(meta.LastIndex);
    expect((await sdk.ask("namespace prod")).error).toContain("404 (Namespace not found)");
    const kept = await sdk.ask("delete-namespace default");
    expect(kept.error).toContain("can not delete default namespace");
  });
});

describe.if(mustRun)("Nomad's Go client, where ACLs are on", () => {
  const DENIED = "403 (Permission denied)";
  const rules = 'node { policy = "read" } agent { policy = "read" }';

  test("bootstraps, and works with policies, tokens and roles", async () => {
    await using peer = await Peer.start(program, [`http://${GUARDED}:4646`]);
    const found = async (command: string): Promise<Json> => {
      const answer = await peer.ask(command);
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.found;
    };
    expect((await peer.ask("nodes")).error).toContain(DENIED);
    expect((await peer.ask("agent-self")).error).toContain(DENIED);
    const first = await found("bootstrap");
    expect(first).toMatchObject({ Name: "Bootstrap Token", Type: "management", Global: true });
    expect((await peer.ask("bootstrap")).error).toContain("400 (ACL bootstrap already done");
    await peer.ask(`as ${first.SecretID}`);
    await found(`policy-upsert ${JSON.stringify({ Name: "ops", Rules: rules, Description: "d" })}`);
    const policy = await found("policy-info ops");
    expect(policy).toMatchObject({ Name: "ops", Description: "d", Rules: rules });
    const wrong = { Name: "bad", Rules: "agent {" };
    expect((await peer.ask(`policy-upsert ${JSON.stringify(wrong)}`)).error).toContain(
      "400 (policy 0 invalid: 1 error occurred:",
    );

    const asked = { Name: "ci", Type: "client", Policies: ["ops"], ExpirationTTL: "1h0m0s" };
    const token = await found(`token-create ${JSON.stringify(asked)}`);
    expect(token).toMatchObject({ ...asked, Global: false });
    const lives = Date.parse(token.ExpirationTime) - Date.parse(token.CreateTime);
    expect(lives).toBe(3_600_000);
    expect(await found(`token-rename ${token.AccessorID} cd`)).toMatchObject({
      ...{ Name: "cd", SecretID: token.SecretID, ExpirationTime: token.ExpirationTime },
    });
    const list = await found("token-list");
    expect(list.map((one: Json) => one.Name).sort()).toEqual(["Bootstrap Token", "cd"]);
    expect(JSON.stringify(list)).not.toContain(token.SecretID);

    const role = await found(
      `role-create ${JSON.stringify({ Name: "readers", Policies: [{ Name: "ops" }] })}`,
    );
    const linked = { Type: "client", Roles: [{ Name: "readers" }] };
    const other = await found(`token-create ${JSON.stringify(linked)}`);
    expect(other.Roles).toEqual([{ ID: role.ID, Name: "readers" }]);
    expect((await found("role-named readers")).ID).toBe(role.ID);

    await peer.ask(`as ${other.SecretID}`);
    expect(await found("token-self")).toMatchObject({ AccessorID: other.AccessorID });
    expect(await found("nodes")).toEqual([]);
    expect((await peer.ask("token-list")).error).toContain(DENIED);
    expect((await found("policy-list")).map((one: Json) => one.Name)).toEqual(["ops"]);
    expect((await found("role-list")).map((one: Json) => one.ID)).toEqual([role.ID]);

    await peer.ask(`as ${first.SecretID}`);
    await found(`role-delete ${role.ID}`);
    await found(`token-delete ${token.AccessorID}`);
    await peer.ask(`as ${other.SecretID}`);
    expect((await peer.ask("nodes")).error).toContain(DENIED);
    await peer.ask(`as ${token.SecretID}`);
    expect((await peer.ask("token-self")).error).toContain("403 (ACL token not found)");
  });
});
