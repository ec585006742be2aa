/** Texts to a configuration, as the agent reads files, in this process. */

import type { Block } from "../../src/config/block.ts";
import type { Config } from "../../src/config/config.ts";
import type { EndpointHost } from "../../src/config/endpoints.ts";
import { readHcl } from "../../src/config/hcl.ts";
import { parseInProcess } from "../../src/config/hcl-parser.ts";
import { looksLikeJson, parseJson } from "../../src/config/json.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { ConfigError, type Problem } from "../../src/config/problem.ts";
import { renderProblems } from "../../src/config/render.ts";
import { decodeText, SourceText } from "../../src/config/source-text.ts";
import { sha256 } from "../../src/host/digest.ts";

export interface Read {
  readonly config: Config | undefined;
  readonly problems: readonly Problem[];
  /** What the operator would see. */
  readonly shown: string;
}

/** A machine with one address, and without DNS. */
export const MACHINE: EndpointHost = {
  interfaces: () => ({
    all: [{ name: "eth0", flags: 1, ip: Uint8Array.of(10, 1, 2, 3), bits: 24 }],
    defaultName: "eth0",
  }),
  lookup: async () => [],
};

/** Texts as files a.hcl, b.hcl, ... in order. */
export function read(...texts: (string | Uint8Array)[]): Read {
  const problems: Problem[] = [];
  const sources = texts.map((raw, i) => {
    const bytes = typeof raw === "string" ? new TextEncoder().encode(raw) : raw;
    const { text, fault } = decodeText(bytes);
    const source = new SourceText(`${String.fromCharCode(97 + i)}.hcl`, text);
    if (fault !== undefined) {
      const { message, at, length } = fault;
      problems.push({ severity: "error", message, at: source.at(at, length) });
    }
    return source;
  });
  const blocks = sources.flatMap((source): Block[] => {
    if (problems.length > 0) return [];
    const asked = looksLikeJson(source.text) ? parseJson(source) : readHcl(source);
    const { body, problems: found } =
      "text" in asked ? asked.finish(parseInProcess(asked.text)) : asked;
    problems.push(...found);
    return body === undefined ? [] : [{ source, body, at: source.whole() }];
  });
  const refused = (all: readonly Problem[]): Read => {
    return { config: undefined, problems: all, shown: renderProblems(all, sources) };
  };
  if (problems.length > 0) return refused(problems);
  const host = { hostname: "here", sha256 };
  try {
    const { config, warnings } = parseConfig(blocks, { devMode: false, files: [], host, problems });
    return { config, problems: warnings, shown: renderProblems(warnings, sources) };
  } catch (error) {
    if (error instanceof ConfigError) return refused(error.problems);
    throw error;
  }
}

/** `line:column message` of every error. */
export function errors(...texts: (string | Uint8Array)[]): string[] {
  return ofSeverity("error", ...texts);
}

export function warnings(...texts: (string | Uint8Array)[]): string[] {
  return ofSeverity("warning", ...texts);
}

function ofSeverity(wanted: Problem["severity"], ...texts: (string | Uint8Array)[]): string[] {
  return read(...texts)
    .problems.filter(({ severity }) => severity === wanted)
    .map(({ at, message }) => (at?.line ? `${at.line}:${at.column} ${message}` : message));
}
