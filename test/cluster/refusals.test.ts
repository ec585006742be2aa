/** Strangers are turned away, and both sides are told why and what to do. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, membersSeenBy, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";

const KEY = Buffer.alloc(16, 1).toString("base64");
const OTHER_KEY = Buffer.alloc(32, 2).toString("base64");
const FIRST = `${NET}.30.1`;

const lab = new Lab();
let ca: TestCa;
let otherCa: TestCa;
let first: Agent;

beforeAll(async () => {
  [ca, otherCa] = await Promise.all([
    makeCa(lab.directory, "ca"),
    makeCa(lab.directory, "other-ca"),
  ]);
  const tls = await serverTls(ca);
  first = await lab.agent({ name: "first", ip: FIRST, encrypt: KEY, tls });
  await lab.agent({ name: "second", ip: `${NET}.30.2`, encrypt: KEY, tls, join: [FIRST] });
  await until("two members", async () => Object.keys(await membersSeenBy(FIRST)).length === 2);
});

afterAll(() => lab[Symbol.asyncDispose]());

const report = (ip: string): Promise<Json> => getJson(ip, "/v1/status");

async function ownKey(ip: string): Promise<string> {
  return (await report(ip)).gossip.keys[0].fingerprint;
}

describe("gossip", () => {
  test("an agent with another key is refused, by key fingerprint on both sides", async () => {
    const ip = `${NET}.30.3`;
    const tls = await serverTls(ca);
    const fourth = await lab.agent({ name: "badkey", ip, encrypt: OTHER_KEY, tls, join: [FIRST] });
    const joining = await until("the join fails", async () => {
      const found = await report(ip);
      return found.gossip.join.state === "failing" ? found : undefined;
    });
    const [error] = joining.gossip.join.last_errors;
    expect(error).toContain("no installed keys could decrypt the message");
    expect(error).toContain(await ownKey(ip));
    expect(error).toContain("server.encrypt");
    expect(joining.gossip.streams.refused["no-key-opens"]).toBeGreaterThan(0);
    expect(fourth.log).toContain("join failed");

    const cluster = await report(FIRST);
    expect(cluster.gossip.streams.refused["no-key-opens"]).toBeGreaterThan(0);
    expect(first.log).toContain("no installed keys could decrypt the message");
    expect(first.log).toContain(`our_keys=[${await ownKey(FIRST)}]`);
    expect(await membersSeenBy(FIRST)).not.toHaveProperty("badkey.global");
    expect(await membersSeenBy(ip)).toEqual({ "badkey.global": "alive" });
    for (const log of [first.log, fourth.log]) {
      expect(log).not.toContain(KEY);
      expect(log).not.toContain(OTHER_KEY);
    }
  });

  test("an agent without a key is refused, and told to set one", async () => {
    const ip = `${NET}.30.4`;
    const tls = await serverTls(ca);
    await lab.agent({ name: "nokey", ip, tls, join: [FIRST] });
    const joining = await until("the join fails", async () => {
      const found = await report(ip);
      return found.gossip.join.state === "failing" ? found : undefined;
    });
    expect(joining.encrypted).toBe(false);
    expect(joining.in_clear.map((one: Json) => one.what)).toContain("gossip");
    const [error] = joining.gossip.join.last_errors;
    expect(error).toContain("remote state is encrypted and encryption is not configured");
    expect(error).toContain("set server.encrypt");
    expect(joining.gossip.streams.refused["unexpected-encryption"]).toBeGreaterThan(0);

    const cluster = await report(FIRST);
    expect(cluster.gossip.streams.refused["plaintext"]).toBeGreaterThan(0);
    expect(first.log).toContain("encryption is configured but remote state is not encrypted");
    expect(await membersSeenBy(FIRST)).not.toHaveProperty("nokey.global");
  });
});

describe("RPC", () => {
  async function rpcVerdicts(name: string, ip: string): Promise<{ there: Json; here: Json }> {
    const peer = (found: Json, wanted: string): Json =>
      found.rpc.peers.find((one: Json) => one.name === wanted);
    return until("both have tried", async () => {
      const [there, here] = await Promise.all([report(ip), report(FIRST)]);
      const tried = peer(there, "first.global") !== undefined;
      const looked = peer(here, `${name}.global`) !== undefined;
      if (!tried || !looked) return undefined;
      return {
        there: { ...there.rpc, peer: peer(there, "first.global") },
        here: { ...here.rpc, peer: peer(here, `${name}.global`) },
      };
    });
  }

  test("a certificate of another CA is refused on both sides, each naming the authorities", async () => {
    const ip = `${NET}.30.5`;
    const tls = await serverTls(otherCa);
    const fourth = await lab.agent({ name: "otherca", ip, encrypt: KEY, tls, join: [FIRST] });
    const { there, here } = await rpcVerdicts("otherca", ip);
    expect(there.peer).toMatchObject({ ok: false, encrypted: false, reason: "unknown-authority" });
    expect(here.peer).toMatchObject({ ok: false, encrypted: false, reason: "unknown-authority" });
    expect(there.tls.handshakes.outbound.refused["unknown-authority"]).toBeGreaterThan(0);
    expect(here.tls.handshakes.outbound.refused["unknown-authority"]).toBeGreaterThan(0);
    // Whoever dials notices first: the accepting side only sees that it was turned down.
    expect(there.tls.handshakes.inbound.refused["refused-by-peer"]).toBeGreaterThan(0);
    expect(here.tls.handshakes.inbound.refused["refused-by-peer"]).toBeGreaterThan(0);
    expect(there.tls.handshakes.inbound.accepted).toBe(0);
    for (const agent of [first, fourth]) {
      expect(agent.log).toContain("x509: certificate signed by unknown authority");
      expect(agent.log).toContain("cannot reach the RPC port of a server");
      expect(agent.log).toContain("our_ca=");
    }
  });

  test("server.other.nomad is no server of this region", async () => {
    const ip = `${NET}.30.6`;
    // Its own check at start would refuse this, so it is told not to look.
    const tls = await serverTls(ca, "other", { verify_server_hostname: false });
    const fourth = await lab.agent({ name: "othername", ip, encrypt: KEY, tls, join: [FIRST] });
    const { there, here } = await rpcVerdicts("othername", ip);
    expect(here.peer).toMatchObject({ ok: false, reason: "wrong-name" });
    expect(here.peer.error).toContain("server.other.nomad");
    expect(here.peer.error).toContain("not server.global.nomad");
    expect(here.tls.handshakes.outbound.refused["wrong-name"]).toBeGreaterThan(0);
    expect(there.tls.handshakes.inbound.refused["refused-by-peer"]).toBeGreaterThan(0);
    expect(first.log).toContain("certificate is valid for server.other.nomad");
    expect(fourth.log).toContain("the name server.global.nomad");
  });

  test("a plain connection is refused", async () => {
    const before = (await report(FIRST)).rpc.refused["plaintext"] ?? 0;
    const closed = await new Promise<boolean>((resolve) => {
      Bun.connect({
        hostname: FIRST,
        port: 4647,
        socket: {
          open: (socket) => void socket.write(Uint8Array.of(1)),
          data: () => resolve(false),
          close: () => resolve(true),
        },
      });
    });
    expect(closed).toBe(true);
    expect((await report(FIRST)).rpc.refused["plaintext"]).toBe(before + 1);
    expect(first.log).toContain("non-TLS connection attempted with RequireTLS set");
  });
});
