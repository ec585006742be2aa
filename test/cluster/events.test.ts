/** Event streams of three servers: alike on all, and past the death of a leader. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, renameSync } from "node:fs";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { nodeRegisterRequest } from "../../src/state/command.ts";
import { mapBytes, node } from "../../src/state/node.ts";
import { encodeValue, structOf } from "../../src/wire/codec.ts";
import { NET } from "../addresses.ts";
import {
  type Agent,
  binary,
  getJson,
  type Json,
  Lab,
  membersSeenBy,
  run,
  until,
} from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { clientPool } from "./rpc-pool.ts";

setDefaultTimeout(60_000);

const IPS = [`${NET}.140.1`, `${NET}.140.2`, `${NET}.140.3`] as const;
const [ONE, TWO, THREE] = IPS;
const KEY = Buffer.alloc(32, 7).toString("base64");
const OTHER_KEY = Buffer.alloc(32, 8).toString("base64");
const SECRET = "5ec4e700-0000-4000-8000-0000000000c1";

const lab = new Lab();
const agents = new Map<string, Agent>();
let ca: TestCa;
let pool: RpcPool;

/** Who listens at one server. */
class Follower implements Disposable {
  readonly lines: Json[] = [];
  readonly ip: string;
  readonly #stop = new AbortController();
  text = "";
  ended = false;

  constructor(ip: string, query: string) {
    this.ip = ip;
    void this.#follow(`http://${ip}:4646/v1/event/stream?${query}`);
  }

  get events(): Json[] {
    return this.lines.flatMap((one) => one.Events ?? []);
  }

