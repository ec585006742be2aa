/** What `npm run release` makes, in its shorter form: archives, checksums, bill of materials. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { TARGETS } from "../../build/release/targets.ts";
import { release } from "../../build/release.ts";
import { readVersion } from "../../build/version.ts";
import { unitText } from "../../src/cli/systemd-unit.ts";
import { NET } from "../addresses.ts";
import { Agent, binary, EXAMPLES, type Json, Lab, run, until } from "./agents.ts";
import { haveTools, tool } from "./tools.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SLOW_MS = 240_000;
const NAME = "nomad-encrypted-agent";
const { release: version } = readVersion();
const lab = new Lab();
const out = lab.path("release");
/** The shorter form: the binary that is there says what completes its commands. */
async function how() {
  return { host: await binary(), quick: true, say: () => undefined };
}

function named(name: string): string {
  const found = readdirSync(out).find((one) => one.endsWith(name));
  if (found === undefined) throw new Error(`there is no ${name}`);
  return join(out, found);
}

/** @returns the folder of an archive, unpacked */
function unpack(target: string): string {
  const folder = `${NAME}_${version}_${target}`;
  tool(["tar", "-xzf", named(`${folder}.tar.gz`), "-C", lab.directory]);
  return lab.path(folder);
}

const targets = TARGETS.filter(
  (one) => one.name !== "linux_arm64_musl" && !one.name.startsWith("d"),
);
beforeAll(async () => release({ targets, out, ...(await how()) }), SLOW_MS);
afterAll(() => lab[Symbol.asyncDispose]());

describe("an archive", () => {
  test("has all that a machine without the project needs, and checksums that fit", () => {
    tool(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: out });
    const listed = tool(["tar", "-tzvf", named("_linux_amd64.tar.gz")]);
    const folder = `${NAME}_${version}_linux_amd64`;
    for (const path of ["LICENSE", "README.md", "examples/three-servers/setup.sh", "man/nomad.1"]) {
      expect(listed).toContain(`${folder}/${path}`);
    }
    for (const path of ["completions/nomad", "completions/_nomad", "completions/nomad.fish"]) {
      expect(listed).toContain(`${folder}/${path}`);
    }
    const modes = new Map(
      listed
        .trim()
        .split("\n")
        .map((line) => [line.split(" ").at(-1) ?? "", line.slice(0, 10)]),
    );
    expect(modes.get(`${folder}/nomad`)).toBe("-rwxr-xr-x");
    expect(modes.get(`${folder}/examples/three-servers/run.sh`)).toBe("-rwxr-xr-x");
    expect(modes.get(`${folder}/README.md`)).toBe("-rw-r--r--");
    expect(tool([join(unpack("linux_amd64"), "nomad"), "version"])).toContain(
      readVersion().revision,
    );
  });

  test(
    "the same source gives the same bytes, bill of materials included",
    async () => {
      const again = lab.path("again");
      const some = targets.filter((one) => one.name === "linux_amd64_musl");
      await release({ targets: some, out: again, ...(await how()) });
      const sums = (folder: string): string[] =>
        readFileSync(join(folder, "SHA256SUMS"), "utf8").trim().split("\n");
      const second = sums(again);
      expect(second.length).toBe(2); // Archives; packages are compared where they are tested.
      const first = sums(out);
      expect(second.filter((line) => !first.includes(line))).toEqual([]);
    },
    SLOW_MS,
  );

  test("the container file takes what the archive has, runs nothing and is not root's", () => {
    const folder = join(lab.directory, `${NAME}_${version}_linux_amd64`);
    const lines = readFileSync(join(folder, "Containerfile"), "utf8")
      .split("\n")
      .filter((line) => !/^(#|$)/.test(line));
    expect(lines.filter((line) => /^(RUN|ADD)\b/.test(line))).toEqual([]);
    const copied = lines.flatMap((line) => /^COPY --chmod=\d+ (\S+) /.exec(line)?.[1] ?? []);
    expect(copied).toContain("nomad");
    for (const path of copied) expect(readdirSync(folder)).toContain(path);
    expect(lines.find((line) => line.startsWith("USER"))).toMatch(/^USER [1-9]\d+:[1-9]\d+$/);
  });
});

test("the bill of materials is CycloneDX, and has every package of the binary", async () => {
  const text = readFileSync(named("_sbom.cdx.json"), "utf8");
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  expect(await validator.validate(text)).toBeNull();
  const bill: Json = JSON.parse(text);
  const names = bill.components.map((one: Json) => [one.group, one.name].filter(Boolean).join("/"));
  const wanted: Json = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of Object.keys(wanted.dependencies)) expect(names).toContain(name);
  for (const name of Object.keys(wanted.devDependencies)) expect(names).not.toContain(name);
  expect(bill.components.filter((one: Json) => one.hashes === undefined)).toEqual([]);
  expect(bill.components.filter((one: Json) => one.licenses === undefined)).toEqual([]);
});

