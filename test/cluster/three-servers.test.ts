/** The examples of the README, run as a newcomer runs them, by the compiled binary. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import { type Agent, EXAMPLES, type Json, Lab, run, until } from "./agents.ts";
import { copyExample, runScript, startScript } from "./example.ts";

const lab = new Lab();
const servers: Agent[] = [];
let env: Record<string, string> = {};

/** @param mustLead false: there may be no leader, which `server members` says with exit code 1 */
async function members(mustLead = true): Promise<Record<string, string>> {
  const { code, out, err } = await run(["server", "members", "-json"], { cwd: lab.directory, env });
  const leaderless = code === 1 && err.includes("No cluster leader");
  if (code !== 0 && (mustLead || !leaderless)) throw new Error(err);
  const list: Json[] = JSON.parse(out);
  return Object.fromEntries(list.map((member) => [member.Name, member.Status]));
}

function ask(ip: string, path: string): Promise<Response> {
  const secret = (name: string): string => join(lab.directory, "secrets", name);
  return fetch(`https://${ip}:4646${path}`, {
    tls: {
      ca: Bun.file(secret("nomad-agent-ca.pem")),
      cert: Bun.file(secret("global-cli-nomad.pem")),
      key: Bun.file(secret("global-cli-nomad-key.pem")),
    },
    signal: AbortSignal.timeout(5000),
  });
}

async function status(ip: string): Promise<Json> {
  return (await ask(ip, "/v1/status")).json();
}

beforeAll(async () => {
  const example = copyExample(lab, "three-servers");
  await runScript(lab, join(example, "setup.sh"));
  for (const number of ["1", "2", "3"]) {
    servers.push(await startScript(lab, `server${number}`, [join(example, "run.sh"), number]));
  }
  env = {
    NOMAD_ADDR: `https://${NET}.0.2:4646`,
    NOMAD_CACERT: "secrets/nomad-agent-ca.pem",
    NOMAD_CLIENT_CERT: "secrets/global-cli-nomad.pem",
    NOMAD_CLIENT_KEY: "secrets/global-cli-nomad-key.pem",
  };
});

afterAll(() => lab[Symbol.asyncDispose]());

