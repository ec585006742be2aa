/**
 * What a leader does for the keys that sign identities: there is always one that it can sign by, it
 * is replaced when it is old or an operator says so, and what can have signed nothing that still
 * lives goes.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import { command, IGNORABLE, MessageType } from "../../state/command.ts";
import {
  type SigningKey,
  signingKeyDeleteRequest,
  signingKeyUpsertRequest,
} from "../../state/signing-key.ts";
import type { Outcome, StateMachine } from "../../state/state-machine.ts";
import { structOf } from "../../wire/codec.ts";
import { nanosOf } from "../../wire/duration.ts";
import type { FreshKey, IdentityKeys } from "./identity-keys.ts";

/** Of a region's keys, as the servers are configured. */
interface KeyTimes {
  /** The age at which a key is replaced. */
  readonly rotationMs: number;
  /** Between two looks. */
  readonly intervalMs: number;
  /** What is over stays so long, for clocks that differ. */
  readonly graceMs: number;
  /** The longest that anything is signed for beside the identities of nodes. */
  readonly lifetimeMs: number;
}

interface KeyDutiesInit {
  readonly machine: Pick<StateMachine, "signingKeys" | "pools">;
  readonly keys: IdentityKeys;
  /** Asks the other servers for what opens the key with this id. */
  readonly find: (id: string) => Promise<boolean>;
  /** Writes to the log. @throws Error */
  readonly apply: (data: Uint8Array) => Promise<{ readonly index: number; outcome: Outcome }>;
  readonly times: KeyTimes;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until it is tried again, doubled each time. */
const RETRY_MIN_MS = 5000;

export class KeyDuties {
  readonly #init: KeyDutiesInit;
  /** 0: we do not. */
  #term = 0;
  #terms = 0;
  #cancel: (() => void) | undefined;
  #retryMs = RETRY_MIN_MS;
  /** Why it did not go well the last time. */
  #problem = "";
  /** Made, and not in the log yet: what opens it is kept already, and must not pile up. */
  #unwritten: FreshKey | undefined;
  /** One thing after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(init: KeyDutiesInit) {
    this.#init = init;
  }

  /** We lead, and the state of all terms before ours is applied here. */
  lead(): void {
    this.#terms += 1;
    this.#term = this.#terms;
    this.#retryMs = RETRY_MIN_MS;
    this.#look(this.#term);
  }

