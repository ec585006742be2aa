/** The compiled agent writes down who changes what, over HTTPS and RPC, and no secret with it. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { nodeEligibilityRequest } from "../../src/state/command.ts";
import { encodeValue, structOf } from "../../src/wire/codec.ts";
import { NET } from "../addresses.ts";
import { type Agent, getJson, type Json, Lab, type Ran, run, until } from "./agents.ts";
import { makeCa, serverTls, type TestCa } from "./certificates.ts";
import { serverPool } from "./rpc-pool.ts";

setDefaultTimeout(60_000);

const [ONE, FULL, LAX] = [`${NET}.140.1`, `${NET}.140.2`, `${NET}.140.3`];
const KEY = Buffer.alloc(32, 7).toString("base64");
const NEW = Buffer.alloc(32, 8).toString("base64");
const TOKEN = "0a1b2c3d-5ec4-4e70-8000-0123456789ab";

const lab = new Lab();
let ca: TestCa;
let agent: Agent;
let pool: RpcPool;
let auditPath = "";

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = { ...(await serverTls(ca)), http: true, verify_https_client: true };
  expect((await run(["tls", "cert", "create", "-cli"], { cwd: ca.directory })).code).toBe(0);
  const server = { bootstrap_expect: 1 };
  auditPath = join(lab.path("data-s1"), "audit", "audit.log");
  agent = await lab.agent({
    ...{ name: "s1", ip: ONE ?? "", encrypt: KEY, tls, server },
    extra: { audit: { enabled: true } },
  });
  await until("a leader", async () => (await cli("operator", "raft", "list-peers")).code === 0);
  pool = serverPool(ca);
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

function cli(...args: readonly string[]): Promise<Ran> {
  const env = {
    NOMAD_ADDR: `https://${ONE}:4646`,
    NOMAD_CACERT: ca.caFile,
    NOMAD_CLIENT_CERT: join(ca.directory, "global-cli-nomad.pem"),
    NOMAD_CLIENT_KEY: join(ca.directory, "global-cli-nomad-key.pem"),
    NOMAD_TLS_SERVER_NAME: "server.global.nomad",
    NOMAD_TOKEN: TOKEN,
  };
  return run(args, { cwd: lab.directory, env });
}

const text = (): string => readFileSync(auditPath, "utf8");
const payloads = (): Json[] => {
  const lines = text().trim().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line).payload);
};

test("changes of keys by whom, with their answers, and neither keys nor tokens", async () => {
  expect((await cli("operator", "gossip", "keyring", "install", NEW)).code).toBe(0);
  expect((await cli("operator", "gossip", "keyring", "use", NEW)).code).toBe(0);
  expect((await cli("operator", "gossip", "keyring", "remove", KEY)).code).toBe(0);
  expect((await cli("operator", "gossip", "keyring", "list", "-show-keys")).code).toBe(0);
  expect((await cli("operator", "gossip", "keyring", "install", "bad")).code).toBe(1);
  expect((await cli("operator", "snapshot", "save", "audit.snap")).code).toBe(0);
  expect((await cli("server", "members")).code).toBe(0);
  const all = payloads();
  const done = all.filter(({ stage }) => stage === "OperationComplete");
  const told = done.map(({ request, response }) => {
    return [request.endpoint, response.status_code];
  });
  expect(told).toContainEqual(["/v1/agent/keyring/install", 200]);
  expect(told).toContainEqual(["/v1/agent/keyring/use", 200]);
  expect(told).toContainEqual(["/v1/agent/keyring/remove", 200]);
  expect(told).toContainEqual(["/v1/agent/keyring/list", 200]);
  expect(told).toContainEqual(["/v1/operator/snapshot", 200]);
  expect(told.some(([, status]) => status >= 400)).toBe(true);
  expect(told.flat()).not.toContain("/v1/agent/members");
  const [first] = all;
  expect(first.auth.certificate.names).toEqual(["cli.global.nomad", "localhost"]);
  expect(first.auth.certificate.fingerprint).toMatch(/^[\da-f]{64}$/);
  expect(first.request.request_meta.remote_address).toMatch(/^127\.\d+\.\d+\.\d+:\d+$/);
  for (const secret of [KEY, NEW, TOKEN, "bad"]) expect(text()).not.toContain(`"${secret}`);
  for (const secret of [KEY, NEW, TOKEN]) expect(text()).not.toContain(secret);
  expect(statSync(auditPath).mode & 0o777).toBe(0o600);
});

test("changes over RPC, and whose certificate asked", async () => {
  const address = { ip: Uint8Array.from((ONE ?? "").split(".").map(Number)), port: 4647 };
  const request = structOf(nodeEligibilityRequest, {
    ...{ NodeID: "aa110000-aaaa-4000-8000-000000000001", Eligibility: "ineligible" },
    Region: "global",
  });
  const body = encodeValue(nodeEligibilityRequest, request);
  const before = payloads().length;
  await expect(
    pool.call({ address, region: "global" }, "Node.UpdateEligibility", body, 10_000, false),
  ).rejects.toThrow("node");
  const [received, complete] = payloads().slice(before);
  expect(received.request).toMatchObject({ operation: "RPC", endpoint: "Node.UpdateEligibility" });
  expect(received.auth.certificate.names).toContain("server.global.nomad");
  expect(complete.response.error).toContain("node");
});

test("a file that somebody has moved away is written anew after a SIGHUP", async () => {
  renameSync(auditPath, `${auditPath}.1`);
  agent.kill("SIGHUP");
  await until("a new file", () => existsSync(auditPath));
  expect((await cli("operator", "gossip", "keyring", "list")).code).toBe(0);
  expect(text()).toContain("OperationComplete");
});

test("a full disk: enforced, no change is made; with best-effort it is, and is counted", async () => {
  const audit = (delivery_guarantee: string) => ({
    audit: {
      enabled: true,
      sink: [{ a: [{ type: "file", path: "/dev/full", delivery_guarantee }] }],
    },
  });
  await lab.agent({ name: "full", ip: FULL ?? "", encrypt: KEY, extra: audit("enforced") });
  await lab.agent({ name: "lax", ip: LAX ?? "", encrypt: KEY, extra: audit("best-effort") });
  const keyring = (ip: string | undefined, ...args: string[]): Promise<Ran> =>
    run(["operator", "gossip", "keyring", ...args], { env: { NOMAD_ADDR: `http://${ip}:4646` } });
  for (const ip of [FULL, LAX]) {
    await until("it is up", async () => (await fetch(`http://${ip}:4646/v1/agent/self`)).ok);
  }
  const refused = await keyring(FULL, "install", NEW);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("/dev/full cannot be written: no space left on device");
  const { gossip, warnings } = await getJson(FULL ?? "", "/v1/status");
  expect(gossip.keys).toHaveLength(1);
  expect(warnings.join()).toContain("the audit log /dev/full cannot be written");
  expect((await keyring(LAX, "install", NEW)).code).toBe(0);
  const metrics = await fetch(`http://${LAX}:4646/v1/metrics?format=prometheus`);
  expect(await metrics.text()).toMatch(/nomad_agent_audit_failed\{host="[^"]*"\} [1-9]/);
});
