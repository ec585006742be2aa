/** Compiles the one executable: `bun build/build.ts [outfile]`. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { buildPage, PAGE_FILES } from "./page.ts";
import { readVersion } from "./version.ts";

/** The base name is embedded in the binary: always `nomad`, or the bytes differ. */
export const BINARY = new URL("./out/nomad", import.meta.url).pathname;

/** How a binary differs from the one for this machine. */
interface BuildOptions {
  /** For another machine: what the compiler calls it, and its runtime. */
  readonly target?: { readonly name: string; readonly runtime: string };
  /** In place of what this build is: for tests of an upgrade. */
  readonly defines?: Readonly<Record<string, string | number>>;
}

export async function build(outfile: string, options: BuildOptions = {}): Promise<void> {
  mkdirSync(dirname(outfile), { recursive: true });
  const root = new URL("..", import.meta.url).pathname;
  await buildPage(root);
  const { agent, revision, buildDate } = readVersion();
  const defines = {
    ...{ AGENT_VERSION: agent, AGENT_REVISION: revision, AGENT_BUILD_DATE: buildDate },
    ...options.defines,
  };
  const { target } = options;
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
      ...(target === undefined
        ? []
        : [`--target=bun-${target.name}`, `--compile-executable-path=${target.runtime}`]),
      // The page's files are embedded as they are, by their own names (Bun.embeddedFiles).
      "--loader=.gz:file",
      "--asset-naming=[name].[ext]",
      `--outfile=${outfile}`,
      "src/main.ts",
      ...PAGE_FILES.map((name) => `build/out/ui/${name}.gz`),
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
