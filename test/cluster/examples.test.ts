/** The smaller examples, each run as its README says; three-servers.test.ts has the others. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import {
  type Agent,
  binary,
  EXAMPLES,
  getJson,
  type Json,
  Lab,
  type Ran,
  run,
  until,
} from "./agents.ts";
import { copyExample, runScript, startScript } from "./example.ts";
import { haveTools, tool } from "./tools.ts";

setDefaultTimeout(120_000);

const ROOT = new URL("../..", import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** As on a machine that has an address of its own. */
function validated(lab: Lab, config: string): Promise<Ran> {
  const address = lab.path("address.hcl");
  writeFileSync(address, `bind_addr = "${NET}.93.1"\n`);
  return run(["config", "validate", config, address]);
}

describe("federation", () => {
  test("two regions see each other, and one answers for the other", async () => {
    await using lab = new Lab();
    const example = copyExample(lab, "federation");
    await runScript(lab, join(example, "setup.sh"));
    for (const region of ["global", "eu"]) {
      await startScript(lab, region, [join(example, "run.sh"), region]);
    }
    const env = {
      NOMAD_ADDR: `https://${NET}.0.2:4646`,
      NOMAD_CACERT: "secrets/nomad-agent-ca.pem",
      NOMAD_CLIENT_CERT: "secrets/global-cli-nomad.pem",
      NOMAD_CLIENT_KEY: "secrets/global-cli-nomad-key.pem",
    };
    const nomad = (...args: string[]) => run(args, { cwd: lab.directory, env });
    await until("both are members", async () => {
      const { out } = await nomad("server", "members");
      return /global-server\.global .* alive/.test(out) && /eu-server\.eu .* alive/.test(out);
    });
    const peers = await until("the other region has a leader", async () => {
      const { code, out } = await nomad("operator", "raft", "list-peers", "-region=eu");
      return code === 0 && out;
    });
    expect(peers).toContain(`${NET}.0.3:4647`);
    expect(peers).not.toContain(`${NET}.0.2:4647`);
  });
});

describe("with-acl", () => {
  test("the first token makes a policy and a token, which may read and nothing else", async () => {
    await using lab = new Lab();
    const servers = copyExample(lab, "three-servers");
    const example = copyExample(lab, "with-acl");
    await runScript(lab, join(servers, "setup.sh"));
    for (const number of ["1", "2", "3"]) {
      await startScript(lab, `server${number}`, [join(example, "run.sh"), number]);
    }
    const env = {
      NOMAD_ADDR: `https://${NET}.0.2:4646`,
      NOMAD_CACERT: "secrets/nomad-agent-ca.pem",
      NOMAD_CLIENT_CERT: "secrets/global-cli-nomad.pem",
      NOMAD_CLIENT_KEY: "secrets/global-cli-nomad-key.pem",
    };
    const nomad = (token: string, ...args: readonly string[]): Promise<Ran> =>
      run(args, { cwd: lab.directory, env: { ...env, NOMAD_TOKEN: token } });
    const secretOf = ({ out }: Ran): string => /^Secret ID += (.*)$/m.exec(out)?.[1] ?? "";
    const first = await until("there is a first token", async () => {
      return secretOf(await nomad("", "acl", "bootstrap")) || undefined;
    });
    const policy = join(example, "watcher.policy.hcl");
    expect((await nomad(first, "acl", "policy", "apply", "watcher", policy)).code).toBe(0);
    const made = await nomad(
      first,
      "acl",
      "token",
      "create",
      "-name=dashboards",
      "-policy=watcher",
    );
    const watcher = secretOf(made);
    expect((await nomad(watcher, "node", "status")).code).toBe(0);
    expect((await nomad(watcher, "server", "members")).out).toContain("server3.global");
    for (const [token, ...args] of [
      [watcher, "system", "gc"],
      ["", "node", "status"],
    ] as const) {
      const { code, err } = await nomad(token, ...args);
      expect([code, err]).toEqual([1, expect.stringContaining("Permission denied")]);
    }
  });
});

