/**
 * `npm test`: types, lint, then every test against the binary as it would be released. Ends with a
 * line `N passed, N failed`. `--quick` leaves the binary and the real peers out.
 */
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

/** Shows the tests as they run and counts what they say at the end. */
async function tests(): Promise<void> {
  const folders = quick
    ? ["config", "http", "protocol", "service", "wire", "state", "tidy", "sim", "paper"]
    : [];
  const child = Bun.spawn([process.execPath, "test", ...folders.map((name) => `test/${name}`)], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
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
await tests();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