  /** Without what is long. */
  get short(): string[] {
    return this.events.map(({ Index, Type, Key }) => `${Index} ${Type} ${Key}`);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #follow(url: string): Promise<void> {
    try {
      const { body } = await fetch(url, { signal: this.#stop.signal });
      const decoder = new TextDecoder();
      let rest = "";
      for await (const chunk of body ?? []) {
        rest += decoder.decode(chunk, { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        this.text += lines.join("\n");
        this.lines.push(...lines.map((line) => JSON.parse(line)));
      }
    } catch {
      // It was stopped, or its server was.
    }
    this.ended = true;
  }
}

/** At all servers, until the end of a test. */
function followAll(query: string): readonly Follower[] & Disposable {
  const all = IPS.map((ip) => new Follower(ip, query));
  return Object.assign(all, {
    [Symbol.dispose]: () => {
      for (const one of all) one[Symbol.dispose]();
    },
  });
}

async function register(number: number, by: string): Promise<string> {
  const ID = `ee${number}00000-aaaa-4000-8000-000000000001`;
  const Attributes = mapBytes(new Map([["os.name", "debian"]]));
  const named = { ID, SecretID: SECRET, Name: `c${number}`, Datacenter: "dc1", NodePool: "red" };
  const Node = structOf(node, { ...named, Attributes });
  const request = structOf(nodeRegisterRequest, { Node, Region: "global" });
  const address = { ip: Uint8Array.from(by.split(".").map(Number)), port: 4647 };
  const body = encodeValue(nodeRegisterRequest, request);
  await pool.call({ address, region: "global" }, "Node.Register", body, 10_000, false);
  return ID;
}

const change = (ip: string, path: string): Promise<Response> =>
  fetch(`http://${ip}:4646${path}`, { method: "PUT" });

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  await clientTls(ca);
  pool = clientPool(ca);
  const pair = `${ca.directory}/global-server-nomad`;
  for (const end of [".pem", "-key.pem"]) copyFileSync(`${pair}${end}`, lab.path(`own${end}`));
  const own = { ...tls, cert_file: lab.path("own.pem"), key_file: lab.path("own-key.pem") };
  for (const [i, ip] of IPS.entries()) {
    const server = { bootstrap_expect: 3, event_buffer_size: 200 };
    const settings = { name: `s${i + 1}`, ip, encrypt: KEY, join: [ONE], server };
    agents.set(ip, await lab.agent({ ...settings, tls: ip === ONE ? own : tls }));
  }
  for (const ip of IPS) {
    await until("a leader", async () => (await getJson(ip, "/v1/status/leader")) !== "");
    await until("all", async () => Object.keys(await membersSeenBy(ip)).length === 3);
  }
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

test("all servers tell the same of nodes and pools, with the same index, and no secret", async () => {
  using all = followAll("topic=Node:*&topic=NodePool");
  await until("signs of life", () => all.every((one) => one.lines.length > 0));
  expect(all.map((one) => one.lines[0])).toEqual([{}, {}, {}]);
  const first = await register(1, ONE);
  const second = await register(2, THREE);
  await change(TWO, `/v1/node/${first}/purge`);
  const types = ["NodePoolUpserted red", `NodeRegistration ${first}`];
  types.push(`NodeRegistration ${second}`, `NodeDeregistration ${first}`);
  await until("four events", () => all.every((one) => one.events.length === 4));
  const [one, two, three] = all;
  expect(two?.lines).toEqual(one?.lines ?? []);
  expect(three?.lines).toEqual(one?.lines ?? []);
  expect(one?.short.map((text) => text.replace(/^\d+ /, ""))).toEqual(types);
  const [pool, node] = one?.events ?? [];
  expect(pool.Payload.NodePool).toMatchObject({ Name: "red", CreateIndex: pool.Index });
  expect(node.Payload.Node).toMatchObject({ ID: first, SecretID: "", NodePool: "red" });
  expect(one?.text).not.toContain(SECRET);
  // Whoever comes later gets what is kept: all of it, or from an index on, or by a key.
  const at = one?.events[2].Index;
  const late = async (query: string, count: number): Promise<Json[]> => {
    using follower = new Follower(TWO, query);
    await until("what is kept", () => follower.events.length >= count);
    return follower.events;
  };
  expect(await late("topic=Node&topic=NodePool", 4)).toEqual(one?.events ?? []);
  expect(await late(`topic=Node&index=${at}`, 2)).toEqual(one?.events.slice(2) ?? []);
  expect(await late(`topic=Node:${first}`, 2)).toHaveLength(2);
});

test("a key that is installed, used and removed is an event of each server", async () => {
  using all = followAll("topic=Agent:encryption&index=1");
  const env = { NOMAD_ADDR: `http://${TWO}:4646` };
  const keyring = (...args: string[]) => run(["operator", "gossip", "keyring", ...args], { env });
  expect(await keyring("install", OTHER_KEY)).toMatchObject({ code: 0 });
  expect(await keyring("use", OTHER_KEY)).toMatchObject({ code: 0 });
  expect(await keyring("remove", KEY)).toMatchObject({ code: 0 });
  await until("three events", () => all.every((one) => one.events.length === 3));
  for (const [i, { events, text }] of all.entries()) {
    const types = ["GossipKeyInstalled", "GossipKeyUsed", "GossipKeyRemoved"];
    expect(events.map(({ Type }) => Type)).toEqual(types);
    const [installed, used, removed] = events;
    const Keys = [removed.Key, installed.Key];
    const payload = { Server: `s${i + 1}.global`, Fingerprint: installed.Key, Keys };
    expect(installed.Payload).toEqual({ GossipKey: { ...payload, Primary: removed.Key } });
    expect(used.Payload.GossipKey).toMatchObject({ Primary: used.Key, Keys: [...Keys].reverse() });
    for (const secret of [KEY, OTHER_KEY]) expect(text).not.toContain(secret.slice(0, 12));
  }
});

test("a certificate that is reloaded is an event of its server", async () => {
  using all = followAll("topic=Agent:encryption");
  const pair = `${ca.directory}/global-server-nomad`;
  for (const end of [".pem", "-key.pem"]) renameSync(`${pair}${end}`, lab.path(`first${end}`));
  await serverTls(ca);
  for (const end of [".pem", "-key.pem"]) copyFileSync(`${pair}${end}`, lab.path(`own${end}`));
  expect((await change(ONE, "/v1/agent/reload")).status).toBe(200);
  const [one, two] = all;
  const { rpc } = await getJson(ONE, "/v1/status");
  const Fingerprint = rpc.tls.certificate.fingerprint_sha256;
  const found = await until("it", () => one?.events.find((event) => event.Key === Fingerprint));
  expect(found).toMatchObject({ Topic: "Agent", Type: "CertificateReloaded" });
  expect(found.Payload.Certificate).toMatchObject({
    Server: "s1.global",
    Fingerprint,
    IsCA: false,
  });
  expect(two?.short.join()).not.toContain("Certificate");
});

test("a server of another region joins, is asked by way of ours, and leaves", async () => {
  const ip = `${NET}.140.4`;
  using all = followAll("topic=Agent:members&index=1");
  const tls = await serverTls(ca, "west");
  const server = { bootstrap_expect: 1 };
  const more = { encrypt: OTHER_KEY, region: "west", join: [TWO], tls, server };
  const west = await lab.agent({ name: "w", ip, ...more });
  await until("it to join", () => {
    return all.every(({ short }) => short.some((one) => one.endsWith(" ServerJoined w.west")));
  });
  using follower = new Follower(ONE, "region=west&topic=Agent:members");
  await until("its own word", () => follower.short.join().includes(" ServerJoined w.west"));
  west.kill("SIGINT");
  await until("it to leave", () => {
    return all.every(({ short }) => short.some((one) => one.endsWith(" ServerLeft w.west")));
  });
  const left = all[0]?.events.find(({ Type }) => Type === "ServerLeft");
  const Server = { Name: "w.west", Region: "west", Datacenter: "dc1", Status: "left" };
  expect(left.Payload.Server).toMatchObject({ ...Server, RPCAddress: `${ip}:4647` });
  await until("the end of its stream", () => follower.ended);
});

test("by the command line a line each, or JSON, until Ctrl-C; a mistake is an error", async () => {
  const address = `-address=http://${TWO}:4646`;
  const command = [await binary(), "event", "stream", address];
  const stream = async (...flags: string[]) => {
    const child = Bun.spawn([...command, ...flags], { stdout: "pipe", stderr: "pipe" });
    const [first] = await Array.fromAsync(firstOf(child.stdout));
    child.kill("SIGINT");
    return [await child.exited, first];
  };
  const plain = await stream("-topic", "NodePool");
  expect(plain).toEqual([0, expect.stringMatching(/^ +\d+ {2}NodePool {3}NodePoolUpserted +red$/)]);
  const [code, line = ""] = await stream("-json", "-topic=NodePool:red");
  expect([code, JSON.parse(String(line)).Events[0].Key]).toEqual([0, "red"]);
  const wrong = await run(["event", "stream", address, "-topic", "a:b:c"]);
  expect(wrong).toMatchObject({ code: 1, out: "" });
  expect(wrong.err).toContain("Invalid key value pair for topic, topic: a:b:c");
  expect(wrong.err).toStartWith(
    '==> WARNING: this agent has no events of the topic "a": they are ',
  );
  const typo = await run(["event", "stream", address, "-topic=node", "-index=x"]);
  expect(typo.err).toContain('topic "node": did you mean Node?');
});

test("namespaces are made, shown, changed and deleted by the command line", async () => {
  const env = { NOMAD_ADDR: `http://${TWO}:4646` };
  const namespace = (...args: string[]) => run(["namespace", ...args], { env });
  expect((await namespace("apply", "-description", "live", "prod")).out).toBe(
    'Successfully applied namespace "prod"!\n',
  );
  const stdin = 'name = "web"\nmeta { owner = "me" }';
  expect(await run(["namespace", "apply", "-"], { env, stdin })).toMatchObject({ code: 0 });
  const list =
    "Name     Description\ndefault  Default shared namespace\nprod     live\nweb      <none>\n";
  expect((await namespace("list")).out).toBe(list);
  expect((await namespace("status", "we")).out).toEndWith("\nMetadata\nowner = me\n");
  expect((await namespace("apply", "-quota=q", "prod")).code).toBe(0);
  const shown = JSON.parse((await namespace("inspect", "prod")).out);
  expect(shown).toMatchObject({ Name: "prod", Description: "live", Quota: "q" });
  expect((await namespace("delete", "web")).out).toBe('Successfully deleted namespace "web"!\n');
  const kept = await namespace("delete", "default");
  expect([kept.code, kept.err]).toEqual([1, expect.stringContaining("can not delete default")]);
  // A server that was not asked has it, too.
  expect(await getJson(THREE, "/v1/namespace/prod?stale")).toMatchObject({ Quota: "q" });
  const wrong = await fetch(`http://${ONE}:4646/v1/namespace/a`, { method: "PUT", body: "{}" });
  expect([wrong.status, await wrong.text()]).toEqual([
    ...[400, "Namespace name does not match request path"],
  ]);
});

/** Its first line. */
async function* firstOf(output: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of output) {
    text += new TextDecoder().decode(chunk);
    if (!text.includes("\n")) continue;
    yield text.split("\n")[0] ?? "";
    return;
  }
}

test("past the death of a leader the index goes on, and a follower of it at another server", async () => {
  using all = followAll("topic=Node&index=1");
  const leader = await until("a leader", async () => {
    const address: string = await getJson(TWO, "/v1/status/leader");
    return IPS.find((ip) => address.startsWith(`${ip}:`));
  });
  const orphan = all.find(({ ip }) => ip === leader);
  const left = all.filter(({ ip }) => ip !== leader);
  const [survivor = ONE] = left.map(({ ip }) => ip);
  await register(3, survivor);
  await until("node 3", () =>
    all.every((one) => one.short.join().includes(" NodeRegistration ee3")),
  );
  agents.get(leader)?.kill("SIGKILL");
  await until("its stream to end", () => orphan?.ended);
  await until("another leader", async () => {
    const address = await getJson(survivor, "/v1/status/leader").catch(() => "");
    return address !== "" && !address.startsWith(`${leader}:`);
  });
  const fourth = await register(4, survivor);
  const last = orphan?.events.at(-1).Index;
  using heir = new Follower(survivor, `topic=Node&index=${last + 1}`);
  await until("node 4", () => [...left, heir].every((one) => one.short.join().includes(fourth)));
  expect(heir.events.map(({ Key }) => Key)).toEqual([fourth]);
  for (const { events } of left) {
    const indexes = events.map(({ Index }) => Index);
    expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
  }
  const [one, two] = left;
  expect(one?.events).toEqual(two?.events ?? []);
});
