/**
 * What SWIM says, as memberlist names it (wire/gossip.md §4).
 *
 * Names are text that keeps every byte (see wire/text.ts); `vsn` is six bytes
 * `pmin pmax pcur dmin dmax dcur`; incarnations are unsigned 32-bit.
 *
 * @module
 */
import type { Address } from "../ports.ts";

/** Where a ping wants its ack; absent parts are not on the wire. */
export interface Source {
  readonly sourceAddr?: Uint8Array;
  readonly sourcePort?: number;
  readonly sourceNode?: string;
}

export interface Ping extends Source {
  readonly kind: "ping";
  readonly seqNo: number;
  readonly node: string;
}

export interface IndirectPing extends Source {
  readonly kind: "indirectPing";
  readonly seqNo: number;
  readonly target: Uint8Array;
  readonly port: number;
  readonly node: string;
  readonly nack: boolean;
}

export interface Ack {
  readonly kind: "ack";
  readonly seqNo: number;
  readonly payload: Uint8Array | null;
}

export interface Nack {
  readonly kind: "nack";
  readonly seqNo: number;
}

export interface Suspect {
  readonly kind: "suspect";
  readonly incarnation: number;
  readonly node: string;
  readonly from: string;
}

export interface Alive {
  readonly kind: "alive";
  readonly incarnation: number;
  readonly node: string;
  readonly addr: Uint8Array | null;
  readonly port: number;
  readonly meta: Uint8Array | null;
  readonly vsn: Uint8Array | null;
}

export interface Dead {
  readonly kind: "dead";
  readonly incarnation: number;
  readonly node: string;
  readonly from: string;
}

/** The rest of the message belongs to the delegate (Serf). */
export interface User {
  readonly kind: "user";
  readonly body: Uint8Array;
}

export type Message = Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead | User;

/** Wire value: 0 alive, 1 suspect, 2 dead, 3 left. */
export type NodeState = "alive" | "suspect" | "dead" | "left";

/** One node in a push/pull; of a state that we do not know, nothing follows (merge.ts). */
export interface PeerState {
  readonly name: string;
  readonly addr: Uint8Array | null;
  readonly port: number;
  readonly meta: Uint8Array | null;
  readonly incarnation: number;
  readonly state: NodeState | "unknown";
  readonly vsn: Uint8Array | null;
}

/** Someone a packet can be sent to. */
export interface Peer extends Address {
  readonly name: string;
}
