/**
 * An operator's mistake: what was attempted, what was found, where, and what to do next.
 *
 * @module
 */
import { visible } from "../host/visible.ts";
import { redactLine, redactText } from "./redact.ts";

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

const EXCERPT_COLUMNS_MAX = 200;
/** So much of a long line is before what is underlined. */
const EXCERPT_COLUMNS_BEFORE = 60;
const TEXT_LENGTH_MAX = 4000;
/** Of one run: nobody reads more at once. */
const PROBLEMS_SHOWN_MAX = 20;

/** A line of a file, from 1, if it is at hand. */
type LineOf = (file: string, line: number) => string | undefined;

/** Several as one text, as one reads the files; what has no place comes last. */
export function renderProblems(problems: readonly Problem[], lineOf: LineOf): string {
  const shown = [...problems].sort(byPlace).slice(0, PROBLEMS_SHOWN_MAX);
  const texts = shown.map((problem) => renderProblem(problem, lineOf));
  const more = problems.length - shown.length;
  return [...texts, ...(more > 0 ? [`… and ${more} more`] : [])].join("\n\n");
}

function byPlace(a: Problem, b: Problem): number {
  const [left, right] = [a.at, b.at];
  const lines = (left?.line || Number.MAX_SAFE_INTEGER) - (right?.line || Number.MAX_SAFE_INTEGER);
  if (left !== undefined && right !== undefined && left.file !== right.file) return 0;
  return lines === 0 ? (left?.column ?? 0) - (right?.column ?? 0) : lines;
}

/** Error text with the offending line and a caret; what may be a secret is blanked. */
function renderProblem(problem: Problem, lineOf: LineOf): string {
  const lines = [`${problem.severity}: ${printable(redactText(problem.message))}`];
  const { at } = problem;
  if (at !== undefined && at.line > 0) {
    lines.push(`  --> ${printable(at.file)}:${at.line}:${at.column}`);
    const source = lineOf(at.file, at.line);
    if (source !== undefined)
      lines.push(...excerpt(source, lineOf(at.file, at.line - 1) ?? "", at));
  } else if (at !== undefined && at.file !== "") {
    lines.push(`  --> ${printable(at.file)}`);
  }
  if (problem.help !== undefined) lines.push(`  help: ${printable(redactText(problem.help))}`);
  return lines.join("\n");
}

function excerpt(source: string, previous: string, at: Position): string[] {
  // Beyond what is shown of it, a line may be a megabyte.
  const start = Math.max(0, at.column - 1 - EXCERPT_COLUMNS_BEFORE);
  const near = source.slice(0, 4 * (start + EXCERPT_COLUMNS_MAX));
  const all = [...redactLine(near, previous)];
  const cut = all.length > EXCERPT_COLUMNS_MAX ? start : 0;
  const before = printable(all.slice(cut, at.column - 1).join(""));
  const rest = printable(all.slice(at.column - 1).join(""));
  const shown = `${cut > 0 ? "…" : ""}${before}${rest}`;
  const gutter = String(at.line);
  const indent = before.length + (cut > 0 ? 1 : 0);
  const width = Math.max(1, Math.min(at.length, rest.length, EXCERPT_COLUMNS_MAX - indent));
  const caret = `${" ".repeat(indent)}${"^".repeat(width)}`;
  const line =
    shown.length > EXCERPT_COLUMNS_MAX ? `${shown.slice(0, EXCERPT_COLUMNS_MAX - 1)}…` : shown;
  return [`${gutter} | ${line}`, `${" ".repeat(gutter.length)} | ${caret}`];
}

/** In one line, and not without end. */
function printable(text: string): string {
  const short = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
  return visible(short.replaceAll("\t", " "));
}
