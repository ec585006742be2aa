/** Nodes with identities that the servers have signed, and new ones with introductions. */
import { describe, expect, test } from "bun:test";
import { introductionMethods } from "../../../src/service/methods/introduction-method.ts";
import { command, MessageType } from "../../../src/state/command.ts";
import { nodePool, nodePoolUpsertRequest } from "../../../src/state/node-pool.ts";
import { decodeValue, encodeValue, structOf } from "../../../src/wire/codec.ts";
import { readToken } from "../../../src/wire/jwt.ts";
import { introductionReply, introductionRequest } from "../../../src/wire/rpc-keyring.ts";
import { nodeRequest } from "../../../src/wire/rpc-node.ts";
import { type Json, vectors } from "../../vectors.ts";
import { ID, SECRET, Server } from "./node-server.ts";

const HOUR_MS = 3_600_000;
const OTHER = "0a9c2320-4e04-1ded-db86-5b4b28b29265";

const claimsOf = (token: unknown) => readToken(String(token))?.claims ?? {};

async function ready(level?: "none" | "warn" | "strict"): Promise<[Server, string]> {
  const server = new Server(level);
  await server.sign();
  const { SignedIdentity } = await server.register();
  await server.status("ready");
  return [server, SignedIdentity];
}

async function introduce(server: Server, fields: { NodeName?: string; NodePool?: string } = {}) {
  const run = introductionMethods(server.identities.auth).get("ACL.CreateClientIntroductionToken");
  const request = encodeValue(introductionRequest, structOf(introductionRequest, fields));
  const reply = await run?.run(structOf(nodeRequest, {}), request);
  return decodeValue(introductionReply, reply ?? new Uint8Array(0))?.JWT ?? "";
}

describe("a node", () => {
  test("has an identity from its registration on, and is known by it", async () => {
    const [server, token] = await ready();
    expect(claimsOf(token)["nomad_node_id"]).toBe(ID);
    const { active } = server.machine.signingKeys;
    expect(server.node?.IdentitySigningKeyID).toBe(active?.KeyID ?? "");
    const before = server.written.length;
    const reply = await server.status("ready", token);
    expect(reply).toMatchObject({ Index: 0n, SignedIdentity: null });
    expect(server.written.length).toBe(before);
    const asked = structOf(nodeRequest, { NodeID: ID, AuthToken: token });
    await server.call("Node.GetClientAllocs", encodeValue(nodeRequest, asked));
  });

  test("gets another one when two thirds of its life are over, and not before", async () => {
    const [server, token] = await ready();
    await server.clock.advance(16 * HOUR_MS - 1);
    expect((await server.status("ready", token)).SignedIdentity).toBe(null);
    await server.clock.advance(1);
    const { SignedIdentity } = await server.status("ready", token);
    expect(claimsOf(SignedIdentity)["iat"]).toBe(Number(claimsOf(token)["iat"]) + 16 * 3600);
    expect((await server.status("ready", SignedIdentity)).SignedIdentity).toBe(null);
  });

  test("lives in its pool for as long as the pool says", async () => {
    const server = new Server();
    await server.sign();
    const pool = structOf(nodePool, { Name: "short", NodeIdentityTTL: 3_600_000_000_000n });
    const request = structOf(nodePoolUpsertRequest, { NodePools: [pool] });
    const { nodePoolUpsert: type } = MessageType;
    server.machine.apply(9, command(type, nodePoolUpsertRequest, request));
    const { SignedIdentity } = await server.register({ NodePool: "short" });
    const { exp, iat, sub } = claimsOf(SignedIdentity);
    expect([Number(exp) - Number(iat), sub]).toEqual([3600, `node:global:short:${ID}:default`]);
  });

  test("gets another one each time it comes with its secret, or when it asks for one", async () => {
    const [server, token] = await ready();
    expect((await server.status("ready")).SignedIdentity).not.toBe(null);
    expect((await server.status("ready", token, ID, true)).SignedIdentity).not.toBe(null);
    expect((await server.register({}, token)).SignedIdentity).toBe(null);
    const { SignedIdentity } = await server.register({ Datacenter: "dc2" }, token);
    expect(claimsOf(SignedIdentity)["nomad_node_datacenter"]).toBe("dc2");
  });

  test("gets another one when another key signs, which its client does not take for a loss", async () => {
    const [server, token] = await ready();
    const next = await server.sign();
    const before = server.written.length;
    const reply = await server.status("ready", token);
    expect(readToken(reply.SignedIdentity)?.keyId).toBe(next);
    expect(reply.Index).toBe(0n);
    expect(server.node).toMatchObject({ Status: "ready", IdentitySigningKeyID: next });
    expect(server.written.length).toBe(before + 1);
    // The old one counts until it is over.
    await server.status("ready", token);
  });

  test("whose identity is over, forged or another's is told to register, and has one again", async () => {
    const [server, token] = await ready();
    const [header = "", claims = ""] = token.split(".");
    const forged = `${header}.${claims}.${"A".repeat(86)}`;
    await expect(server.status("ready", forged)).rejects.toThrow("node not found");
    const foreign = await new Server().sign().then(async () => {
      const elsewhere = new Server();
      await elsewhere.sign();
      return String((await elsewhere.register()).SignedIdentity);
    });
    await expect(server.status("ready", foreign)).rejects.toThrow("node not found");
    const again = await server.register({}, foreign);
    await server.status("ready", again.SignedIdentity);
    await server.clock.advance(24 * HOUR_MS);
    await expect(server.status("ready", token)).rejects.toThrow("node not found");
    const { SignedIdentity } = await server.register({}, token);
    await server.status("ready", SignedIdentity);
    expect(server.lines.filter((one) => one.includes("does not hold here"))).not.toEqual([]);
    expect(server.lines.join("\n")).not.toContain(token);
  });

  test("does not speak for another one", async () => {
    const [server, token] = await ready();
    await server.register({ ID: OTHER, SecretID: SECRET.replace("c1", "c2") });
    await expect(server.status("ready", token, OTHER)).rejects.toThrow("Permission denied");
    expect(server.identities.auth.isNode(OTHER, token)).toBe(false);
    expect(server.identities.auth.isNode(ID, token)).toBe(true);
    expect(server.identities.auth.isNode(ID, SECRET)).toBe(true);
    const { auth } = server.identities;
    expect([token, SECRET, `${token}x`, ""].map((one) => auth.nodeOf(one))).toEqual([
      ...[ID, undefined, undefined, undefined],
    ]);
  });

  test("is signed nothing by a server without a key, and its secret counts", async () => {
    const server = new Server();
    expect((await server.register()).SignedIdentity).toBe(null);
    expect((await server.status("ready")).SignedIdentity).toBe(null);
  });

  test("puts neither identity nor introduction into the log of Raft", async () => {
    const server = new Server("strict");
    await server.sign();
    const introduction = await introduce(server);
    const { SignedIdentity } = await server.register({}, introduction);
    await server.status("down", SignedIdentity);
    const log = Buffer.concat(server.written).toString("latin1");
    expect(log.includes(introduction) || log.includes(SignedIdentity)).toBe(false);
  });
});

