/** ACLs of a compiled server with TLS: who may what, over HTTP and RPC; and the acl commands. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";
import {
  BODIES,
  ENDPOINTS,
  KINDS,
  type Kind,
  METHODS,
  mayBe,
  QUERIES,
  RULES,
  TWINS,
} from "../acl-expectations.ts";
import { ipOf, NET } from "../addresses.ts";
import { type Json, Lab, run, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { serverPool } from "./rpc-pool.ts";

const SERVER = `${NET}.160.1`;
const ADDRESS = { address: { ip: ipOf("160.1"), port: 4647 }, region: "global" };
const lab = new Lab();
let ca: TestCa;
let pool: RpcPool;
/** Secrets by kind. */
const tokens = new Map<Kind, string>();

/** The command line, with a token. */
async function nomad(token: string, ...args: string[]): Promise<{ out: string; err: string }> {
  const env = {
    NOMAD_ADDR: `https://${SERVER}:4646`,
    NOMAD_CACERT: ca.caFile,
    NOMAD_TLS_SERVER_NAME: "localhost",
    NOMAD_TOKEN: token,
  };
  const { code, out, err } = await run(args, { env, cwd: lab.directory });
  if (code !== 0) throw new Error(`${args.join(" ")}: ${err}`);
  return { out, err };
}

const json = async (token: string, ...args: string[]): Promise<Json> =>
  JSON.parse((await nomad(token, ...args, "-json")).out);

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca, "global", { http: true });
  const acl = { enabled: true, token_min_expiration_ttl: "1s" };
  const settings = { server: { bootstrap_expect: 1 }, extra: { acl } };
  await lab.agent({ name: "s1", ip: SERVER, tls, ...settings });
  pool = serverPool(ca);
  const { SecretID } = await until("a bootstrap", () => json("", "acl", "bootstrap"));
  tokens.set("management", SecretID);
  tokens.set("none", "");
  tokens.set("wrong", UNKNOWN);
  for (const [kind, rules] of Object.entries(RULES)) {
    const name = kind.replace(":", "-").replace("_", "-");
    await Bun.write(lab.path(`${name}.hcl`), rules);
    await nomad(SecretID, "acl", "policy", "apply", name, `${name}.hcl`);
    const made = await json(SecretID, "acl", "token", "create", `-policy=${name}`);
    const known = KINDS.find((one) => one === kind);
    if (known !== undefined) tokens.set(known, made.SecretID);
  }
  const short = await json(SecretID, "acl", "token", "create", "-type=management", "-ttl=1s");
  tokens.set("expired", short.SecretID);
  await until("its end", () => Date.parse(short.ExpirationTime) < Date.now());
}, 60_000);

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

const UNKNOWN = "99999999-9999-4999-8999-999999999999";
const DENIED = /Permission denied|ACL token (not found|expired)/;

test("over RPC every method takes the tokens that Nomad takes, and no other", async () => {
  const wrong: string[] = [];
  for (const [name, demand] of Object.entries(METHODS)) {
    for (const kind of KINDS) {
      const body = encodeQueryOptions({ AuthToken: tokens.get(kind) ?? "", Region: "global" });
      const text = await pool.call(ADDRESS, name, body, 10_000, false).then(
        () => "",
        (error: Error) => error.message,
      );
      const isLet = !DENIED.test(text);
      if (isLet !== mayBe(kind, demand)) wrong.push(`${name} by ${kind}: ${text || "taken"}`);
    }
  }
  expect(wrong).toEqual([]);
}, 60_000);

/** @returns the status; what streams is not waited for */
async function statusOf(endpoint: string, kind: Kind, as?: string): Promise<number> {
  const [declared = "", path = ""] = endpoint.split(" ");
  const method = as ?? declared;
  const named = path.replace(":id", UNKNOWN).replace(":name", "walked").replace("*", "walked");
  const stop = new AbortController();
  const response = await fetch(`https://${SERVER}:4646${named}${QUERIES[endpoint] ?? ""}`, {
    method,
    headers: kind === "none" ? {} : { "X-Nomad-Token": tokens.get(kind) ?? "" },
    ...(method === "GET" ? {} : { body: BODIES[endpoint] ?? "no JSON" }),
    signal: stop.signal,
    tls: { ca: readFileSync(ca.caFile, "utf8"), checkServerIdentity: () => undefined },
  });
  stop.abort();
  return response.status;
}

