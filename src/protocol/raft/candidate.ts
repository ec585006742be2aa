/**
 * Standing for election: first the question whether one would win (pre-vote, §9.6 of the
 * dissertation), so that a server that was cut off does not disturb the others; then the election.
 *
 * @module
 */
import type { Instant } from "../ports.ts";
import type { Core } from "./core.ts";
import type { VoteAnswer } from "./message.ts";

export class Candidate {
  readonly #core: Core;
  readonly #won: (now: Instant) => void;
  readonly #stepDown: (term: number, now: Instant) => void;
  #phase: "none" | "pre-vote" | "vote" = "none";
  #granted = new Set<string>();
  /** Only answers of this round count. */
  #tickets = new Map<number, string>();

  constructor(
    core: Core,
    won: (now: Instant) => void,
    stepDown: (term: number, now: Instant) => void,
  ) {
    this.#core = core;
    this.#won = won;
    this.#stepDown = stepDown;
  }

  /** @param transfer the leader wants us to: no pre-vote, and who follows it may vote for us */
  stand(transfer: boolean, now: Instant): void {
    const core = this.#core;
    core.setLeader(undefined);
    core.setRole("candidate");
    core.armElection(now, core.config.electionTimeoutMs);
    if (transfer) this.#elect(true, now);
    else this.#ask(now);
  }

  stop(): void {
    this.#phase = "none";
    this.#tickets.clear();
  }

  answered(ticket: number, answer: VoteAnswer, now: Instant): void {
    const core = this.#core;
    const from = this.#tickets.get(ticket);
    if (from === undefined) return;
    this.#tickets.delete(ticket);
    const preVote = answer.kind === "request-pre-vote";
    if (preVote !== (this.#phase === "pre-vote")) return;
    // A pre-vote's answer may name the term that we asked for, without anybody having it.
    if (answer.term > core.term + (preVote ? 1 : 0)) return this.#stepDown(answer.term, now);
    if (!answer.granted || !core.configurations.isVoter(from)) return;
    this.#granted.add(from);
    this.#count(now);
  }

  /** Who cannot be asked does not vote. */
  failed(ticket: number): void {
    this.#tickets.delete(ticket);
  }

  #ask(now: Instant): void {
    const core = this.#core;
    this.#begin("pre-vote");
    const { lastIndex, lastTerm } = core.log;
    for (const to of core.others("voter")) {
      const ticket = core.ticket();
      this.#tickets.set(ticket, to.id);
      const from = core.self;
      const term = core.term + 1;
      const call = { kind: "request-pre-vote", from, term, lastIndex, lastTerm } as const;
      core.act({ kind: "send", ticket, to, lane: "vote", call });
    }
    this.#count(now);
  }

  #elect(transfer: boolean, now: Instant): void {
    const core = this.#core;
    this.#begin("vote");
    const term = core.term + 1;
    core.persistState({ term, votedTerm: term, votedFor: core.self.address });
    const { lastIndex, lastTerm } = core.log;
    for (const to of core.others("voter")) {
      const ticket = core.ticket();
      this.#tickets.set(ticket, to.id);
      const from = core.self;
      const call = { kind: "request-vote", from, term, lastIndex, lastTerm, transfer } as const;
      core.act({ kind: "send", ticket, to, lane: "vote", call });
    }
    this.#count(now);
  }

  #begin(phase: "pre-vote" | "vote"): void {
    this.#phase = phase;
    this.#tickets.clear();
    this.#granted = new Set([this.#core.self.id]);
  }

  #count(now: Instant): void {
    if (this.#granted.size < this.#core.configurations.quorum) return;
    if (this.#phase === "pre-vote") return this.#elect(false, now);
    this.stop();
    this.#won(now);
  }
}
