/**
 * Configuration from files and flags: read in order, merged, parsed, with every mistake at once.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import type { Parsed } from "../config/hcl.ts";
import type { ParserAnswer } from "../config/hcl-parser.ts";
import { looksLikeJson, parseJson } from "../config/json.ts";
import { parseConfig } from "../config/parse.ts";
import { ConfigError, type Problem, renderProblem } from "../config/problem.ts";
import { SourceText } from "../config/source-text.ts";
import { mergeTrees, type Tree } from "../config/tree.ts";
import { sha256 } from "../host/digest.ts";
import { machineName } from "../host/machine.ts";
import { describeErrno } from "../host/network.ts";

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly Problem[];
  readonly render: (problem: Problem) => string;
}

type ParseAll = (texts: readonly string[]) => Promise<readonly ParserAnswer[]>;

export interface LoadRequest {
  /** Files and directories, in order. */
  readonly paths: readonly string[];
  /** What the flags say; wins over files. */
  readonly flags: Tree;
  readonly devMode: boolean;
  /** Parses the HCL of all files at once; by default in this process. */
  readonly parse?: ParseAll;
}

/** Everything that goes wrong while loading; `render` has the lines for the carets. */
export class LoadError extends Error {
  override readonly name = "LoadError";
  readonly text: string;

  constructor(problems: readonly Problem[], render: (problem: Problem) => string) {
    super("the configuration is not valid");
    this.text = [...problems].sort(byPlace).map(render).join("\n\n");
  }
}

/** As one reads the file; what has no place comes last. */
function byPlace(a: Problem, b: Problem): number {
  const [left, right] = [a.at, b.at];
  const lines = (left?.line || Number.MAX_SAFE_INTEGER) - (right?.line || Number.MAX_SAFE_INTEGER);
  if (left !== undefined && right !== undefined && left.file !== right.file) return 0;
  return lines === 0 ? (left?.column ?? 0) - (right?.column ?? 0) : lines;
}

/** @throws LoadError */
export async function loadConfig(request: LoadRequest): Promise<LoadedConfig> {
  const problems: Problem[] = [];
  const files = request.paths.flatMap((path) => listFiles(path, problems));
  const sources = files.flatMap((file) => readSource(file, problems) ?? []);
  const render = (problem: Problem): string =>
    renderProblem(problem, (file) => sources.find((one) => one.file === file)?.lines());
  let tree: Tree = new Map();
  let unreadable = problems.some((problem) => problem.severity === "error");
  for (const parsed of await parseSources(sources, request.parse)) {
    problems.push(...parsed.problems);
    unreadable ||= !parsed.ok;
    tree = mergeTrees(tree, parsed.tree);
  }
  const { devMode } = request;
  // Without all of the files, what is missing would be reported as mistakes too.
  if (unreadable) throw new LoadError(problems, render);
  try {
    const { config, warnings } = parseConfig(mergeTrees(tree, request.flags), {
      devMode,
      files,
      host: { hostname: machineName(), sha256 },
      problems,
    });
    return { config, warnings, render };
  } catch (error) {
    if (error instanceof ConfigError) throw new LoadError(error.problems, render);
    throw error;
  }
}

/** In order. What the HCL parser will be asked is asked beforehand, for all files at once. */
async function parseSources(
  sources: readonly SourceText[],
  parse: ParseAll = parseHere,
): Promise<readonly Parsed[]> {
  const isJson = ({ text }: SourceText): boolean => looksLikeJson(text);
  if (sources.every(isJson)) return sources.map(parseJson);
  const { parseHcl } = await import("../config/hcl.ts");
  const texts = new Set<string>();
  for (const source of sources.filter((one) => !isJson(one))) {
    parseHcl(source, (text) => {
      texts.add(text);
      return { json: undefined, error: "" };
    });
  }
  const answers = await parse([...texts]);
  const known = new Map([...texts].map((text, i) => [text, answers[i]]));
  const answerTo = (text: string): ParserAnswer => {
    const answer = known.get(text);
    if (answer === undefined) throw new Error("the parser was asked what nobody foresaw");
    return answer;
  };
  return sources.map((one) => (isJson(one) ? parseJson(one) : parseHcl(one, answerTo)));
}

const parseHere: ParseAll = async (texts) => {
  const { parseInProcess } = await import("../config/hcl-parser.ts");
  return texts.map(parseInProcess);
};

function readSource(file: string, problems: Problem[]): SourceText | undefined {
  try {
    return new SourceText(file, readFileSync(file, "utf8"));
  } catch (error) {
    const why = describeErrno(error);
    const at = { file, line: 0, column: 0, length: 1 };
    problems.push({ severity: "error", message: `cannot read the configuration: ${why}`, at });
    return undefined;
  }
}

/** A file as it is; of a directory its *.hcl and *.json by name, without editors' leftovers. */
function listFiles(path: string, problems: Problem[]): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const files = readdirSync(path)
      .filter((name) => /\.(hcl|json)$/.test(name) && !/^\.?#|~$/.test(name))
      .sort();
    if (files.length === 0) {
      const message = `No configuration loaded from ${path}`;
      problems.push({ severity: "warning", message, at: undefined });
    }
    return files.map((name) => join(path, name));
  } catch (error) {
    const why = describeErrno(error);
    const at = { file: path, line: 0, column: 0, length: 1 };
    problems.push({ severity: "error", message: `cannot read the configuration: ${why}`, at });
    return [];
  }
}
