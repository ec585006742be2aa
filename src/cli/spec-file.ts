/**
 * Specifications of what a command is to make: files in HCL or JSON, or stdin, read with every
 * mistake at its place, as configurations are.
 *
 * @module
 */
import { looksLikeJson, parseJson } from "../config/json.ts";
import type { Problem } from "../config/problem.ts";
import { renderProblems } from "../config/render.ts";
import { Report } from "../config/report.ts";
import { Section } from "../config/section.ts";
import { decodeText, SourceText } from "../config/source-text.ts";
import { readBytes, STDIN } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { parseInChild } from "./hcl-child.ts";
import { CommandError } from "./output.ts";

/** Text of a file, or of stdin for "-". @throws CommandError in Nomad's words */
export function readInput(path: string): SourceText {
  const isStdin = path === "-";
  let bytes: Uint8Array;
  try {
    bytes = readBytes(isStdin ? STDIN : path);
  } catch (error) {
    const what = isStdin ? "stdin" : `file ${JSON.stringify(path)}`;
    throw new CommandError(`Failed to read ${what}: ${describeErrno(error)}`);
  }
  const { text, fault } = decodeText(bytes);
  const source = new SourceText(isStdin ? "stdin" : path, text);
  if (fault === undefined) return source;
  const { message, at, length } = fault;
  throw mistakes(source, [{ severity: "error", message, at: source.at(at, length) }]);
}

/**
 * @param read takes out of the file what it knows; whatever it does not ask for is a mistake
 * @throws CommandError with all mistakes
 */
export async function readSpec<Spec>(
  source: SourceText,
  read: (top: Section) => Spec,
): Promise<Spec> {
  const { body, problems } = await parse(source);
  if (body === undefined || problems.length > 0) throw mistakes(source, problems);
  const report = new Report([]);
  const top = new Section([[{ source, body, at: source.whole() }]], "", report);
  const spec = read(top);
  top.finish();
  report.finish();
  const errors = report.problems.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw mistakes(source, errors);
  return spec;
}

async function parse(source: SourceText): Promise<ReturnType<typeof parseJson>> {
  if (looksLikeJson(source.text)) return parseJson(source);
  const { readHcl } = await import("../config/hcl.ts");
  const asked = readHcl(source);
  if (!("text" in asked)) return asked;
  const [answer] = await parseInChild([asked.text]);
  return asked.finish(answer ?? { json: undefined, error: "" });
}

function mistakes(source: SourceText, problems: readonly Problem[]): CommandError {
  const text = renderProblems(problems, [source]);
  return new CommandError(`Failed to parse input content:\n${text}`);
}
