/** Debian's package and rpm's: installed, run as systemd would, upgraded, purged. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type PackageInit, writeDeb } from "../../build/package/deb.ts";
import { writeRpm } from "../../build/package/rpm.ts";
import { PACKAGE, packageTree } from "../../build/package/tree.ts";
import { commonFiles } from "../../build/release/files.ts";
import { NET } from "../addresses.ts";
import { UnixListener } from "../unix-listener.ts";
import { Agent, binary, getJson, Lab, run, until } from "./agents.ts";
import { haveTools, tool } from "./tools.ts";

const IP = `${NET}.91.1`;
const lab = new Lab();
const root = lab.path("root");
const rootless = process.getuid?.() !== 0 && process.env.CI !== "true";
if (rootless) console.log("packages are not installed: that takes root");

afterAll(() => lab[Symbol.asyncDispose]());

/** @param program in place of the binary */
async function parts(version: string, program?: Uint8Array): Promise<PackageInit> {
  const path = await binary();
  const bytes = program ?? new Uint8Array(readFileSync(path));
  const tree = packageTree(commonFiles(path), bytes);
  const outfile = lab.path(`${PACKAGE}_${version}`);
  return { outfile, version, architecture: "amd64", tree, epochSeconds: 1e9, small: false };
}

async function deb(version: string): Promise<string> {
  const init = await parts(version);
  writeDeb(init);
  return init.outfile;
}

function sumOf(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}

