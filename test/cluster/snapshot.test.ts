/** The servers' state as a file, and client nodes in it: saved, looked at, restored, over TLS. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { packArchive, unpackArchive } from "../../src/service/methods/snapshot-archive.ts";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { ValueStream } from "../../src/service/rpc/value-stream.ts";
import { nodeRegisterRequest, nodeStatusRequest } from "../../src/state/command.ts";
import { mapBytes, node } from "../../src/state/node.ts";
import { decodeValue, encodeValue, structOf } from "../../src/wire/codec.ts";
import { nodeUpdateReply } from "../../src/wire/rpc-node.ts";
import { snapshotRestoreReply, snapshotSaveReply } from "../../src/wire/rpc-snapshot.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import { streamAck, streamHeader } from "../../src/wire/rpc-stream.ts";
import { NET } from "../addresses.ts";
import { hex, vectors } from "../vectors.ts";
import { getJson, type Json, Lab, run, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { clientPool, loadIdentity, testPool } from "./rpc-pool.ts";

setDefaultTimeout(60_000);

const IPS = [`${NET}.82.1`, `${NET}.82.2`, `${NET}.82.3`] as const;
const OTHER_REGION = `${NET}.82.4`;
const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";
const IDS = ["11111111-aaaa-4000-8000-000000000001", "22222222-aaaa-4000-8000-000000000002"];

const lab = new Lab();
let pool: RpcPool;
let ca: TestCa;
let [leader, follower] = ["", ""];

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  await clientTls(ca);
  pool = clientPool(ca);
  const server = { bootstrap_expect: 3, min_heartbeat_ttl: "3s", heartbeat_grace: "2s" };
  for (const [i, ip] of IPS.entries()) {
    const join = IPS.filter((one) => one !== ip);
    await lab.agent({ name: `n${i}`, ip, tls, join, server, encrypt: KEY });
  }
  const abroad = { region: "eu", ip: OTHER_REGION, name: "eu", join: [IPS[0]], encrypt: KEY };
  const own = { bootstrap_expect: 1 };
  await lab.agent({ ...abroad, tls: await serverTls(ca, "eu"), server: own });
  await until("a leader with settings", async () => {
    const { ModifyIndex } = await getJson(IPS[0], "/v1/operator/autopilot/configuration");
    leader = String(await getJson(IPS[0], "/v1/status/leader")).replace(":4647", "");
    return ModifyIndex > 0;
  });
  follower = IPS.find((ip) => ip !== leader) ?? "";
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

const KEY = Buffer.alloc(16, 7).toString("base64");

const cli = (ip: string, ...args: string[]): ReturnType<typeof run> => {
  return run(args, { cwd: lab.directory, env: { NOMAD_ADDR: `http://${ip}:4646` } });
};

async function call(ip: string, method: string, body: Uint8Array): Promise<Uint8Array> {
  const address = { ip: Uint8Array.from(ip.split(".").map(Number)), port: 4647 };
  return pool.call({ address, region: "global" }, method, body, 10_000, false);
}

/** As a client does it: register at any server, then say that it is ready. */
async function register(ip: string, id: string): Promise<void> {
  const Attributes = mapBytes(
    new Map([
      ["nomad.version", "2.0.5"],
      ["os.name", "debian"],
    ]),
  );
  const named = { ID: id, SecretID: SECRET, Name: `client-${id.slice(0, 1)}`, Datacenter: "dc1" };
  const Node = structOf(node, { ...named, Attributes, HTTPAddr: "127.0.0.1:4646" });
  const request = structOf(nodeRegisterRequest, { Node, Region: "global" });
  const answer = await call(ip, "Node.Register", encodeValue(nodeRegisterRequest, request));
  const reply = decodeValue(nodeUpdateReply, answer);
  expect(reply?.Servers?.map((one) => one.RPCAdvertiseAddr).sort()).toEqual(
    IPS.map((one) => `${one}:4647`),
  );
  expect(reply?.LeaderRPCAddr).toBe(`${leader}:4647`);
}

async function heartbeat(ip: string, NodeID: string): Promise<void> {
  const fields = { NodeID, Status: "ready", AuthToken: SECRET, Region: "global" };
  const request = structOf(nodeStatusRequest, fields);
  await call(ip, "Node.UpdateStatus", encodeValue(nodeStatusRequest, request));
}

const statuses = async (ip: string): Promise<Record<string, string>> => {
  const nodes: Json[] = await getJson(ip, "/v1/nodes");
  return Object.fromEntries(nodes.map((one) => [one.ID, one.Status]));
};

test("clients register at any server, and every server lists them", async () => {
  expect((await cli(follower, "node", "status")).out).toBe("No nodes registered\n");
  await register(follower, IDS[0] ?? "");
  await register(leader, IDS[1] ?? "");
  for (const id of IDS) await heartbeat(follower, id);
  for (const ip of IPS) {
    expect(Object.values(await statuses(ip))).toEqual(["ready", "ready"]);
  }
  const table = await cli(follower, "node", "status");
  const [head, first] = table.out.split("\n");
  expect(head).toMatch(/^ID +Node Pool +DC +Name +Class +Drain +Eligibility +Status$/);
  expect(first).toMatch(/^11111111 +default +dc1 +client-1 +<none> +false +eligible +ready$/);
  const one = await cli(follower, "node", "status", "2222");
  expect(one.out).toMatch(/ID +=? ?22222222\n/);
  expect(one.out).toMatch(/Node registered/);
  expect((await cli(follower, "node", "status", "99")).err).toBe(
    'No node(s) with prefix "99" found\n',
  );
});