describe("examples/three-servers", () => {
  const all = { "server1.global": "alive", "server2.global": "alive", "server3.global": "alive" };

  test("three servers see each other alive within 5 s", async () => {
    await until("all alive", async () => Bun.deepEquals(await members(), all), 5000);
    const { out } = await run(["server", "members"], { cwd: lab.directory, env });
    const [header = "", first = ""] = out.split("\n");
    expect(header.split(/ {2,}/)).toEqual([
      "Name",
      "Address",
      "Port",
      "Status",
      "Leader",
      "Raft Version",
      "Build",
      "Datacenter",
      "Region",
    ]);
    expect(first).toMatch(/^server1\.global {2}127\.\d+\.0\.2 {2}4648 {2}alive /);
  });

  test("each says that everything is encrypted, with which key and certificate", async () => {
    for (const ip of [`${NET}.0.2`, `${NET}.0.3`, `${NET}.0.4`]) {
      const report = await until("peers are checked", async () => {
        const found = await status(ip);
        return found.rpc.peers.filter((peer: Json) => peer.ok).length === 2 ? found : undefined;
      });
      expect(report).toMatchObject({ encrypted: true, in_clear: [], warnings: [] });
      expect(report.gossip.keys).toEqual([
        {
          fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
          ...{ bits: 256, primary: true, since: expect.stringMatching(/^20.*Z$/) },
        },
      ]);
      expect(report.gossip.cipher).toBe("AES-256-GCM");
      const { packets, streams } = report.gossip;
      expect(packets).toMatchObject({ sent_in_clear: 0, received_in_clear: 0, refused: {} });
      expect(packets.sealed).toBe(packets.sent);
      expect(streams.opened).toBeGreaterThan(0);
      expect(report.rpc.tls.certificate.dns_names).toContain("server.global.nomad");
      expect(report.rpc.tls.certificate.days_left).toBe(364);
      expect(report.rpc.plain_connections).toBe(0);
      for (const peer of report.rpc.peers) {
        expect(peer).toMatchObject({ encrypted: true, tls_version: "TLSv1.3", error: "" });
      }
    }
  });

  test("no secret is in a log or an answer, and every secret file is its owner's only", async () => {
    const gossip = await Bun.file(lab.path("secrets/gossip.hcl")).text();
    const key = /"([A-Za-z0-9+/=]{44})"/.exec(gossip)?.[1] ?? "no key";
    expect(key).not.toBe("no key");
    const answers = JSON.stringify(await status(`${NET}.0.2`));
    for (const text of [answers, ...servers.map((server) => server.log)]) {
      expect(text).not.toContain(key);
    }
    const files = [
      ...readdirSync(lab.path("secrets"))
        .filter((name) => name.endsWith("-key.pem") || name === "gossip.hcl")
        .map((name) => lab.path(`secrets/${name}`)),
      lab.path("data/server1/server/serf.keyring"),
    ];
    expect(files.length).toBe(5);
    for (const file of files) expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
  });

  test("HTTPS demands a client certificate", async () => {
    const { NOMAD_ADDR = "", NOMAD_CACERT = "" } = env;
    const { code, err } = await run(["server", "members"], {
      cwd: lab.directory,
      env: { NOMAD_ADDR, NOMAD_CACERT },
    });
    expect(code).toBe(1);
    expect(err).toContain("-client-cert");
    const report = await status(`${NET}.0.2`);
    expect(report.http.tls.handshakes.inbound.refused["no-certificate"]).toBeGreaterThan(0);
  });

  test("with-clients: two nodes are ready, and say they live", async () => {
    const example = copyExample(lab, "with-clients");
    await runScript(lab, join(example, "setup.sh"));
    for (const number of ["1", "2"]) {
      await startScript(lab, `client${number}`, [join(example, "run.sh"), number]);
    }
    await until("both are ready", async () => {
      const { out } = await run(["node", "status"], { cwd: lab.directory, env });
      return out.match(/client[12] .* ready/g)?.length === 2;
    });
  });

  test("monitoring: alerts and dashboard name metrics that agents give, and no others", async () => {
    const given = new Set<string>();
    for (const last of [2, 3, 4, 5]) {
      const text = await (await ask(`${NET}.0.${last}`, "/v1/metrics?format=prometheus")).text();
      for (const [, name = ""] of text.matchAll(/^(\w+)[{ ]/gm)) given.add(name);
    }
    const named = (text: string): string[] => [
      ...new Set([...text.matchAll(/\bnomad_\w+/g)].map(([name]) => name)),
    ];
    const file = (name: string): string => readFileSync(join(EXAMPLES, "monitoring", name), "utf8");
    const { groups }: Json = Bun.YAML.parse(file("alerts.yaml"));
    const rules: Json[] = groups.flatMap((one: Json) => one.rules);
    const dashboard: Json = JSON.parse(file("dashboard.json"));
    const panels = dashboard.panels.flatMap((one: Json) => one.targets.map((t: Json) => t.expr));
    const names = named([...rules.map((one) => one.expr), ...panels].join("\n"));
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !given.has(name))).toEqual([]);
    for (const rule of rules) expect(Object.keys(rule.annotations)).toEqual(["summary"]);
  });

  test("a graceful stop shows left", async () => {
    servers[2]?.kill("SIGINT");
    await until("server3 left", async () => (await members())["server3.global"] === "left");
    expect(await servers[2]?.exited).toBe(0);
  }, 240_000);

  test("SIGKILL shows failed", async () => {
    servers[1]?.kill("SIGKILL");
    // Nomad's WAN timings: up to 10 s to the next probe, 5 s for it, 30 s of suspicion.
    await until(
      "server2 failed",
      async () => (await members(false))["server2.global"] === "failed",
      60_000,
    );
    // One of the two that were left cannot lead alone, and says so.
    await expect(members()).rejects.toThrow("No cluster leader");
    expect(servers[0]?.log).toContain("Suspect server2.global has failed, no acks received");
  }, 70_000);
});
