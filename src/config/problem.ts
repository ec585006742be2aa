/**
 * An operator's mistake: what was attempted, what was found, where, and what to do next.
 *
 * @module
 */

export interface Position {
  readonly file: string;
  /** From 1; 0: the place is the file (or the flag) as a whole. */
  readonly line: number;
  readonly column: number;
  /** Characters to underline. */
  readonly length: number;
}

export interface Problem {
  readonly message: string;
  readonly at: Position | undefined;
  /** What to do next. */
  readonly help?: string | undefined;
  readonly severity: "error" | "warning";
}

/** Thrown once, with all of them. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map((problem) => problem.message).join("; "));
    this.problems = problems;
  }
}

/** Keys whose values never appear in an error, whatever is wrong with them. */
const SECRET_KEYS = /\b(encrypt|secret_id|token|password|replication_token|secret|key_password)\b/;

/**
 * Error text with the offending line and a caret; secrets are blanked.
 *
 * @param sourceOf lines of a file, if they are at hand
 */
export function renderProblem(
  problem: Problem,
  sourceOf: (file: string) => readonly string[] | undefined,
): string {
  const head = `${problem.severity}: ${problem.message}`;
  const lines = [head];
  const { at } = problem;
  if (at !== undefined && at.line > 0) {
    lines.push(`  --> ${at.file}:${at.line}:${at.column}`);
    const source = sourceOf(at.file)?.[at.line - 1];
    if (source !== undefined) lines.push(...excerpt(source, at));
  } else if (at !== undefined && at.file !== "") {
    lines.push(`  --> ${at.file}`);
  }
  if (problem.help !== undefined) lines.push(`  help: ${problem.help}`);
  return lines.join("\n");
}

function excerpt(source: string, at: Position): string[] {
  const shown = blank(source).replaceAll("\t", " ");
  const gutter = String(at.line);
  const width = Math.max(1, Math.min(at.length, shown.length - at.column + 1));
  const caret = `${" ".repeat(Math.max(0, at.column - 1))}${"^".repeat(width)}`;
  return [`${gutter} | ${shown}`, `${" ".repeat(gutter.length)} | ${caret}`];
}

/** Keeps the length, so that the caret still points at the right place. */
function blank(source: string): string {
  if (!SECRET_KEYS.test(source)) return source;
  return source.replaceAll(
    /(=|:)(\s*)"([^"]*)"?/g,
    (_all, sign: string, space: string, value: string) => {
      return `${sign}${space}"${"*".repeat(value.length)}"`;
    },
  );
}
