/**
 * Servers and a client node over TLS, and Nomad's official Go client, which calls them: what it gets,
 * and what it does not know of our answers or misses in them.
 *
 * @module
 */
import { expect } from "bun:test";
import { NET } from "../addresses.ts";
import { type Agent, type Json, Lab, run, until } from "../cluster/agents.ts";
import { clientTls, makeCa, serverTls, type TestCa } from "../cluster/certificates.ts";
import { buildPeer, Peer } from "./go.ts";

export const UNKNOWN_ID = "11111111-1111-1111-1111-111111111111";
export const KEY = Buffer.alloc(32, 7).toString("base64");
export const HOUR_NANOS = 3600e9;

/** Calls with one token, and what the client thinks of the answers' fields, by method. */
export class Walk {
  readonly unknown: Record<string, readonly string[]> = {};
  readonly missing: Record<string, readonly string[]> = {};
  token = "";
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** @returns the method's results but its error */
  async ok(Method: string, ...With: readonly unknown[]): Promise<Json[]> {
    const outcome = await this.#call(Method, With);
    if (outcome.error !== undefined) throw new Error(`${Method}: ${outcome.error.text}`);
    for (const what of ["unknown", "missing"] as const) {
      const all = [...(this[what][Method] ?? []), ...(outcome[what] ?? [])];
      if (all.length > 0) this[what][Method] = [...new Set(all)].toSorted();
    }
    return outcome.got;
  }

  /** @returns what the client knows of the error */
  async refused(Method: string, ...With: readonly unknown[]): Promise<Json> {
    const { got, error } = await this.#call(Method, With);
    if (error === undefined) throw new Error(`${Method}: ${JSON.stringify(got)}`);
    return error.status === undefined ? error.text : `${error.status} ${error.body ?? ""}`;
  }

  async #call(Method: string, With: readonly unknown[]): Promise<Json> {
    const outcome = await this.#peer.ask(JSON.stringify({ Method, With, Token: this.token }));
    if (typeof outcome.error === "string") throw new Error(`${Method}: ${outcome.error}`);
    return outcome;
  }
}

/** Servers, a client node and the Go client, all of one CA. */
export class Region implements AsyncDisposable {
  readonly lab = new Lab();
  readonly ips: readonly string[];
  readonly servers: Agent[] = [];
  walk = new Walk(Object.create(null));
  #ca: TestCa | undefined;
  #sdk: Peer | undefined;

  constructor(net: number, servers: number) {
    this.ips = Array.from({ length: servers }, (_, i) => `${NET}.${net}.${i + 1}`);
  }

  get server(): string {
    return this.ips[0] ?? "";
  }

  async start(verify: boolean, extra: Record<string, unknown>): Promise<void> {
    const { lab, ips } = this;
    const ca = await makeCa(lab.directory, "ca");
    this.#ca = ca;
    const http = { http: true, verify_https_client: verify };
    const tls = await serverTls(ca, "global", http);
    const server = { bootstrap_expect: ips.length };
    const common = { encrypt: KEY, tls, join: [this.server], server, extra };
    for (const [i, ip] of ips.entries()) {
      this.servers.push(await lab.agent({ ...common, name: `s${i + 1}`, ip }));
    }
    await until("nodes can get identities", () => hasSigningKey(this.server, ca.directory));
    const client = { enabled: true, servers: ips, meta: { rack: "r1" } };
    await lab.agent({
      ...{ name: "c1", ip: `${this.server.slice(0, -1)}9`, server: { enabled: false } },
      ...{ tls: await clientTls(ca, "global", http), extra: { ...extra, client } },
    });
    this.#sdk = await this.#peer(this.server, verify);
    this.walk = new Walk(this.#sdk);
    await until("a leader", async () => (await this.walk.ok("Status.Leader"))[0] !== "");
  }

  async #peer(ip: string, prove: boolean): Promise<Peer> {
    const directory = this.#ca?.directory ?? "";
    const env: Record<string, string> = {
      NOMAD_CACERT: this.#ca?.caFile ?? "",
      NOMAD_TLS_SERVER_NAME: "server.global.nomad",
    };
    if (prove) {
      await run(["tls", "cert", "create", "-cli"], { cwd: directory });
      env["NOMAD_CLIENT_CERT"] = `${directory}/global-cli-nomad.pem`;
      env["NOMAD_CLIENT_KEY"] = `${directory}/global-cli-nomad-key.pem`;
    }
    const program = buildPeer("sdk-peer", ".", "sdk-peer");
    return Peer.start(program, [`https://${ip}:4646`], env);
  }

