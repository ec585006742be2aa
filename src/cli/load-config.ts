/**
 * Configuration from files and flags: read in order, merged, parsed, with every mistake at once.
 *
 * @module
 */

import { join } from "node:path";
import type { Block } from "../config/block.ts";
import type { Config } from "../config/config.ts";
import type { Parsed } from "../config/hcl.ts";
import type { ParserAnswer } from "../config/hcl-parser.ts";
import { looksLikeJson, parseJson } from "../config/json.ts";
import { parseConfig } from "../config/parse.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import { renderProblems } from "../config/render.ts";
import { decodeText, SourceText } from "../config/source-text.ts";
import { sha256 } from "../host/digest.ts";
import { filesIn, isDirectory, readBytes } from "../host/files.ts";
import { machineName } from "../host/machine.ts";
import { describeErrno } from "../host/network.ts";

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly Problem[];
  /** Problems as one text, with the lines that they are about. */
  readonly render: (problems: readonly Problem[]) => string;
}

type ParseAll = (texts: readonly string[]) => Promise<readonly ParserAnswer[]>;

interface LoadRequest {
  /** Files and directories, in order. */
  readonly paths: readonly string[];
  /** What the flags say; wins over files. */
  readonly flags: readonly Block[];
  readonly devMode: boolean;
  /** Parses the HCL of all files at once; by default in this process. */
  readonly parse?: ParseAll;
}

/** Everything that goes wrong while loading. */
export class LoadError extends Error {
  override readonly name = "LoadError";
  readonly text: string;

  /** @param text what the operator reads */
  constructor(text: string) {
    super("the configuration is not valid");
    this.text = text;
  }
}

/** @throws LoadError */
export async function loadConfig(request: LoadRequest): Promise<LoadedConfig> {
  const problems: Problem[] = [];
  const files = request.paths.flatMap((path) => listFiles(path, problems));
  const sources = files.flatMap((file) => readSource(file, problems) ?? []);
  const render = (some: readonly Problem[]): string => renderProblems(some, sources);
  const blocks: Block[] = [];
  const parsed = await parseSources(sources, request.parse);
  parsed.forEach(({ body, problems: found }, i) => {
    problems.push(...found);
    const source = sources[i];
    if (body !== undefined && source !== undefined)
      blocks.push({ source, body, at: source.whole() });
  });
  const { devMode, flags } = request;
  // Without all of the files, what is missing would be reported as mistakes too.
  if (problems.some(({ severity }) => severity === "error")) throw new LoadError(render(problems));
  try {
    const host = { hostname: machineName(), sha256 };
    const options = { devMode, files, host, problems };
    const { config, warnings } = parseConfig([...blocks, ...flags], options);
    return { config, warnings, render };
  } catch (error) {
    if (error instanceof ConfigError) throw new LoadError(render(error.problems));
    throw error;
  }
}

/** In order; the HCL parser is asked once for all files. */
async function parseSources(
  sources: readonly SourceText[],
  parse: ParseAll = parseHere,
): Promise<readonly Parsed[]> {
  if (sources.every(({ text }) => looksLikeJson(text))) return sources.map(parseJson);
  const { readHcl } = await import("../config/hcl.ts");
  const read = sources.map((one) => (looksLikeJson(one.text) ? parseJson(one) : readHcl(one)));
  const texts = read.flatMap((one) => ("text" in one ? [one.text] : []));
  const answers = [...(texts.length === 0 ? [] : await parse(texts))];
  return read.map((one) => {
    if (!("text" in one)) return one;
    return one.finish(answers.shift() ?? { json: undefined, error: "" });
  });
}

const parseHere: ParseAll = async (texts) => {
  const { parseInProcess } = await import("../config/hcl-parser.ts");
  return texts.map(parseInProcess);
};

function readSource(file: string, problems: Problem[]): SourceText | undefined {
  try {
    const { text, fault } = decodeText(readBytes(file));
    const source = new SourceText(file, text);
    if (fault === undefined) return source;
    const { message, at, length } = fault;
    problems.push({ severity: "error", message, at: source.at(at, length) });
    return undefined;
  } catch (error) {
    const why = describeErrno(error);
    const at = { file, line: 0, column: 0, length: 1 };
    problems.push({ severity: "error", message: `cannot read the configuration: ${why}`, at });
    return undefined;
  }
}

/** A file as it is; of a directory its *.hcl and *.json by name, without folders and leftovers. */
function listFiles(path: string, problems: Problem[]): readonly string[] {
  try {
    if (!isDirectory(path)) return [path];
    const files = filesIn(path).filter((name) => {
      return /\.(hcl|json)$/.test(name) && !/^\.?#|~$/.test(name);
    });
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
