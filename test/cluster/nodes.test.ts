/** Client nodes by the command line and over HTTP, with two servers over TLS: who may change what. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import {
  nodeDrainRequest,
  nodeEligibilityRequest,
  nodeRegisterRequest,
  nodeStatusRequest,
} from "../../src/state/command.ts";
import { drainStrategy, mapBytes, node } from "../../src/state/node.ts";
import { encodeValue, structOf } from "../../src/wire/codec.ts";
import { NET } from "../addresses.ts";
import { getJson, type Json, Lab, run, until } from "./agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "./certificates.ts";
import { loadIdentity, testPool } from "./rpc-pool.ts";

setDefaultTimeout(60_000);

const [FIRST, SECOND] = [`${NET}.91.1`, `${NET}.91.2`] as const;
const IDS = ["aa110000-aaaa-4000-8000-000000000001", "aa220000-aaaa-4000-8000-000000000002"];
const [ONE = "", TWO = ""] = IDS;
const secretOf = (id: string): string => id.replace("aaaa", "5ec4");

const lab = new Lab();
let ca: TestCa;
/** As the machines of the clients: their certificate, and nothing more. */
let pool: RpcPool;

beforeAll(async () => {
  ca = await makeCa(lab.directory, "ca");
  const tls = await serverTls(ca);
  expect((await run(["tls", "cert", "create", "-client"], { cwd: ca.directory })).code).toBe(0);
  const pair = join(ca.directory, "global-client-nomad");
  const identity = loadIdentity(ca.caFile, `${pair}.pem`, `${pair}-key.pem`);
  pool = testPool(() => ({ identity, verifyServerHostname: true, upgradeMode: false }));
  const server = { bootstrap_expect: 2 };
  await lab.agent({ name: "s1", ip: FIRST, tls, join: [SECOND], server });
  await lab.agent({ name: "s2", ip: SECOND, tls, join: [FIRST], server });
  await until("a leader", async () => (await getJson(FIRST, "/v1/status/leader")) !== "");
  for (const [i, id] of IDS.entries()) await register(id, i === 0 ? "default" : "gpu");
});

afterAll(async () => {
  pool?.close();
  await lab[Symbol.asyncDispose]();
});

async function call(method: string, body: Uint8Array): Promise<Uint8Array> {
  const address = { ip: Uint8Array.from(SECOND.split(".").map(Number)), port: 4647 };
  return pool.call({ address, region: "global" }, method, body, 10_000, false);
}

async function register(ID: string, NodePool: string): Promise<void> {
  const Attributes = mapBytes(new Map([["os.name", NodePool === "gpu" ? "debian" : "alpine"]]));
  const named = { ID, SecretID: secretOf(ID), Name: `c-${NodePool}`, Datacenter: "dc1", NodePool };
  const Node = structOf(node, { ...named, Attributes });
  const request = structOf(nodeRegisterRequest, { Node, Region: "global" });
  await call("Node.Register", encodeValue(nodeRegisterRequest, request));
}

const cli = (...args: string[]): ReturnType<typeof run> => {
  return run(args, { cwd: lab.directory, env: { NOMAD_ADDR: `http://${SECOND}:4646` } });
};

test("a drain by the beginning of an id asks first; one by the whole id does not", async () => {
  const asked = await cli("node", "drain", "-enable", "aa11");
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.out).toContain(
    `Are you sure you want to enable drain mode for node "${ONE}"? [y/N]`,
  );
  expect(asked.out).toContain("Canceling drain toggle");
  const done = await cli("node", "drain", "-enable", "-m", "new kernel", "-meta=by=me", ONE);
  expect([done.code, done.err]).toEqual([0, ""]);
  expect(done.out).toContain(`Drain complete for node ${ONE}`);
  const after = await getJson(FIRST, `/v1/node/${ONE}`);
  expect(after).toMatchObject({ DrainStrategy: null, SchedulingEligibility: "ineligible" });
  const Meta = { message: "new kernel", by: "me" };
  expect(after.LastDrain).toMatchObject({ Status: "complete", Meta });
  expect((await cli("node", "status", "-verbose", ONE)).out).toContain("Node drain complete");
  const monitored = await cli("node", "drain", "-monitor", ONE);
  expect(monitored).toMatchObject({ code: 0, out: "No drain strategy set\n" });
});

