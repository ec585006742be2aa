/** python-nomad, the client that Python programs have for Nomad: over TLS, and where ACLs are on. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { NET } from "../addresses.ts";
import { type Json, Lab, run, until } from "../cluster/agents.ts";
import { makeCa, serverTls } from "../cluster/certificates.ts";
import { Peer } from "./go.ts";

setDefaultTimeout(60_000);

const PROGRAM = new URL("python-peer/", import.meta.url).pathname;
const LIBRARY = new URL("../../build/out/python-peer/", import.meta.url).pathname;
const WANTED = readFileSync(`${PROGRAM}requirements.txt`, "utf8");
const [SECURE, GUARDED] = [`${NET}.142.1`, `${NET}.142.2`] as const;
const UNKNOWN_ID = "11111111-1111-1111-1111-111111111111";
const isCi = process.env.CI === "true";

/**
 * Puts the library into build/out, once.
 *
 * @returns why it cannot be had, or nothing
 */
function install(): string {
  const installed = `${LIBRARY}requirements.txt`;
  if (existsSync(installed) && readFileSync(installed, "utf8") === WANTED) return "";
  if (Bun.which("python3") === null) return "there is no `python3` on the PATH";
  rmSync(LIBRARY, { recursive: true, force: true });
  const exactly = ["--require-hashes", "--no-deps", "--only-binary=:all:"];
  const patience = isCi ? [] : ["--retries=0", "--timeout=5"];
  const quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
  const pip = ["python3", "-m", "pip", "install", ...quiet, ...exactly, ...patience];
  const from = ["--target", LIBRARY, "-r", `${PROGRAM}requirements.txt`];
  const ran = Bun.spawnSync([...pip, ...from], { stderr: "pipe", timeout: 120_000 });
  if (!ran.success) return `pip does not install python-nomad: ${ran.stderr.toString().trim()}`;
  // Last, as the sign that everything is there.
  writeFileSync(installed, WANTED);
  return "";
}

const lacking = install();
if (lacking !== "" && !isCi) console.log(`the test of python-nomad is skipped: ${lacking}`);

/** The library's own calls by name, as `agent.get_members`. */
class Python implements AsyncDisposable {
  token = "";
  readonly #peer: Peer;

  private constructor(peer: Peer) {
    this.#peer = peer;
  }

  static async start(address: string, more: Record<string, string> = {}): Promise<Python> {
    const env = { NOMAD_ADDR: address, NO_PROXY: "*", PYTHONPATH: LIBRARY, ...more };
    return new Python(await Peer.start("python3", [`${PROGRAM}walk.py`], env));
  }

  async ok(Call: string, ...With: readonly unknown[]): Promise<Json> {
    const answer = await this.#call(Call, With);
    if (answer.error !== undefined) throw new Error(`${Call}: ${JSON.stringify(answer)}`);
    return answer.got;
  }

  /** @returns the exception's class, the answer's status and its text */
  async refused(Call: string, ...With: readonly unknown[]): Promise<readonly unknown[]> {
    const { got, error, bases, status, text } = await this.#call(Call, With);
    if (error === undefined) throw new Error(`${Call}: ${JSON.stringify(got)}`);
    if (status !== null) expect(bases).toContain("BaseNomadException");
    return [error, status, text];
  }

  #call(Call: string, With: readonly unknown[]): Promise<Json> {
    return this.#peer.ask(JSON.stringify({ Call, With, Token: this.token }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#peer[Symbol.asyncDispose]();
  }
}

