/**
 * Runs a machine in real time: after every command or event its actions are performed in order,
 * then one timer is armed at its deadline. The simulator runs machines by the same three steps.
 *
 * @module
 */
import type { Clock } from "../host/host.ts";
import type { Instant } from "../protocol/ports.ts";

interface Machine<Action> {
  deadline(): Instant | undefined;
  drain(): readonly Action[];
  /** Harmless when early or late. */
  expire(now: Instant): void;
}

/** A timer that comes so late was held up. */
const LATE_MS = 50;

export class Driver<Action> {
  readonly #machine: Machine<Action>;
  readonly #clock: Clock;
  readonly #perform: (action: Action) => void;
  #cancel: (() => void) | undefined;
  #armedAt: Instant | undefined;
  #busy = false;
  #stopped = false;

  constructor(machine: Machine<Action>, clock: Clock, perform: (action: Action) => void) {
    this.#machine = machine;
    this.#clock = clock;
    this.#perform = perform;
  }

  /** Tells the machine something; `tell` gets the current time. */
  tell<Result>(tell: (now: Instant) => Result): Result {
    try {
      const result = tell(this.#clock.now());
      this.#settle();
      return result;
    } catch (error) {
      return this.#fail(error);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #settle(): void {
    // An action may tell the machine more; the outer call performs what comes of it.
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    try {
      for (let actions = this.#machine.drain(); actions.length > 0; ) {
        for (const action of actions) this.#perform(action);
        actions = this.#machine.drain();
      }
    } finally {
      this.#busy = false;
    }
    this.#arm();
  }

  #arm(): void {
    const at = this.#machine.deadline();
    // One that comes too early is harmless, and costs less than a new one at every event.
    const early = at !== undefined && this.#armedAt !== undefined && this.#armedAt <= at;
    if (early && this.#cancel !== undefined) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedAt = at;
    if (at === undefined || this.#stopped) return;
    this.#cancel = this.#clock.schedule(at, () => this.#due(at));
  }

  /**
   * Timers run before what has come in meanwhile. After a long stretch of work, or when the whole
   * machine has stood still, the answer that a deadline waits for may be there already: it is heard
   * first.
   */
  #due(at: Instant): void {
    const now = this.#clock.now();
    if (now - at <= LATE_MS) return this.#expire();
    this.#cancel = this.#clock.schedule(now + 1, () => this.#expire());
  }

  #expire(): void {
    this.#cancel = undefined;
    this.tell((now) => this.#machine.expire(now));
  }

  /**
   * Neither a machine nor what is done for it throws: this is a bug of ours, and the machine is
   * between two states. Whoever called may catch it; the process has to end nevertheless.
   */
  #fail(error: unknown): never {
    if (!this.#stopped) {
      this.stop();
      this.#clock.schedule(this.#clock.now(), () => {
        throw error;
      });
    }
    throw error;
  }
}