/** Installs, removes or purges in a root of its own, whose libc is said to be there. */
function dpkg(...args: readonly string[]): string {
  // Maintainer scripts run here, and change what is below DPKG_ROOT.
  return tool(["dpkg", `--root=${root}`, "--force-script-chrootless", ...args], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
}

function makeRoot(): void {
  for (const path of [
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers",
    "etc",
  ]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  const there = ["libc6", "systemd"].map(
    (name) =>
      `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 252\n` +
      "Maintainer: nobody <nobody@example.org>\nDescription: there\n",
  );
  writeFileSync(join(root, "var/lib/dpkg/status"), there.join("\n"));
}

/** What systemd would do with the installed unit, as far as a test needs it. */
class Supervisor implements Disposable {
  readonly #unit: string;
  readonly #notified: UnixListener;
  readonly #said: string[] = [];
  readonly socket = lab.path("notify");

  constructor() {
    this.#unit = readFileSync(join(root, "lib/systemd/system/nomad.service"), "utf8");
    this.#notified = new UnixListener(this.socket);
  }

  start(name: string): Agent {
    const command = this.#setting("ExecStart").replaceAll(/(^|=)\//g, `$1${root}/`);
    const env = { NOTIFY_SOCKET: this.socket };
    for (const path of ["var/lib/nomad", "var/log/nomad"]) {
      mkdirSync(join(root, path), { recursive: true, mode: 0o700 });
    }
    return lab.add(Agent.start(command.split(" "), { directory: lab.directory, env, name }));
  }

  reload(agent: Agent): void {
    expect(this.#setting("ExecReload")).toBe("/bin/kill -HUP $MAINPID");
    agent.kill("SIGHUP");
  }

  stop(agent: Agent): void {
    expect(this.#setting("KillSignal")).toBe("SIGINT");
    agent.kill("SIGINT");
  }

  heard(what: string): Promise<unknown> {
    return until(`systemd hears ${what}`, () => {
      this.#said.push(...this.#notified.heard());
      const at = this.#said.findIndex((one) => one.startsWith(what));
      return at >= 0 && this.#said.splice(0, at + 1);
    });
  }

  #setting(name: string): string {
    const value = new RegExp(`^${name}=(.*)$`, "m").exec(this.#unit)?.[1];
    if (value === undefined) throw new Error(`the unit has no ${name}`);
    return value;
  }

  [Symbol.dispose](): void {
    this.#notified[Symbol.dispose]();
  }
}

const own = join(root, "etc/nomad.d/10-own.hcl");
const shipped = join(root, "etc/nomad.d/nomad.hcl");

describe.if(!rootless && haveTools("Debian's package", "dpkg", "dpkg-deb", "systemd-sysusers"))(
  "Debian's package",
  () => {
    let first: string;
    beforeAll(async () => {
      first = await deb("1.0");
      makeRoot();
    });

    test("is installed: the binary as it was compiled, configuration for the agent only", async () => {
      dpkg("--install", first);
      expect(sumOf(join(root, "usr/bin/nomad"))).toBe(sumOf(await binary()));
      const group = Number(
        /^nomad:[^:]*:(\d+):/m.exec(readFileSync(join(root, "etc/group"), "utf8"))?.[1],
      );
      for (const [path, mode] of [
        ["etc/nomad.d", 0o750],
        ["etc/nomad.d/nomad.hcl", 0o640],
      ] as const) {
        const { uid, gid, mode: found } = statSync(join(root, path));
        expect([path, uid, gid, found & 0o777]).toEqual([path, 0, group, mode]);
      }
      for (const path of ["etc/logrotate.d/nomad", "usr/share/man/man1/nomad.1.gz"]) {
        expect(existsSync(join(root, path))).toBe(true);
      }
      const completion = join(root, "usr/share/bash-completion/completions/nomad");
      expect(tool(["bash", "-c", `. ${completion} && complete -p nomad`])).toContain("nomad");
      // Nothing of it is on: that is the only thing that can be said against it.
      const said = await run(["config", "validate", shipped]);
      expect(said.err.match(/^error: .*/gm)).toEqual([
        "error: Must specify either server, client or dev mode for the agent",
      ]);
    });

    test("runs by its unit, is upgraded as it runs, and is gone when it is purged", async () => {
      writeFileSync(
        own,
        `bind_addr = "${IP}"\nserver {\n enabled = true\n bootstrap_expect = 1\n}\n`,
      );
      using supervisor = new Supervisor();
      const agent = supervisor.start("packaged");
      await supervisor.heard("READY=1");
      await until("it leads", async () => (await getJson(IP, "/v1/status")).raft.role === "leader");
      supervisor.reload(agent);
      await supervisor.heard("RELOADING=1");
      await supervisor.heard("READY=1");

      appendFileSync(shipped, "# Changed by whoever runs it.\n");
      const changed = readFileSync(shipped, "utf8");
      const owner = statSync(shipped);
      dpkg("--force-confold", "--install", await deb("1.1"));
      expect(readFileSync(shipped, "utf8")).toBe(changed);
      expect(statSync(shipped)).toMatchObject({ gid: owner.gid, mode: owner.mode });
      expect(dpkg("--status", PACKAGE)).toContain("Version: 1.1");
      // It goes on, and is started anew when it suits its operator.
      const { raft } = await getJson(IP, "/v1/status");
      expect(raft.role).toBe("leader");
      supervisor.stop(agent);
      await supervisor.heard("STOPPING=1");
      await agent.exited;
      const again = supervisor.start("packaged-again");
      await supervisor.heard("READY=1");
      await until("it is the same cluster", async () => {
        return (await getJson(IP, "/v1/status")).raft.cluster_id === raft.cluster_id;
      });
      await again.stop();

      dpkg("--remove", PACKAGE);
      expect(existsSync(join(root, "usr/bin/nomad"))).toBe(false);
      expect(existsSync(join(root, "var/lib/nomad/server"))).toBe(true);
      expect(readFileSync(shipped, "utf8")).toBe(changed);
      dpkg("--purge", PACKAGE);
      expect(existsSync(join(root, "var/lib/nomad"))).toBe(false);
      expect(readdirSync(join(root, "etc/nomad.d"))).toEqual(["10-own.hcl"]);
      expect(existsSync(join(root, "etc/logrotate.d/nomad"))).toBe(false);
    });

    test.if(haveTools("logrotate's rule", "logrotate"))("has a rule that logrotate reads", () => {
      const rule = new URL("../../build/package/logrotate", import.meta.url).pathname;
      const said = Bun.spawnSync(["logrotate", "--debug", rule], { stderr: "pipe" });
      expect([said.exitCode, said.stderr.toString()]).toEqual([
        0,
        expect.not.stringContaining("error"),
      ]);
    });
  },
);

/** The same package around a small program: lintian looks at every byte of a large one. */
describe("by other tools", () => {
  const small = new Uint8Array(readFileSync("/bin/true"));

  test.if(haveTools("lintian", "lintian", "dpkg-deb"))("lintian finds no error", async () => {
    const init = { ...(await parts("1.0", small)), outfile: lab.path(`${PACKAGE}_1.0_amd64.deb`) };
    writeDeb({ ...init, small: true });
    const again = { ...init, outfile: lab.path("again.deb"), small: true };
    writeDeb(again);
    expect(sumOf(again.outfile)).toBe(sumOf(init.outfile));
    const said = tool(["lintian", "--allow-root", "--fail-on=error", init.outfile]);
    expect(said).not.toMatch(/^E: /m);
    const rpm = { ...init, architecture: "x86_64", outfile: lab.path("small.rpm"), small: true };
    if (Bun.which("rpmbuild") !== null) writeRpm(rpm);
  });

  test.if(haveTools("the rpm", "rpmbuild", "rpm"))(
    "rpm has the same files, and the same bytes twice",
    async () => {
      const init = { ...(await parts("1.0")), architecture: "x86_64", outfile: lab.path("a.rpm") };
      writeRpm(init);
      writeRpm({ ...init, outfile: lab.path("b.rpm") });
      expect(sumOf(lab.path("b.rpm"))).toBe(sumOf(init.outfile));
      const digests = tool(["rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\n]", init.outfile]);
      expect(digests).toContain(`/usr/bin/nomad ${sumOf(await binary())}\n`);
      const listed = tool(["rpm", "-qplv", init.outfile]);
      expect(listed).toMatch(/-rw-r----- +\d+ root +nomad .* \/etc\/nomad\.d\/nomad\.hcl/);
      expect(tool(["rpm", "-qpc", init.outfile]).trim().split("\n").sort()).toEqual([
        "/etc/logrotate.d/nomad",
        "/etc/nomad.d/nomad.hcl",
      ]);
    },
  );
});
