/**
 * Many nodes in one process, on virtual time, with the production machines: an event heap, a
 * network that loses, delays, doubles and reorders, and streams that are reliable until cut.
 * Everything follows from the seed; `trace` is a hash of all that happened.
 */
import type { Address, Instant, Prng } from "../../src/protocol/ports.ts";
import { createPrng } from "../../src/protocol/prng.ts";
import type { SerfAction } from "../../src/protocol/serf/action.ts";
import type { Message, PeerState } from "../../src/protocol/swim/message.ts";
import { PAYLOAD_OVERHEAD_BYTES } from "../../src/secret/seal.ts";
import { encodeMessage } from "../../src/wire/gossip-message.ts";

/** One node's machine, whichever it is. */
export interface SimMachine {
  start(now: Instant): void;
  receive(from: Address, message: Message, now: Instant): void;
  expire(now: Instant): void;
  deadline(): Instant | undefined;
  drain(): readonly SerfAction[];
  streamAck(seqNo: number, ok: boolean): void;
  snapshot(): { readonly states: readonly PeerState[]; readonly userState: Uint8Array };
  merge(states: readonly PeerState[], userState: Uint8Array, join: boolean, now: Instant): void;
  /** Called after a join that worked. */
  joined(now: Instant): void;
  leave(now: Instant): void;
}

export interface NetworkFaults {
  /** Of datagrams, 0 to 1. */
  loss: number;
  duplicate: number;
  /** One way, milliseconds; the spread reorders. */
  delayMinMs: number;
  delayMaxMs: number;
}

export interface SimNode {
  readonly id: number;
  readonly name: string;
  readonly address: Address;
  machine: SimMachine;
  up: boolean;
  left: boolean;
  /** A slow process: nothing is handled before it. */
  pausedUntil: Instant;
  /** What its clock is ahead of the world's. */
  clockAheadMs: number;
  armedAt: Instant;
}

interface Event {
  readonly at: Instant;
  readonly order: number;
  readonly run: () => void;
}

const STREAM_TIMEOUT_MS = 10_000;

export class World {
  readonly nodes: SimNode[] = [];
  readonly prng: Prng;
  readonly network: NetworkFaults = { loss: 0, duplicate: 0, delayMinMs: 1, delayMaxMs: 20 };
  now: Instant = 0;
  messages = 0;
  bytes = 0;
  countBytes = true;
  onAction: ((node: SimNode, action: SerfAction) => void) | undefined;
  readonly #heap: Event[] = [];
  #order = 0;
  #hash = 0x811c9dc5;
  /** One-way cuts: `from * 65536 + to`. */
  readonly #cuts = new Set<number>();
  readonly #byAddress = new Map<number, SimNode>();

  constructor(seed: number) {
    this.prng = createPrng(seed);
  }

  /** Hash of every delivery and timer so far. */
  get trace(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  add(name: string, create: (address: Address, prng: Prng) => SimMachine): SimNode {
    const id = this.nodes.length;
    const address = { ip: Uint8Array.of(10, id >> 16, (id >> 8) & 255, id & 255), port: 4648 };
    const machine = create(address, createPrng(this.prng.next() * 2 ** 32));
    const base = { id, name, address, machine };
    const state = { up: true, left: false, pausedUntil: 0, clockAheadMs: 0 };
    const node: SimNode = { ...base, ...state, armedAt: Number.POSITIVE_INFINITY };
    this.nodes.push(node);
    this.#byAddress.set(id, node);
    return node;
  }

  start(node: SimNode): void {
    this.tell(node, (now) => node.machine.start(now));
  }

  /** Tells a machine something now, and performs what it wants. */
  tell(node: SimNode, what: (now: Instant) => void): void {
    if (!node.up) return;
    what(this.now + node.clockAheadMs);
    this.#perform(node);
    this.#arm(node);
  }

  /** Push/pull as a joiner does it. */
  join(node: SimNode, seed: SimNode): void {
    this.#sync(node, seed.address, true);
  }

  at(delayMs: number, run: () => void): void {
    this.#push(this.now + delayMs, run);
  }

  cut(from: SimNode, to: SimNode): void {
    this.#cuts.add(from.id * 65536 + to.id);
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Runs until there is nothing before `until`. */
  run(until: Instant): void {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#pop();
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = Math.max(this.now, until);
  }

  #perform(node: SimNode): void {
    for (let actions = node.machine.drain(); actions.length > 0; actions = node.machine.drain()) {
      for (const action of actions) {
        this.onAction?.(node, action);
        this.#act(node, action);
      }
    }
  }

  #act(node: SimNode, action: SerfAction): void {
    switch (action.kind) {
      case "send":
        this.#send(node, action.to, action.messages);
        return;
      case "stream-ping": {
        const { ping, timeoutMs, to } = action;
        const answer = (ok: boolean): void =>
          this.tell(node, () => node.machine.streamAck(ping.seqNo, ok));
        const peer = this.#peer(to);
        const roundTrip = this.#delay() * 4;
        const ok = peer?.up === true && this.#connected(node, peer) && peer.name === ping.node;
        const usable = ok && roundTrip < timeoutMs && peer.pausedUntil < this.now + timeoutMs;
        this.at(Math.min(roundTrip, timeoutMs), () => answer(usable));
        return;
      }
      case "sync":
        this.#sync(node, action.with, false);
        return;
      case "reconnect":
        this.#sync(node, action.with, true);
        return;
      case "left":
        node.left = true;
        node.up = false;
        return;
      default:
        return;
    }
  }

