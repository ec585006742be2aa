/** The replicated state by way of the real yamux and net-rpc: a client that registers, a backup. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { unpackArchive } from "../../src/service/methods/snapshot-archive.ts";
import { NET } from "../addresses.ts";
import { getJson, Lab, run, until } from "../cluster/agents.ts";
import { makeCa, serverTls, type TestCa } from "../cluster/certificates.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(30_000);

const IP = `${NET}.83.1`;
const ID = "11111111-aaaa-4000-8000-000000000001";
const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";

const lab = new Lab();
const peers: Peer[] = [];
let ca: TestCa;
let program = "";

beforeAll(async () => {
  if (!mustRun) return;
  program = buildPeer("rpc-peer");
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  await run(["tls", "cert", "create", "-client"], { cwd: ca.directory });
  await lab.agent({ name: "state", ip: IP, tls, server: { bootstrap_expect: 1 } });
  await until("a leader with settings", async () => {
    return (await getJson(IP, "/v1/operator/autopilot/configuration")).ModifyIndex > 0;
  });
});

afterAll(async () => {
  for (const peer of peers) await peer[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** A session with the server, by this certificate. */
async function dial(who: "server" | "client"): Promise<Peer> {
  const pair = `${ca.directory}/global-${who}-nomad`;
  const tls = [`-ca=${ca.caFile}`, `-cert=${pair}.pem`, `-key=${pair}-key.pem`];
  const peer = await Peer.start(program, tls);
  peers.push(peer);
  expect(await peer.ask(`dial ${IP}:4647`)).toEqual({ dialled: true });
  return peer;
}

describe.if(mustRun)("Go's net-rpc", () => {
  test("a client registers by its certificate, becomes ready, and finds itself", async () => {
    const client = await dial("client");
    const Node = {
      ...{ ID, SecretID: SECRET, Name: "go", Datacenter: "dc1", HTTPAddr: "127.0.0.1:4646" },
      Attributes: { "nomad.version": "2.0.5", "os.name": "debian" },
      Drivers: { exec: { Detected: true, Healthy: true, HealthDescription: "fine" } },
      Meta: { rack: "7" },
    };
    const register = JSON.stringify({ Node, Region: "global" });
    const { reply } = await client.ask(`send Node.Register ${register}`);
    expect(reply).toMatchObject({ SchedulingEligibility: "eligible", NumNodes: 1 });
    expect(reply.HeartbeatTTL).toBeGreaterThanOrEqual(10e9);
    expect(reply.Servers[0]).toMatchObject({ RPCAdvertiseAddr: `${IP}:4647`, Datacenter: "dc1" });
    const status = { NodeID: ID, Status: "ready", AuthToken: SECRET, Region: "global" };
    const ready = await client.ask(`send Node.UpdateStatus ${JSON.stringify(status)}`);
    expect(ready.reply.NodeModifyIndex).toBeGreaterThan(reply.NodeModifyIndex);
    const guess = { ...status, Status: "down", AuthToken: "a guess" };
    const refused = await client.ask(`send Node.UpdateStatus ${JSON.stringify(guess)}`);
    expect(refused.error).toBe("Permission denied");

    const { Nodes } = (await client.ask('send Node.List {"Region":"global"}')).reply;
    expect(Nodes).toMatchObject([{ ID, Status: "ready", Version: "2.0.5", Name: "go" }]);
    const whole = `send Node.GetNode {"Region":"global","NodeID":"${ID}"}`;
    const found = (await client.ask(whole)).reply.Node;
    expect(found).toMatchObject({ SecretID: "", Meta: { rack: "7" } });
    expect(found.Drivers.exec).toMatchObject({ Healthy: true, HealthDescription: "fine" });
    const allocs = { NodeID: ID, SecretID: SECRET, AuthToken: SECRET, Region: "global" };
    const none = await client.ask(`send Node.GetClientAllocs ${JSON.stringify(allocs)}`);
    expect(none.reply).toMatchObject({ Index: 1, Allocs: {} });
  });

  test("another server's agent saves the state and restores it; a client's may not", async () => {
    const server = await dial("server");
    const file = lab.path("go.snap");
    const saved = await server.ask(`snapshot-save ${file}`);
    expect(saved).toMatchObject({ whole: true, leader: true });
    const bytes = new Uint8Array(readFileSync(file));
    expect(saved.bytes).toBe(bytes.length);
    expect((await unpackArchive(bytes)).meta.index).toBe(saved.index);

    const purge = `send Node.Deregister {"Region":"global","NodeID":"${ID}"}`;
    expect((await server.ask(purge)).reply.NodeModifyIndex).toBeGreaterThan(saved.index);
    expect(await getJson(IP, "/v1/nodes")).toEqual([]);
    const restored = await server.ask(`snapshot-restore ${file}`);
    expect(restored).toMatchObject({ error: "", code: 0 });
    expect(restored.index).toBeGreaterThan(saved.index);
    expect(await getJson(IP, "/v1/nodes")).toMatchObject([{ ID, Status: "ready" }]);

    writeFileSync(file, bytes.subarray(0, 100));
    const damaged = await server.ask(`snapshot-restore ${file}`);
    expect(damaged).toMatchObject({
      code: 400,
      error: expect.stringMatching(/^cannot restore: not a/),
    });
    const client = await dial("client");
    const refused = { code: 403, error: "Permission denied" };
    expect(await client.ask(`snapshot-save ${file}`)).toEqual(refused);
    writeFileSync(file, bytes);
    expect(await client.ask(`snapshot-restore ${file}`)).toMatchObject(refused);
  });
});
