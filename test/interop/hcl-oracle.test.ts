/** Our reader of HCL 1 and HCL's JSON beside HashiCorp's own, on texts out of a seed. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readHcl } from "../../src/config/hcl.ts";
import { parseInProcess } from "../../src/config/hcl-parser.ts";
import { looksLikeJson, parseJson } from "../../src/config/json.ts";
import type { Node } from "../../src/config/outline.ts";
import { SourceText } from "../../src/config/source-text.ts";
import { Generator } from "../config/generate.ts";
import { buildPeer, mustRun, Peer } from "./go.ts";

setDefaultTimeout(120_000);

const TEXTS = 2000;
const BATCH = 200;

type Leaf = readonly [path: string, kind: string, value: string];

interface Answer {
  readonly leaves: readonly Leaf[];
  readonly error?: string;
}

function ours(text: string): Answer {
  const source = new SourceText("a", text);
  const asked = looksLikeJson(text) ? parseJson(source) : readHcl(source);
  const { body, problems } = "text" in asked ? asked.finish(parseInProcess(asked.text)) : asked;
  if (body === undefined) return { leaves: [], error: problems[0]?.message ?? "no reason" };
  const leaves: Leaf[] = [];
  walk([], body, leaves);
  return { leaves };
}

function walk(path: readonly string[], node: Node, leaves: Leaf[]): void {
  const add = (kind: string, value: string): void => {
    leaves.push([path.join("\x1f"), kind, value]);
  };
  if (node.kind === "scalar") add(node.type, node.text);
  else if (node.kind === "list") {
    add("list", String(node.nodes.length));
    for (const [i, one] of node.nodes.entries()) walk([...path, `#${i}`], one, leaves);
  } else {
    if (node.items.length === 0 && path.length > 0) add("body", "");
    for (const { keys, value } of node.items) {
      walk([...path, ...keys.map(({ text }) => text)], value, leaves);
    }
  }
}

/**
 * What we refuse on purpose, since nobody means it: the library drops a key without its value, and
 * goes on behind some braces; its JSON takes commas or leaves them out in lists, ends with the first
 * object, and has Go's escapes.
 */
const STRICTER = [
  /found "}"$/,
  /found the end of the file$/,
  /expected the end of the file/,
  /^invalid JSON: expected (":"|"," or|a value|a key)/,
  /there is no such escape$/,
  /a number with something behind it/,
];
/** What we take and the library does not: an escape that every JSON has. */
const LENIENT = /illegal char escape/;

/** Our order is the file's; the library's JSON is in another one. */
function sorted(leaves: readonly Leaf[]): readonly string[] {
  return leaves.map((leaf) => JSON.stringify(leaf)).sort();
}

async function differences(oracle: Peer, texts: readonly string[]): Promise<string[]> {
  const theirs: readonly Answer[] = await oracle.ask(JSON.stringify(texts));
  return texts.flatMap((text, i) => {
    const [we, they] = [ours(text), theirs[i] ?? { leaves: [], error: "no answer" }];
    if (they.error !== undefined) {
      if (we.error !== undefined || (LENIENT.test(they.error) && text.includes("\\/"))) return [];
      return [`${text}\n--> ${they.error}`];
    }
    const refused = we.error;
    if (refused !== undefined) {
      return STRICTER.some((one) => one.test(refused))
        ? []
        : [`${text}\n--> taken, ours: ${refused}`];
    }
    const [a, b] = [sorted(we.leaves), sorted(they.leaves)];
    return Bun.deepEquals(a, b) ? [] : [`${text}\n--> ${b.join(" ")}\nours ${a.join(" ")}`];
  });
}

describe.if(mustRun)("HashiCorp's HCL 1 reads the same", () => {
  const kinds: readonly (readonly [string, (generator: Generator) => string])[] = [
    ["HCL", (generator) => generator.hcl()],
    ["damaged HCL", (generator) => generator.damage(generator.hcl())],
    ["JSON", (generator) => generator.json()],
    ["damaged JSON", (generator) => generator.damage(generator.json())],
  ];
  for (const [name, make] of kinds) {
    test(`${name}: ${TEXTS} texts`, async () => {
      await using oracle = await Peer.start(buildPeer("hcl-oracle", ".", "hcl-oracle"), []);
      const generator = new Generator(20_261_126);
      for (let done = 0; done < TEXTS; done += BATCH) {
        const texts = Array.from({ length: BATCH }, () => make(generator));
        expect((await differences(oracle, texts)).slice(0, 5)).toEqual([]);
      }
    });
  }
});
