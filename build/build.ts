/** Compiles the one executable: `bun build/build.ts [outfile]`. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { readVersion } from "./version.ts";

/** The base name is embedded in the binary: always `nomad`, or the bytes differ. */
export const BINARY = new URL("./out/nomad", import.meta.url).pathname;

export async function build(outfile: string): Promise<void> {
  mkdirSync(dirname(outfile), { recursive: true });
  const root = new URL("..", import.meta.url).pathname;
  const { agent, revision, buildDate } = readVersion();
  const defines = { AGENT_VERSION: agent, AGENT_REVISION: revision, AGENT_BUILD_DATE: buildDate };
  const run = Bun.spawnSync(
    [
      process.execPath,
      "build",
      "--compile",
      "--minify",
      "--bytecode",
      "--format=esm",
      "--splitting",
      // Else a bunfig.toml or .env in the current folder of whoever runs it would run code in it.
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      ...Object.entries(defines).map(
        ([name, value]) => `--define=${name}=${JSON.stringify(value)}`,
      ),
      `--outfile=${outfile}`,
      "src/main.ts",
    ],
    { cwd: root, stdout: "pipe", stderr: "pipe" },
  );
  if (!run.success) {
    throw new Error(`compiling failed:\n${run.stdout.toString()}${run.stderr.toString()}`);
  }
}

if (import.meta.main) {
  const outfile = process.argv[2] ?? BINARY;
  await build(outfile);
  console.log(`built ${outfile}`);
}
