/**
 * Who a client node is, signed by three servers that let in only whom somebody has introduced, all
 * over TLS: keys that change, a leader that dies, and what is to be found on the disks.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSecret } from "../../src/secret/envelope.ts";
import { unpackArchive } from "../../src/service/methods/snapshot-archive.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { readToken } from "../../src/wire/jwt.ts";
import { encodeSealingKeyRequest, GROUP_SEALING_KEY } from "../../src/wire/rpc-group.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, type Ran, run, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { clientPool, serverPool } from "./rpc-pool.ts";

const SERVERS = [`${NET}.171.1`, `${NET}.171.2`, `${NET}.171.3`] as const;
const [CLIENT, STRANGER] = [`${NET}.171.11`, `${NET}.171.12`];
const lab = new Lab();
const servers = new Map<string, Agent>();
let ca: TestCa;
let client: Agent;
afterAll(() => lab[Symbol.asyncDispose]());

async function startServer(ip: string): Promise<void> {
  const server = {
    ...{ bootstrap_expect: 3, retry_join: SERVERS, retry_interval: "1s" },
    ...{ min_heartbeat_ttl: "1s", heartbeat_grace: "2s", failover_heartbeat_ttl: "15s" },
    client_introduction: { enforcement: "strict" },
  };
  const name = `s${ip.split(".")[3]}`;
  servers.set(ip, await lab.agent({ name, ip, server, tls: await serverTls(ca) }));
}

async function startClient(name: string, ip: string, token?: string): Promise<Agent> {
  const by = token === undefined ? [] : ["env", `NOMAD_CLIENT_INTRO_TOKEN=${token}`];
  const extra = { client: { enabled: true, servers: SERVERS } };
  const server = { enabled: false };
  return lab.agent({ name, ip, by, server, tls: await clientTls(ca), extra });
}

const ask = (ip: string, ...args: string[]): Promise<Ran> =>
  run([...args, `-address=http://${ip}:4646`]);
const clientFile = (name: string, data = "c11"): string =>
  join(lab.directory, `data-${data}`, "client", name);
const identity = (): string => readFileSync(clientFile("identity.jwt"), "utf8");
const signer = (): string => readToken(identity())?.keyId ?? "";
const leaderOf = async (ip: string): Promise<string> =>
  (await getJson(ip, "/v1/status/leader")).split(":")[0];
/** Any server that lives. */
const alive = (): string => [...servers.keys()][0] ?? "";

async function introduce(...flags: string[]): Promise<string> {
  const { code, out, err } = await ask(alive(), "node", "intro", "create", ...flags);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toStartWith("Successfully generated client introduction token:\n\n");
  return out.trim().split("\n").at(-1) ?? "";
}

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  await Promise.all([clientTls(ca), serverTls(ca)]);
  for (const ip of SERVERS) await startServer(ip);
  await until("there is a key", async () => {
    return (await getJson(SERVERS[0], "/v1/status")).identities.signing_key !== "";
  });
}, 60_000);

test("nobody comes without an introduction, and both sides say so", async () => {
  const stranger = await startClient("c12", STRANGER);
  await until("a server says so", () =>
    [...servers.values()].some((one) =>
      /nomad\.client: node registration without introduction token: .*strict.*c12/.test(one.log),
    ),
  );
  await until("its agent says so", () => stranger.log.includes("Permission denied"));
  await stranger.stop();
  expect(await getJson(SERVERS[0], "/v1/nodes")).toEqual([]);
});

