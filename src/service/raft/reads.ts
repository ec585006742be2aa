/** Linearizable reads: do we still lead? One round of heartbeats answers all who ask before it. */
import { ConsensusError, NOT_LEADER } from "./consensus-error.ts";
import type { Runner } from "./runner.ts";

interface Waiting {
  readonly resolve: (index: number) => void;
  readonly reject: (error: Error) => void;
}

export class Reads {
  readonly #runner: Pick<Runner, "tell">;
  readonly #waiting = new Map<number, Waiting>();
  /** The round that is under way, and the one that waits for it. */
  #round: Promise<number> | undefined;
  #nextRound: Promise<number> | undefined;
  #tokens = 0;

  constructor(runner: Pick<Runner, "tell">) {
    this.#runner = runner;
  }

  /** What is applied up to the index is the truth of now. @throws ConsensusError, later */
  verify(): Promise<number> {
    this.#nextRound ??= this.#afterThis();
    return this.#nextRound;
  }

  verified(token: number, index: number): void {
    this.#waiting.get(token)?.resolve(index);
    this.#waiting.delete(token);
  }

  /** Somebody else leads, or we are over. */
  lost(why: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new ConsensusError(why));
  }

  async #afterThis(): Promise<number> {
    await this.#round?.catch(() => undefined);
    await Promise.resolve(); // Whoever asks in this turn comes along.
    this.#nextRound = undefined;
    this.#round = this.#ask();
    return this.#round;
  }

  #ask(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tokens += 1;
      const token = this.#tokens;
      this.#waiting.set(token, { resolve, reject });
      const refused = this.#runner.tell((raft, now) => raft.verify(token, now));
      if (refused !== undefined) this.#waiting.delete(token);
      if (refused !== undefined) reject(new ConsensusError(NOT_LEADER));
    });
  }
}
