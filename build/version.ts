/** What this build is: from package.json and git, stamped into the binary at compile time. */
import { readFileSync } from "node:fs";

export interface Version {
  readonly agent: string;
  readonly revision: string;
  readonly buildDate: string;
}

export function readVersion(): Version {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const json: { version?: unknown } = JSON.parse(text);
  const git = (args: string[]): string => {
    const run = Bun.spawnSync(["git", ...args], { stdout: "pipe", stderr: "ignore" });
    return run.success ? run.stdout.toString().trim() : "";
  };
  return {
    agent: typeof json.version === "string" ? json.version : "0.0.0",
    revision: git(["rev-parse", "HEAD"]),
    // The commit's time, not the clock's: the same commit gives the same bytes.
    buildDate: git(["show", "-s", "--format=%cI", "HEAD"]),
  };
}
