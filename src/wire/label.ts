/** The label header `f4 | length | label`: outermost, in the clear (wire/gossip.md §5.5). */
import { MessageType } from "./gossip-message.ts";

const EMPTY = new Uint8Array(0);

/** Bytes that a label costs in every packet. */
export function labelOverhead(label: Uint8Array): number {
  return label.length === 0 ? 0 : 2 + label.length;
}

export function addLabel(label: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (label.length === 0) return bytes;
  const out = new Uint8Array(2 + label.length + bytes.length);
  out[0] = MessageType.hasLabel;
  out[1] = label.length;
  out.set(label, 2);
  out.set(bytes, 2 + label.length);
  return out;
}

type Labelled =
  | { readonly kind: "labelled"; readonly label: Uint8Array; readonly rest: Uint8Array }
  | { readonly kind: "short" }
  | { readonly kind: "bad" };

/** Splits the header off, if there is one. "short": it may still come (streams). */
export function splitLabel(bytes: Uint8Array): Labelled {
  if (bytes[0] !== MessageType.hasLabel) return { kind: "labelled", label: EMPTY, rest: bytes };
  const length = bytes[1];
  if (length === undefined) return { kind: "short" };
  if (length === 0) return { kind: "bad" };
  if (bytes.length < 2 + length) return { kind: "short" };
  return {
    kind: "labelled",
    label: bytes.subarray(2, 2 + length),
    rest: bytes.subarray(2 + length),
  };
}