test("a list has Nomad's headers, waits for what is newer, and hides secrets", async () => {
  const url = `http://${follower}:4646/v1/nodes`;
  const now = await fetch(`${url}?os=true`);
  const index = Number(now.headers.get("x-nomad-index"));
  expect(index).toBeGreaterThan(1);
  expect(now.headers.get("x-nomad-knownleader")).toBe("true");
  expect(now.headers.get("x-nomad-lastcontact")).toMatch(/^\d+$/);
  expect(((await now.json()) as Json)[0].Attributes).toEqual({ "os.name": "debian" });
  const waiting = fetch(`${url}?index=${index}&wait=20s`);
  // Not heard for some seconds, they are down: that is news.
  const later = await waiting;
  expect(Number(later.headers.get("x-nomad-index"))).toBeGreaterThan(index);
  await until("both are down", async () => {
    return Object.values(await statuses(follower)).every((one) => one === "down");
  });
  const whole = await getJson(follower, `/v1/node/${IDS[0]}`);
  expect(whole).toMatchObject({ Name: "client-1", SecretID: "", Status: "down" });
  expect(whole.Events.map((one: Json) => one.Message)).toEqual([
    "Node registered",
    "Node heartbeat missed",
  ]);
  expect((await fetch(`http://${follower}:4646/v1/node/abc`)).status).toBe(500);
  const unknown = await fetch(`http://${follower}:4646/v1/node/${IDS[0]?.replaceAll("1", "9")}`);
  expect([unknown.status, await unknown.text()]).toEqual([404, "node not found"]);
  expect((await fetch(`${url}?index=x`)).status).toBe(400);
});

test("saved through a follower, inspected, restored through a follower: as it was", async () => {
  const file = lab.path("state.snap");
  const saved = await cli(follower, "operator", "snapshot", "save", file);
  expect(saved).toMatchObject({ code: 0, out: `State file written to ${file}\n` });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const inspected = await cli(follower, "operator", "snapshot", "inspect", file);
  expect(inspected.out).toMatch(/^Created += .*\nID += \d+-\d+-\d+\n/);
  expect(inspected.out).toMatch(/\nType +Count +Size\nNode +2 +/);

  const state = JSON.parse((await cli(follower, "operator", "snapshot", "state", file)).out);
  expect(state.Nodes.map((one: Json) => one.ID)).toEqual(IDS);
  expect(state.ClusterMetadata.ClusterID).toMatch(/^[0-9a-f-]{36}$/);

  await register(leader, "33333333-aaaa-4000-8000-000000000003");
  const url = `http://${leader}:4646/v1/operator/autopilot/configuration`;
  await fetch(url, { method: "PUT", body: JSON.stringify({ MaxTrailingLogs: 999 }) });
  expect(Object.keys(await statuses(follower))).toHaveLength(3);

  const restored = await cli(follower, "operator", "snapshot", "restore", file);
  expect(restored).toMatchObject({ code: 0, out: "Snapshot Restored\n" });
  for (const ip of IPS) {
    await until("every server has it", async () => {
      const nodes = await getJson(ip, "/v1/nodes?stale");
      return nodes.length === 2;
    });
  }
  expect((await getJson(leader, "/v1/operator/autopilot/configuration")).MaxTrailingLogs).toBe(250);
  // And goes on: new clients, new settings.
  await register(follower, "44444444-aaaa-4000-8000-000000000004");
  expect(Object.keys(await statuses(leader))).toHaveLength(3);
});

test("a node is purged, and registers again if it lives", async () => {
  const id = "44444444-aaaa-4000-8000-000000000004";
  const url = `http://${follower}:4646/v1/node/${id}/purge`;
  const purged = await fetch(url, { method: "PUT" });
  expect(((await purged.json()) as Json).NodeModifyIndex).toBeGreaterThan(1);
  expect(Object.keys(await statuses(leader))).not.toContain(id);
  const again = await fetch(url, { method: "PUT" });
  expect(again.status).toBe(500);
  expect(await again.text()).toMatch(/node not found$/);
  await register(follower, id);
  expect(Object.keys(await statuses(leader))).toContain(id);
});

test("the endpoint gives a digest, and takes what the CLI of Nomad sends", async () => {
  const url = `http://${follower}:4646/v1/operator/snapshot`;
  const got = await fetch(url);
  const bytes = new Uint8Array(await got.arrayBuffer());
  const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("base64");
  expect(got.headers.get("digest")).toBe(`sha-256=${digest}`);
  const { meta } = await unpackArchive(bytes);
  expect(meta.index).toBeGreaterThan(5);
  const headers = { "Content-Type": "application/octet-stream" };
  const put = await fetch(url, { method: "PUT", body: bytes, headers });
  expect([put.status, await put.text()]).toEqual([200, ""]);
  expect((await fetch(url, { method: "DELETE" })).status).toBe(405);
  const stale = await fetch(`${url}?stale`);
  expect(stale.status).toBe(200);
});

