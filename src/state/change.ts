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

/** Roughly what an object of this kind takes, by its texts and bytes. */
export function sizeOf(object: Readonly<Record<string, unknown>> | object): number {
  let bytes = 0;
  for (const value of Object.values(object)) {
    if (typeof value === "string" || value instanceof Uint8Array) bytes += value.length;
    else if (value instanceof Map) bytes += value.size * ENTRY_BYTES;
    else if (Array.isArray(value)) bytes += value.length * ENTRY_BYTES;
    bytes += FIELD_BYTES;
  }
  return bytes;
}

/** A name and a small value; an entry of a list or a map. */
const [FIELD_BYTES, ENTRY_BYTES] = [24, 128];
