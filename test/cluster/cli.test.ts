/** The command line of the compiled binary: output, exit codes, help. */

import { afterAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import { Lab, run, until } from "./agents.ts";
import { clientTls, makeCa, serverTls } from "./certificates.ts";

const lab = new Lab();
afterAll(() => lab[Symbol.asyncDispose]());

describe("keygen", () => {
  test("prints 16 bytes, each time others", async () => {
    const [one, other] = await Promise.all([run(["keygen"]), run(["keygen"])]);
    expect([one.code, one.err]).toEqual([0, ""]);
    expect(Buffer.from(one.out.trim(), "base64").length).toBe(16);
    expect(one.out).not.toBe(other.out);
  });
  for (const [args, bytes] of [
    [["keygen", "-bytes=32"], 32],
    [["keygen", "--bytes", "24"], 24],
    [["operator", "gossip", "keyring", "generate"], 32],
  ] as const) {
    test(`${args.join(" ")}: ${bytes} bytes`, async () => {
      const { code, out } = await run(args);
      expect(code).toBe(0);
      expect(Buffer.from(out.trim(), "base64").length).toBe(bytes);
    });
  }
  test("refuses a size that is no AES key", async () => {
    const { code, out, err } = await run(["keygen", "-bytes=17"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("must be 16, 24 or 32, found '17'");
  });
});

describe("typing mistakes get two lines and a suggestion", () => {
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [["agnet"], 127, "Did you mean 'agent'?"],
    [["server", "membrs"], 1, "Did you mean 'members'?"],
    [["server", "members", "-jsn"], 1, "Did you mean -json?"],
    [["agent", "-cofig=x"], 1, "Did you mean -config?"],
    [["banana"], 127, "nomad -help"],
  ];
  for (const [args, code, text] of cases) {
    test(args.join(" "), async () => {
      const result = await run(args);
      expect(result.code).toBe(code);
      expect(result.err).toContain(text);
      expect(result.err.trim().split("\n").length).toBeLessThanOrEqual(3);
      expect(result.out).toBe("");
    });
  }
});

describe("help", () => {
  test("no command: usage, 127", async () => {
    const { code, out } = await run([]);
    expect(code).toBe(127);
    expect(out).toContain(
      "Usage: nomad [-version] [-help] [-autocomplete-(un)install] <command> [args]",
    );
  });
  for (const flag of ["-h", "-help", "--help"]) {
    test(`agent ${flag}`, async () => {
      const { code, out } = await run(["agent", flag]);
      expect(code).toBe(0);
      expect(out).toMatch(/^ {2}-config <path>/m);
      expect(out).not.toMatch(/^ *--/m);
    });
  }
  test("a group alone prints its help and exits 1", async () => {
    const { code, out } = await run(["tls", "cert"]);
    expect(code).toBe(1);
    expect(out).toContain("create");
  });
  test("version, three ways, begins as Nomad's", async () => {
    for (const args of [["version"], ["-version"], ["--version"], ["-v"]]) {
      const { code, out } = await run(args);
      expect(code).toBe(0);
      expect(out).toMatch(/^Nomad v\d+\.\d+\.\d+\n/);
    }
  });
});

describe("older spellings", () => {
  test("Nomad's warning, and the command of today", async () => {
    const { code, err } = await run(["server-members", "-address=http://127.0.0.1:9"]);
    expect(code).toBe(1);
    expect(err).toStartWith(
      'WARNING! The "nomad server-members" command is deprecated. ' +
        'Please use "nomad server members" instead.\nError querying servers: ',
    );
    const status = await run(["node-status", "-address=http://127.0.0.1:9"]);
    expect(status.err).toStartWith("Error querying node status: ");
  });
  test("help is -help", async () => {
    const { code, out } = await run(["help", "server", "members"]);
    expect([code, out]).toEqual([0, expect.stringContaining("Usage: nomad server members")]);
  });
  test("there is none for what is not there", async () => {
    const top = await run(["help", "bogus"]);
    expect([top.code, top.err]).toEqual([127, expect.stringContaining("Unknown command 'bogus'")]);
    const below = await run(["help", "server", "bogus"]);
    expect([below.code, below.err]).toEqual([
      1,
      expect.stringContaining("Unknown command 'bogus'"),
    ]);
  });
});

describe("flags of Nomad's agent that only set a key", () => {
  const agent = (...flags: readonly string[]) => run(["agent", "-data-dir=relative", ...flags]);
  test("are taken, and what has no effect is named", async () => {
    const { code, err } = await agent(
      ...["-server", "-raft-protocol=3", "-consul-address=1.2.3.4:8500", "-consul-ssl"],
      ...["-vault-enabled=false", "-log-include-location", "-plugin-dir=/opt/plugins"],
    );
    expect(code).toBe(1);
    expect(err).toContain('data_dir: must be an absolute path, found "relative"');
    expect(err).not.toContain("Unknown flag");
    expect(err).toMatch(/have no effect in this agent: .*consul/);
  });
  test("are refused where the key is", async () => {
    const { code, err } = await agent("-server", "-acl-enabled", "-acl-replication-token=geheim");
    expect(code).toBe(1);
    expect(err).toContain("acl.replication_token must be a UUID, the secret of a management token");
    expect(err).not.toContain("geheim");
  });
});

test("a flag that is spelt wrong is named without its value, which may be a key", async () => {
  const { code, err } = await run(["agent", "-encrpyt=geheim"]);
  expect(code).toBe(1);
  expect(err).toStartWith("Unknown flag '-encrpyt'. Did you mean -encrypt?\n");
});

test("a flag before its command is told where it belongs", async () => {
  const { code, err } = await run(["-region=eu", "server", "members"]);
  expect(code).toBe(1);
  expect(err).toStartWith("The flag '-region' belongs behind the command: nomad COMMAND -region\n");
});

test("a flag without its value is named", async () => {
  const { code, err } = await run(["server", "members", "-address"]);
  expect(code).toBe(1);
  expect(err).toStartWith("The flag -address needs a value: -address=<url>\n");
});

describe("tls", () => {
  const directory = join(lab.directory, "certs");
  mkdirSync(directory);
  const pem = (name: string): X509Certificate =>
    new X509Certificate(readFileSync(join(directory, name)));

  test("ca create makes Nomad's files and never overwrites", async () => {
    const made = await run(["tls", "ca", "create"], { cwd: directory });
    expect([made.code, made.out]).toEqual([
      0,
      "==> CA certificate saved to: nomad-agent-ca.pem\n" +
        "==> CA certificate key saved to: nomad-agent-ca-key.pem\n",
    ]);
    expect(statSync(join(directory, "nomad-agent-ca-key.pem")).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, "nomad-agent-ca.pem")).mode & 0o777).toBe(0o644);
    const before = readFileSync(join(directory, "nomad-agent-ca.pem"), "utf8");
    const again = await run(["tls", "ca", "create"], { cwd: directory });
    expect([again.code, again.err.trim()]).toEqual([
      1,
      "CA certificate file 'nomad-agent-ca.pem' already exists",
    ]);
    expect(readFileSync(join(directory, "nomad-agent-ca.pem"), "utf8")).toBe(before);
  });

  const names = {
    server: "DNS:server.eu.nomad, DNS:localhost, IP Address:10.0.0.5, IP Address:127.0.0.1",
    client: "DNS:client.eu.nomad, DNS:localhost, IP Address:10.0.0.5, IP Address:127.0.0.1",
    cli: "DNS:cli.eu.nomad, DNS:localhost, IP Address:10.0.0.5",
  };
  for (const [role, alternatives] of Object.entries(names)) {
    test(`cert create -${role}`, async () => {
      const args = ["tls", "cert", "create", `-${role}`, "-region=eu", "-days", "90"];
      const made = await run([...args, "-additional-ipaddress=10.0.0.5"], { cwd: directory });
      expect(made.code).toBe(0);
      const certificate = pem(`eu-${role}-nomad.pem`);
      const ca = pem("nomad-agent-ca.pem");
      expect(certificate.subject).toBe(`CN=${role}.eu.nomad`);
      expect(certificate.subjectAltName).toBe(alternatives);
      expect(certificate.checkIssued(ca) && certificate.verify(ca.publicKey)).toBe(true);
      expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
      const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
      expect(Math.round(days)).toBe(90);
      const key = readFileSync(join(directory, `eu-${role}-nomad-key.pem`), "utf8");
      expect(key).toStartWith("-----BEGIN EC PRIVATE KEY-----");
      const again = await run(args, { cwd: directory });
      expect([again.code, again.err]).toEqual([
        1,
        expect.stringContaining(`Certificate file 'eu-${role}-nomad.pem' already exists`),
      ]);
    });
  }

  test("openssl verifies the chain strictly", () => {
    const files = ["server", "client", "cli"].map((role) => `eu-${role}-nomad.pem`);
    const verify = Bun.spawnSync(
      ["openssl", "verify", "-x509_strict", "-CAfile", "nomad-agent-ca.pem", ...files],
      { cwd: directory, stderr: "pipe" },
    );
    expect(verify.stderr.toString()).toBe("");
    expect(verify.stdout.toString()).toBe(files.map((file) => `${file}: OK\n`).join(""));
  });

  test("a constrained CA cannot sign for another domain", async () => {
    const own = join(lab.directory, "constrained");
    mkdirSync(own);
    const flags = ["-domain=example", "-name-constraint"];
    expect((await run(["tls", "ca", "create", ...flags], { cwd: own })).code).toBe(0);
    await run(["tls", "cert", "create", "-server", "-domain=example"], { cwd: own });
    const verify = (file: string): boolean =>
      Bun.spawnSync(["openssl", "verify", "-CAfile", "example-agent-ca.pem", file], {
        cwd: own,
        stderr: "ignore",
      }).success;
    expect(verify("global-server-example.pem")).toBe(true);
    const foreign = ["-additional-dnsname=evil.test", "-domain=example", "-region=r2"];
    await run(["tls", "cert", "create", "-server", ...foreign], { cwd: own });
    expect(verify("r2-server-example.pem")).toBe(false);
  });

  test("what is missing is said", async () => {
    const none = await run(["tls", "cert", "create"], { cwd: directory });
    expect([none.code, none.err.trim()]).toEqual([
      1,
      "Please provide either -server, -client, or -cli",
    ]);
    const noCa = await run(["tls", "cert", "create", "-cli", "-region=x"], { cwd: lab.directory });
    expect(noCa.err).toContain("open nomad-agent-ca.pem: no such file or directory");
  });
});