  async ready(): Promise<Json> {
    return until("the node is ready", async () => {
      const [[node]] = await this.walk.ok("Nodes.List");
      return node?.Status === "ready" && node;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sdk?.[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

async function hasSigningKey(ip: string, directory: string): Promise<boolean> {
  const [cert, key] = ["", "-key"].map((end) =>
    Bun.file(`${directory}/global-server-nomad${end}.pem`),
  );
  const tls = { cert, key, rejectUnauthorized: false };
  const answer = await fetch(`https://${ip}:4646/.well-known/jwks.json`, { tls });
  const { keys }: Json = await answer.json();
  return keys.length > 0;
}

/** What may be read in every region of ours, by whoever may read all. */
export async function readAll(walk: Walk, node: Json): Promise<void> {
  const { ID } = node;
  for (const method of ["Self", "Members", "NodeName", "Region", "Datacenter", "Health"]) {
    await walk.ok(`Agent.${method}`);
  }
  await walk.ok("Agent.MembersOpts", { AllowStale: true });
  expect(await walk.ok("Regions.List")).toEqual([["global"]]);
  expect(await walk.ok("Status.RegionLeader", "global")).toEqual(await walk.ok("Status.Leader"));
  expect((await walk.ok("Status.Peers"))[0]).toContain((await walk.ok("Status.Leader"))[0]);
  for (const method of ["Nodes", "NodePools", "Namespaces", "Keyring"]) {
    const [found, meta] = await walk.ok(`${method}.List`);
    expect(found.length).toBeGreaterThan(0);
    expect(meta).toMatchObject({ KnownLeader: true, NextToken: "" });
    expect(meta.LastIndex).toBeGreaterThan(0);
  }
  await walk.ok("Nodes.Info", ID);
  expect((await walk.ok("Nodes.Allocations", ID))[0]).toEqual([]);
  expect((await walk.ok("Nodes.Stats", ID))[0]).toMatchObject({ Memory: expect.anything() });
  const [{ Meta, Static }] = await walk.ok("Nodes.Meta.Read", ID);
  expect([Meta, Static]).toEqual([{ rack: "r1" }, { rack: "r1" }]);
  const [{ Claims }] = await walk.ok("Nodes.Identity.Get", { NodeID: ID });
  expect(Claims).toMatchObject({ nomad_node_id: ID });
  await walk.ok("NodePools.Info", "default");
  expect((await walk.ok("NodePools.PrefixList", "de"))[0]).toHaveLength(1);
  expect((await walk.ok("NodePools.ListNodes", "default"))[0]).toMatchObject([{ ID }]);
  expect((await walk.ok("NodePools.ListJobs", "default"))[0]).toEqual([]);
  const [{ Servers }] = await walk.ok("Operator.RaftGetConfiguration");
  expect(Servers.filter((one: Json) => one.Leader)).toHaveLength(1);
  // On a busy machine a server is late now and then.
  const [health] = await until("the group is well", () =>
    walk.ok("Operator.AutopilotServerHealth"),
  );
  expect(health).toMatchObject({ Healthy: true });
  await walk.ok("Operator.AutopilotGetConfiguration");
  expect((await walk.ok("Operator.MetricsSummary"))[0].Gauges.length).toBeGreaterThan(20);
  const [text] = await walk.ok("Operator.Metrics", { Params: { format: "prometheus" } });
  expect(text).toContain("# TYPE nomad_");
  await walk.ok("Namespaces.Info", "default");
  const [found] = await walk.ok("Search.PrefixSearch", ID.slice(0, 8), "nodes");
  expect(found.Matches).toEqual({ nodes: [ID] });
  await walk.ok("Search.FuzzySearch", "c1", "all");
  await walk.ok("System.GarbageCollect");
  await walk.ok("System.ReconcileSummaries");
}

/** What Nomad says of a node beyond the client's type. */
const BEYOND_NODE = [
  ...["ComputedClass", "IdentitySigningKeyID", "LastAllocUpdateIndex"],
  ...["LastMissedHeartbeatIndex", "NodeResources.NodeNetworks", "NodeResources.Processors"],
  ...["ReservedResources.Cpu.ReservedCpuCores", "SecretID"],
];

/** By method: names in answers that the client has no field for. All are Nomad's, and none is ours. */
export const BEYOND = {
  "NodePools.ListNodes": ["[].HostVolumes"],
  "Nodes.Info": BEYOND_NODE,
  "Nodes.List": ["[].HostVolumes"],
  "Nodes.Stats": ["CPU[].TotalPercent", "CPU[].TotalTicks", "Timestamp"],
  "Operator.MetricsSummary": ["PrecisionGauges"],
  "Search.FuzzySearch": ["Index"],
  "Search.PrefixSearch": ["Index"],
};

/** Of a node's networks, empty fields that Nomad leaves out, too. */
const EMPTY = ["CNI", "DNS", "DynamicPorts", "Hostname", "ReservedPorts"];
export const EMPTY_OF_NETWORKS = EMPTY.map((one) => `NodeResources.Networks[].${one}`);

/** By method: the client's fields that no answer has. */
export const WITHOUT = {
  // Nomad has given up the last two.
  "Nodes.Info": [...EMPTY_OF_NETWORKS, "Reserved", "Resources"],
};
