/** Nomad's official Go client: it follows events, searches, and works with namespaces. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "../cluster/agents.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(60_000);

const [SERVER, CLIENT] = [`${NET}.141.1`, `${NET}.141.2`] as const;

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
