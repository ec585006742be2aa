/**
 * What Serf says (wire/gossip.md §10.1). Lamport times are unsigned 64-bit, so bigint.
 *
 * @module
 */
import type { Address, Instant } from "../ports.ts";
import type { Peer } from "../swim/message.ts";
import type { Coordinate } from "./coordinate.ts";

export type LTime = bigint;

export interface LeaveIntent {
  readonly kind: "leave";
  readonly lTime: LTime;
  readonly node: string;
  readonly prune: boolean;
}

export interface JoinIntent {
  readonly kind: "join";
  readonly lTime: LTime;
  readonly node: string;
}

export interface UserEvent {
  readonly kind: "userEvent";
  readonly lTime: LTime;
  readonly name: string;
  readonly payload: Uint8Array | null;
  /** May be coalesced by whoever hands it out. */
  readonly coalesce: boolean;
}

/** Query flags. */
export const QUERY_ACK = 1;
export const QUERY_NO_BROADCAST = 2;
/** Response flag: this is the ack. */
export const RESPONSE_ACK = 1;

export interface Query {
  readonly kind: "query";
  readonly lTime: LTime;
  readonly id: number;
  readonly addr: Uint8Array | null;
  readonly port: number;
  readonly sourceNode: string;
  /** Each element: type byte and msgpack. */
  readonly filters: readonly Uint8Array[] | null;
  readonly flags: number;
  readonly relayFactor: number;
  readonly timeoutNs: bigint;
  readonly name: string;
  readonly payload: Uint8Array | null;
}

export interface QueryResponse {
  readonly kind: "queryResponse";
  readonly lTime: LTime;
  readonly id: number;
  readonly from: string;
  readonly flags: number;
  readonly payload: Uint8Array | null;
}

/** Pass `inner` (type byte and all) on to somebody as it is. */
export interface Relay {
  readonly kind: "relay";
  readonly to: Address;
  readonly name: string;
  readonly inner: Uint8Array;
}

export type SerfMessage = LeaveIntent | JoinIntent | UserEvent | Query | QueryResponse | Relay;

/** All user events of one Lamport time, as a push/pull carries them. */
export interface EventSlot {
  readonly lTime: LTime;
  readonly events: readonly { readonly name: string; readonly payload: Uint8Array | null }[];
}

/** Serf's state at the end of a push/pull. */
export interface PushPullState {
  readonly lTime: LTime;
  readonly statusLTimes: ReadonlyMap<string, LTime>;
  readonly leftMembers: readonly string[];
  readonly eventLTime: LTime;
  /** Fixed length, mostly empty. */
  readonly events: readonly (EventSlot | null)[];
  readonly queryLTime: LTime;
}

export type Filter =
  | { readonly kind: "nodes"; readonly names: readonly string[] }
  | { readonly kind: "tag"; readonly tag: string; readonly expr: string };

/** Answer to a key query. */
export interface KeyResponse {
  readonly result: boolean;
  readonly message: string;
  /** base64 */
  readonly keys: readonly string[] | null;
  readonly primaryKey: string;
}

export type Tags = ReadonlyMap<string, string>;

/** Wire values 0 to 4. */
export type MemberStatus = "none" | "alive" | "leaving" | "left" | "failed";

export interface SerfMember extends Peer {
  readonly tags: Tags;
  readonly status: MemberStatus;
  readonly statusLTime: LTime;
  /** memberlist minimum, maximum, current, then the same of Serf. */
  readonly versions: Uint8Array;
  /** When it left or failed. */
  readonly goneAt: Instant | undefined;
}

/** Bytes to messages and back; the wire layer has the real one. Decoders never throw. */
export interface SerfCodec {
  encode(message: SerfMessage): Uint8Array;
  decode(bytes: Uint8Array): SerfMessage | undefined;
  encodePushPull(state: PushPullState): Uint8Array;
  decodePushPull(bytes: Uint8Array): PushPullState | undefined;
  encodeTags(tags: Tags): Uint8Array;
  decodeTags(meta: Uint8Array | null): Tags;
  decodeFilter(bytes: Uint8Array): Filter | undefined;
  encodeFilter(filter: Filter): Uint8Array;
  /** Go's `regexp.MatchString`, in time linear in the value. */
  expressionMatches(expression: string, value: string): boolean;
  /** The key in a key query's payload, or undefined if it cannot be read. */
  decodeKeyRequest(payload: Uint8Array | null): Uint8Array | undefined;
  encodeKeyRequest(key: Uint8Array): Uint8Array;
  encodeKeyResponse(response: KeyResponse): Uint8Array;
  decodeKeyResponse(payload: Uint8Array | null): KeyResponse | undefined;
  /** A name that comes as plain bytes. */
  decodeText(bytes: Uint8Array): string;
  /** Answer to a conflict query: who we think has that name. */
  encodeConflict(member: SerfMember | undefined): Uint8Array;
  /** The payload of an ack. */
  encodeCoordinate(own: Coordinate): Uint8Array;
  /** undefined: none, another version, or unreadable. */
  decodeCoordinate(payload: Uint8Array | null): Coordinate | undefined;
}