describe("from-clear-to-encrypted", () => {
  const lab = new Lab();
  const agents = new Map<number, Agent>();
  const ips = [1, 2, 3].map((number) => `${NET}.0.${number + 1}`);
  afterAll(() => lab[Symbol.asyncDispose]());

  async function start(number: number, step: number): Promise<void> {
    const command = [
      join(copyExample(lab, "from-clear-to-encrypted"), "run.sh"),
      `${number}`,
      `${step}`,
    ];
    agents.set(number, await startScript(lab, `server${number}`, command));
  }

  /** Each sees all three alive, and knows who leads. */
  async function whole(): Promise<void> {
    await until("all three are one cluster", async () => {
      const seen = await Promise.all(ips.map((ip) => getJson(ip, "/v1/agent/members")));
      const alive = seen.map(
        ({ Members }) => Members.filter((m: Json) => m.Status === "alive").length,
      );
      const leaders = await Promise.all(ips.map((ip) => getJson(ip, "/v1/status/leader")));
      return alive.every((count) => count === 3) && new Set(leaders).size === 1;
    });
  }

  test("three rolling restarts, and nobody loses touch", async () => {
    await runScript(lab, join(copyExample(lab, "from-clear-to-encrypted"), "setup.sh"));
    await Promise.all([1, 2, 3].map((number) => start(number, 0)));
    await whole();
    expect((await getJson(ips[0] ?? "", "/v1/status")).encrypted).toBe(false);
    for (const step of [1, 2, 3]) {
      for (const number of [1, 2, 3]) {
        agents.get(number)?.kill("SIGTERM");
        await agents.get(number)?.exited;
        await start(number, step);
        await until("it answers", () => getJson(ips[number - 1] ?? "", "/v1/status"));
        await whole();
      }
    }
    for (const ip of ips) {
      const status = await until("nothing is in the clear any more", async () => {
        const found = await getJson(ip, "/v1/status");
        return found.rpc.open_plain_connections === 0 && found;
      });
      expect(status.in_clear).toMatchObject([{ fix: expect.stringContaining("http = true") }]);
    }
  });
});

describe("three-machines", () => {
  test("deploy.sh is the README's, and gives each machine what starts there", async () => {
    const script = read("examples/three-machines/deploy.sh");
    const body = script.slice(script.indexOf("nomad tls ca create"));
    expect(read("README.md")).toContain(body);
    await using lab = new Lab();
    const programs = lab.path("bin");
    mkdirSync(programs);
    symlinkSync(await binary(), join(programs, "nomad"));
    for (const name of ["ssh", "scp"]) {
      const path = join(programs, name);
      writeFileSync(path, `#!/bin/sh\necho ${name} "$@" >> ${lab.path("calls")}\n`);
      chmodSync(path, 0o755);
    }
    writeFileSync(lab.path("server.hcl"), read("examples/three-machines/server.hcl"));
    writeFileSync(lab.path("nomad-encrypted-agent_1.0_amd64.deb"), "");
    const env = { PATH: `${programs}:${process.env.PATH}` };
    tool([join(EXAMPLES, "three-machines/deploy.sh")], { cwd: lab.directory, env });
    for (const ip of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) {
      const folder = lab.path(ip);
      const config = join(folder, "server.hcl");
      writeFileSync(config, readFileSync(config, "utf8").replaceAll("/etc/nomad.d", folder));
      expect(await validated(lab, config)).toMatchObject({ code: 0, err: "" });
      const calls = readFileSync(lab.path("calls"), "utf8");
      expect(calls).toContain(`scp nomad-encrypted-agent_1.0_amd64.deb ${ip}/`);
      expect(calls).toContain(`ssh root@${ip} `);
    }
  });
});

test.if(haveTools("the cloud-init template", "cloud-init"))(
  "cloud-init takes the template, and the agent what it writes",
  async () => {
    const path = join(EXAMPLES, "cloud-init/server.yaml");
    expect(tool(["cloud-init", "schema", "--config-file", path])).toContain("Valid");
    await using lab = new Lab();
    const { write_files: files }: Json = Bun.YAML.parse(readFileSync(path, "utf8"));
    await run(["tls", "ca", "create"], { cwd: lab.directory });
    await run(["tls", "cert", "create", "-server"], { cwd: lab.directory });
    const made: Record<string, string> = {
      CA_CERTIFICATE: "nomad-agent-ca.pem",
      SERVER_CERTIFICATE: "global-server-nomad.pem",
      SERVER_KEY: "global-server-nomad-key.pem",
    };
    const { out: key } = await run(["keygen"]);
    for (const { path: target, content } of files) {
      const text = String(content)
        .replaceAll("/etc/nomad.d", lab.directory)
        .replaceAll("GOSSIP_KEY", key.trim())
        .replaceAll(/CA_CERTIFICATE|SERVER_CERTIFICATE|SERVER_KEY/g, (name) => {
          return readFileSync(lab.path(made[name] ?? ""), "utf8");
        });
      writeFileSync(String(target).replace("/etc/nomad.d", lab.directory), text);
    }
    expect(await validated(lab, lab.path("server.hcl"))).toMatchObject({ code: 0, err: "" });
  },
);

describe("documents", () => {
  const documents = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
  const readmes = readdirSync(EXAMPLES, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(".md"))
    .map((path) => `examples/${path}`);

  for (const path of [...documents, ...readmes]) {
    test(`${path} leads nowhere but to what is there`, () => {
      const links = [...read(path).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(
        ([, target = ""]) => target,
      );
      const local = links.filter((target) => !/^\w+:/.test(target));
      const folder = join(ROOT, path, "..");
      expect(local.filter((target) => !existsSync(join(folder, target)))).toEqual([]);
      const scripts = [...read(path).matchAll(/npm run (?:--silent )?([a-z]+)/g)];
      const known = Object.keys(JSON.parse(read("package.json")).scripts);
      expect(scripts.map(([, name = ""]) => name).filter((one) => !known.includes(one))).toEqual(
        [],
      );
    });
  }
});
