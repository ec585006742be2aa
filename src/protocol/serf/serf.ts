/**
 * Serf as Nomad uses it, on top of SWIM, as one pure state machine.
 *
 *   commands  restore, start, joined, leave, forceLeave, updateTags, userEvent, ask, respond
 *   events    receive, merge, streamAck, expire
 *   outputs   deadline, drain
 *   queries   clock, members, member, pushPullState, stats, and those of swim
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Address, Instant } from "../ports.ts";
import type { Refusal } from "../swim/membership.ts";
import type { Message, PeerState } from "../swim/message.ts";
import { Swim, type SwimDelegate } from "../swim/swim.ts";
import type { MemberEventKind, Question, SerfAction } from "./action.ts";
import { refuseAlive, refuseMerge } from "./admission.ts";
import { VERSIONS } from "./config.ts";
import { Coordinates } from "./coordinate.ts";
import { Departure } from "./departure.ts";
import { UserEvents } from "./events.ts";
import { exchangedState } from "./exchange.ts";
import type { SerfInit, SerfStats } from "./init.ts";
import { Intents } from "./intents.ts";
import type { KnownMembers } from "./known-members.ts";
import { LamportClock } from "./lamport.ts";
import type { LTime, PushPullState, SerfMember, SerfMessage, Tags } from "./message.ts";
import { canRelay, Queries } from "./queries.ts";
import { Queues } from "./queues.ts";
import { Roster } from "./roster.ts";

const PRUNE_KEY = "prune:";

export class Serf {
  readonly #init: SerfInit;
  readonly swim: Swim;
  readonly #clock = new LamportClock(() => this.#now);
  readonly #queryClock = new LamportClock(() => this.#now);
  readonly #intents: Intents;
  readonly #roster: Roster;
  readonly #queries: Queries;
  readonly #events: UserEvents;
  readonly #queues: Queues;
  readonly #departure: Departure;
  readonly #coordinates: Coordinates;
  readonly #deadlines = new Deadlines();
  #tags: Tags;
  #actions: SerfAction[] = [];
  #now: Instant = 0;

  constructor(init: SerfInit) {
    this.#init = init;
    this.#tags = init.tags;
    const { config, prng, codec, name, address } = init;
    const act = (action: SerfAction): void => void this.#actions.push(action);
    this.#roster = new Roster({
      config,
      prng,
      decodeTags: codec.decodeTags,
      emit: (kind, member) => this.#emit(kind, member),
      pruneLater: (node, delayMs) => this.#deadlines.set(PRUNE_KEY + node, this.#now + delayMs),
    });
    this.#coordinates = new Coordinates(prng);
    this.#queues = new Queues(init, () => this.#roster.size);
    const refused = this.#refused.bind(this);
    const clock = new LamportClock(() => this.#now);
    this.#events = new UserEvents({
      config,
      codec,
      queue: this.#queues.events,
      act,
      clock,
      refused,
    });
    this.#intents = new Intents({
      name,
      clock: this.#clock,
      roster: this.#roster,
      queue: this.#queues.intents,
      encode: codec.encode,
      staying: () => this.#departure.staying,
      refused,
    });
    this.#queries = new Queries({
      name,
      address,
      tags: () => this.#tags,
      config,
      prng,
      clock: this.#queryClock,
      codec,
      keys: init.keys,
      act,
      refused,
      broadcast: (query) => void this.#queues.queries.queue(codec.encode(query)),
      members: () => this.#roster.all(),
      member: (wanted) => this.#roster.get(wanted),
      textOf: codec.decodeText,
      setDeadline: (key, at) => this.#deadlines.set(key, at),
      clearDeadline: (key) => this.#deadlines.clear(key),
      relays: (count) => this.#relays(count),
    });
    this.swim = new Swim({
      name,
      address,
      meta: codec.encodeTags(init.tags),
      versions: VERSIONS,
      config: init.swim,
      prng,
      sizeOf: init.sizeOf,
      overheadBytes: init.overheadBytes,
      delegate: this.#delegate(),
    });
    this.#departure = new Departure({
      config,
      deadlines: this.#deadlines,
      sayFarewell: (now) => this.swim.leave(now),
      farewellSent: () => this.swim.farewellSent(),
    });
  }

  // Commands

  start(now: Instant): void {
    this.#now = now;
    const { config } = this.#init;
    this.swim.start(now);
    this.#deadlines.set("tick:reap", now + config.reapIntervalMs);
    this.#deadlines.set("tick:reconnect", now + config.reconnectIntervalMs);
    this.#deadlines.set("tick:queues", now + config.queueCheckIntervalMs);
  }

  /** After a join that the user asked for: tells everybody that we are here on purpose. */
  joined(now: Instant): void {
    this.#now = now;
    this.#intents.announce(now);
  }

  /** Leaves: intent, farewell, a moment for both to spread; then the action `left`. */
  leave(now: Instant): void {
    if (!this.#departure.staying) return;
    this.#now = now;
    this.#departure.start(this.#intents.declare(this.#init.name, false, now), now);
    this.#leaveProgress(now);
  }

  /** Before `start`: what is remembered of before. Older events and queries are not for us. */
  restore(known: Pick<KnownMembers, "clock" | "eventClock" | "queryClock">): void {
    const { clock, eventClock, queryClock } = known;
    this.#clock.witness(clock);
    if (this.#events.clock.witness(eventClock)) this.#events.ignoreBefore(eventClock + 1n);
    if (this.#queryClock.witness(queryClock)) this.#queries.ignoreBefore(queryClock + 1n);
  }

  /** Answers a query that came as an event. @returns why not, or undefined */
  respond(lTime: LTime, id: number, payload: Uint8Array, now: Instant): string | undefined {
    this.#now = now;
    return this.#queries.answer(lTime, id, payload, now);
  }

  /** Declares a failed member as left, or removes it altogether (`prune`). */
  forceLeave(node: string, prune: boolean, now: Instant): void {
    this.#now = now;
    this.#intents.declare(node, prune, now);
  }

  updateTags(tags: Tags, now: Instant): void {
    this.#now = now;
    this.#tags = tags;
    this.swim.update(this.#init.codec.encodeTags(tags), now);
  }

  /** @returns false if it is larger than every member accepts */
  userEvent(name: string, payload: Uint8Array, coalesce: boolean, now: Instant): boolean {
    this.#now = now;
    return this.#events.send(name, payload, coalesce);
  }

  /** See Queries.ask; what comes back is in a `query-result` action. */
  ask(question: Question, now: Instant): number | string {
    this.#now = now;
    const { config, swim } = this.#init;
    const alive = this.#roster.count("alive");
    const scale = Math.ceil(Math.log10(alive + 1));
    const timeoutMs = swim.gossipIntervalMs * config.queryTimeoutMult * scale;
    return this.#queries.ask(question, question.timeoutMs ?? timeoutMs, now);
  }

  // Events

  receive(from: Address, message: Message, now: Instant): Refusal | undefined {
    this.#now = now;
    return this.swim.receive(from, message, now);
  }

  /**
   * The other half of a push/pull.
   *
   * @param how joining: somebody joins by it; ignoreOld: user events from before are not for us
   * @returns why all of it was refused, or undefined
   */
  merge(
    states: readonly PeerState[],
    userState: Uint8Array,
    how: { joining: boolean; ignoreOld: boolean },
    now: Instant,
  ): string | undefined {
    this.#now = now;
    const refusal = this.swim.merge(states, how.joining, now);
    if (refusal !== undefined || userState.length === 0) return refusal;
    const state = this.#init.codec.decodePushPull(userState);
    if (state === undefined) return "the Serf state of the push/pull cannot be read";
    this.#mergeState(state, how, now);
    return undefined;
  }

  streamAck(seqNo: number, ok: boolean): void {
    this.swim.streamAck(seqNo, ok);
  }

  expire(now: Instant): void {
    this.#now = now;
    this.swim.expire(now);
    for (let key = this.#deadlines.due(now); key !== undefined; key = this.#deadlines.due(now)) {
      this.#expired(key, now);
    }
    this.#leaveProgress(now);
  }

  // Outputs

  deadline(): Instant | undefined {
    const own = this.#deadlines.next();
    const below = this.swim.deadline();
    if (own === undefined || below === undefined) return own ?? below;
    return Math.min(own, below);
  }

  drain(): readonly SerfAction[] {
    const below = this.swim.drain();
    if (this.#actions.length === 0) return below;
    return [...below, ...this.#actions.splice(0)];
  }

  // Queries

  /** The member clock, for the file of known members. */
  clock = (): LTime => this.#clock.time();

  members(): Iterable<SerfMember> {
    return this.#roster.all();
  }

  member(name: string): SerfMember | undefined {
    return this.#roster.get(name);
  }

  /** Serf's half of a push/pull. */
  pushPullState(): Uint8Array {
    const clocks = { clock: this.#clock, queryClock: this.#queryClock };
    const state = exchangedState({ ...clocks, roster: this.#roster, events: this.#events });
    return this.#init.codec.encodePushPull(state);
  }

  /** The numbers of `serf info`. */
  stats(): SerfStats {
    return {
      ...this.#roster.counts(),
      ...this.#queues.lengths(),
      health_score: this.swim.healthScore(),
      member_time: this.#clock.time(),
      event_time: this.#events.clock.time(),
      query_time: this.#queryClock.time(),
      coordinate_resets: this.#coordinates.resets,
    };
  }

  /** To a member, as their coordinates have it, in seconds; undefined: never measured. */
  roundTripSeconds(name: string): number | undefined {
    return this.#coordinates.roundTripSeconds(name);
  }

  /** How SWIM below asks and tells us. */
  #delegate(): SwimDelegate {
    const { name, codec, refuseMember } = this.#init;
    const admission = { self: name, codec, refuseMember };
    return {
      refuseAlive: (alive) => refuseAlive(admission, alive),
      refuseMerge: (states) => refuseMerge(admission, states),
      changed: (change, member, now) => {
        this.#now = now;
        if (change === "join") this.#roster.joined(member);
        else if (change === "leave") {
          this.#roster.gone(member.name, now);
          this.#coordinates.forget(member.name);
        } else this.#roster.updated(member);
      },
      userMessage: (body, _from, now) => this.#userMessage(body, now),
      broadcasts: (overhead, limit) =>
        this.#queues.take(overhead, limit).map((body) => ({ kind: "user", body })),
      ackPayload: () => codec.encodeCoordinate(this.#coordinates.own),
      pinged: (member, rttMs, payload) => this.#pinged(member.name, rttMs, payload),
    };
  }

  #expired(key: string, now: Instant): void {
    const { config } = this.#init;
    if (key.startsWith(PRUNE_KEY)) this.#roster.erase(key.slice(PRUNE_KEY.length));
    else if (this.#queries.expired(key)) return;
    else if (key === "tick:reap") {
      this.#deadlines.set(key, now + config.reapIntervalMs);
      this.#roster.reap(now);
    } else if (key === "tick:reconnect") {
      this.#deadlines.set(key, now + config.reconnectIntervalMs);
      const target = this.#departure.staying ? this.#roster.reconnectTarget() : undefined;
      if (target !== undefined) this.#actions.push({ kind: "reconnect", with: target });
    } else if (key === "tick:queues") {
      this.#deadlines.set(key, now + config.queueCheckIntervalMs);
      this.#queues.prune(config.queueDepthMax);
    }
  }

  #leaveProgress(now: Instant): void {
    if (this.#departure.progress(now)) this.#actions.push({ kind: "left" });
  }

  #userMessage(body: Uint8Array, now: Instant): void {
    const message = this.#init.codec.decode(body);
    if (message !== undefined) this.#message(message, body, now);
  }

  #message(message: SerfMessage, bytes: Uint8Array, now: Instant): void {
    switch (message.kind) {
      case "join":
        return this.#intents.join(message, bytes, now);
      case "leave":
        return this.#intents.leave(message, bytes, now);
      case "userEvent":
        this.#events.take(message, bytes);
        return;
      case "query":
        this.#queries.receive(message, now);
        return;
      case "queryResponse":
        this.#queries.response(message);
        return;
      case "relay":
        this.#queries.relay(message);
        return;
    }
  }

  #mergeState(
    state: PushPullState,
    how: { joining: boolean; ignoreOld: boolean },
    now: Instant,
  ): void {
    const { eventLTime, queryLTime } = state;
    this.#intents.merge(state, now);
    const events = eventLTime === 0n || this.#events.clock.witness(eventLTime - 1n);
    const queries = queryLTime === 0n || this.#queryClock.witness(queryLTime - 1n);
    if (!events || !queries) this.#refused("clock-jump", "");
    if (events && how.joining && how.ignoreOld) this.#events.ignoreBefore(eventLTime);
    this.#events.merge(state.events);
  }

  #pinged(node: string, rttMs: number, payload: Uint8Array | null): void {
    const other = this.#init.codec.decodeCoordinate(payload);
    if (other !== undefined) this.#coordinates.update(node, other, rttMs / 1000);
  }

  #refused(reason: "clock-jump" | "event-limit", node: string): void {
    this.#actions.push({ kind: "note", note: { what: "implausible", reason, node } });
  }

  #emit(kind: MemberEventKind, member: SerfMember): void {
    this.#actions.push({ kind: "event", event: { kind, member } });
  }

  #relays(count: number): readonly Address[] {
    if (this.#roster.size < count + 1) return [];
    return this.swim.randomMembers(count, (one) => one.name !== this.#init.name && canRelay(one));
  }
}