test("of a snapshot of Nomad's the nodes are taken, and who asked hears what was left out", async () => {
  const [recorded] = vectors("rpc/raft-snapshot.json");
  const servers = [{ id: "a", address: `${NET}.50.1:4647`, suffrage: "voter" }] as const;
  const meta = { index: 19, term: 3, configuration: { servers }, configurationIndex: 1 };
  const file = lab.path("nomad.snap");
  writeFileSync(file, await packArchive(meta, hex(recorded.snapshot_hex), 1764061386000));
  const inspected = await cli(follower, "operator", "snapshot", "inspect", file);
  expect(inspected.out).toMatch(/\nJob +1 +/);
  const restored = await cli(follower, "operator", "snapshot", "restore", file);
  expect(restored).toMatchObject({ code: 0, err: "" });
  const [done, kept, left] = restored.out.split("\n");
  expect(done).toBe("Snapshot Restored");
  expect(kept).toMatch(/^Kept: .*\b1 Node\b/);
  expect(left).toMatch(/^Left out: .*\b1 Job\b/);
  expect(`${kept}${left}`).not.toContain("Index");
  const [one, ...others]: Json[] = await getJson(follower, "/v1/nodes");
  expect(others).toEqual([]);
  expect(one).toMatchObject({ Name: "c1", Status: "ready", Version: "2.0.5" });
  const whole = await getJson(follower, `/v1/node/${one.ID}`);
  expect(whole.NodeResources.Cpu.CpuShares).toBeGreaterThan(0);
  expect(whole.Events[0].Timestamp).toBe("2026-11-25T06:54:26Z");
  const logs = IPS.map((_, i) => lab.log(`n${i}`)).join("");
  expect(logs).toMatch(/records that are not kept here were left out: left=.*1 Job/);
});

test("a client's certificate is not enough to take the state, or to replace it", async () => {
  const pair = `${ca.directory}/global-client-nomad`;
  const identity = loadIdentity(ca.caFile, `${pair}.pem`, `${pair}-key.pem`);
  const clients = testPool(() => ({ identity, verifyServerHostname: true, upgradeMode: false }));
  const address = { ip: Uint8Array.from(follower.split(".").map(Number)), port: 4647 };
  const request = encodeQueryOptions({ Region: "global" });
  for (const [Method, next] of [
    ["Operator.SnapshotSave", (one: ValueStream) => one.next(snapshotSaveReply, 5000)],
    ["Operator.SnapshotRestore", (one: ValueStream) => one.next(snapshotRestoreReply, 5000)],
  ] as const) {
    const stream = await clients.stream({ address, region: "global" });
    const reader = new ValueStream(stream);
    stream.write(encodeValue(streamHeader, { Method }));
    expect(await reader.next(streamAck, 5000)).toEqual({ Error: "" });
    stream.write(request);
    const answer = await next(reader);
    expect(answer).toMatchObject({ ErrorCode: 403n, ErrorMsg: "Permission denied" });
    stream.destroy();
  }
  clients.close();
});

test("another region's state is saved by naming it", async () => {
  await until("the region is known", async () => {
    return (await getJson(follower, "/v1/regions")).includes("eu");
  });
  const file = lab.path("eu.snap");
  const saved = await cli(follower, "operator", "snapshot", "save", "-region=eu", file);
  expect(saved).toMatchObject({ code: 0, err: "" });
  const { meta } = await unpackArchive(new Uint8Array(readFileSync(file)));
  expect(meta.index).toBeLessThan(20);
  const nowhere = await cli(follower, "operator", "snapshot", "save", "-region=mars", `${file}2`);
  expect(nowhere.err).toMatch(/^Failed to get a snapshot: .*500 \(No path to region\)/);
});

test("a damaged file is refused before anybody is asked, and by the servers too", async () => {
  const file = lab.path("state.snap");
  const bytes = new Uint8Array(readFileSync(file));
  const bad = lab.path("bad.snap");
  writeFileSync(bad, bytes.subarray(0, bytes.length - 40));
  const refused = await cli(follower, "operator", "snapshot", "restore", bad);
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/^Error verifying snapshot .*bad\.snap: not a snapshot archive/);
  writeFileSync(bad, "not an archive at all");
  expect((await cli(follower, "operator", "snapshot", "inspect", bad)).code).toBe(1);
  const url = `http://${follower}:4646/v1/operator/snapshot`;
  const before = await statuses(leader);
  const put = await fetch(url, { method: "PUT", body: bytes.subarray(0, 200) });
  expect(put.status).toBe(400);
  expect(await put.text()).toMatch(/^cannot restore: not a snapshot archive/);
  expect(await statuses(leader)).toEqual(before);
  const missing = await cli(follower, "operator", "snapshot", "restore", lab.path("nothing.snap"));
  expect(missing.err).toMatch(/^Error opening snapshot file: open .*nothing\.snap: no such file/);
});
