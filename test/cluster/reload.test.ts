/** A reload that would cut a server off from the others is refused, with their names; nothing changes. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";

setDefaultTimeout(60_000);

const [FIRST, SECOND] = [`${NET}.79.1`, `${NET}.79.2`];
const lab = new Lab();
let ours: TestCa;
let other: TestCa;
let second: Agent;

beforeAll(async () => {
  ours = await makeCa(lab.directory, "ours");
  other = await makeCa(lab.directory, "other");
  for (const ca of [ours, other]) await serverTls(ca);
  place(ours, ours);
  const tls = files({});
  await lab.agent({ name: "a", ip: FIRST, tls });
  second = await lab.agent({ name: "b", ip: SECOND, join: [FIRST], tls: await serverTls(ours) });
  await until("they know each other", async () => {
    const { rpc } = await getJson(FIRST, "/v1/status");
    return rpc.peers.length === 1 && rpc.peers[0].ok;
  });
});

afterAll(() => lab[Symbol.asyncDispose]());

function files(more: Record<string, unknown>): Record<string, unknown> {
  const paths = { ca_file: lab.path("ca.pem"), cert_file: lab.path("cert.pem") };
  return {
    ...{ rpc: true, verify_server_hostname: true, key_file: lab.path("key.pem"), ...paths },
    ...more,
  };
}

/** The first server's files: its certificate, and whom it trusts. */
function place(certificate: TestCa, ...trusted: readonly TestCa[]): void {
  const from = `${certificate.directory}/global-server-nomad`;
  copyFileSync(`${from}.pem`, lab.path("cert.pem"));
  copyFileSync(`${from}-key.pem`, lab.path("key.pem"));
  const bundle = trusted.map(({ caFile }) => readFileSync(caFile, "utf8"));
  writeFileSync(lab.path("ca.pem"), bundle.join(""));
}

async function reload(more: Record<string, unknown> = {}): Promise<{ ok: boolean; text: string }> {
  const file = lab.path("a.json");
  const config = { ...JSON.parse(readFileSync(file, "utf8")), tls: files(more) };
  writeFileSync(file, JSON.stringify(config));
  const answer = await fetch(`http://${FIRST}:4646/v1/agent/reload`, { method: "PUT" });
  return { ok: answer.ok, text: await answer.text() };
}

const tlsNow = async (): Promise<Json> => (await getJson(FIRST, "/v1/status")).rpc.tls;

test("what the others would not take, or we not of them", async () => {
  const before = await tlsNow();
  const refused = async (why: string, more: Record<string, unknown> = {}): Promise<void> => {
    const { ok, text } = await reload(more);
    expect({ ok, text }).toMatchObject({ ok: false, text: expect.stringContaining(why) });
    expect(text).toContain("would cut this server's RPC with 1 of 1 other servers");
    expect(text).toContain(`b.global (${SECOND}:4647): `);
    expect((await tlsNow()).certificate.serial).toBe(before.certificate.serial);
    expect((await tlsNow()).authorities).toEqual(before.authorities);
  };
  place(other, other);
  await refused("certificate signed by unknown authority");
  // Fine by itself, and by those whom we trust; but they do not know the CA.
  place(other, ours, other);
  await refused("the peer closed the connection");
  place(ours, ours);
  await refused("it may require TLS", { rpc: false });
});

test("what would cut a client off from its servers", async () => {
  const ip = `${NET}.79.3`;
  const tls = await clientTls(ours);
  const client = { enabled: true, servers: [FIRST] };
  await lab.agent({ name: "c", ip, tls, server: { enabled: false }, extra: { client } });
  const put = (): Promise<Response> =>
    fetch(`http://${ip}:4646/v1/agent/reload`, { method: "PUT" });
  await until("it is up", async () => (await put()).ok);
  const file = lab.path("c.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...config, tls: await clientTls(other) }));
  const answer = await put();
  expect([answer.status, await answer.text()]).toEqual([
    500,
    expect.stringContaining(`(${FIRST}:4647): x509: certificate signed by unknown`),
  ]);
});

test("what changes nothing for them is taken, and so is all when nobody is there", async () => {
  place(ours, ours, other);
  expect(await reload()).toMatchObject({ ok: true });
  expect((await tlsNow()).authorities).toHaveLength(2);
  await second.stop();
  place(other, other);
  expect(await reload()).toMatchObject({ ok: true });
  expect((await tlsNow()).authorities).toHaveLength(1);
});
