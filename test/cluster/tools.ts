/** Debian's tools that some tests need: in CI they have to be there, elsewhere it is said. */
const inCi = process.env.CI === "true";

/** @returns false: the tests that need them are left out */
export function haveTools(what: string, ...tools: readonly string[]): boolean {
  const missing = tools.filter((one) => Bun.which(one) === null && !Bun.file(one).size);
  if (missing.length === 0 || inCi) return true;
  console.log(`${what} is not tried: there is no ${missing.join(", ")} here`);
  return false;
}

/** @returns what it printed. @throws Error with all that it said */
export function tool(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): string {
  const run = Bun.spawnSync([...command], {
    cwd: options.cwd ?? "/",
    env: { ...process.env, ...options.env },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 110_000,
  });
  const said = run.stdout.toString();
  if (run.success) return said;
  throw new Error(`${command.join(" ")}: ${run.exitCode}\n${said}${run.stderr.toString()}`);
}
