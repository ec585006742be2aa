/** Arguments in, exit code out. The only place that ends the process. */

import { PARSE_HCL } from "./cli/hcl-child-name.ts";
import { KEY_BYTES_DEFAULT, makeKeyText } from "./cli/keygen.ts";

async function main(argv: readonly string[]): Promise<number> {
  // The one command that people time: nothing is loaded for it.
  if (argv.length === 1 && argv[0] === "keygen") {
    console.log(makeKeyText(KEY_BYTES_DEFAULT));
    return 0;
  }
  if (argv.length === 1 && argv[0] === PARSE_HCL) {
    const { parseForParent } = await import("./cli/hcl-child.ts");
    console.log(await parseForParent(() => Bun.stdin.text()));
    return 0;
  }
  if (argv[0] === "config" && argv[1] === "validate" && mayBeHcl(argv.slice(2))) {
    const { startEarly } = await import("./cli/hcl-child.ts");
    startEarly();
  }
  const { COMP_LINE, COMP_POINT } = process.env;
  if (COMP_LINE !== undefined) {
    const { completeLine } = await import("./cli/complete.ts");
    await completeLine(COMP_LINE, COMP_POINT, argv[1]);
    return 0;
  }
  const { runProgram } = await import("./cli/program.ts");
  return runProgram(argv);
}

/** People time this command, too, and the parser takes longest to load. */
function mayBeHcl(paths: readonly string[]): boolean {
  return paths.length > 0 && !paths.some((path) => path.startsWith("-") || path.endsWith(".json"));
}

/** An uncaught error would print our source: one line instead, and a word on what it is. */
function crash(error: unknown): never {
  const text = error instanceof Error ? error.message : String(error);
  console.error(
    `nomad: internal error: ${text}\nThis is a bug: please report it with what you did.`,
  );
  process.exit(2);
}

process.on("uncaughtException", crash);
process.on("unhandledRejection", crash);
main(process.argv.slice(2)).then((code) => process.exit(code), crash);
