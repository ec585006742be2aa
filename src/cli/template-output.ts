/** A Go template over an answer, with the functions that Nomad's commands give it. */
import { BUILTIN_NAMES } from "../template/builtins.ts";
import { evaluateTemplate } from "../template/evaluate.ts";
import { parseTemplate } from "../template/parse.ts";
import { SPRIG, sprigHint } from "../template/sprig.ts";
import { TemplateError } from "../template/tokens.ts";
import { toValue } from "../template/value.ts";
import { CommandError } from "./output.ts";

/** Of ten thousand nodes, every attribute. */
const OUTPUT_MAX = 64 * 1024 * 1024;
const NAMES: ReadonlySet<string> = new Set([...BUILTIN_NAMES, ...SPRIG.keys()]);

/** @throws CommandError in Go's words */
export function renderTemplate(source: string, value: unknown): string {
  try {
    const template = parseTemplate(source, NAMES);
    const execution = { dot: toValue(value), functions: SPRIG, outputMax: OUTPUT_MAX };
    return evaluateTemplate(template, execution);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const text = `${placeOf(source, error)}${error.message}${sprigHint(error.message)}`;
    throw new CommandError(`Error formatting the data: ${text}`);
  }
}

/** As Go has it: the line, and while it is executed the column, too, and what is there. */
function placeOf(source: string, { at, part }: TemplateError): string {
  if (at === undefined) return "template: ";
  const before = source.slice(0, at);
  const line = before.split("\n").length;
  if (part === undefined) return `template: :${line}: `;
  const column = new TextEncoder().encode(before.slice(before.lastIndexOf("\n") + 1)).length;
  return `template: :${line}:${column}: executing "" at <${part}>: `;
}