test("whoever has one is let in, has an identity, and is known by it", async () => {
  client = await startClient("c11", CLIENT, await introduce("-node-name=c11", "-ttl=1m"));
  await until("it is ready", async () => {
    return (await getJson(SERVERS[0], "/v1/nodes"))[0]?.Status === "ready";
  });
  expect(statSync(clientFile("identity.jwt")).mode & 0o777).toBe(0o600);
  const id = readFileSync(clientFile("client-id"), "utf8");
  const shown = await ask(SERVERS[1], "node", "identity", "get", id.slice(0, 8));
  expect(shown.out).toContain("Claim Key              Claim Value");
  expect(shown.out).toMatch(new RegExp(`^sub +node:global:default:${id}:default$`, "m"));
  expect(shown.out).toMatch(/^exp +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m);
  const { client: own } = await getJson(CLIENT, "/v1/status");
  expect(Date.parse(own.identity_until)).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  const node = await getJson(SERVERS[2], `/v1/node/${id}`);
  expect(node.IdentitySigningKeyID).toBe(signer());
  for (const log of [client.log, ...[...servers.values()].map((one) => one.log)]) {
    expect(log).not.toContain(identity());
  }
  const { identities } = await getJson(SERVERS[0], "/v1/status");
  expect(identities).toMatchObject({ nodes_with_identity: 1, client_introduction: "strict" });
});

test("anybody can check it, by the keys that every agent publishes", async () => {
  for (const ip of [SERVERS[2], CLIENT]) {
    const response = await fetch(`http://${ip}:4646/.well-known/jwks.json`);
    expect(Number(response.headers.get("x-nomad-index"))).toBeGreaterThan(1);
    expect(response.headers.get("cache-control")).toMatch(/^max-age=\d+$/);
    const { keys }: Json = await response.json();
    const jwk = keys.find((one: Json) => one.kid === signer());
    const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", true, ["verify"]);
    const { signed = new Uint8Array(0), signature = signed } = readToken(identity()) ?? {};
    const parts = [new Uint8Array(signature), new Uint8Array(signed)] as const;
    expect(await crypto.subtle.verify("Ed25519", key, ...parts)).toBe(true);
  }
  const none = await fetch(`http://${SERVERS[0]}:4646/.well-known/openid-configuration`);
  expect(none.status).toBe(404);
});

test("every server can sign, and only servers are told by which key", async () => {
  for (const ip of SERVERS) {
    await until(`${ip} can sign`, async () => {
      return (await getJson(ip, "/v1/status")).identities.this_server_signs;
    });
    const folder = join(lab.directory, `data-s${ip.split(".")[3]}`, "server", "keystore");
    const files = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777);
    expect(files).toEqual([0o600]);
  }
  const body = encodeSealingKeyRequest("global", signer());
  const address = { ip: Uint8Array.from(SERVERS[0].split("."), Number), port: 4647 };
  const call = (pool: ReturnType<typeof clientPool>): Promise<Uint8Array> =>
    pool.call({ address, region: "global" }, GROUP_SEALING_KEY, body, 5000, false);
  await expect(call(clientPool(ca))).rejects.toThrow("Permission denied");
  expect((await call(serverPool(ca))).length).toBeGreaterThan(32);
});

test("what signs is in no log, database or snapshot in the clear", async () => {
  const file = join(lab.directory, "state.snap");
  expect((await ask(SERVERS[0], "operator", "snapshot", "save", file)).code).toBe(0);
  const { state } = await unpackArchive(readFileSync(file));
  const machine = new StateMachine();
  expect(machine.restore(state, 1)).toBe(true);
  const id = signer();
  const folder = join(lab.directory, "data-s1", "server");
  const text = readFileSync(join(folder, "keystore", `${id}.sealing-key`), "utf8");
  const sealingKey = Uint8Array.fromBase64(text.trim());
  const sealed = machine.signingKeys.get(id)?.Sealed ?? new Uint8Array(0);
  const secret = openSecret(sealingKey, sealed, `nomad signing key global ${id}`);
  expect(secret?.length).toBe(32);
  const raft = readdirSync(join(folder, "raft")).map((name) => join(folder, "raft", name));
  const logs = [...SERVERS.map((ip) => lab.log(`s${ip.split(".")[3]}`))].map(Buffer.from);
  const places = [Buffer.from(state), ...raft.map((path) => readFileSync(path)), ...logs];
  // It is looked for where it is: the sealed one is in the database.
  expect(places.some((bytes) => bytes.includes(sealed))).toBe(true);
  for (const key of [secret ?? sealingKey, sealingKey]) {
    for (const form of [key, key.toBase64(), key.toHex(), Buffer.from(key).toString("base64url")]) {
      expect(places.some((bytes) => bytes.includes(form))).toBe(false);
    }
  }
});

