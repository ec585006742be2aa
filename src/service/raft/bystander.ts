/**
 * A server whose Raft is over, since its disk has failed or it was stopped: it votes and writes no
 * more, and still hears from its calls who leads, so that it can send requests there.
 *
 * @module
 */
import type { Instant } from "../../protocol/ports.ts";
import type { RaftCall, Sender } from "../../protocol/raft/message.ts";

interface BystanderInit {
  /** Why it is over; a text for the operator. */
  readonly why: string;
  /** Whom it followed; undefined: nobody, or it led itself. */
  readonly leader: Sender | undefined;
  /** When it last kept up with a leader. */
  readonly lastContact: Instant;
  /** A leader that is silent for so long leads no more, as far as we know. */
  readonly silenceMs: number;
}

export class Bystander {
  readonly why: string;
  readonly lastContact: Instant;
  readonly #silenceMs: number;
  #leader: Sender | undefined;
  #heardAt: Instant;
  /** The highest of a leader that was heard since: who calls with a lower one was deposed. */
  #term = 0;

  constructor({ why, leader, lastContact, silenceMs }: BystanderInit, now: Instant) {
    this.why = why;
    this.lastContact = lastContact;
    this.#silenceMs = silenceMs;
    this.#leader = leader;
    this.#heardAt = now;
  }

  leader(now: Instant): Sender | undefined {
    return now - this.#heardAt <= this.#silenceMs ? this.#leader : undefined;
  }

  /** @returns true: another leader than before */
  heard(call: RaftCall, now: Instant): boolean {
    if (call.kind !== "append-entries" && call.kind !== "install-snapshot") return false;
    if (call.term < this.#term) return false;
    const before = this.#leader?.address;
    this.#term = call.term;
    this.#leader = call.from;
    this.#heardAt = now;
    return before !== call.from.address;
  }
}
