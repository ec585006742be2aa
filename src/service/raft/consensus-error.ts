/** What whoever asks something of Raft hears when it comes to nothing. */

/** The command did not get in, or nobody knows whether it did. */
export class ConsensusError extends Error {
  override readonly name = "ConsensusError";
}

/** hashicorp/raft's words, which callers look for. */
export const NOT_LEADER = "node is not the leader";
export const LEADERSHIP_LOST = "leadership lost while committing log";
export const SHUTDOWN = "raft is shutdown";

/** @param server of the group: it would lose what the command says */
export function tooOldFor(server: string): string {
  return `server ${server} runs a release that cannot keep this yet: upgrade every server of the region first`;
}
