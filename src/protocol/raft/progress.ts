/**
 * How far one follower is, as its leader knows it. It is in one of three states:
 *
 *   probe      where its log fits ours is not known: one call at a time, until one is accepted
 *   replicate  the last call was accepted: several at once, each goes on where the one before ends
 *   snapshot   it lacks what is compacted away here: nothing else until it has our snapshot
 *
 * A call that is accepted leads to replicate, one that is rejected or lost to probe.
 *
 * @module
 */
import type { Instant } from "../ports.ts";
import type { RaftServer } from "./message.ts";

type State = "probe" | "replicate" | "snapshot";

export class Progress {
  server: RaftServer;
  /** When what it answered last was sent: no later than when it heard us. */
  lastContact: Instant;
  /** When its last answer came: later than that, perhaps, if we were held up ourselves. */
  lastHeard: Instant;
  /** Heartbeats that it has not answered; they do not wait for the log, nor it for them. */
  heartbeats = 0;
  #state: State = "probe";
  /** The next entry to send. */
  #next: number;
  /** The last entry that it surely has. */
  #match = 0;
  /** Calls that it has not answered, of this epoch. */
  #inflight = 0;
  #failures = 0;
  /** Counts the returns to probe: what was sent before one does not count any more. */
  #epoch = 0;

  constructor(server: RaftServer, next: number, now: Instant) {
    this.server = server;
    this.#next = next;
    this.lastContact = now;
    this.lastHeard = now;
  }

  get next(): number {
    return this.#next;
  }

  get match(): number {
    return this.#match;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get isIdle(): boolean {
    return this.#inflight === 0;
  }

  heard(sentAt: Instant, now: Instant): void {
    this.lastContact = Math.max(this.lastContact, sentAt);
    this.lastHeard = now;
  }

  mayAppend(inflightMax: number): boolean {
    if (this.#state === "snapshot") return false;
    return this.#inflight < (this.#state === "probe" ? 1 : inflightMax);
  }

  /** So many entries from `next` on, or none: a call with our commit index. */
  sentEntries(count: number): void {
    this.#inflight += 1;
    if (this.#state === "replicate") this.#next += count;
    this.#check();
  }

  sentSnapshot(): void {
    this.#inflight += 1;
    this.#state = "snapshot";
    this.#check();
  }

  /** It has all entries up to this index. */
  accepted(index: number): void {
    this.#inflight -= 1;
    this.#match = Math.max(this.#match, index);
    this.#next = Math.max(this.#next, this.#match + 1);
    this.#failures = 0;
    this.#state = "replicate";
    this.#check();
  }

  /** Its log does not fit ours before `next`, so that it cannot have what comes from there on. */
  rejected(next: number): void {
    this.#match = Math.min(this.#match, next - 1);
    this.#probe(next);
  }

  /** It cannot be reached, or cannot keep what it gets. @returns how often in a row */
  failed(): number {
    this.#failures += 1;
    this.#probe(this.#match + 1);
    return this.#failures;
  }

  #probe(next: number): void {
    this.#next = next;
    this.#inflight = 0;
    this.#state = "probe";
    this.#epoch += 1;
    this.#check();
  }

  /** Whatever a follower answers: else this is a bug of ours. */
  #check(): void {
    const fits = 0 <= this.#match && this.#match < this.#next;
    const most = this.#state === "replicate" ? Number.POSITIVE_INFINITY : 1;
    if (fits && 0 <= this.#inflight && this.#inflight <= most) return;
    const where = `match ${this.#match}, next ${this.#next}`;
    throw new Error(
      `progress of ${this.server.id}: ${this.#state}, ${where}, ${this.#inflight} calls`,
    );
  }
}
