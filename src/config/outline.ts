/**
 * A configuration file as it is written: keys, values and where each stands. HCL and JSON files,
 * and the flags, all come to this; what it means is for those who read it (section.ts).
 *
 * @module
 */

/** Deeper nesting is an error: nobody writes it, and the parser's stack ends at some depth. */
export const DEPTH_MAX = 200;

/** Offsets into the file, in UTF-16 units. */
export interface Span {
  readonly at: number;
  readonly length: number;
}

export interface Key extends Span {
  /** As written, in any case. */
  text: string;
}

/** `key = value`, `key { }`, or `key "label" { }`: what stands behind the first key are labels. */
export interface Item {
  /** At least one. */
  readonly keys: readonly Key[];
  readonly value: Node;
}

interface Scalar extends Span {
  readonly kind: "scalar";
  readonly type: "text" | "number" | "bool";
  /** The text itself; of numbers and booleans as written. JSON's null is an empty text. */
  text: string;
  /** Where a `${` stands that HCL 2 would evaluate, and nobody does here. */
  readonly interpolationAt: number | undefined;
}

export interface List extends Span {
  readonly kind: "list";
  readonly nodes: readonly Node[];
}

export interface Body extends Span {
  readonly kind: "body";
  readonly items: readonly Item[];
}

export type Node = Scalar | List | Body;

/** Why a file has no outline. */
export interface Fault extends Span {
  readonly message: string;
  readonly help?: string | undefined;
}

export function isFault<T extends object>(result: T | Fault): result is Fault {
  return "message" in result;
}

/** What a block with labels is: `a "b" { }` says the same as `a { b { } }`. */
export function withoutKey(item: Item): Node {
  const [, ...labels] = item.keys;
  if (labels.length === 0) return item.value;
  const { at, length } = item.value;
  return { kind: "body", items: [{ keys: labels, value: item.value }], at, length };
}
