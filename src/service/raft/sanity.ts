/**
 * What no honest server says, and no disk of ours holds: terms and indexes that cannot be counted
 * with. A term is agreed to be the highest that anybody names, and only grows: one that is made up
 * could leave the group without a next one.
 *
 * @module
 */
import type { StoredRaft } from "../../host/raft-store.ts";

/** An election a second would need more than a hundred years for so many terms. */
const TERM_JUMP_MAX = 2 ** 32;

/** @param ours 0: we know nothing yet, and believe the group that takes us in */
export function isPlausible(term: number, ours: number): boolean {
  return ours === 0 || term - ours <= TERM_JUMP_MAX;
}

/** @throws Error with one sentence for the operator */
export function checkStored({ state, entries, snapshot }: StoredRaft): void {
  const { index = 0, term = 0, configurationIndex = 0 } = snapshot?.meta ?? {};
  const terms = [state.term, state.votedTerm, ...entries.map((one) => one.term), term];
  const indexes = [...entries.map((one) => one.index), index, configurationIndex];
  const bad = [...terms, ...indexes].find((one) => !Number.isSafeInteger(one) || one < 0);
  if (bad === undefined) return;
  throw new Error(
    `the Raft log is damaged: it has ${bad} where a term or an index must be. Move the raft folder ` +
      "away, and let this server join the others again, or restore a copy of the folder",
  );
}
