/**
 * Configuration from files and flags: read in order, merged, parsed, with every mistake at once.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import type { Parsed } from "../config/hcl.ts";
import type { HclParser } from "../config/hcl-parser.ts";
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

export interface LoadRequest {
  /** Files and directories, in order. */
  readonly paths: readonly string[];
  /** What the flags say; wins over files. */
  readonly flags: Tree;
  readonly devMode: boolean;
  /** Default: in this process. */
  readonly parser?: HclParser;
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
  const sources = new Map<string, SourceText>();
  const render = (problem: Problem): string =>
    renderProblem(problem, (file) => sources.get(file)?.lines());
  const files = request.paths.flatMap((path) => listFiles(path, problems));
  let tree: Tree = new Map();
  let unreadable = problems.some((problem) => problem.severity === "error");
  for (const file of files) {
    const source = readSource(file, problems);
    unreadable ||= source === undefined;
    if (source === undefined) continue;
    sources.set(file, source);
    const parsed = await parseSource(source, request.parser);
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

async function parseSource(source: SourceText, parser: HclParser | undefined): Promise<Parsed> {
  if (looksLikeJson(source.text)) return parseJson(source);
  const { parseHcl } = await import("../config/hcl.ts");
  const parse = parser ?? (await import("../config/hcl-parser.ts")).parseInProcess;
  return parseHcl(source, parse);
}

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
