/** Examples as they are, but for their addresses: those of this run of the tests. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NET } from "../addresses.ts";
import { Agent, binary, EXAMPLES, type Lab } from "./agents.ts";

/** @returns the copy's folder; others lie beside it */
export function copyExample(lab: Lab, name: string): string {
  const copy = lab.path(name);
  if (existsSync(copy)) return copy;
  cpSync(join(EXAMPLES, name), copy, { recursive: true });
  for (const file of readdirSync(copy)) {
    const text = readFileSync(join(copy, file), "utf8");
    writeFileSync(join(copy, file), text.replaceAll(/\b127\.0\.0\./g, `${NET}.0.`));
  }
  return copy;
}

/** To its end, in the lab's folder. @throws Error with what it said */
export async function runScript(lab: Lab, ...command: readonly string[]): Promise<string> {
  const run = Bun.spawnSync([...command], { cwd: lab.directory, env: await environment() });
  if (run.success) return run.stdout.toString();
  throw new Error(run.stdout.toString() + run.stderr.toString());
}

/** An agent that runs until the lab's end. */
export async function startScript(
  lab: Lab,
  name: string,
  command: readonly string[],
): Promise<Agent> {
  const { directory } = lab;
  return lab.add(Agent.start(command, { directory, env: await environment(), name }));
}

async function environment(): Promise<Record<string, string>> {
  return { PATH: process.env.PATH ?? "", NOMAD: await binary() };
}