describe("a node that nobody knows", () => {
  const about = (server: Server): string[] =>
    server.lines.filter((one) => one.includes("node registration"));

  test("comes where the level is none, and nobody says a word", async () => {
    const server = new Server("none");
    await server.sign();
    await server.register();
    expect(about(server)).toEqual([]);
    expect(server.identities.uninvited.size).toBe(0);
  });

  test("comes where it is warn, which is logged once and counted", async () => {
    const [server] = await ready("warn");
    await server.register();
    expect(about(server)).toEqual([
      'warn node registration without introduction token {"enforcement_level":"warn",' +
        `"node_id":"${ID}","node_pool":"default","node_name":"c1"}`,
    ]);
    expect([...server.identities.uninvited]).toEqual([["warn: no token", 1]]);
  });

  test("does not come where it is strict, and does with an introduction", async () => {
    const server = new Server("strict");
    await server.sign();
    await expect(server.register()).rejects.toThrow("Permission denied");
    await expect(server.register({}, SECRET)).rejects.toThrow("Permission denied");
    expect(server.written).toEqual([]);
    expect(about(server)[0]).toStartWith("error node registration without introduction token");
    const { SignedIdentity } = await server.register({}, await introduce(server));
    await server.status("ready", SignedIdentity);
    // Whoever is known needs none.
    await server.register();
    expect([...server.identities.uninvited]).toEqual([["strict: no token", 2]]);
  });

  test("that was forgotten meanwhile comes by its identity, and not by one of elsewhere", async () => {
    const [known, token] = await ready("none");
    const server = new Server("strict");
    server.machine.restore(known.machine.snapshot(), 99);
    server.machine.nodes.deregister(100n, [ID]);
    expect(server.node).toBeUndefined();
    await server.register({}, token);
    expect(server.node?.ID).toBe(ID);
    const stranger = new Server("strict");
    await stranger.sign();
    await expect(stranger.register({}, token)).rejects.toThrow("Permission denied");
    const [another] = await ready("none");
    await expect(another.register({ ID: OTHER }, token)).resolves.toBeDefined();
  });

  for (const level of ["none", "warn", "strict"] as const) {
    test(`comes with no introduction that is over, forged or another's: ${level}`, async () => {
      const server = new Server(level);
      await server.sign();
      const named = await introduce(server, { NodeName: "c2" });
      await expect(server.register({}, named)).rejects.toThrow("Permission denied");
      const pooled = await introduce(server, { NodePool: "gpu" });
      await expect(server.register({}, pooled)).rejects.toThrow("Permission denied");
      const good = await introduce(server, { NodeName: "c1", NodePool: "default" });
      const forged = `${good.slice(0, good.lastIndexOf("."))}.${"A".repeat(86)}`;
      await expect(server.register({}, forged)).rejects.toThrow("Permission denied");
      await server.clock.advance(300_000);
      await expect(server.register({}, good)).rejects.toThrow("Permission denied");
      const text = about(server).join("\n");
      expect(text).toContain("node registration introduction claims mismatch");
      expect(text).toContain("node registration introduction authentication failure");
      expect(text).not.toContain(good);
      expect(server.written).toEqual([]);
      await server.register({}, await introduce(server, { NodeName: "c1" }));
      expect(server.node?.Name).toBe("c1");
    });
  }
});