test("answers by a Go template, of lists and of one", async () => {
  const list = await cli("node", "status", "-t", '{{range .}}{{.Name | printf "%-9s|"}}{{end}}');
  expect(list).toMatchObject({ code: 0, out: "c-default|c-gpu    |\n", err: "" });
  const one = '{{with .Attributes}}{{index . "os.name"}}{{end}} {{.SchedulingEligibility}}';
  expect((await cli("node", "status", "-t", one, ONE)).out).toBe("alpine ineligible\n");
  const pools = await cli("node", "pool", "list", "-t", "{{range .}}{{.Name}} {{end}}");
  expect(pools.out).toBe("all default gpu \n");
  const names = "{{range .}}{{.Name}}={{.Status}} {{end}}";
  expect((await cli("server", "members", "-t", names)).out).toBe(
    "s1.global=alive s2.global=alive \n",
  );
});

test("eligibility, and flags that do not go together", async () => {
  expect(await cli("node", "eligibility", "-enable", "aa11")).toMatchObject({
    code: 0,
    out: `Node "${ONE}" scheduling eligibility set: eligible for scheduling\n`,
  });
  expect((await getJson(FIRST, `/v1/node/${ONE}`)).SchedulingEligibility).toBe("eligible");
  const wrong: [string[], string][] = [
    [["eligibility", ONE], "Either the '-enable' or '-disable' flag must be set"],
    [["eligibility", "-enable"], "Node ID must be specified"],
    [["drain", "-enable", "-force", "-no-deadline", ONE], "-force and -no-deadline are mutually"],
    [["drain", "-disable", "-deadline=1h", ONE], "-disable can't be combined"],
    [["drain", "-enable", "-deadline=soon", ONE], "Failed to parse deadline"],
    [["drain", "-enable", "-deadline=-1h", ONE], "A positive drain duration"],
    [["drain", ONE], "Either the '-enable' or '-disable' flag must be set, unless"],
    [["status", "-t", "{{"], "Error formatting the data: template: :1: unclosed action"],
    [["status", "-t", "{{.}}", "-json"], "Both json and template formatting are not allowed"],
    [["status", "-self"], "Nomad not running in client mode"],
    [["config"], "The '-servers' or '-update-servers' flag(s) must be set"],
  ];
  for (const [words, text] of wrong) {
    const { code, err } = await cli("node", ...words);
    expect([words, code]).toEqual([words, 1]);
    expect(err).toContain(text);
  }
});

test("over HTTP with Nomad's answers, from this machine or with an operator's certificate", async () => {
  const url = (what: string): string => `http://${FIRST}:4646/v1/node/${TWO}/${what}`;
  const put = async (what: string, body: unknown): Promise<[number, Json]> => {
    const response = await fetch(url(what), { method: "PUT", body: JSON.stringify(body) });
    return [response.status, await response.json().catch(() => undefined)];
  };
  const DrainSpec = { Deadline: 60_000_000_000, IgnoreSystemJobs: true };
  const [status, reply] = await put("drain", { drainspec: DrainSpec, Meta: null });
  expect([status, Object.keys(reply)]).toEqual([
    200,
    ["EvalCreateIndex", "EvalIDs", "Index", "NodeModifyIndex"],
  ]);
  expect((await put("drain", { DrainSpec: "now" }))[0]).toBe(400);
  expect((await put("eligibility", { Eligibility: "no" }))[0]).toBe(500);
  expect((await put("evaluate", {}))[0]).toBe(200);
  expect(await (await fetch(url("allocations"))).json()).toEqual([]);
  expect((await fetch(url("drain"))).status).toBe(405);
  const headers = { "X-Forwarded-For": "10.0.0.1" };
  const strange = await fetch(url("drain"), { method: "PUT", headers, body: "{}" });
  expect(strange.status).toBe(403);
});

test("over RPC a client's certificate changes its own node's drain only", async () => {
  const drain = (NodeID: string, AuthToken: string): Promise<Uint8Array> => {
    const DrainStrategy = structOf(drainStrategy, { Deadline: 1_000_000_000n });
    const fields = { NodeID, AuthToken, DrainStrategy, Region: "global" };
    return call(
      "Node.UpdateDrain",
      encodeValue(nodeDrainRequest, structOf(nodeDrainRequest, fields)),
    );
  };
  await expect(drain(ONE, "")).rejects.toThrow("Permission denied");
  await expect(drain(ONE, secretOf(TWO))).rejects.toThrow("Permission denied");
  await drain(TWO, secretOf(TWO));
  const fields = { NodeID: ONE, Eligibility: "eligible", AuthToken: secretOf(TWO) };
  const request = structOf(nodeEligibilityRequest, { ...fields, Region: "global" });
  const body = encodeValue(nodeEligibilityRequest, request);
  await expect(call("Node.UpdateEligibility", body)).rejects.toThrow("Permission denied");
});

