/**
 * Who says that it joins or leaves (wire/gossip.md §10.4): intents that come as gossip, and those
 * that a push/pull amounts to.
 *
 * @module
 */
import type { Instant } from "../ports.ts";
import type { BroadcastHandle, Broadcasts } from "../swim/broadcasts.ts";
import type { LamportClock } from "./lamport.ts";
import type { JoinIntent, LeaveIntent, LTime, PushPullState, SerfCodec } from "./message.ts";
import type { Roster } from "./roster.ts";

interface IntentsInit {
  readonly name: string;
  readonly clock: LamportClock;
  readonly roster: Roster;
  readonly queue: Broadcasts<Uint8Array>;
  readonly encode: SerfCodec["encode"];
  /** False once we leave. */
  readonly staying: () => boolean;
  readonly refused: (reason: "clock-jump", node: string) => void;
}

export class Intents {
  readonly #init: IntentsInit;

  constructor(init: IntentsInit) {
    this.#init = init;
  }

  /** Tells everybody that we are here on purpose. */
  announce(now: Instant): void {
    const { name, clock, roster, queue, encode } = this.#init;
    const intent: JoinIntent = { kind: "join", lTime: clock.time(), node: name };
    clock.increment();
    roster.joinIntent(intent, now);
    queue.queue(encode(intent));
  }

  /** Our own word about somebody who leaves, ourselves or another. */
  declare(node: string, prune: boolean, now: Instant): BroadcastHandle | undefined {
    const { name, clock, roster, queue, encode } = this.#init;
    const intent: LeaveIntent = { kind: "leave", lTime: clock.time(), node, prune };
    clock.increment();
    roster.leaveIntent(intent, now);
    return roster.othersAlive(name) ? queue.queue(encode(intent)) : undefined;
  }

  /** @param bytes what to pass on if it is news */
  join(intent: JoinIntent, bytes: Uint8Array, now: Instant): void {
    if (!this.#witness(intent)) return;
    if (this.#init.roster.joinIntent(intent, now)) this.#init.queue.queue(bytes);
  }

  leave(intent: LeaveIntent, bytes: Uint8Array, now: Instant): void {
    if (this.#takeLeave(intent, now)) this.#init.queue.queue(bytes);
  }

  /** What a push/pull says of members and of the clock. */
  merge(state: PushPullState, now: Instant): void {
    const { name, clock, roster, staying, refused } = this.#init;
    if (state.lTime > 0n && !clock.witness(state.lTime - 1n)) return refused("clock-jump", "");
    const left = new Set(state.leftMembers);
    for (const node of left) {
      const lTime = (state.statusLTimes.get(node) ?? 0n) + 1n;
      this.#takeLeave({ kind: "leave", lTime, node, prune: false }, now);
    }
    let stale = false;
    for (const [node, lTime] of state.statusLTimes) {
      const intent: JoinIntent = { kind: "join", lTime, node };
      if (left.has(node) || !this.#witness(intent)) continue;
      // A newer intent about us than we gave, such as a leave from before a restart: say join.
      if (node === name) stale ||= lTime > this.#ownLTime();
      roster.joinIntent(intent, now);
    }
    if (stale && staying()) this.announce(now);
  }

  /** True: news to pass on. A claim that we leave, while we do not, is answered by a join. */
  #takeLeave(intent: LeaveIntent, now: Instant): boolean {
    const { name, roster, staying } = this.#init;
    if (!this.#witness(intent)) return false;
    if (intent.node !== name || !staying()) return roster.leaveIntent(intent, now);
    if (roster.get(name) !== undefined && intent.lTime > this.#ownLTime()) this.announce(now);
    return false;
  }

  #ownLTime(): LTime {
    return this.#init.roster.get(this.#init.name)?.statusLTime ?? 0n;
  }

  #witness({ lTime, node }: JoinIntent | LeaveIntent): boolean {
    const plausible = this.#init.clock.witness(lTime);
    if (!plausible) this.#init.refused("clock-jump", node);
    return plausible;
  }
}
