/**
 * What a committed entry has changed, as data for whoever wants to hear of it: Nomad's topics,
 * types and keys. What is shown of the object is made when somebody asks, and has no secret in it.
 *
 * @module
 */
import type { JsonValue } from "../wire/msgpack-json.ts";

export interface Change {
  /** Node, NodePool, ACLToken and so on. */
  readonly topic: string;
  /** NodeRegistration, NodePoolDeleted and so on. */
  readonly type: string;
  readonly key: string;
  /** Other keys by which it is found. */
  readonly filterKeys?: readonly string[];
  /** "" for what belongs to none. */
  readonly namespace?: string;
  /** About what the payload takes. */
  readonly bytes: number;
  /** Of the object as it was then, without secrets; undefined: it cannot be shown. */
  readonly payload: () => JsonValue | undefined;
}

/** Takes each change as it is made. */
export type Announce = (change: Change) => void;

export const nobodyHears: Announce = () => undefined;

/** Whoever hears of all changes of a state machine. */
export interface ChangeListener {
  /** All that one entry has changed, in order. */
  applied(index: number, changes: readonly Change[]): void;
  /** It is another state altogether: a snapshot's, or an archive's. */
  replaced(index: number): void;
}

/** Roughly what a value takes, by the texts and bytes that are in it, however deep. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 0;
  let bytes = 0;
  const inner: Iterable<unknown> = value instanceof Map ? value : Object.values(value);
  for (const one of inner) bytes += sizeOf(one) + FIELD_BYTES;
  return bytes;
}

/** A name and a small value, or an entry of a list or a map. */
const FIELD_BYTES = 24;
