/** What a server answers to others, whatever it is (wire/rpc-and-raft.md §8.1, in that order). */
import type { Instant } from "../ports.ts";
import type { Core } from "./core.ts";
import type {
  AppendAnswer,
  AppendEntries,
  InstallSnapshot,
  LogEntry,
  RequestPreVote,
  RequestVote,
  Sender,
  VoteAnswer,
} from "./message.ts";

/** Becomes a follower, of a new term or of this one. */
type StepDown = (term: number, now: Instant) => void;

export function answerAppend(
  core: Core,
  call: AppendEntries,
  stepDown: StepDown,
  now: Instant,
): AppendAnswer {
  const lastIndex = core.log.lastIndex;
  const refused = { kind: "append-entries", lastIndex, success: false } as const;
  if (call.term < core.term) {
    return { ...refused, term: core.term, noRetryBackoff: false };
  }
  if (call.term > core.term || core.role !== "follower") stepDown(call.term, now);
  const { term } = core;
  core.setLeader(call.from);
  if (!follows(core, call)) {
    return { ...refused, term, noRetryBackoff: true };
  }
  if (!take(core, call.entries ?? [])) return { ...refused, term, noRetryBackoff: false };
  // Only what this call has compared: what we have behind it may be another leader's.
  core.commitTo(Math.min(call.commitIndex, call.prevIndex + (call.entries?.length ?? 0)));
  core.lastContact = now;
  return { kind: "append-entries", term, lastIndex, success: true, noRetryBackoff: false };
}

/** Does what we have end where the call begins? What is committed here every leader has, too. */
function follows(core: Core, { prevIndex, prevTerm }: AppendEntries): boolean {
  const term = core.log.term(prevIndex);
  return term === undefined ? prevIndex <= core.commitIndex : term === prevTerm;
}

/** Entries that are there are skipped; from the first that differs on, the leader's count. */
function take(core: Core, entries: readonly LogEntry[]): boolean {
  let from = 0;
  for (; from < entries.length; from++) {
    const entry = entries[from];
    if (entry === undefined || entry.index > core.log.lastIndex) break;
    const known = core.log.term(entry.index);
    if (known === entry.term) continue;
    // Compacted away: committed, so that it cannot differ.
    if (known === undefined && entry.index <= core.commitIndex) continue;
    // What is committed is never taken back, whoever says so.
    if (entry.index <= core.commitIndex) return false;
    core.append(entries.slice(from), entry.index);
    return true;
  }
  if (from < entries.length) core.append(entries.slice(from));
  return true;
}

/** Nothing is stored and no timer moves: a pre-vote is only a question. */
export function answerPreVote(core: Core, call: RequestPreVote, now: Instant): VoteAnswer {
  const no = { kind: "request-pre-vote", term: core.term, granted: false } as const;
  if (isStranger(core, call.from) || hasOtherLeader(core, call.from, now)) return no;
  if (call.term < core.term) return no;
  const term = Math.max(call.term, core.term);
  if (!mayLead(core, call.from)) return { ...no, term };
  return { ...no, term, granted: core.isUpToDate(call.lastTerm, call.lastIndex) };
}

export function answerVote(
  core: Core,
  call: RequestVote,
  stepDown: StepDown,
  now: Instant,
): VoteAnswer {
  const no = (): VoteAnswer => ({ kind: "request-vote", term: core.term, granted: false });
  if (isStranger(core, call.from)) return no();
  if (!call.transfer && hasOtherLeader(core, call.from, now)) return no();
  if (call.term < core.term) return no();
  if (call.term > core.term) stepDown(call.term, now);
  if (!mayLead(core, call.from)) return no();
  const { votedTerm, votedFor } = core.state;
  if (votedTerm === call.term && votedFor !== "") {
    return { ...no(), granted: votedFor === call.from.address };
  }
  if (!core.isUpToDate(call.lastTerm, call.lastIndex)) return no();
  core.persistState({ votedTerm: call.term, votedFor: call.from.address });
  core.lastContact = now;
  return { ...no(), granted: true };
}

/** @returns false: refused, and nothing changes */
export function acceptSnapshot(
  core: Core,
  call: InstallSnapshot,
  stepDown: StepDown,
  now: Instant,
): boolean {
  if (call.term < core.term) return false;
  if (call.term > core.term || core.role !== "follower") stepDown(call.term, now);
  core.setLeader(call.from);
  core.lastContact = now;
  return true;
}

/** Not one of us: it cannot disturb us. */
function isStranger(core: Core, candidate: Sender): boolean {
  const { servers } = core.configurations.latest;
  return servers.length > 0 && !core.configurations.has(candidate.id);
}

/**
 * One that was heard within the shortest election timeout (Raft thesis, §4.2.3). hashicorp/raft
 * waits until its own timer has fired, too, and so for the later of two followers.
 */
function hasOtherLeader(core: Core, candidate: Sender, now: Instant): boolean {
  if (core.leader === undefined || core.leader.address === candidate.address) return false;
  return core.role === "leader" || now - core.lastContact < core.config.heartbeatTimeoutMs;
}

function mayLead(core: Core, candidate: Sender): boolean {
  const { servers } = core.configurations.latest;
  return servers.length === 0 || core.configurations.isVoter(candidate.id);
}