function twinsOf(endpoint: string): readonly string[] {
  const others = TWINS[endpoint] ?? [];
  return endpoint.startsWith("PUT ") ? ["POST", ...others] : others;
}

test("over HTTP every endpoint takes the tokens that Nomad takes, and no other", async () => {
  const wrong: string[] = [];
  for (const [endpoint, demand] of Object.entries(ENDPOINTS)) {
    for (const kind of KINDS) {
      const status = await statusOf(endpoint, kind);
      if ((status !== 403) !== mayBe(kind, demand)) wrong.push(`${endpoint} by ${kind}: ${status}`);
    }
    for (const method of twinsOf(endpoint)) {
      const status = await statusOf(endpoint, "wrong", method);
      // A path may not have it at all.
      const isLet = ![403, 404, 405].includes(status);
      if (isLet !== (demand === "everybody")) wrong.push(`${endpoint} as ${method}: ${status}`);
    }
  }
  expect(wrong).toEqual([]);
}, 60_000);

describe("the command line", () => {
  const management = (): string => tokens.get("management") ?? "";

  test("says in Nomad's words what is refused, and never shows a token", async () => {
    const env = { NOMAD_ADDR: `https://${SERVER}:4646`, NOMAD_CACERT: ca.caFile };
    const tried = { ...env, NOMAD_TLS_SERVER_NAME: "localhost", NOMAD_TOKEN: UNKNOWN };
    const denied = await run(["node", "status"], { env: tried });
    expect(denied.code).toBe(1);
    expect(denied.err).toContain("Unexpected response code: 403 (Permission denied)");
    expect(denied.err).not.toContain(UNKNOWN);
    const self = await run(["acl", "token", "self"], { env: { ...tried, NOMAD_TOKEN: "" } });
    expect(self.err).toBe("No token present in the environment or set via the CLI flag\n");
    const again = await run(["acl", "bootstrap"], { env: tried });
    expect(again.err).toMatch(/^Error bootstrapping: .*400 \(ACL bootstrap already done \(reset/);
    expect(lab.log("s1")).not.toContain(management());
    expect(lab.log("s1")).not.toContain(tokens.get("node:read") ?? "?");
  });

  test("a token from its making to its end", async () => {
    const made = await nomad(
      management(),
      "acl",
      "token",
      "create",
      "-name=t",
      "-policy=node-read",
    );
    const shown = Object.fromEntries(made.out.split("\n").map((line) => line.split(/ +=? /)));
    expect(shown).toMatchObject({
      Name: "t",
      Type: "client",
      Global: "false",
      Policies: "[node-read]",
    });
    const id = /Accessor ID += (\S+)/.exec(made.out)?.[1] ?? "";
    const secret = /Secret ID += (\S+)/.exec(made.out)?.[1] ?? "";
    expect((await nomad(secret, "acl", "token", "self")).out).toContain(id);
    expect((await nomad(secret, "acl", "policy", "self")).out).toContain(
      "node-read  <unavailable>",
    );
    const changed = await nomad(management(), "acl", "token", "update", "-name=u", id);
    expect(changed.out).toMatch(/Name +=/);
    const list = await nomad(management(), "acl", "token", "list");
    expect(list.out).toMatch(/^Name +Type +Global +Accessor ID +Expired\n/);
    expect(list.out).toContain(id);
    expect(list.out).not.toContain(secret);
    expect(list.out).toMatch(/ true\n|true$/);
    const deleted = await nomad(management(), "acl", "token", "delete", id);
    expect(deleted.out).toBe(`Token ${id} successfully deleted\n`);
    expect(nomad(secret, "node", "status")).rejects.toThrow("403 (Permission denied)");
    const mine = await nomad(management(), "acl", "policy", "self");
    expect(mine.out).toContain("This is a management token.");
  }, 30_000);

  test("policies and roles", async () => {
    const text = (await nomad(management(), "acl", "policy", "info", "node-read")).out;
    expect(text).toMatch(/^Name +=? node-read\n/);
    expect(text).toContain('\nRules\n\nnode { policy = "read" }');
    await Bun.write(lab.path("bad.hcl"), 'namespace "x" { policy = "rea" }');
    expect(nomad(management(), "acl", "policy", "apply", "bad", "bad.hcl")).rejects.toThrow(
      "400 (policy 0 invalid: 1 error occurred:",
    );
    const role = await json(management(), "acl", "role", "create", "-name=r", "-policy=node-read");
    const token = await json(management(), "acl", "token", "create", "-role-name=r");
    expect((await nomad(token.SecretID, "node", "status")).out).toContain("No nodes");
    await nomad(management(), "acl", "role", "update", "-policy=agent-read", role.ID);
    expect((await nomad(token.SecretID, "agent-info")).out).toContain("server = true");
    const info = (await nomad(management(), "acl", "role", "info", "-by-name", "r")).out;
    expect(info).toMatch(/Policies +=? agent-read,node-read\n/);
    await nomad(management(), "acl", "role", "delete", role.ID);
    expect(nomad(token.SecretID, "node", "status")).rejects.toThrow("403 (Permission denied)");
    const gone = await nomad(management(), "acl", "policy", "delete", "agent-read");
    expect(gone.out).toBe("Successfully deleted agent-read policy!\n");
    const list = (await nomad(management(), "acl", "policy", "list")).out;
    expect(list).not.toContain("agent-read");
    await nomad(management(), "acl", "policy", "apply", "agent-read", "agent-read.hcl");
  }, 30_000);

  test("events by what a token may see, until it may no more; no secret is among them", async () => {
    const made = await json(management(), "acl", "token", "create", "-policy=node-read");
    const stop = new AbortController();
    const follow = async (token: string, topics: string) => {
      const response = await fetch(`https://${SERVER}:4646/v1/event/stream?${topics}`, {
        headers: { "X-Nomad-Token": token },
        signal: stop.signal,
        tls: { ca: readFileSync(ca.caFile, "utf8"), checkServerIdentity: () => undefined },
      });
      const heard = { status: response.status, text: "" };
      const read = async (): Promise<void> => {
        for await (const chunk of response.body ?? []) heard.text += Buffer.from(chunk);
      };
      return Object.assign(heard, { end: read().catch(() => undefined) });
    };
    for (const topics of ["topic=NodePool", "topic=Node&topic=ACLToken", ""]) {
      expect((await follow(made.SecretID, topics)).status).toBe(403);
    }
    const nodes = await follow(made.SecretID, "topic=Node");
    const all = await follow(management(), "topic=ACLToken&topic=ACLPolicy");
    await nomad(management(), "acl", "token", "delete", made.AccessorID);
    await nodes.end;
    expect(nodes.text).toBe("{}\nsubscription closed by server, client should resubscribe\n");
    const deleted = `"Type":"ACLTokenDeleted","Key":"${made.AccessorID}"`;
    await until("its end as an event", () => all.text.includes(deleted));
    expect(all.text).toContain('"Type":"ACLPolicyUpserted","Key":"node-read"');
    for (const secret of [made.SecretID, ...tokens.values()]) {
      if (secret !== "") expect(all.text).not.toContain(secret);
    }
    stop.abort();
    await all.end;
  }, 30_000);

  test("whoever lost the token writes a file, and bootstraps again, once", async () => {
    const env = { NOMAD_ADDR: `https://${SERVER}:4646`, NOMAD_CACERT: ca.caFile };
    const all = { ...env, NOMAD_TLS_SERVER_NAME: "localhost" };
    const index = /reset index: (\d+)/.exec(
      (await run(["acl", "bootstrap"], { env: all })).err,
    )?.[1];
    await Bun.write(lab.path("data-s1/server/acl-bootstrap-reset"), `${index}\n`);
    const { code, out } = await run(["acl", "bootstrap", "-json"], { env: all });
    expect(code).toBe(0);
    const { SecretID } = JSON.parse(out);
    expect((await nomad(SecretID, "acl", "token", "list")).out).toContain("Bootstrap Token");
    const again = await run(["acl", "bootstrap"], { env: all });
    expect(again.err).toContain("Invalid bootstrap reset index");
    expect(lab.log("s1")).not.toContain(SecretID);
  });
});

test("a client agent asks its servers, and its node lives by its own secret", async () => {
  const ip = `${NET}.160.2`;
  const tls = await clientTls(ca, "global", { http: true });
  const extra = { acl: { enabled: true }, client: { enabled: true, servers: [SERVER] } };
  await lab.agent({ name: "c1", ip, tls, server: { enabled: false }, extra });
  const of = (kind: Kind): string => tokens.get(kind) ?? "";
  await until("a node that is ready", async () =>
    (await nomad(of("node:read"), "node", "status")).out.includes("ready"),
  );
  const ask = async (method: string, path: string, token: string): Promise<number> => {
    const response = await fetch(`https://${ip}:4646${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}` },
      tls: { ca: readFileSync(ca.caFile, "utf8"), checkServerIdentity: () => undefined },
    });
    return response.status;
  };
  for (const [method, path, kind, status] of [
    ["GET", "/v1/agent/self", "agent:read", 200],
    ["GET", "/v1/agent/self", "node:read", 403],
    ["GET", "/v1/agent/self", "wrong", 403],
    ["GET", "/v1/agent/members", "node:read", 200],
    ["GET", "/v1/agent/members", "none", 403],
    ["GET", "/v1/nodes", "node:read", 200],
    ["GET", "/v1/nodes", "agent:write", 403],
    ["GET", "/v1/client/metadata", "node:read", 200],
    ["PUT", "/v1/client/metadata", "node:read", 403],
    ["GET", "/v1/agent/health", "none", 200],
  ] as const) {
    expect([method, path, kind, await ask(method, path, of(kind))]).toEqual([
      ...[method, path, kind, status],
    ]);
  }
}, 60_000);

