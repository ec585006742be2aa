/**
 * Go's flags for a parser that knows GNU's: `-flag=value` and `-flag value`, one dash or two, and
 * `-json=true`. One-letter flags stay as they are.
 *
 * @module
 */

/** Flags without a value, of any command: for these `=true` and `=false` mean what they say. */
const BOOLEANS: ReadonlySet<string> = new Set([
  "cli",
  "client",
  "detailed",
  "dev",
  "dev-tls",
  "force-color",
  "json",
  "log-json",
  "name-constraint",
  "no-color",
  "rejoin",
  "server",
  "show-keys",
  "tls-skip-verify",
  "verbose",
]);

const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;

export function normaliseArgv(argv: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") return [...out, ...argv.slice(i)];
    const flag = /^--?([a-z][a-z0-9-]+)(?:=([\s\S]*))?$/i.exec(word);
    if (flag === null) {
      out.push(word);
      continue;
    }
    const [, name = "", value] = flag;
    if (value === undefined) out.push(`--${name}`);
    else if (!BOOLEANS.has(name)) out.push(`--${name}=${value}`);
    else if (TRUE.test(value)) out.push(`--${name}`);
    else if (!FALSE.test(value)) out.push(`--${name}=${value}`);
  }
  return out;
}
