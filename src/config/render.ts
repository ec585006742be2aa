/**
 * Problems as a text for people: with the lines that they are about, and without secrets.
 *
 * @module
 */
import { visible } from "../host/visible.ts";
import type { Position, Problem } from "./problem.ts";
import { redactLine, redactText } from "./redact.ts";
import type { SourceText } from "./source-text.ts";

const EXCERPT_COLUMNS_MAX = 200;
/** So much of a long line is before what is underlined. */
const EXCERPT_COLUMNS_BEFORE = 60;
const TEXT_LENGTH_MAX = 4000;
/** Of one run: nobody reads more at once. */
const PROBLEMS_SHOWN_MAX = 20;

/**
 * Several as one text, as one reads the files; what has no place comes last.
 *
 * @param sources the files that could be read, in order
 */
export function renderProblems(
  problems: readonly Problem[],
  sources: readonly SourceText[],
): string {
  const files = sources.map(({ file }) => file);
  const place = ({ at }: Problem): readonly [number, number, number] => {
    if (at === undefined || at.line === 0) return [files.length, 0, 0];
    return [files.indexOf(at.file), at.line, at.column];
  };
  const byPlace = (a: Problem, b: Problem): number => {
    const [left, right] = [place(a), place(b)];
    return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
  };
  // Where there is no room for all, warnings go first.
  const errors = problems.filter(({ severity }) => severity === "error");
  const warnings = problems.filter(({ severity }) => severity !== "error");
  const shown = [...errors.sort(byPlace), ...warnings.sort(byPlace)].slice(0, PROBLEMS_SHOWN_MAX);
  const texts = shown.sort(byPlace).map((problem) => renderProblem(problem, sources));
  const more = problems.length - shown.length;
  return [...texts, ...(more > 0 ? [`… and ${more} more`] : [])].join("\n\n");
}

/** Error text with the offending line and a caret; what may be a secret is blanked. */
function renderProblem(problem: Problem, sources: readonly SourceText[]): string {
  const lines = [`${problem.severity}: ${printable(redactText(problem.message))}`];
  const { at } = problem;
  if (at !== undefined && at.line > 0) {
    lines.push(`  --> ${printable(at.file)}:${at.line}:${at.column}`);
    const source = sources.find(({ file }) => file === at.file);
    const line = source?.line(at.line);
    if (line !== undefined) lines.push(...excerpt(line, source?.line(at.line - 1) ?? "", at));
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
