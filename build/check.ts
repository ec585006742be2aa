/**
 * `npm test`: types, lint, then every test against the binary as it would be released. Ends with a
 * line `N passed, N failed`. `--quick` leaves the binary and the real peers out.
 */
import { readdirSync } from "node:fs";
import { BINARY, build } from "./build.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const quick = process.argv.includes("--quick");
const inCi = process.env.CI === "true";

let passed = 0;
let failed = 0;

function step(name: string, ok: boolean): void {
  console.log(`${ok ? "ok  " : "FAIL"}  ${name}`);
  if (ok) passed += 1;
  else failed += 1;
}

function command(name: string, args: readonly string[]): void {
  const [program = "", ...rest] = args;
  const run = Bun.spawnSync([`${ROOT}node_modules/.bin/${program}`, ...rest], {
    cwd: ROOT,
    stdout: "inherit",
    stderr: "inherit",
  });
  step(name, run.success);
}

/** For one test: a machine four times slower is no failure, and a test that hangs still ends. */
const TEST_MS = 120_000;
/** The simulations take as long as all others of the quick tests together. */
const SIMULATIONS = "sim";

/** One process of the test runner. */
interface Run {
  readonly paths: readonly string[];
  /** Its lines are shown as they come; those of others at its end, so that none are mixed. */
  readonly isLive: boolean;
}

/** Lanes are run at the same time, the runs of one after each other. */
function lanes(): readonly (readonly Run[])[] {
  const all = readdirSync(`${ROOT}test`).filter((name) => !/^vectors|\.md$/.test(name));
  const isTest = (name: string): boolean => !name.endsWith(".ts") || name.endsWith(".test.ts");
  // Cluster tests need the compiled binary and mostly wait for it, interop tests real peers.
  const withoutBinary = all.filter(
    (name) => isTest(name) && !["cluster", "interop"].includes(name),
  );
  const live = (...paths: readonly string[]): Run => ({ paths, isLive: true });
  const late = (...paths: readonly string[]): Run => ({ paths, isLive: false });
  const under = (names: readonly string[]): string[] => names.map((name) => `test/${name}`);
  if (!quick)
    return [[live("test/cluster")], [late(...under(withoutBinary)), late("test/interop")]];
  const others = withoutBinary.filter((name) => name !== SIMULATIONS);
  const alone = "test/sim/sim.test.ts";
  const sims = ["test/sim/raft-sim.test.ts", "test/sim/queries.test.ts"];
  return [[late(alone)], [live(...sims, ...under(others))]];
}

/** Runs them, and counts what they say at the end. */
async function tests({ paths, isLive }: Run): Promise<void> {
  const child = Bun.spawn([process.execPath, "test", `--timeout=${TEST_MS}`, ...paths], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...(quick ? { TEST_SEEDS: "few" } : {}) },
  });
  const [out, err] = await Promise.all([read(child.stdout, isLive), read(child.stderr, isLive)]);
  const code = await child.exited;
  if (!isLive) process.stdout.write(err + out);
  const count = (word: string): number => {
    return Number(new RegExp(`^\\s*(\\d+) ${word}`, "m").exec(out + err)?.[1] ?? 0);
  };
  passed += count("pass");
  failed += count("fail");
  if (code !== 0 && count("fail") === 0) step("bun test ended with an error", false);
  if (count("pass") === 0) step("bun test ran nothing", false);
  const skipped = count("skip") + count("todo");
  if (skipped > 0 && inCi) step(`${skipped} tests were skipped, which CI does not allow`, false);
}

async function read(stream: ReadableStream<Uint8Array>, isLive: boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const part = decoder.decode(chunk, { stream: true });
    if (isLive) process.stdout.write(part);
    text += part;
  }
  return text;
}

async function inTurn(runs: readonly Run[]): Promise<void> {
  for (const run of runs) await tests(run);
}

command("types", ["tsc", "--noEmit"]);
command("types of the page", ["tsc", "--noEmit", "--project", "src/ui"]);
command("lint and format", ["biome", "ci", "--error-on-warnings"]);
if (!quick) {
  await build(BINARY);
  step("compile build/out/nomad", true);
}
await Promise.all(lanes().map(inTurn));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
