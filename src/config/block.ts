/** Blocks and values as they stand in files. */
import { type Body, type Node, withoutKey } from "./outline.ts";
import type { Position } from "./problem.ts";
import type { SourceText } from "./source-text.ts";

/** One block as it stands in a file. */
export interface Block {
  readonly source: SourceText;
  readonly body: Body;
  readonly at: Position;
}

/** A value as it stands in a file. */
export interface Found {
  readonly node: Node;
  readonly source: SourceText;
  readonly keyAt: number;
  readonly keyLength: number;
}

/** By key in small letters: for every file that has it, as often as it is there. */
export function indexOf(
  layers: readonly (readonly Block[])[],
): ReadonlyMap<string, readonly (readonly Found[])[]> {
  const index = new Map<string, Found[][]>();
  for (const layer of layers) {
    const ofLayer = new Map<string, Found[]>();
    for (const { source, body } of layer) {
      for (const item of body.items) {
        const [key] = item.keys;
        if (key === undefined) continue;
        const name = key.text.toLowerCase();
        const found = { node: withoutKey(item), source, keyAt: key.at, keyLength: key.length };
        const others = ofLayer.get(name);
        if (others === undefined) ofLayer.set(name, [found]);
        else others.push(found);
      }
    }
    for (const [name, found] of ofLayer) {
      const others = index.get(name);
      if (others === undefined) index.set(name, [found]);
      else others.push(found);
    }
  }
  return index;
}

/** `{}` is an empty list, too. */
export function isEmptyBody(node: Node): boolean {
  return node.kind === "body" && node.items.length === 0;
}

export function keyAt(found: Found): Position {
  return found.source.at(found.keyAt, found.keyLength);
}

export function valueAt({ source, node }: Found): Position {
  return source.at(node.at, node.length);
}
