/** What a Serf machine wants done, beyond what SWIM below it wants. */
import type { SwimAction } from "../swim/action.ts";
import type { Peer } from "../swim/message.ts";
import type { Filter, KeyResponse, LTime, SerfMember } from "./message.ts";

export type MemberEventKind =
  | "member-join"
  | "member-leave"
  | "member-failed"
  | "member-update"
  | "member-reap";

export type SerfEvent =
  | { readonly kind: MemberEventKind; readonly member: SerfMember }
  | {
      readonly kind: "user";
      readonly lTime: LTime;
      readonly name: string;
      readonly payload: Uint8Array;
      readonly coalesce: boolean;
    }
  | {
      readonly kind: "query";
      readonly lTime: LTime;
      readonly id: number;
      readonly name: string;
      readonly payload: Uint8Array;
      readonly sourceNode: string;
    };

/** What we ask of the members. */
export interface Question {
  readonly name: string;
  readonly payload: Uint8Array;
  /** All have to match; empty: everybody. */
  readonly filters: readonly Filter[];
  /** Members that match say so before they answer. */
  readonly wantAcks: boolean;
  /** Each answer comes by way of so many other members too. */
  readonly relayFactor: number;
  /** Undefined: Serf's, which grows with the cluster. */
  readonly timeoutMs: number | undefined;
}

/** What came back, by member. */
export interface QueryResult {
  readonly answers: ReadonlyMap<string, Uint8Array>;
  readonly acks: ReadonlySet<string>;
  /** Members that were alive when we asked. */
  readonly expected: number;
  /** ... and those of them that did not answer. */
  readonly silent: ReadonlySet<string>;
}

/** Answers to one of our key queries. */
export interface KeyQueryResult {
  readonly answers: ReadonlyMap<string, KeyResponse>;
  /** Members that should have answered. */
  readonly expected: number;
  /** ... and those of them that did not, or not so that it can be read. */
  readonly silent: ReadonlySet<string>;
}

export type SerfAction =
  | SwimAction
  | { readonly kind: "event"; readonly event: SerfEvent }
  /** Push/pull with a failed member, to see whether it is back; no join intent follows. */
  | { readonly kind: "reconnect"; readonly with: Peer }
  /** A query of ours is over: everybody answered, or time is up. */
  | { readonly kind: "query-result"; readonly id: number; readonly result: QueryResult }
  /** The leave is done; whoever runs us may stop. */
  | { readonly kind: "left" };
