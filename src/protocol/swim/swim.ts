/**
 * SWIM membership as memberlist speaks it, as a pure state machine.
 *
 * Owns no socket, timer, clock, random source or logger: the caller reports what happened and when,
 * and `Swim` queues what to do about it. Its methods are of four kinds, in every machine alike:
 *
 *   commands  start, leave, update           the application wants something
 *   events    receive, merge, streamAck, expire   something happened outside
 *   outputs   deadline, drain                what to wait for, what to do (drain after each call)
 *   queries   members, states, ...           read only
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Address, Instant, Prng } from "../ports.ts";
import type { SwimAction } from "./action.ts";
import { Awareness } from "./awareness.ts";
import { Broadcasts } from "./broadcasts.ts";
import type { SwimConfig } from "./config.ts";
import { pushPullWaitMs } from "./formulas.ts";
import { Helper, replyAddress } from "./helper.ts";
import { isGone, type Member, Members, type NameTable, protocolMax } from "./members.ts";
import { Membership, type MembershipListener, type Refusal } from "./membership.ts";
import { anyOtherAlive, impliedMessage, peerStates, versionConflict } from "./merge.ts";
import type { Message, PeerState, Ping, Source, User } from "./message.ts";
import { Probe } from "./probe.ts";

/** Cost of a message inside a compound: its length. */
const COMPOUND_ENTRY_BYTES = 2;
/** ... and of a delegate's message: the user type byte as well. */
const USER_ENTRY_BYTES = 3;
const PROTOCOL_CRC = 5;

/** The layer above (Serf): same core, so plain calls; nothing here may block or do I/O. */
export interface SwimDelegate extends MembershipListener {
  /** A reason to refuse a whole push/pull of a join, or undefined. */
  refuseMerge(states: readonly PeerState[]): string | undefined;
  /** A user message that came in a packet. */
  userMessage(body: Uint8Array, from: Address, now: Instant): void;
  /** Its own gossip: bodies that fit `limitBytes`, each costing `overheadBytes` more. */
  broadcasts(overheadBytes: number, limitBytes: number): readonly User[];
  ackPayload(): Uint8Array | null;
  pinged(member: Member, rttMs: number, payload: Uint8Array | null): void;
}

interface SwimInit {
  readonly name: string;
  readonly address: Address;
  readonly meta: Uint8Array;
  /** Six bytes: memberlist's and the delegate's minimum, maximum, current. */
  readonly versions: Uint8Array;
  readonly config: SwimConfig;
  readonly prng: Prng;
  /** Encoded bytes of a message, to fill a datagram. */
  readonly sizeOf: (message: Message) => number;
  /** What label and encryption cost a packet now; the keyring may change while we run. */
  readonly overheadBytes: () => number;
  readonly delegate: SwimDelegate;
  /** Shared by all nodes of a simulation; a node alone needs none. */
  readonly names?: NameTable;
  /** Members that it starts with, as if it had always known them. */
  readonly known?: { readonly states: readonly PeerState[]; readonly now: Instant };
}

const NOTHING: readonly SwimAction[] = [];

export class Swim {
  readonly #init: SwimInit;
  readonly #members: Members;
  readonly #broadcasts: Broadcasts<Message>;
  readonly #awareness: Awareness;
  readonly #deadlines = new Deadlines();
  readonly #membership: Membership;
  readonly #probe: Probe;
  readonly #helper: Helper;
  #meta: Uint8Array;
  #seqNo = 0;
  #actions: SwimAction[] = [];

