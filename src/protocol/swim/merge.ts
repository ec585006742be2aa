/** What a push/pull's node states mean (wire/gossip.md §8.6). */
import { isGone, type Member } from "./members.ts";
import type { Alive, Dead, PeerState, Suspect } from "./message.ts";

interface Range {
  min: number;
  max: number;
}

/**
 * Can these nodes speak with each other? One that cannot refuses the whole merge.
 *
 * @returns why not, naming the node, or undefined
 */
export function versionConflict(
  local: () => Iterable<Member>,
  remote: readonly PeerState[],
): string | undefined {
  const protocol: Range = { min: 0, max: 255 };
  const delegate: Range = { min: 0, max: 255 };
  const narrow = (vsn: Uint8Array): void => {
    const [pmin = 0, pmax = 0, , dmin = 0, dmax = 0] = vsn;
    protocol.min = Math.max(protocol.min, pmin);
    protocol.max = Math.min(protocol.max, pmax);
    delegate.min = Math.max(delegate.min, dmin);
    delegate.max = Math.min(delegate.max, dmax);
  };
  for (const state of remote) {
    if (state.state === "alive" && state.vsn !== null && state.vsn.length >= 5) narrow(state.vsn);
  }
  for (const member of local()) if (member.state === "alive") narrow(member.versions);
  const misfit = (name: string, vsn: Uint8Array | null): string | undefined => {
    const current = vsn?.[2] ?? 0;
    const delegateCurrent = vsn?.[5] ?? 0;
    if (current < protocol.min || current > protocol.max) {
      return `node '${name}' speaks protocol ${current}, the others ${protocol.min} to ${protocol.max}`;
    }
    if (delegateCurrent < delegate.min || delegateCurrent > delegate.max) {
      return (
        `node '${name}' speaks delegate protocol ${delegateCurrent}, ` +
        `the others ${delegate.min} to ${delegate.max}`
      );
    }
    return undefined;
  };
  for (const state of remote) {
    const problem = misfit(state.name, state.vsn);
    if (problem !== undefined) return problem;
  }
  for (const member of local()) {
    const problem = misfit(member.name, member.versions);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Left is a death, dead only a suspicion of ours: the peer may be behind a partition. */
export function impliedMessage(state: PeerState, self: string): Alive | Suspect | Dead | undefined {
  const { name: node, incarnation, addr, port, meta, vsn } = state;
  switch (state.state) {
    case "alive":
      return { kind: "alive", node, incarnation, addr, port, meta, vsn };
    case "left":
      return { kind: "dead", node, incarnation, from: node };
    case "suspect":
    case "dead":
      return { kind: "suspect", node, incarnation, from: self };
    case "unknown":
      return undefined;
  }
}

/** Our half of a push/pull: everybody, in any state. */
export function peerStates(members: Iterable<Member>): PeerState[] {
  const states: PeerState[] = [];
  for (const { name, ip, port, meta, incarnation, state, versions } of members) {
    states.push({ name, addr: ip, port, meta, incarnation, state, vsn: versions });
  }
  return states;
}

export function anyOtherAlive(members: Iterable<Member>, self: string): boolean {
  for (const member of members) if (member.name !== self && !isGone(member)) return true;
  return false;
}
