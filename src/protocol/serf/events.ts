/** User events: each handed out once and passed on once (wire/gossip.md §10.6). */
import type { Broadcasts } from "../swim/broadcasts.ts";
import type { SerfAction } from "./action.ts";
import type { SerfConfig } from "./config.ts";
import type { LamportClock } from "./lamport.ts";
import type { EventSlot, LTime, SerfCodec, UserEvent } from "./message.ts";
import { RecentByTime } from "./recent.ts";

/** Of one Lamport time: nodes that speak at once. */
const PER_TIME_MAX = 128;
/** Serf's hard limit for a sender. */
const EVENT_BYTES_MAX = 9216;
/** All that is remembered, and told at each push/pull. */
const REMEMBERED_BYTES_MAX = 2 * 1024 * 1024;
/** What keeping one costs beside its bytes. */
const OVERHEAD_BYTES = 64;

interface Seen {
  readonly name: string;
  readonly payload: Uint8Array | null;
}

interface UserEventsInit {
  readonly config: SerfConfig;
  readonly codec: SerfCodec;
  readonly queue: Broadcasts<Uint8Array>;
  readonly act: (action: SerfAction) => void;
  readonly clock: LamportClock;
  readonly refused: (reason: "clock-jump" | "event-limit", what: string) => void;
}

export class UserEvents {
  readonly #init: UserEventsInit;
  readonly #recent: RecentByTime<Seen>;
  readonly clock: LamportClock;

  constructor(init: UserEventsInit) {
    this.#init = init;
    this.clock = init.clock;
    this.#recent = new RecentByTime({
      size: init.config.eventBuffer,
      same: sameEvent,
      bytesOf: ({ name, payload }) => name.length + (payload?.length ?? 0) + OVERHEAD_BYTES,
      perTimeMax: PER_TIME_MAX,
      bytesMax: REMEMBERED_BYTES_MAX,
    });
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
    if (name.length + (payload?.length ?? 0) > EVENT_BYTES_MAX) {
      return this.#init.refused("event-limit", name);
    }
    if (!this.clock.witness(lTime)) return this.#init.refused("clock-jump", name);
    const noted = this.#recent.note(lTime, { name, payload }, this.clock.time());
    if (noted === "too-many") this.#init.refused("event-limit", name);
    if (noted !== "news") return;
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