  stop(): void {
    this.#term = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /**
   * An operator replaces the key.
   *
   * @param publishMs when it takes over, Unix time; 0: at once
   * @throws Error
   */
  rotate(publishMs: number): Promise<SigningKey> {
    return this.#inTurn(async () => {
      const made = await this.#make(publishMs);
      this.#init.log.info("an operator has replaced the key that signs identities", {
        ...{ key_id: made.KeyID, state: made.State },
      });
      if (this.#term !== 0) this.#schedule(this.#term, this.#untilNextMs());
      return made;
    });
  }

  #look(term: number): void {
    if (term !== this.#term) return;
    const done = this.#inTurn(() => this.#round(term));
    done.then(
      () => {
        this.#problem = "";
        this.#retryMs = RETRY_MIN_MS;
        this.#schedule(term, this.#untilNextMs());
      },
      (error: unknown) => this.#failed(term, errorText(error)),
    );
  }

  /** A server of an older release is in the group, say, and for days. */
  #failed(term: number, error: string): void {
    if (term !== this.#term) return;
    const { log, times } = this.#init;
    if (error !== this.#problem) {
      log.warn("cannot look after the keys that sign identities", { error });
    }
    this.#problem = error;
    this.#schedule(term, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, Math.max(times.intervalMs, RETRY_MIN_MS));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  #schedule(term: number, waitMs: number): void {
    if (term !== this.#term) return;
    const { clock } = this.#init;
    this.#cancel?.();
    this.#cancel = clock.schedule(clock.now() + waitMs, () => this.#look(term));
  }

  async #round(term: number): Promise<void> {
    const steps = [
      () => this.#ensure(),
      () => this.#publish(),
      () => this.#renew(),
      () => this.#extend(),
      () => this.#noteRetired(),
      () => this.#collect(),
      async () => this.#forgetUnused(),
    ];
    for (const step of steps) {
      if (term !== this.#term) return;
      await step();
    }
  }

  async #ensure(): Promise<void> {
    const { machine, keys, find, log } = this.#init;
    const { active } = machine.signingKeys;
    if (active !== undefined && ((await keys.opens(active)) || (await find(active.KeyID)))) return;
    const { KeyID } = await this.#make(0);
    if (active === undefined) log.info("the key that signs identities is made", { key_id: KeyID });
    else {
      log.warn("no server in reach can open the key that signs identities: there is a new one", {
        ...{ key_id: KeyID, before: active.KeyID },
      });
    }
  }

  /** A key that was known beforehand takes over. */
  async #publish(): Promise<void> {
    const { machine, keys, find, log } = this.#init;
    const now = this.#now();
    const due = machine.signingKeys
      .all()
      .filter((one) => one.State === "prepublished" && one.PublishTime <= now);
    for (const key of due) {
      if ((await keys.opens(key)) || (await find(key.KeyID))) {
        await this.#write({ ...key, State: "active" });
        log.info("another key signs identities from now on", { key_id: key.KeyID });
      } else await this.#write({ ...key, State: "inactive", RetiredTime: now });
    }
  }

  /** Half of a key's life beforehand, whoever checks tokens elsewhere can know its successor. */
  async #renew(): Promise<void> {
    const { machine, times, log } = this.#init;
    const all = machine.signingKeys.all();
    const { active } = machine.signingKeys;
    if (active === undefined || all.some((one) => one.State === "prepublished")) return;
    const since = sinceMs(active);
    const nowMs = this.#nowMs();
    if (nowMs < since + times.rotationMs / 2) return;
    const publishMs = since + times.rotationMs;
    const { KeyID } = await this.#make(publishMs > nowMs ? publishMs : 0);
    log.info("a successor of the key that signs identities is made", { key_id: KeyID });
  }

  /** A pool's identities live longer than any before. */
  async #extend(): Promise<void> {
    const { active } = this.#init.machine.signingKeys;
    const LifetimeMax = nanosOf(this.#lifetimeMs());
    if (active !== undefined && active.LifetimeMax < LifetimeMax) {
      await this.#write({ ...active, LifetimeMax });
    }
  }

  /** Out of an archive: nobody knows since when they have not signed. */
  async #noteRetired(): Promise<void> {
    const { machine } = this.#init;
    for (const key of machine.signingKeys.all()) {
      if (key.State !== "inactive" || key.RetiredTime !== 0n) continue;
      await this.#write({ ...key, RetiredTime: this.#now() });
    }
  }

  async #collect(): Promise<void> {
    const { machine, times, apply, log } = this.#init;
    const grace = nanosOf(times.graceMs);
    const over = machine.signingKeys.all().filter(({ State, RetiredTime, LifetimeMax }) => {
      return State === "inactive" && RetiredTime + LifetimeMax + grace < this.#now();
    });
    if (over.length === 0) return;
    const KeyIDs = over.map((one) => one.KeyID);
    const request = structOf(signingKeyDeleteRequest, { KeyIDs });
    await apply(command(DELETE | IGNORABLE, signingKeyDeleteRequest, request));
    log.info("keys go of which nothing that they have signed is valid", { key_ids: KeyIDs });
  }

  #forgetUnused(): void {
    this.#unwritten = undefined;
    this.#init.keys.forgetUnused();
  }

  /** @throws Error */
  async #make(publishMs: number): Promise<SigningKey> {
    const isLater = publishMs > 0;
    const { keys, machine } = this.#init;
    // One that could not be written a while ago is as good, unless it was, and nobody heard so.
    const before = this.#unwritten;
    const isWritten = before !== undefined && machine.signingKeys.get(before.KeyID) !== undefined;
    const fresh = before === undefined || isWritten ? await keys.create() : before;
    this.#unwritten = fresh;
    const written = await this.#write({
      ...{ ...fresh, CreateIndex: 0n, ModifyIndex: 0n, RetiredTime: 0n },
      CreateTime: this.#now(),
      LifetimeMax: nanosOf(this.#lifetimeMs()),
      PublishTime: nanosOf(publishMs),
      State: isLater ? "prepublished" : "active",
    });
    this.#unwritten = undefined;
    return written;
  }

  async #write(Key: SigningKey): Promise<SigningKey> {
    const { apply, machine } = this.#init;
    const request = structOf(signingKeyUpsertRequest, { Key, Now: this.#now() });
    await apply(command(UPSERT | IGNORABLE, signingKeyUpsertRequest, request));
    return machine.signingKeys.get(Key.KeyID) ?? Key;
  }

  #lifetimeMs(): number {
    const { machine, times } = this.#init;
    const pools = machine.pools.all().map((one) => Number(one.NodeIdentityTTL / 1_000_000n));
    return Math.max(times.lifetimeMs, ...pools);
  }

  #untilNextMs(): number {
    const { machine, times } = this.#init;
    const publish = machine.signingKeys.all().flatMap(({ State, PublishTime }) => {
      return State === "prepublished" ? [Number(PublishTime / 1_000_000n) - this.#nowMs()] : [];
    });
    // A timer further off than this is not exact, and looks again.
    return Math.max(0, Math.min(times.intervalMs, ...publish.map((wait) => wait + 1)));
  }

  #nowMs(): number {
    return this.#init.clock.wallMs();
  }

  #now(): bigint {
    return nanosOf(this.#nowMs());
  }
}

const { signingKeyUpsert: UPSERT, signingKeyDelete: DELETE } = MessageType;

/** Since when it has signed, Unix time. */
export function sinceMs({ CreateTime, PublishTime }: SigningKey): number {
  return Number((PublishTime === 0n ? CreateTime : PublishTime) / 1_000_000n);
}
