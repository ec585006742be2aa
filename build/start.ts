/**
 * `npm start`: compiles if anything changed, then runs a dev agent with gossip encryption and TLS.
 * `npm start -- -config=FILE` (or any other flags of `nomad agent`) runs that instead.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { BINARY, build } from "./build.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** Newest change of anything that goes into the binary. */
function newestSource(): number {
  const files = readdirSync(join(ROOT, "src"), { recursive: true }).map((name) => `src/${name}`);
  const all = [...files, "package-lock.json", "build/build.ts"];
  return Math.max(...all.map((name) => statSync(join(ROOT, name)).mtimeMs));
}

if (!existsSync(BINARY) || statSync(BINARY).mtimeMs < newestSource()) {
  console.log("==> Compiling build/out/nomad ...");
  await build(BINARY);
}
const given = process.argv.slice(2);
const flags = given.length === 0 ? ["-dev-tls"] : given;
const agent = Bun.spawn([BINARY, "agent", ...flags], {
  stdin: "inherit",
  stdout: "inherit",
  stderr: "inherit",
});
// The terminal sends Ctrl-C to both; a signal sent to us alone is passed on.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => agent.kill(signal));
process.exit(await agent.exited);
