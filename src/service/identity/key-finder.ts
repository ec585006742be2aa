/**
 * A server that sees a signing key which it cannot open asks the others for what does, so that it
 * can sign by it when it leads; and it forgets what opens a key that was replaced.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import type { SigningKey } from "../../state/signing-key.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import type { IdentityKeys } from "./identity-keys.ts";

interface KeyFinderInit {
  readonly machine: Pick<StateMachine, "signingKeys" | "watch">;
  readonly keys: IdentityKeys;
  /**
   * Asks each of the others for what opens the key with this id: their answers, undefined where one
   * has none or does not answer.
   */
  readonly ask: (id: string) => readonly Promise<Uint8Array | undefined>[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Until the others are asked again, doubled each time. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 300_000;

export class KeyFinder {
  readonly #init: KeyFinderInit;
  #seen = -1;
  #retryMs = RETRY_MIN_MS;
  #busy = false;
  #unwatch: (() => void) | undefined;
  #cancel: (() => void) | undefined;

  constructor(init: KeyFinderInit) {
    this.#init = init;
  }

  start(): void {
    this.#unwatch = this.#init.machine.watch(() => this.#changed());
    this.#changed();
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#cancel?.();
  }

  /** Somebody else is there: perhaps it knows. */
  wake(): void {
    this.#retryMs = RETRY_MIN_MS;
    if (this.#unwatch !== undefined) void this.#look();
  }

  /** @returns can we open it now? */
  async find(id: string): Promise<boolean> {
    const { machine, keys, ask, log } = this.#init;
    const key = machine.signingKeys.get(id);
    if (key === undefined) return false;
    if (await keys.opens(key)) return true;
    const learned = ask(id).map(async (answer) => {
      const sealingKey = await answer;
      if (sealingKey === undefined || (await keys.opens(key))) return;
      try {
        if (!(await keys.learn(key, sealingKey))) return;
        log.info("this server can sign identities by the region's key", { key_id: id });
      } catch (error) {
        log.error("cannot keep what opens a signing key", { error: errorText(error) });
      }
    });
    // The first that knows is enough: another one may stand still.
    const known = learned.map(async (one) => {
      await one;
      if (!(await keys.opens(key))) throw new Error("it does not know either");
    });
    return Promise.any(known).then(
      () => true,
      () => false,
    );
  }

  #changed(): void {
    const { index } = this.#init.machine.signingKeys;
    if (index === this.#seen) return;
    this.#seen = index;
    this.#retryMs = RETRY_MIN_MS;
    this.#init.keys.forgetRetired();
    void this.#look();
  }

  async #look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#cancel?.();
    const { machine, clock } = this.#init;
    const { index } = machine.signingKeys;
    const found = await Promise.all(this.#missing().map((one) => this.find(one.KeyID)));
    this.#busy = false;
    if (this.#unwatch === undefined) return;
    if (machine.signingKeys.index !== index) return this.#look();
    if (found.every(Boolean)) return;
    this.#cancel = clock.schedule(clock.now() + this.#retryMs, () => void this.#look());
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  /** Of those that sign, or will; that it opens them is only seen when it is needed. */
  #missing(): readonly SigningKey[] {
    const { machine, keys } = this.#init;
    return machine.signingKeys
      .all()
      .filter(({ State, KeyID }) => State !== "inactive" && !keys.has(KeyID));
  }
}