test("node pools: made by the nodes in them, listed with filters, pages and all", async () => {
  const list = await cli("node", "pool", "list");
  expect(
    list.out
      .trim()
      .split("\n")
      .map((line) => line.split(/ {2,}/)[0]),
  ).toEqual([...["Name", "all", "default", "gpu"]]);
  expect((await cli("node", "pool", "info", "g")).out).toStartWith("Name              = gpu\n");
  const nodes = await cli("node", "pool", "nodes", "-verbose", "gpu");
  expect([nodes.out.includes(TWO), nodes.out.includes(ONE)]).toEqual([true, false]);
  expect(await cli("node", "pool", "info", "nope")).toMatchObject({
    code: 1,
    err: 'Error retrieving node pool: No node pool with prefix "nope" found\n',
  });
  const pages = await cli("node", "pool", "nodes", "-per-page=1", "all");
  expect(pages.out).toContain(`nomad node pool nodes all -page-token ${TWO}`);
  expect(await getJson(FIRST, "/v1/node/pool/gpu")).toMatchObject({ Name: "gpu", Meta: null });
  expect((await fetch(`http://${FIRST}:4646/v1/node/pool/nope`)).status).toBe(404);
  const used = await cli("node", "pool", "delete", "gpu");
  expect(used.err).toContain('node pool "gpu" has nodes');
  await register(TWO, "gpus");
  await register(TWO, "gpu");
  expect((await cli("node", "pool", "delete", "gpus")).out).toBe(
    'Successfully deleted node pool "gpus"!\n',
  );
});

test("node pools of operators: from HCL, JSON or stdin, changed, and refused in Nomad's words", async () => {
  const init = await cli("node", "pool", "init", "-quiet", "made.hcl");
  expect([init.code, init.out]).toEqual([0, ""]);
  expect((await cli("node", "pool", "init", "made.hcl")).err).toBe(
    'File "made.hcl" already exists\n',
  );
  const applied = await cli("node", "pool", "apply", "made.hcl");
  expect(applied).toMatchObject({ out: 'Successfully applied node pool "example"!\n', err: "" });
  const file = (name: string, text: string): string => {
    writeFileSync(join(lab.directory, name), text);
    return name;
  };
  const lines = 'node_identity_ttl = "1h"\n  scheduler_config { scheduler_algorithm = "spread" }';
  const spec = file("p.hcl", `node_pool "mine" {\n  ${lines}\n  meta { a = "b" }\n}\n`);
  expect((await cli("node", "pool", "apply", spec)).code).toBe(0);
  expect(await getJson(FIRST, "/v1/node/pool/mine")).toMatchObject({
    ...{ Name: "mine", Meta: { a: "b" }, NodeIdentityTTL: 3_600_000_000_000 },
    SchedulerConfiguration: { SchedulerAlgorithm: "spread" },
  });
  const json = file(
    "p.json",
    '{ "Name": "mine", "Description": "by JSON", "NodeIdentityTTL": "2h" }',
  );
  expect((await cli("node", "pool", "apply", "-json", json)).code).toBe(0);
  expect((await cli("node", "pool", "info", "mine")).out).toContain(
    "by JSON\nNode Identity TTL = 2h",
  );
  const env = { NOMAD_ADDR: `http://${FIRST}:4646` };
  const piped = await run(["node", "pool", "apply", "-"], { env, stdin: 'node_pool "piped" { }' });
  expect(piped.out).toBe('Successfully applied node pool "piped"!\n');
  const none = await run(["node", "pool", "apply", "/nowhere.hcl"], { env });
  expect(none.err).toBe('Failed to read file "/nowhere.hcl": no such file or directory\n');
  const wrong: readonly (readonly [string, string])[] = [
    ['node_pool "default" { }', '400 (modifying node pool "default" is not allowed)'],
    ['node_pool "a b" { }', 'invalid name "a b", must match regex ^[a-zA-Z0-9-_]{1,128}$'],
    ['node_pool "a" {\n  descripton = "x"\n}', "w.hcl:2:3"],
    ['node_pool "a" { }\nnode_pool "b" { }', "is a second node pool"],
    ["x = 1", 'there is no node_pool "NAME" { } block'],
  ];
  for (const [text, error] of wrong) {
    const { code, err } = await cli("node", "pool", "apply", file("w.hcl", text));
    expect([code, err.includes(error)]).toEqual([1, true]);
  }
  const url = `http://${FIRST}:4646/v1/node/pool/other`;
  const mismatch = await fetch(url, { method: "PUT", body: '{ "Name": "mine" }' });
  expect([mismatch.status, await mismatch.text()]).toEqual([
    ...[400, "Node pool name does not match request path"],
  ]);
  for (const name of ["mine", "example", "piped"]) {
    expect((await cli("node", "pool", "delete", name)).code).toBe(0);
  }
});

