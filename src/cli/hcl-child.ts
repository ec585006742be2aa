/** HCL parsing in a process of its own: the parser's 35 MB go away with it. */
import { type HclParser, parseInProcess } from "../config/hcl-parser.ts";
import { isObject } from "../config/tree.ts";
import { PARSE_HCL } from "./hcl-child-name.ts";

const TIMEOUT_MS = 30_000;

/** Falls back to this process where no other can be started. */
export const parseInChild: HclParser = (text) => {
  // From sources, the executable is the runtime and not us.
  if (!Bun.main.startsWith("/$bunfs/")) return parseInProcess(text);
  try {
    const child = Bun.spawnSync([process.execPath, PARSE_HCL], {
      stdin: new TextEncoder().encode(text),
      stdout: "pipe",
      stderr: "ignore",
      timeout: TIMEOUT_MS,
    });
    const answer: unknown = JSON.parse(child.stdout.toString());
    if (!child.success || !isObject(answer)) return parseInProcess(text);
    const { json, error } = answer;
    return {
      json: typeof json === "string" ? json : undefined,
      error: typeof error === "string" ? error : "",
    };
  } catch {
    return parseInProcess(text);
  }
};