describe("asking an agent", () => {
  test("nobody there: what to do, exit 1", async () => {
    const { code, err } = await run(["server", "members", "-address=http://127.0.0.1:9"]);
    expect(code).toBe(1);
    expect(err).toContain("connect: connection refused");
    expect(err).toContain("Is the agent running there?");
  });

  test("a client asks its servers, over TLS where they want it", async () => {
    const ca = await makeCa(lab.directory, "client-ca");
    const tls = await serverTls(ca);
    const [server, client] = [`${NET}.61.2`, `${NET}.61.3`];
    await lab.agent({ name: "asked", ip: server, tls, server: { bootstrap_expect: 1 } });
    const extra = { server: {}, client: { enabled: true, servers: [server] } };
    await lab.agent({ name: "asking", ip: client, tls: await clientTls(ca), extra });
    const env = { NOMAD_ADDR: `http://${client}:4646` };
    const listed = await until("the client knows the server", async () => {
      const { code, out } = await run(["server", "members"], { env });
      return code === 0 ? out : undefined;
    });
    expect(listed).toContain("asked.global");
    expect(listed).not.toContain("asking");
    const joined = await fetch(`http://${client}:4646/v1/agent/join?address=x`, { method: "PUT" });
    expect([joined.status, await joined.text()]).toEqual([501, "Invalid method"]);
    const join = await run(["server", "join", "127.0.0.1"], { env });
    expect(join.err).toBe(
      "Error joining: Unexpected response code: 501 (Invalid method)\n" +
        "That agent is a client: ask a server (-address)\n",
    );
    const saved = await run(["operator", "snapshot", "save", "x.snap"], { env });
    expect(saved.err).toContain("501 (snapshots do not go through a client: ask a server)");
    expect(lab.log("asking")).toMatch(/ Bind Addrs: HTTP: \[127\.\d+\.61\.3:4646\]\n/);
  });

  test("agent-info, server members -detailed and -json", async () => {
    const ip = `${NET}.61.1`;
    const agent = await lab.agent({
      name: "n1",
      ip,
      encrypt: Buffer.alloc(16, 1).toString("base64"),
    });
    const env = { NOMAD_ADDR: `http://${ip}:4646` };
    const info = await until("the agent answers", async () => {
      const result = await run(["agent-info"], { env });
      return result.code === 0 ? result : undefined;
    });
    expect(info.out).toMatch(/^serf\n(?: {2}.*\n)* {2}encrypted = true$/m);
    const detailed = await run(["server", "members", "-detailed"], { env });
    expect(detailed.out.split("\n")[0]).toMatch(/Leader {2}Protocol {2}Raft Version.*Tags$/);
    expect(detailed.out).toContain("role=nomad");
    const [member] = JSON.parse((await run(["server", "members", "-json"], { env })).out);
    expect(member).toMatchObject({ Name: "n1.global", Status: "alive", Tags: { Leader: "false" } });
    expect(agent.log).toContain("==> Nomad agent started! Log data will stream in below:");
    expect(agent.log).toMatch(
      / {12}Encryption: gossip AES-128-GCM \(key [0-9a-f]{16}\), RPC NOT ENC/,
    );
  });
});

test("an agent that leaves says who has not heard it yet, and ends all the same", async () => {
  const [stays, leaves] = [`${NET}.61.4`, `${NET}.61.5`];
  const server = { retry_join: [stays, leaves], retry_interval: "1s" };
  const deaf = await lab.agent({ name: "deaf", ip: stays, server });
  const agent = await lab.agent({ name: "leaver", ip: leaves, server });
  await until("both are there", () => agent.log.includes("EventMemberJoin: deaf.global"));
  deaf.kill("SIGSTOP");
  agent.kill("SIGINT");
  await agent.exited;
  deaf.kill("SIGCONT");
  expect(agent.log).toContain("==> Waiting for deaf.global to hear that this server leaves ...\n");
}, 240_000);
