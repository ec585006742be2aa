/** User events: each handed out once and passed on once (wire/gossip.md §10.6). */
import type { Broadcasts } from "../swim/broadcasts.ts";
import type { SerfAction } from "./action.ts";
import type { SerfConfig } from "./config.ts";
import { LamportClock } from "./lamport.ts";
import type { EventSlot, LTime, SerfCodec, UserEvent } from "./message.ts";
import { RecentByTime } from "./recent.ts";

interface Seen {
  readonly name: string;
  readonly payload: Uint8Array | null;
}

export interface UserEventsInit {
  readonly config: SerfConfig;
  readonly codec: SerfCodec;
  readonly queue: Broadcasts<Uint8Array>;
  readonly act: (action: SerfAction) => void;
}

export class UserEvents {
  readonly #init: UserEventsInit;
  readonly #recent: RecentByTime<Seen>;
  readonly clock = new LamportClock();

  constructor(init: UserEventsInit) {
    this.#init = init;
    this.#recent = new RecentByTime(init.config.eventBuffer, sameEvent);
  }

  /** One of our own. @returns false if it is larger than every member accepts */
  send(name: string, payload: Uint8Array, coalesce: boolean): boolean {
    const { codec, config } = this.#init;
    const lTime = this.clock.time();
    const event: UserEvent = { kind: "userEvent", lTime, name, payload, coalesce };
    const bytes = codec.encode(event);
    if (Math.max(name.length + payload.length, bytes.length) > config.userEventSizeMax)
      return false;
    this.clock.increment();
    this.take(event, bytes);
    return true;
  }

  /** @param bytes what to pass on; undefined: it came by push/pull and is not */
  take(event: UserEvent, bytes: Uint8Array | undefined): void {
    const { lTime, name, coalesce, payload } = event;
    this.clock.witness(lTime);
    if (!this.#recent.note(lTime, { name, payload }, this.clock.time())) return;
    const body = payload ?? new Uint8Array(0);
    const raised = { kind: "user", lTime, name, payload: body, coalesce } as const;
    this.#init.act({ kind: "event", event: raised });
    if (bytes !== undefined) this.#init.queue.queue(bytes);
  }

  /** Events of a push/pull. */
  merge(slots: readonly (EventSlot | null)[]): void {
    for (const slot of slots) {
      if (slot === null) continue;
      for (const { name, payload } of slot.events) {
        const event = { lTime: slot.lTime, name, payload, coalesce: false };
        this.take({ kind: "userEvent", ...event }, undefined);
      }
    }
  }

  /** What happened before is not for us. */
  ignoreBefore(lTime: LTime): void {
    this.#recent.raiseMinimum(lTime);
  }

  slots(): readonly (EventSlot | null)[] {
    return this.#recent.slots().map((slot) => {
      return slot === null ? null : { lTime: slot.lTime, events: slot.seen };
    });
  }
}

function sameEvent(a: Seen, b: Seen): boolean {
  if (a.name !== b.name) return false;
  const [left, right] = [a.payload ?? [], b.payload ?? []];
  return left.length === right.length && left.every((byte: number, i: number) => byte === right[i]);
}