test("a client agent without an acl block passes tokens on: its servers judge them", async () => {
  const ip = `${NET}.160.8`;
  const tls = await clientTls(ca, "global", { http: false });
  const extra = { client: { enabled: true, servers: [SERVER] } };
  const agent = await lab.agent({ name: "plain", ip, tls, server: { enabled: false }, extra });
  const status = async (token: string): Promise<number> => {
    const headers = { "X-Nomad-Token": token };
    return (await fetch(`http://${ip}:4646/v1/nodes`, { headers })).status;
  };
  const management = tokens.get("management") ?? "";
  await until("it reaches its servers", async () => (await status(management)) === 200);
  expect(await status("")).toBe(403);
  expect(await status(UNKNOWN)).toBe(403);
  await agent.stop();
});

test("a second region gets what is global, and judges what is its own", async () => {
  const ip = `${NET}.160.3`;
  const tls = await serverTls(ca, "eu", { http: true });
  const acl = { enabled: true, replication_token: tokens.get("management") };
  await lab.agent({
    ...{ name: "e1", ip, region: "eu", tls, join: [SERVER], extra: { acl } },
    server: { bootstrap_expect: 1, authoritative_region: "global" },
  });
  const local = tokens.get("node:read") ?? "";
  const management = tokens.get("management") ?? "";
  const made = ["acl", "token", "create", "-global", "-policy=node-read"];
  const { SecretID } = await json(management, ...made);
  const asked = async (token: string, address: string, region: string): Promise<number> => {
    const response = await fetch(`https://${address}:4646/v1/nodes?region=${region}`, {
      headers: { "X-Nomad-Token": token },
      tls: { ca: readFileSync(ca.caFile, "utf8"), checkServerIdentity: () => undefined },
    });
    return response.status;
  };
  await until("the copy", async () => (await asked(SecretID, ip, "eu")) === 200);
  expect(await asked(SecretID, SERVER, "eu")).toBe(200);
  expect(await asked(local, SERVER, "eu")).toBe(403);
  expect(await asked(local, ip, "global")).toBe(200);
  expect(await asked(local, ip, "eu")).toBe(403);
  expect(await asked(UNKNOWN, SERVER, "eu")).toBe(403);
  // Namespaces, too, are changed there, whoever is asked, and copied.
  const applied = await nomad(management, "namespace", "apply", "-region=eu", "everywhere");
  expect(applied.out).toContain('Successfully applied namespace "everywhere"!');
  await until("the copy of a namespace", async () => {
    return (await nomad(management, "namespace", "list", "-region=eu")).out.includes("everywhere");
  });
  expect((await nomad(management, "namespace", "list")).out).toContain("everywhere");
  expect(lab.log("e1")).not.toContain(management);
}, 60_000);
