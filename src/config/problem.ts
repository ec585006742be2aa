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