test("upkeep takes out nodes that are down; status finds what an id belongs to", async () => {
  const gone = "cc330000-aaaa-4000-8000-000000000003";
  await register(gone, "gpu");
  const fields = { NodeID: gone, Status: "down", AuthToken: secretOf(gone), Region: "global" };
  await call(
    "Node.UpdateStatus",
    encodeValue(nodeStatusRequest, structOf(nodeStatusRequest, fields)),
  );
  expect((await cli("status", gone)).out).toContain("Status      = down");
  expect(await cli("system", "gc")).toEqual({ code: 0, out: "", err: "" });
  expect((await cli("status", gone)).err).toBe(`No matches returned for query: "${gone}"\n`);
  expect((await cli("status", "aa22")).out).toContain("Name        = c-gpu\n");
  expect((await cli("system", "reconcile", "summaries")).code).toBe(0);
});

test("filters of lists, and where one is wrong", async () => {
  const ids = async (filter: string, path = "/v1/nodes"): Promise<string[]> => {
    const found: Json[] = await getJson(FIRST, `${path}?filter=${encodeURIComponent(filter)}`);
    return found.map((one) => one.ID ?? one.Name);
  };
  expect(await ids('Attributes["os.name"] == "debian"')).toEqual([TWO]);
  expect(await ids("NodePool == default or Name matches `^c-g`")).toEqual([ONE, TWO]);
  expect(await ids('"drain" in Name')).toEqual([]);
  expect(await ids("Name != default", "/v1/node/pools")).toEqual(["all", "gpu"]);
  expect(await ids("Name == nobody", "/v1/node/pool/all/nodes")).toEqual([]);
  expect(await ids('Name == "c-gpu"', "/v1/node/pool/all/nodes")).toEqual([TWO]);
  const table = await cli("node", "status", "-quiet", "-filter", "NodePool == gpu");
  expect(table.out).toBe(`${TWO}\n`);
  const wrong = await cli("node", "status", "-filter", "NodePool = gpu");
  expect(wrong).toMatchObject({ code: 1 });
  expect(wrong.err).toContain('(failed to read filter expression: 1:10: found "= gpu"');
});

