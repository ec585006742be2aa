/** A machine with git, Node and npm: clone, `npm start`, and the curl line that it prints. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import { Agent, Lab, until } from "./agents.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const inCi = process.env.CI === "true";
if (!inCi) console.log("the fresh clone is only tried in CI: it downloads everything anew");

/** Nothing, if the ports that a newcomer gets are free; else the same on another address. */
async function elsewhere(): Promise<readonly string[]> {
  for (const port of [4646, 4647, 4648]) {
    try {
      const socket = { data: () => undefined };
      Bun.listen({ hostname: "127.0.0.1", port, socket }).stop();
    } catch {
      return ["--", "-dev-tls", `-bind=${NET}.99.1`];
    }
  }
  return [];
}

describe.if(inCi)("a fresh clone", () => {
  test("npm start runs an encrypted agent, and the line it prints works", async () => {
    await using lab = new Lab();
    const clone = join(lab.directory, "clone");
    const cloned = Bun.spawnSync(["git", "clone", "--quiet", ROOT, clone], { stderr: "pipe" });
    if (!cloned.success) throw new Error(cloned.stderr.toString());
    const home = process.env.HOME ?? "";
    const agent = lab.add(
      Agent.start(["npm", "start", ...(await elsewhere())], {
        directory: lab.directory,
        cwd: clone,
        env: { HOME: home },
        name: "npm-start",
      }),
    );
    const line = await until(
      "the curl line is printed",
      () => /^ *(curl --cacert .*)$/m.exec(agent.log)?.[1],
      120_000,
    );
    const curl = Bun.spawnSync(["sh", "-c", line.replace("curl", "curl --silent --max-time 5")]);
    const report = JSON.parse(curl.stdout.toString());
    expect(report).toMatchObject({ encrypted: true, in_clear: [] });
    expect(report.gossip.cipher).toBe("AES-256-GCM");
    const changed = Bun.spawnSync(["git", "status", "--porcelain"], { cwd: clone });
    expect(changed.stdout.toString()).toBe("");
    const child = Bun.spawnSync(["pkill", "-INT", "-f", `${clone}/build/out/nomad agent`]);
    expect(child.success).toBe(true);
    await agent.exited;
    expect(agent.log).toContain("==> Caught signal: interrupt");
  }, 240_000);
});
