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
/** Folders whose tests need the compiled binary, or real peers. */
const SLOW = ["cluster", "interop"];
/** The simulations take as long as all others together: they have a core of their own. */
const SIMULATIONS = ["sim"];

/** What is run at the same time: nothing that binds fixed ports in more than one of them. */
function groups(): readonly (readonly string[])[] {
  if (!quick) return [["test"]];
  const all = readdirSync(`${ROOT}test`).filter((name) => !/^vectors|\.md$/.test(name));
  const isTest = (name: string): boolean => !name.endsWith(".ts") || name.endsWith(".test.ts");
  const wanted = all.filter((name) => isTest(name) && !SLOW.includes(name));
  const others = wanted.filter((name) => !SIMULATIONS.includes(name));
  return [
    ["test/sim/sim.test.ts"],
    [
      "test/sim/raft-sim.test.ts",
      "test/sim/queries.test.ts",
      ...others.map((name) => `test/${name}`),
    ],
  ];
}

/** Shows the tests as they run and counts what they say at the end. */
async function tests(paths: readonly string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, "test", `--timeout=${TEST_MS}`, ...paths], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...(quick ? { TEST_SEEDS: "few" } : {}) },
  });
  const [out, err] = await Promise.all([show(child.stdout), show(child.stderr)]);
  const code = await child.exited;
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

async function show(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const part = decoder.decode(chunk, { stream: true });
    process.stdout.write(part);
    text += part;
  }
  return text;
}

command("types", ["tsc", "--noEmit"]);
command("lint and format", ["biome", "ci", "--error-on-warnings"]);
if (!quick) {
  await build(BINARY);
  step("compile build/out/nomad", true);
}
await Promise.all(groups().map(tests));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
