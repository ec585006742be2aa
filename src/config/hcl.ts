/**
 * HCL text to its outline: our lexer says what the words of HCL 1 are and where they stand,
 * hcl2-parser has the last word on what they form, and says what escapes mean.
 *
 * @module
 */
import { type HclOutline, outlineHcl } from "./hcl-outline.ts";
import type { ParserAnswer } from "./hcl-parser.ts";
import { type Body, type Fault, isFault } from "./outline.ts";
import type { Problem } from "./problem.ts";
import type { SourceText } from "./source-text.ts";
import { isObject } from "./tree.ts";

/** What a file came to. */
export interface Parsed {
  /** Undefined: it could not be read at all. */
  readonly body: Body | undefined;
  readonly problems: readonly Problem[];
}

/** What hcl2-parser is to be asked about a file, and what its answer makes of the file. */
interface HclQuestion {
  readonly text: string;
  readonly finish: (answer: ParserAnswer) => Parsed;
}

/** @returns what is left to ask, or why there is no point in asking */
export function readHcl(source: SourceText): HclQuestion | Parsed {
  const outline = outlineHcl(source.text);
  if (isFault(outline)) return refused(source, outline);
  const escapes = escapesIn(outline);
  const finish = (answer: ParserAnswer): Parsed => {
    if (answer.json !== undefined && giveTexts(outline, escapes, JSON.parse(answer.json))) {
      return { body: outline.body, problems: [] };
    }
    const message = `the file cannot be parsed as HCL: ${answer.error || "no reason was given"}`;
    return { body: undefined, problems: [{ severity: "error", message, at: source.whole() }] };
  };
  return { text: `${outline.forms}s=[${escapes.map((one) => `"${one}"`).join(",")}]\n`, finish };
}

/** A file that cannot be read. */
export function refused(source: SourceText, { message, at, length, help }: Fault): Parsed {
  const problem: Problem = { severity: "error", message, at: source.at(at, length), help };
  return { body: undefined, problems: [problem] };
}

/** Every escape once. */
function escapesIn({ waiting }: HclOutline): readonly string[] {
  const all = new Set<string>();
  for (const { pieces } of waiting) {
    for (let i = 1; i < pieces.length; i += 2) all.add(pieces[i] ?? "");
  }
  return [...all];
}

/** Puts together the texts that wait for what their escapes mean. */
function giveTexts({ waiting }: HclOutline, escapes: readonly string[], answer: unknown): boolean {
  const values = isObject(answer) ? answer["s"] : undefined;
  if (!Array.isArray(values) || values.length !== escapes.length) return false;
  const meaning = new Map(escapes.map((one, i) => [one, String(values[i])]));
  for (const { pieces, target } of waiting) {
    target.text = pieces
      .map((piece, i) => (i % 2 === 1 ? (meaning.get(piece) ?? "") : piece))
      .join("");
  }
  return true;
}
