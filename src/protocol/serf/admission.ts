/** Who may be a member at all: Nomad's merge delegate (wire/gossip.md §13). */
import type { Alive, PeerState } from "../swim/message.ts";
import type { SerfCodec, Tags } from "./message.ts";

export interface Admission {
  readonly self: string;
  readonly codec: SerfCodec;
  readonly refuseMember: (name: string, tags: Tags, addressBytes: number) => string | undefined;
}

/** A reason to ignore this alive message, or undefined. */
export function refuseAlive(admission: Admission, alive: Alive): string | undefined {
  const { self, codec, refuseMember } = admission;
  if (alive.node === self) return undefined;
  if (alive.vsn === null || alive.vsn.length < 6) return "protocol versions are missing";
  return refuseMember(alive.node, codec.decodeTags(alive.meta), alive.addr?.length ?? 0);
}

/** A reason to refuse a whole push/pull, or undefined. */
export function refuseMerge(
  { codec, refuseMember }: Admission,
  states: readonly PeerState[],
): string | undefined {
  for (const { name, meta, addr } of states) {
    const refusal = refuseMember(name, codec.decodeTags(meta), addr?.length ?? 0);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
