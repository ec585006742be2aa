/** Flags as one more configuration file, so that they merge and are checked like a file's keys. */

import type { Block } from "../config/block.ts";
import type { Body, Item, Node } from "../config/outline.ts";
import { SourceText } from "../config/source-text.ts";

type FlagValue =
  | string
  | boolean
  | readonly string[]
  | Readonly<Record<string, string>>
  | undefined;

/** Dotted path to value; undefined: the flag was not given. */
export type FlagValues = Readonly<Record<string, FlagValue>>;

/** Nowhere in a text. */
const SPAN = { at: -1, length: 1 };
const COMMAND_LINE = new SourceText("the command line", "");

export function flagBlock(values: FlagValues): Block {
  const given = Object.entries(values).flatMap(([path, value]) =>
    value === undefined ? [] : [{ path: path.split("."), node: toNode(value) }],
  );
  return { source: COMMAND_LINE, body: nested(given), at: COMMAND_LINE.whole() };
}

interface Given {
  readonly path: readonly string[];
  readonly node: Node;
}

/** Every block once, with all that is below it. */
function nested(given: readonly Given[]): Body {
  const byKey = Map.groupBy(given, ({ path }) => path[0] ?? "");
  const items = [...byKey].map(([key, all]): Item => {
    const leaf = all.find(({ path }) => path.length === 1);
    const inner = (): Node => nested(all.map(({ path, node }) => ({ path: path.slice(1), node })));
    return item(key, leaf?.node ?? inner());
  });
  return { kind: "body", items, ...SPAN };
}

function item(key: string, value: Node): Item {
  return { keys: [{ text: key, ...SPAN }], value };
}

function toNode(value: NonNullable<FlagValue>): Node {
  if (typeof value === "string" || typeof value === "boolean") return scalar(value);
  if (isList(value)) return { kind: "list", nodes: value.map(scalar), ...SPAN };
  const items = Object.entries(value).map(([key, one]) => item(key, scalar(one)));
  return { kind: "body", items, ...SPAN };
}

function isList(value: NonNullable<FlagValue>): value is readonly string[] {
  return Array.isArray(value);
}

function scalar(value: string | boolean): Node {
  const type = typeof value === "string" ? "text" : "bool";
  return { kind: "scalar", type, text: String(value), interpolationAt: undefined, ...SPAN };
}