test("a server of Nomad 2.0.5 said the same, with strict introduction", async () => {
  const server = new Server("strict");
  await server.sign();
  const named = await introduce(server, { NodeName: "another" });
  const token = await introduce(server);
  let identity = "";
  const ours: Readonly<Record<string, () => Promise<Json>>> = {
    "strict, no token": () => server.register(),
    "mint intro token": () => introduce(server).then(() => ({})),
    "wrong name": () => server.register({}, named),
    "strict, intro token": () => server.register({}, token),
    "status with identity": () => server.status("ready", identity),
    "status with secret": () => server.status("ready", SECRET),
    "status with management token": () => server.status("ready", crypto.randomUUID()),
    "force renewal": () => server.status("ready", identity, ID, true),
  };
  const cases = vectors("rpc/auth-cases.json").cases.filter((one: Json) => one.case in ours);
  expect(cases).toHaveLength(Object.keys(ours).length);
  for (const { case: name, result } of cases) {
    const said = await ours[name]?.().then(
      ({ SignedIdentity }) => {
        if (SignedIdentity) identity = SignedIdentity;
        return SignedIdentity ? "ok SignedIdentity" : "ok";
      },
      (error: Error) => error.message,
    );
    expect([name, said]).toEqual([name, result]);
  }
});

describe("an introduction", () => {
  test("has Nomad's claims, and lives as the servers are configured", async () => {
    const server = new Server();
    await server.sign();
    const claims = claimsOf(await introduce(server, { NodeName: "c1", NodePool: "gpu" }));
    expect(claims).toMatchObject({
      ...{ aud: "nomadproject.io", nomad_node_name: "c1", nomad_node_pool: "gpu" },
      sub: "node-introduction:global:gpu:c1:default",
    });
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe(300);
    const { auth } = server.identities;
    const any = claimsOf(await auth.introduce("default", "", 60_000));
    expect([Number(any["exp"]) - Number(any["iat"]), any["nomad_node_name"]]).toEqual([
      60,
      undefined,
    ]);
    const long = claimsOf(await auth.introduce("default", "", 86_400_000));
    expect(Number(long["exp"]) - Number(long["iat"])).toBe(1800);
    expect(server.lines.join()).toContain("no longer than max_identity_ttl");
  });

  test("is good for registering only", async () => {
    const server = new Server("strict");
    await server.sign();
    const token = await introduce(server);
    await server.register({}, token);
    await expect(server.status("ready", token)).rejects.toThrow("Permission denied");
    expect(server.identities.auth.isNode(ID, token)).toBe(false);
  });

  test("is not made for what is no pool, nor without a key", async () => {
    const server = new Server();
    await expect(introduce(server)).rejects.toThrow("no key that signs identities");
    await server.sign();
    await expect(introduce(server, { NodePool: "a b" })).rejects.toThrow("invalid name");
    await expect(introduce(server, { NodeName: "x".repeat(256) })).rejects.toThrow("at most 255");
  });
});