/** keygen, and an agent with everything encrypted that answers. */
async function works(
  command: readonly string[],
  ip: string,
  env: Record<string, string>,
): Promise<void> {
  expect(Buffer.from(tool([...command, "keygen"], { env }), "base64")).toHaveLength(16);
  const name = ip.replaceAll(".", "-");
  const agent = lab.add(
    Agent.start([...command, "agent", "-dev-tls", `-bind=${ip}`], {
      ...{ directory: lab.directory, env, name },
    }),
  );
  const ca = await until("the agent is up", () => /--cacert (\S+)/.exec(agent.log)?.[1]);
  const report: Json = await until("it leads", async () => {
    const tls = { ca: Bun.file(ca) };
    const response = await fetch(`https://${ip}:4646/v1/status`, { tls });
    const found: Json = await response.json();
    return found.raft.role === "leader" ? found : undefined;
  });
  expect(report).toMatchObject({ encrypted: true, in_clear: [] });
  await agent.stop();
}

const ARM = "/usr/aarch64-linux-gnu";
test.if(haveTools("the arm64 binary", "qemu-aarch64-static", `${ARM}/lib/libc.so.6`))(
  "arm64: runs under an emulator",
  async () => {
    const command = ["qemu-aarch64-static", join(unpack("linux_arm64"), "nomad")];
    // Bytecode that the runtime did not take would cost a start ten times as long, and no word.
    await works(command, `${NET}.90.1`, { QEMU_LD_PREFIX: ARM });
  },
  SLOW_MS,
);

test.if(haveTools("the musl binary", "/lib/ld-musl-x86_64.so.1", "gcc"))(
  "musl: runs with its loader",
  async () => {
    const libraries = lab.path("musl");
    mkdirSync(libraries);
    for (const name of ["libstdc++.so.6", "libgcc_s.so.1"]) {
      const path = tool(["gcc", `-print-file-name=${name}`]).trim();
      cpSync(path, join(libraries, name), { dereference: true });
    }
    const shim = join(libraries, "ld-linux-x86-64.so.2");
    tool([
      "gcc",
      "-shared",
      "-nostdlib",
      "-fPIC",
      "-w",
      "-o",
      shim,
      join(import.meta.dir, "musl-shim.c"),
    ]);
    const binary = join(unpack("linux_amd64_musl"), "nomad");
    await works([binary], `${NET}.90.2`, { LD_LIBRARY_PATH: libraries });
  },
  SLOW_MS,
);

describe("the unit", () => {
  test("is printed by the binary, for itself or for another path", async () => {
    const { code, out: text } = await run(["systemd", "unit", "-binary=/opt/bin/nomad"]);
    expect([code, text]).toEqual([0, unitText("/opt/bin/nomad")]);
    const own = await run(["systemd", "unit"]);
    expect(own.out).toContain(
      `ExecStart=${join(ROOT, "build/out/nomad")} agent -config=/etc/nomad.d `,
    );
    const bad = await run(["systemd", "unit", "-binary=bin/no mad"]);
    expect([bad.code, bad.err]).toEqual([
      1,
      "-binary must be an absolute path of plain characters, found 'bin/no mad'\n",
    ]);
    expect(unitText("/usr/local/bin/nomad")).toBe(
      readFileSync(join(EXAMPLES, "systemd/nomad.service"), "utf8"),
    );
  });

  test.if(haveTools("the unit's check", "systemd-analyze"))("is one that systemd takes", () => {
    const path = lab.path("nomad.service");
    writeFileSync(path, unitText("/bin/true"));
    expect(tool(["systemd-analyze", "verify", path])).toBe("");
    const said = tool(["systemd-analyze", "security", "--offline=true", path]);
    const exposure = Number(/Overall exposure level for nomad.service: ([\d.]+)/.exec(said)?.[1]);
    expect(exposure).toBeLessThan(2);
  });
});