test("another key signs when an operator says so, and the node has one of its signatures", async () => {
  const before = signer();
  const rotated = await ask(
    SERVERS[1],
    "operator",
    "root",
    "keyring",
    "rotate",
    "-now",
    "-verbose",
  );
  expect(rotated.out).toMatch(/^Key +State +Create Time +Publish Time\n[0-9a-f-]{36} +active/);
  const fresh = rotated.out.split("\n")[1]?.slice(0, 36) ?? "";
  await until("the node has a new identity", () => signer() === fresh);
  const { out } = await ask(SERVERS[0], "operator", "root", "keyring", "list");
  expect(out).toMatch(new RegExp(`^${before.slice(0, 8)} +inactive`, "m"));
  expect(out).toMatch(new RegExp(`^${fresh.slice(0, 8)} +active`, "m"));
  const { keys } = await getJson(SERVERS[2], "/.well-known/jwks.json");
  expect(keys.map((one: Json) => one.kid).sort()).toEqual([before, fresh].sort());
  const none = await ask(SERVERS[0], "operator", "root", "keyring", "rotate");
  expect([none.code, none.err]).toEqual([1, "One of -now or -prepublish must be used\n"]);
  const kept = await ask(SERVERS[0], "operator", "root", "keyring", "remove", fresh);
  expect(kept.err).toContain("active root key cannot be deleted - call rotate first");
  for (const ip of SERVERS) {
    await until(`${ip} can sign`, async () => {
      const { identities } = await getJson(ip, "/v1/status");
      return identities.this_server_signs && identities.signing_key === fresh;
    });
  }
});

test("a new leader signs by the same key, and no identity is lost", async () => {
  const [before, key] = [identity(), signer()];
  const leader = await leaderOf(alive());
  servers.get(leader)?.kill("SIGKILL");
  servers.delete(leader);
  await until("somebody else leads", async () => {
    const next = await leaderOf(alive());
    return next !== "" && next !== leader;
  });
  const since = Date.now();
  await until("the node is heard", async () => {
    const { state, last_heartbeat } = (await getJson(CLIENT, "/v1/status")).client;
    return state === "ready" && Date.parse(last_heartbeat) > since;
  });
  expect(identity()).toBe(before);
  const id = readFileSync(clientFile("client-id"), "utf8");
  const renewed = await ask(alive(), "node", "identity", "renew", id);
  expect([renewed.code, renewed.out, renewed.err]).toEqual([0, "", ""]);
  await until("it has another identity", () => identity() !== before);
  expect(signer()).toBe(key);
  // Whoever is at its machine may have it renewed there, too.
  const second = identity();
  expect((await ask(CLIENT, "node", "identity", "renew", id)).code).toBe(0);
  await until("it has one more", () => identity() !== second);
  expect(client.log).not.toContain("register again");
}, 30_000);

test("a server that comes back without what opens the key hears it from the others", async () => {
  const ip = SERVERS.find((one) => !servers.has(one)) ?? "";
  const keystore = join(lab.directory, `data-s${ip.split(".")[3]}`, "server", "keystore");
  rmSync(keystore, { recursive: true });
  await startServer(ip);
  await until("it can sign", async () => {
    const { identities } = await getJson(ip, "/v1/status");
    return identities.signing_key === signer() && identities.this_server_signs;
  });
  expect(readdirSync(keystore)).toEqual([`${signer()}.sealing-key`]);
}, 30_000);

test("a client with an identity of elsewhere is back within a heartbeat, by its secret", async () => {
  client.kill("SIGKILL");
  await client.exited;
  const [header = "", claims = ""] = identity().split(".");
  const foreign = `${header}.${claims}.${"A".repeat(86)}`;
  writeFileSync(clientFile("identity.jwt"), foreign);
  const at = Date.now();
  client = await startClient("c11", CLIENT);
  await until("it is ready", async () => {
    return (await getJson(CLIENT, "/v1/status")).client.state === "ready";
  });
  expect(Date.now() - at).toBeLessThan(5000);
  expect(identity()).not.toBe(foreign);
  expect(readToken(identity())?.keyId).toBe(signer());
});