describe.if(lacking === "" || isCi)("python-nomad", () => {
  const lab = new Lab();
  let python: Python;
  let node: Json;
  const certificates: Record<string, string> = {};

  beforeAll(async () => {
    if (lacking !== "") throw new Error(lacking);
    const ca = await makeCa(lab.directory, "ca");
    const create = ["tls", "cert", "create"];
    // The library goes by the address, and has no word for another name.
    await run([...create, "-server", `-additional-ipaddress=${SECURE}`], { cwd: ca.directory });
    await run([...create, "-cli"], { cwd: ca.directory });
    const tls = await serverTls(ca, "global", { http: true, verify_https_client: true });
    const server = { bootstrap_expect: 1 };
    const client = { enabled: true };
    await lab.agent({ name: "s1", ip: SECURE, server, tls, extra: { client } });
    await lab.agent({ name: "a1", ip: GUARDED, server, extra: { acl: { enabled: true } } });
    certificates["NOMAD_CACERT"] = ca.caFile;
    certificates["NOMAD_CLIENT_CERT"] = `${ca.directory}/global-cli-nomad.pem`;
    certificates["NOMAD_CLIENT_KEY"] = `${ca.directory}/global-cli-nomad-key.pem`;
    python = await Python.start(`https://${SECURE}:4646`, certificates);
    node = await until("the node is ready", async () => {
      const [one] = await python.ok("nodes.get_nodes");
      return one?.Status === "ready" && one;
    });
  });

  afterAll(async () => {
    await python?.[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  test("reads the agent, its servers and regions", async () => {
    const { Members, ServerRegion } = await python.ok("agent.get_members");
    expect(ServerRegion).toBe("global");
    expect(Members).toMatchObject([{ Name: "s1.global", Addr: SECURE, Status: "alive" }]);
    const self = await python.ok("agent.get_agent");
    expect(self).toMatchObject({ member: { Name: "s1.global" }, config: { Region: "global" } });
    expect(await python.ok("agent.get_servers")).toEqual([`${SECURE}:4647`]);
    expect(await python.ok("status.leader.get_leader")).toBe(`${SECURE}:4647`);
    expect(await python.ok("status.peers.get_peers")).toEqual([`${SECURE}:4647`]);
    expect(await python.ok("regions.get_regions")).toEqual(["global"]);
    expect(await python.ok("regions.__contains__", "global")).toBe(true);
    const { Servers } = await python.ok("operator.get_configuration");
    expect(Servers).toMatchObject([{ Node: "s1.global", Leader: true, Voter: true }]);
    expect((await python.ok("metrics.get_metrics")).Gauges.length).toBeGreaterThan(20);
    expect(await python.ok("system.initiate_garbage_collection")).toBe(true);
  });

  test("reads nodes and their pools, finds them, and hears of them", async () => {
    expect(await python.ok("nodes.__len__")).toBe(1);
    expect(await python.ok("nodes.__contains__", node.Name)).toBe(true);
    expect((await python.ok("nodes.__getitem__", node.Name)).ID).toBe(node.ID);
    const whole = await python.ok("node.get_node", node.ID);
    expect(whole).toMatchObject({ ID: node.ID, Name: "s1", NodePool: "default" });
    expect(await python.ok("node.get_allocations", node.ID)).toEqual([]);
    expect(await python.ok("node.eligible_node", node.ID, false)).toHaveProperty("NodeModifyIndex");
    expect((await python.ok("nodes.get_nodes"))[0].SchedulingEligibility).toBe("ineligible");
    const pools = await python.ok("node_pools.get_pools");
    expect(pools.map((one: Json) => one.Name).sort()).toEqual(["all", "default"]);
    expect(await python.ok("node_pools.get_pool", "default")).toMatchObject({ Name: "default" });
    const found = await python.ok("search.search", node.ID.slice(0, 8), "nodes");
    expect(found.Matches).toEqual({ nodes: [node.ID] });
    const fuzzy = await python.ok("search.fuzzy_search", "s1", "nodes");
    expect(fuzzy.Matches).toEqual({ nodes: [{ ID: "s1", Scope: [node.ID] }] });
    const { Index, Events } = await python.ok("first_events", "Node");
    expect(Index).toBeGreaterThan(0);
    expect(Events[0]).toMatchObject({ Topic: "Node", Type: "NodeRegistration", Key: node.ID });
  });

  test("makes, reads, changes and deletes a namespace", async () => {
    expect(await python.ok("namespace.create_namespace", { Name: "prod" })).toBe(200);
    const changed = { Name: "prod", Description: "live" };
    expect(await python.ok("namespace.update_namespace", "prod", changed)).toBe(200);
    expect(await python.ok("namespace.get_namespace", "prod")).toMatchObject(changed);
    const all = await python.ok("namespaces.get_namespaces");
    expect(all.map((one: Json) => one.Name).sort()).toEqual(["default", "prod"]);
    expect(await python.ok("namespace.delete_namespace", "prod")).toBe(200);
    expect(await python.ok("namespaces.__contains__", "prod")).toBe(false);
  });

  test("raises its own exceptions", async () => {
    const NOT_FOUND = ["URLNotFoundNomadException", 404];
    expect(await python.refused("node.get_node", UNKNOWN_ID)).toEqual([
      ...NOT_FOUND,
      "node not found",
    ]);
    expect(await python.refused("namespace.get_namespace", "none")).toEqual([
      ...NOT_FOUND,
      "Namespace not found",
    ]);
    expect((await python.refused("job.get_job", "none")).slice(0, 2)).toEqual(NOT_FOUND);
    expect(await python.ok("jobs.get_jobs")).toEqual([]);
    expect((await python.refused("node.__getitem__", UNKNOWN_ID))[0]).toBe("KeyError");
    const short = await python.refused("search.fuzzy_search", "x", "nodes");
    expect(short.slice(0, 2)).toEqual(["BaseNomadException", 500]);
    expect(short[2]).toContain("fuzzy search query must be at least 2 characters, got 1");
    const job = { Job: { ID: "j", Name: "j" } };
    const register = await python.refused("job.register_job", "j", job);
    expect(register.slice(0, 2)).toEqual(["BaseNomadException", 501]);
  });

  test("is refused without a certificate, and knows no server of another CA", async () => {
    const { NOMAD_CACERT = "" } = certificates;
    await using unproven = await Python.start(`https://${SECURE}:4646`, { NOMAD_CACERT });
    expect((await unproven.refused("regions.get_regions"))[0]).toBe("BaseNomadException");
    const { NOMAD_CACERT: _, ...own } = certificates;
    const other = await makeCa(lab.directory, "other");
    const env = { ...own, NOMAD_CACERT: other.caFile };
    await using stranger = await Python.start(`https://${SECURE}:4646`, env);
    const [kind, , text] = await stranger.refused("regions.get_regions");
    expect(kind).toBe("BaseNomadException");
    expect(text).toContain("CERTIFICATE_VERIFY_FAILED");
  });

  test("works with tokens and policies where ACLs are on", async () => {
    await using acl = await Python.start(`http://${GUARDED}:4646`);
    const DENIED = ["URLNotAuthorizedNomadException", 403, "Permission denied"];
    const first = await until("the first token", () => acl.ok("acl.generate_bootstrap"));
    expect(first).toMatchObject({ Type: "management", Global: true });
    expect(await acl.refused("nodes.get_nodes")).toEqual(DENIED);
    expect(await acl.refused("agent.get_agent")).toEqual(DENIED);
    expect((await acl.refused("acl.generate_bootstrap"))[0]).toBe("BadRequestNomadException");
    acl.token = first.SecretID;
    const rules = { Name: "readers", Rules: 'node { policy = "read" }' };
    expect(await acl.ok("acl.create_policy", "readers", rules)).toBe(200);
    expect(await acl.ok("acl.get_policy", "readers")).toMatchObject(rules);
    const asked = { Name: "ci", Type: "client", Policies: ["readers"] };
    const made = await acl.ok("acl.create_token", asked);
    expect(made).toMatchObject(asked);
    expect(await acl.ok("acl.get_tokens")).toHaveLength(2);
    acl.token = made.SecretID;
    expect((await acl.ok("acl.get_self_token")).AccessorID).toBe(made.AccessorID);
    expect(await acl.ok("nodes.get_nodes")).toEqual([]);
    expect(await acl.refused("acl.get_tokens")).toEqual(DENIED);
    acl.token = first.SecretID;
    expect(await acl.ok("acl.delete_token", made.AccessorID)).toBe(true);
    acl.token = made.SecretID;
    expect(await acl.refused("nodes.get_nodes")).toEqual(DENIED);
  });
});
