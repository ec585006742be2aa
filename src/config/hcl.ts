/**
 * HCL text to a tree: hcl2-parser says what it means, hcl-scan.ts where it stands.
 *
 * @module
 */
import type { HclParser } from "./hcl-parser.ts";
import { type Found, type Scan, scanHcl, type Trap } from "./hcl-scan.ts";
import type { Position, Problem } from "./problem.ts";
import type { SourceText } from "./source-text.ts";
import { isObject, type Tree, treeFromJson } from "./tree.ts";

/** What a file came to. */
export interface Parsed {
  /** False: it could not be read at all, and the tree is empty. */
  readonly ok: boolean;
  readonly tree: Tree;
  readonly problems: readonly Problem[];
}

const TEXT_BYTES_MAX = 1024 * 1024;
const EMPTY: Tree = new Map();

/** @param parse the parser itself: in this process, or in one of its own */
export function parseHcl(source: SourceText, parse: HclParser): Parsed {
  if (source.text.length > TEXT_BYTES_MAX) {
    const message = `configuration of ${source.text.length} bytes is more than the 1 MiB we read`;
    return {
      ok: false,
      tree: EMPTY,
      problems: [{ severity: "error", message, at: source.whole() }],
    };
  }
  const scan = scanHcl(source.text);
  const { text, notes } = acceptHcl1(source, scan);
  const answer = parse(text);
  if (answer.json === undefined) {
    return { ok: false, tree: EMPTY, problems: [...diagnostics(source, answer.error), ...notes] };
  }
  const problems = [...clashes(source, scan), ...traps(source, scan), ...notes];
  const json: unknown = JSON.parse(answer.json);
  if (!isObject(json)) return { ok: true, tree: EMPTY, problems };
  return { ok: true, tree: treeFromJson(json, positions(source, scan)), problems };
}

/** Rewrites what HCL 1 allows and HCL 2 does not, without moving a line. */
function acceptHcl1(
  source: SourceText,
  scan: Scan,
): { readonly text: string; readonly notes: readonly Problem[] } {
  const edits: { at: number; remove: number; insert: string }[] = [];
  for (const brace of scan.quotedKeyBlocks) edits.push({ at: brace, remove: 0, insert: "= " });
  for (const one of scan.found) {
    if (!one.keyQuoted || one.path.length > (one.kind === "block" ? 2 : 1)) continue;
    const key = one.path[0] ?? "";
    edits.push({ at: one.keyAt, remove: key.length + 2, insert: key });
  }
  const notes = scan.quotedKeyBlocks.map((at): Problem => {
    const message = "a block with quoted keys is HCL 1: read as a map";
    const help = "write `name = {` to make it one";
    return { severity: "warning", message, at: source.at(at), help };
  });
  let text = source.text;
  for (const edit of edits.sort((a, b) => b.at - a.at)) {
    text = text.slice(0, edit.at) + edit.insert + text.slice(edit.at + edit.remove);
  }
  return { text, notes };
}

const DIAGNOSTIC = /:(\d+),(\d+)-(?:(\d+),)?(\d+): /g;

/** `[:3,6-4,1: Summary; Detail :9,1-2: ...]`: one problem each. */
function diagnostics(source: SourceText, error: string): Problem[] {
  const text = error.replace(/^\[/, "").replace(/\]$/, "");
  const starts = [...text.matchAll(DIAGNOSTIC)];
  if (starts.length === 0) {
    const message = text === "" ? "the file cannot be parsed as HCL" : `HCL: ${text}`;
    return [{ severity: "error", message, at: source.whole() }];
  }
  return starts.map((match, i): Problem => {
    const from = match.index + match[0].length;
    const said = text.slice(from, starts[i + 1]?.index ?? text.length).trim();
    const [line, column] = [Number(match[1]), Number(match[2])];
    const length = match[3] === undefined ? Number(match[4]) - column : 1;
    const at: Position = { file: source.file, line, column, length };
    return { severity: "error", message: readable(said), at, help: helpFor(said) };
  });
}

/** `Summary; Detail.` reads better as one sentence without the repetition. */
function readable(said: string): string {
  const [summary = "", ...rest] = said.split("; ");
  const detail = rest
    .join("; ")
    .replace(/\.$/, "")
    .replaceAll(/ at :(\d+),(\d+)-\d+/g, " at $1:$2");
  return detail === "" ? summary : `${summary}: ${detail}`;
}

function helpFor(said: string): string | undefined {
  if (said.includes("single-argument block definition")) return "put each argument on its own line";
  if (said.includes("Argument or block definition required")) return "is a `}` missing above?";
  if (said.includes("expression token") || said.includes("start of an expression")) {
    return "give the key a value: a quoted string, a number, true, false or a list";
  }
  if (said.includes("Single quotes")) return 'strings use double quotes: "..."';
  return undefined;
}

/** The converter keeps the attribute and drops the block: data lost without a word. */
function clashes(source: SourceText, scan: Scan): Problem[] {
  const attributes = new Map<string, Found>();
  for (const one of scan.found) {
    if (one.kind === "attribute") attributes.set(one.path.join("\0"), one);
  }
  return scan.found.flatMap((one): Problem[] => {
    if (one.kind !== "block") return [];
    const key = one.path.at(-2) ?? "";
    const attribute = attributes.get(one.path.slice(0, -1).join("\0"));
    if (attribute === undefined) return [];
    const other = source.at(attribute.keyAt);
    const message = `"${key}" is set as an argument and as a block (${other.line}:${other.column})`;
    return [{ severity: "error", message, at: source.at(one.keyAt, key.length), help: "keep one" }];
  });
}

function traps(source: SourceText, scan: Scan): Problem[] {
  return scan.traps.map((trap) => {
    const at = source.at(trap.at, trap.text.length);
    return { severity: "error", at, ...trapText(trap) };
  });
}

function trapText({ kind, text }: Trap): { message: string; help: string } {
  switch (kind) {
    case "octal":
      return {
        message: `the number ${text} starts with a zero: it would be read as decimal`,
        help: `write it without the zero, or quote it: "${text}"`,
      };
    case "bareword":
      return {
        message: `${text} is not quoted: an agent configuration has no variables or functions`,
        help: `write "${text}"`,
      };
    case "interpolation":
      return {
        message: `${text} is not evaluated: an agent configuration has no interpolation`,
        help: `write the value itself, or $${text} for the plain characters`,
      };
  }
}

function positions(
  source: SourceText,
  scan: Scan,
): (path: readonly string[]) => { key: Position; value: Position } {
  const byPath = new Map<string, Found>();
  for (const one of scan.found) {
    byPath.set(one.path.join("\0"), one);
    // A block that was rewritten as a map has no repetition in its path.
    byPath.set(one.path.filter((part) => part !== "0").join("\0"), one);
    if (one.kind !== "block") continue;
    // The key of a block, and of each of its labels, stands where the block does.
    for (let end = one.path.length - 1; end > 0; end--) {
      const outer = one.path.slice(0, end).join("\0");
      if (!byPath.has(outer)) byPath.set(outer, one);
    }
  }
  return (path) => {
    const one = byPath.get(path.join("\0"));
    if (one === undefined) return { key: source.whole(), value: source.whole() };
    const key = one.kind === "block" ? (path.at(-1) ?? "") : (one.path.at(-1) ?? "");
    const quotes = one.keyQuoted ? 2 : 0;
    const valueLine = source.text.slice(one.valueAt, one.valueEnd).split("\n")[0] ?? "";
    return {
      key: source.at(one.keyAt, key.length + quotes),
      value: source.at(one.valueAt, valueLine.trimEnd().length),
    };
  };
}
