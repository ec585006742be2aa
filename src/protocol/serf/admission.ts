/** Who may be a member at all: Nomad's merge delegate (wire/gossip.md §13). */
import type { Alive, PeerState } from "../swim/message.ts";
import type { SerfCodec, Tags } from "./message.ts";

/** Somebody who would be a member, as a message or a push/pull tells of it. */
export interface Candidate {
  readonly name: string;
  readonly tags: Tags;
  readonly ip: Uint8Array;
  readonly port: number;
  /** Somebody remembers it; it is not there any more. */
  readonly gone: boolean;
}

/** A text is why it may not be one. */
export type RefuseMember = (candidate: Candidate) => string | undefined;

interface Admission {
  readonly self: string;
  readonly codec: SerfCodec;
  readonly refuseMember: RefuseMember;
}

const NONE = new Uint8Array(0);

/** A reason to ignore this alive message, or undefined. */
export function refuseAlive(admission: Admission, alive: Alive): string | undefined {
  const { self, codec, refuseMember } = admission;
  if (alive.node === self) return undefined;
  if (alive.vsn === null || alive.vsn.length < 6) return "protocol versions are missing";
  const { node: name, meta, addr, port } = alive;
  return refuseMember({ name, tags: codec.decodeTags(meta), ip: addr ?? NONE, port, gone: false });
}

/** A reason to refuse a whole push/pull, or undefined. */
export function refuseMerge(
  { codec, refuseMember }: Admission,
  states: readonly PeerState[],
): string | undefined {
  for (const { name, meta, addr, port, state } of states) {
    const gone = state !== "alive" && state !== "suspect";
    const tags = codec.decodeTags(meta);
    const refusal = refuseMember({ name, tags, ip: addr ?? NONE, port, gone });
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