  #send(from: SimNode, to: Address, messages: readonly Message[]): void {
    this.messages += 1;
    if (this.countBytes) {
      for (const message of messages) this.bytes += encodeMessage(message).length;
      // The lengths in front of several, and version, nonce and tag around them.
      if (messages.length > 1) this.bytes += 2 + 2 * messages.length;
      this.bytes += PAYLOAD_OVERHEAD_BYTES;
    }
    const peer = this.#peer(to);
    if (peer === undefined || this.#isCut(from, peer)) return;
    const copies = this.prng.next() < this.network.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      // What a node sends to itself never leaves the machine.
      if (this.prng.next() < this.network.loss && peer !== from) continue;
      this.at(this.#delay(), () => this.#deliver(from, peer, messages));
    }
  }

  #deliver(from: SimNode, to: SimNode, messages: readonly Message[]): void {
    if (!to.up) return;
    if (to.pausedUntil > this.now) {
      this.#push(to.pausedUntil, () => this.#deliver(from, to, messages));
      return;
    }
    this.#note(from.id, to.id, messages.length);
    this.tell(to, (now) => {
      for (const message of messages) to.machine.receive(from.address, message, now);
    });
  }

  /** The acceptor answers with its state from before the merge. */
  #sync(node: SimNode, to: Address, join: boolean): void {
    const peer = this.#peer(to);
    if (peer === undefined || peer === node) return;
    const asked = node.machine.snapshot();
    const delay = this.#delay() + Math.max(0, peer.pausedUntil - this.now);
    if (delay > STREAM_TIMEOUT_MS) return;
    this.at(delay, () => {
      if (!peer.up || !this.#connected(node, peer)) return;
      const answer = peer.machine.snapshot();
      this.#note(node.id, peer.id, 0x10000 + asked.states.length);
      this.tell(peer, (now) => peer.machine.merge(asked.states, asked.userState, join, now));
      this.at(this.#delay(), () => {
        if (!node.up || !this.#connected(node, peer)) return;
        this.tell(node, (now) => {
          node.machine.merge(answer.states, answer.userState, join, now);
          if (join) node.machine.joined(now);
        });
      });
    });
  }

  #peer(to: Address): SimNode | undefined {
    const [, a = 0, b = 0, c = 0] = to.ip;
    return this.#byAddress.get((a << 16) | (b << 8) | c);
  }

  #isCut(from: SimNode, to: SimNode): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(from.id * 65536 + to.id);
  }

  #connected(a: SimNode, b: SimNode): boolean {
    return !this.#isCut(a, b) && !this.#isCut(b, a);
  }

  #delay(): number {
    const { delayMinMs, delayMaxMs } = this.network;
    return Math.round(delayMinMs + this.prng.next() * (delayMaxMs - delayMinMs));
  }

  #arm(node: SimNode): void {
    const deadline = node.machine.deadline();
    if (deadline === undefined) return;
    const due = Math.max(this.now, deadline - node.clockAheadMs);
    if (due >= node.armedAt && node.armedAt > this.now) return;
    node.armedAt = due;
    this.#push(due, () => this.#expire(node, due));
  }

  #expire(node: SimNode, due: Instant): void {
    if (!node.up || node.armedAt !== due) return;
    node.armedAt = Number.POSITIVE_INFINITY;
    if (node.pausedUntil > this.now) {
      node.armedAt = node.pausedUntil;
      const at = node.pausedUntil;
      this.#push(at, () => this.#expire(node, at));
      return;
    }
    this.#note(node.id, 0xffff, 0);
    this.tell(node, (now) => node.machine.expire(now));
  }

  /** FNV-1a over whole numbers. */
  #note(...values: readonly number[]): void {
    for (const value of [Math.round(this.now * 1000), ...values]) {
      this.#hash = Math.imul(this.#hash ^ (value >>> 0), 0x01000193);
    }
  }

  #push(at: Instant, run: () => void): void {
    const heap = this.#heap;
    const event = { at, order: this.#order++, run };
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let first = left;
      if (right !== undefined && isBefore(right, left)) {
        first = right;
        child += 1;
      }
      if (!isBefore(first, last)) break;
      heap[index] = first;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
