/** What this build is: from package.json and git, stamped into the binary at compile time. */
import { readFileSync } from "node:fs";

export interface Version {
  readonly agent: string;
  readonly revision: string;
  readonly buildDate: string;
  /** Of the files of a release: with what git knows, unless this is the commit of that version. */
  readonly release: string;
  /** Unix time of the commit; 0 without git. */
  readonly epochSeconds: number;
}

export function readVersion(): Version {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const json: { version?: unknown } = JSON.parse(text);
  const git = (args: string[]): string => {
    const run = Bun.spawnSync(["git", ...args], { stdout: "pipe", stderr: "ignore" });
    return run.success ? run.stdout.toString().trim() : "";
  };
  const agent = typeof json.version === "string" ? json.version : "0.0.0";
  const revision = git(["rev-parse", "HEAD"]);
  // The commit's time, not the clock's: the same commit gives the same bytes.
  const buildDate = git(["show", "-s", "--format=%cI", "HEAD"]);
  const epochSeconds = Number(git(["show", "-s", "--format=%ct", "HEAD"]));
  const isTagged = git(["tag", "--points-at", "HEAD"]).split("\n").includes(`v${agent}`);
  const day = new Date(epochSeconds * 1000).toISOString().replaceAll(/\D/g, "").slice(0, 14);
  const isThat = revision === "" || isTagged;
  const release = isThat ? agent : `${agent}+git${day}.${revision.slice(0, 7)}`;
  return { agent, revision, buildDate, release, epochSeconds };
}