  constructor(init: SwimInit) {
    this.#init = init;
    const { name, config, prng, delegate } = init;
    this.#meta = init.meta;
    const members = new Members(prng, init.names);
    if (init.known !== undefined) members.restore(init.known.states, init.known.now);
    this.#members = members;
    const nodes = (): number => members.size;
    this.#broadcasts = new Broadcasts({ mult: config.retransmitMult, nodes, sizeOf: init.sizeOf });
    this.#awareness = new Awareness(config.awarenessMaxMultiplier);
    const act = (action: SwimAction): void => {
      this.#actions.push(action);
    };
    const shared = {
      name,
      config,
      members,
      awareness: this.#awareness,
      deadlines: this.#deadlines,
    };
    this.#membership = new Membership({
      ...shared,
      port: init.address.port,
      broadcasts: this.#broadcasts,
      listener: delegate,
      note: (note) => act({ kind: "note", note }),
    });
    const pinging = {
      nextSeqNo: () => this.#nextSeqNo(),
      source: () => this.#source(),
      sendWithGossip: (to: Address, message: Message) => this.#sendWithGossip(to, message),
    };
    this.#helper = new Helper({ ...shared, ...pinging });
    this.#probe = new Probe({
      ...shared,
      ...pinging,
      act,
      onAlive: (target, rttMs, payload) => delegate.pinged(target, rttMs, payload),
      onFailed: (suspect, now) => void this.#membership.suspect(suspect, now),
    });
  }

  // Commands

  /** Announces ourselves and starts the periodic work, each at a random part of its interval. */
  start(now: Instant): void {
    const { config, prng } = this.#init;
    this.#announce(now);
    this.#deadlines.set("tick:probe", now + prng.next() * config.probeIntervalMs);
    this.#deadlines.set("tick:gossip", now + prng.next() * config.gossipIntervalMs);
    if (config.pushPullIntervalMs > 0) {
      this.#deadlines.set("tick:sync", now + prng.next() * config.pushPullIntervalMs);
    }
  }

  /** New meta for ourselves, broadcast to all. */
  update(meta: Uint8Array, now: Instant): void {
    this.#meta = meta;
    this.#announce(now);
  }

  /** Declares our departure; `farewellSent` tells when enough have been told. */
  leave(now: Instant): void {
    if (this.#membership.leaving) return;
    this.#membership.leave(now);
  }

  // Events

  receive(from: Address, message: Message, now: Instant): Refusal | undefined {
    switch (message.kind) {
      case "ping":
        return this.#answer(from, message);
      case "indirectPing":
        return this.#helper.ping(message, from, now) ? undefined : "unexpected";
      case "ack": {
        const expected = this.#probe.ack(message, now) || this.#helper.ack(message);
        return expected ? undefined : "unexpected";
      }
      case "nack":
        return this.#probe.nack(message) ? undefined : "unexpected";
      case "suspect":
        return this.#membership.suspect(message, now);
      case "alive":
        return this.#membership.alive(message, now);
      case "dead":
        return this.#membership.dead(message, now);
      case "user":
        this.#init.delegate.userMessage(message.body, from, now);
        return undefined;
    }
  }

  /**
   * The other half of a push/pull.
   *
   * @param joining somebody joins by it, so the delegate may refuse
   * @returns why all of it was refused, or undefined
   */
  merge(states: readonly PeerState[], joining: boolean, now: Instant): string | undefined {
    const conflict = versionConflict(() => this.#members.all(), states);
    if (conflict !== undefined) return conflict;
    const refusal = joining ? this.#init.delegate.refuseMerge(states) : undefined;
    if (refusal !== undefined) return refusal;
    for (const state of states) {
      const message = impliedMessage(state, this.#init.name);
      if (message?.kind === "alive") this.#membership.alive(message, now);
      else if (message?.kind === "dead") this.#membership.dead(message, now);
      else if (message !== undefined) this.#membership.suspect(message, now);
    }
    return undefined;
  }

  streamAck(seqNo: number, ok: boolean): void {
    this.#probe.streamAck(seqNo, ok);
  }

  /** Does what is due; a call before `deadline()` does nothing. */
  expire(now: Instant): void {
    for (let key = this.#deadlines.due(now); key !== undefined; key = this.#deadlines.due(now)) {
      if (this.#probe.expired(key, now) || this.#helper.expired(key)) continue;
      if (!this.#membership.expired(key, now)) this.#tick(key, now);
    }
  }

  // Outputs

  deadline(): Instant | undefined {
    return this.#deadlines.next();
  }

  drain(): readonly SwimAction[] {
    const actions = this.#actions;
    if (actions.length === 0) return NOTHING; // So it is after most packets.
    this.#actions = [];
    return actions;
  }

  // Queries

  members(): Iterable<Member> {
    return this.#members.all();
  }

  member(name: string): Member | undefined {
    return this.#members.get(name);
  }

  /** Our half of a push/pull. */
  states(): PeerState[] {
    return peerStates(this.#members.all());
  }

  healthScore(): number {
    return this.#awareness.score;
  }

  broadcastsQueued(): number {
    return this.#broadcasts.length;
  }

  randomMembers(count: number, wanted: (member: Member) => boolean): readonly Member[] {
    return this.#members.random(count, wanted);
  }

  /** After `leave`: has the farewell gone out as often as it should (or is nobody there)? */
  farewellSent(): boolean {
    const { farewell } = this.#membership;
    if (farewell === undefined || farewell.finished) return true;
    return !anyOtherAlive(this.#members.all(), this.#init.name);
  }

  /** Broadcasts waiting; each message once. For tests and transcripts. */
  takeBroadcasts(limitBytes: number): readonly Message[] {
    return this.#broadcasts.take(COMPOUND_ENTRY_BYTES, limitBytes);
  }

  #announce(now: Instant): void {
    const { name, address, versions } = this.#init;
    const incarnation = this.#membership.nextIncarnation();
    const { ip: addr, port } = address;
    const meta = this.#meta;
    const alive = {
      kind: "alive",
      node: name,
      addr,
      port,
      meta,
      incarnation,
      vsn: versions,
    } as const;
    this.#membership.alive(alive, now, true);
  }

  #tick(key: string, now: Instant): void {
    const { config } = this.#init;
    switch (key) {
      case "tick:probe":
        this.#deadlines.set(key, now + config.probeIntervalMs);
        this.#probe.next(() => this.#forgetOld(now), now);
        return;
      case "tick:gossip":
        this.#deadlines.set(key, now + config.gossipIntervalMs);
        this.#gossip(now);
        return;
      case "tick:sync":
        this.#deadlines.set(
          key,
          now + pushPullWaitMs(config.pushPullIntervalMs, this.#members.size),
        );
        this.#sync();
        return;
    }
  }

  #forgetOld(now: Instant): void {
    const { name, config } = this.#init;
    this.#members.drop((member) => {
      const goneMs = now - member.stateChangedAt;
      return isGone(member) && goneMs > config.gossipToTheDeadMs && member.name !== name;
    });
  }

  #gossip(now: Instant): void {
    const { name, config } = this.#init;
    const targets = this.#members.random(config.gossipNodes, (member) => {
      if (member.name === name || member.state === "left") return false;
      return member.state !== "dead" || now - member.stateChangedAt <= config.gossipToTheDeadMs;
    });
    for (const target of targets) {
      // The dead are told what is said of them, so that they can refute it. What the layer above
      // has to say would be lost on them, and each message goes out a few times only.
      const messages = target.state === "dead" ? this.#ownGossipFor(0) : this.#gossipFor(0);
      if (messages.length === 0) continue;
      const crc = protocolMax(target) >= PROTOCOL_CRC;
      this.#actions.push({ kind: "send", to: target, messages, crc });
    }
  }

  #sync(): void {
    const { name } = this.#init;
    const [peer] = this.#members.random(1, (one) => one.name !== name && one.state === "alive");
    if (peer === undefined) return;
    const { name: node, ip, port } = peer;
    this.#actions.push({ kind: "sync", with: { name: node, ip, port } });
  }

  #answer(from: Address, ping: Ping): Refusal | undefined {
    if (ping.node !== "" && ping.node !== this.#init.name) return "not-for-us";
    const payload = this.#init.delegate.ackPayload();
    this.#sendWithGossip(replyAddress(ping, from), { kind: "ack", seqNo: ping.seqNo, payload });
    return undefined;
  }

  #nextSeqNo(): number {
    this.#seqNo = (this.#seqNo + 1) >>> 0;
    return this.#seqNo;
  }

  /** Where acks of our pings are to go. */
  #source(): Required<Source> {
    const { name, address } = this.#init;
    return { sourceAddr: address.ip, sourcePort: address.port, sourceNode: name };
  }

  #sendWithGossip(to: Address, message: Message): void {
    const messages = [message, ...this.#gossipFor(this.#init.sizeOf(message))];
    this.#actions.push({ kind: "send", to, messages, crc: false });
  }

  /** As much gossip as fits beside `usedBytes`: our own first, then the delegate's. */
  #gossipFor(usedBytes: number): Message[] {
    const { delegate, sizeOf } = this.#init;
    const messages = this.#ownGossipFor(usedBytes);
    const used = messages.reduce((sum, one) => sum + sizeOf(one) + COMPOUND_ENTRY_BYTES, 0);
    const free = this.#freeBytes(usedBytes) - used;
    if (free <= USER_ENTRY_BYTES) return messages;
    return [...messages, ...delegate.broadcasts(USER_ENTRY_BYTES, free)];
  }

  #ownGossipFor(usedBytes: number): Message[] {
    return this.#broadcasts.take(COMPOUND_ENTRY_BYTES, this.#freeBytes(usedBytes));
  }

  /** For gossip, in a packet that holds `usedBytes` already. */
  #freeBytes(usedBytes: number): number {
    const { config, overheadBytes } = this.#init;
    return config.datagramBytesMax - usedBytes - COMPOUND_ENTRY_BYTES - overheadBytes();
  }
}