describe("a client agent", () => {
  const IP = `${NET}.91.3`;
  const own = (...args: string[]): ReturnType<typeof run> => {
    return run(args, { cwd: lab.directory, env: { NOMAD_ADDR: `http://${IP}:4646` } });
  };
  let id = "";

  beforeAll(async () => {
    await lab.agent({
      ...{ name: "c3", ip: IP, tls: await clientTls(ca), server: { enabled: false } },
      extra: { client: { enabled: true, servers: [FIRST], meta: { rack: "r1" } } },
    });
    await until("it is ready", async () => {
      const nodes: Json[] = await getJson(SECOND, "/v1/nodes");
      id = nodes.find((one) => one.Name === "c3" && one.Status === "ready")?.ID ?? "";
      return id !== "";
    });
  });

  test("says through any server, and itself, what its machine has and uses", async () => {
    for (const address of [FIRST, SECOND, IP]) {
      const stats = await getJson(address, `/v1/client/stats?node_id=${id}`);
      expect(stats.Memory.Total).toBeGreaterThan(2 ** 20);
    }
    expect((await getJson(IP, "/v1/client/stats")).Uptime).toBeGreaterThan(0);
    expect((await own("node", "status", "-self", "-stats")).out).toContain("Memory Stats\nTotal");
    const lost: [string, number][] = [
      ["", 400],
      ["?node_id=nobody", 404],
      [`?node_id=${ONE}`, 404],
    ];
    for (const [query, status] of lost) {
      const response = await fetch(`http://${FIRST}:4646/v1/client/stats${query}`);
      expect([query, response.status]).toEqual([query, status]);
    }
  });

  test("takes metadata by way of the servers, and by itself", async () => {
    const applied = await cli("node", "meta", "apply", "-node-id", id.slice(0, 8), "a=b", "c=d");
    expect(applied).toMatchObject({ code: 0, out: "", err: "" });
    expect((await own("node", "meta", "apply", "-unset=a,rack", "e")).err).toBe("");
    const { out } = await own("node", "meta", "read");
    expect(out).toContain("Dynamic Meta\na    = <unset>\nc    = d\ne    = \nrack = <unset>\n");
    expect(out).toContain("Static Meta\nrack = r1\n");
    const meta = await getJson(SECOND, `/v1/client/metadata?node_id=${id}`);
    expect(meta.Meta).toEqual({ c: "d", e: "" });
    await until("the servers know", async () => {
      return (await getJson(FIRST, `/v1/node/${id}`)).Meta.c === "d";
    });
    expect((await own("node", "meta", "apply")).err).toStartWith("Must specify -unset or");
  });

  test("is drained by whoever is at its machine: -self, and no other node", async () => {
    expect(await own("node", "drain", "-enable", "-self", "-detach")).toMatchObject({ code: 0 });
    expect((await getJson(FIRST, `/v1/node/${id}`)).LastDrain.Status).not.toBe("canceled");
    expect((await own("node", "eligibility", "-enable", "-self")).err).toBe("");
    expect((await getJson(FIRST, `/v1/node/${id}`)).SchedulingEligibility).toBe("eligible");
    const other = await own("node", "drain", "-enable", "-detach", ONE);
    expect(other).toMatchObject({ code: 1 });
    expect(other.err).toContain("Permission denied");
  });

  test("shows the log of any server, and says when there is none of that name", async () => {
    const query = "server_id=s1&log_level=debug&plain=true";
    const stop = AbortSignal.timeout(15_000);
    const answer = await fetch(`http://${IP}:4646/v1/agent/monitor?${query}`, { signal: stop });
    const reader = answer.body?.getReader();
    let text = "";
    while (!text.includes("path=/v1/regions")) {
      await getJson(FIRST, "/v1/regions");
      text += new TextDecoder().decode((await reader?.read())?.value);
    }
    await reader?.cancel();
    expect((await own("monitor", "-server-id=nobody")).err).toContain(
      "unknown Nomad server nobody",
    );
    expect((await own("monitor", "-region=mars")).err).toContain("No path to region");
  });

  test("and the servers are gathered in an archive for whoever is asked for help", async () => {
    const args = ["-duration=1500ms", "-interval=1s", "-token=t0ken", "-verbose"];
    const { code, out, err } = await own("operator", "debug", ...args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("          Servers: (2/2) [s1.global s2.global]\n");
    expect(out).toContain("    Capture interval 0001\n");
    const [, archive = ""] = /^Created debug archive: (\S+)$/m.exec(out) ?? [];
    const tar = ["tar", "-xzf", archive];
    expect(Bun.spawnSync(tar, { cwd: lab.directory }).exitCode).toBe(0);
    const folder = join(lab.directory, archive.replace(".tar.gz", ""));
    const files = readdirSync(folder, { recursive: true }).map(String);
    const expected = ["agent-self", "members", "nodes"].map((one) => `cluster/${one}.json`);
    const logs = [`client/${id}/monitor.log`, "server/s1.global/monitor.log"];
    const metrics = ["0000", "0001"].map((one) => `interval/${one}/metrics.json`);
    for (const one of [...expected, ...logs, ...metrics, "index.json"])
      expect(files).toContain(one);
    const texts = files
      .filter((one) => /\.(json|log)$/.test(one))
      .map((one) => {
        return readFileSync(join(folder, one), "utf8");
      });
    expect(texts.join("\n")).toContain("path=/v1/operator/raft/configuration");
    expect(texts.join("\n")).not.toMatch(/t0ken|PRIVATE KEY|5ec4/);
    const wrong = await own("operator", "debug", "-duration=1s", "-interval=2s");
    expect(wrong.err).toBe("Error parsing interval: 2s is greater than duration 1s\n");
  });

  test("is told by an operator which servers there are", async () => {
    expect((await own("node", "config", "-servers")).out.split("\n")).toContain(`${FIRST}:4647`);
    const set = (...servers: string[]) => own("node", "config", "-update-servers", ...servers);
    const none = await set(`${NET}.91.99`);
    expect(none.code).toBe(1);
    expect(none.err).toContain("(no server answers: ");
    expect(await set(SECOND, `${NET}.91.99`)).toMatchObject({ out: "Updated server list\n" });
    expect((await getJson(IP, "/v1/agent/servers")).includes(`${SECOND}:4647`)).toBe(true);
    expect((await cli("node", "config", "-servers")).err).toContain("501 (Invalid method)");
  });
});
