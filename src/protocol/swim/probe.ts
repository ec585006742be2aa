/**
 * The probe cycle (wire/gossip.md §8.7): ping; after the timeout ask others and try TCP; at the end
 * of the scaled interval count what came and suspect. And the helper's side of it.
 *
 * @module
 */
import type { Deadlines } from "../deadlines.ts";
import type { Address, Instant } from "../ports.ts";
import type { SwimAction } from "./action.ts";
import type { Awareness } from "./awareness.ts";
import type { SwimConfig } from "./config.ts";
import { isGone, type Member, type Members, protocolMax } from "./members.ts";
import type { Ack, IndirectPing, Message, Nack, Ping, Source, Suspect } from "./message.ts";

/** Protocol from which on a node understands TCP pings and nacks. */
const PROTOCOL_TCP_PING = 3;
const PROTOCOL_NACK = 4;
const PROTOCOL_CRC = 5;
/** Indirect pings in flight that we do for others; more than anybody needs. */
const RELAYS_MAX = 4096;

interface Running {
  readonly seqNo: number;
  readonly target: Member;
  readonly incarnation: number;
  readonly sentAt: Instant;
  readonly endsAt: Instant;
  acked: boolean;
  streamAcked: boolean;
  nacksExpected: number;
  nacks: number;
}

interface Relay {
  readonly requester: Address;
  readonly seqNo: number;
  readonly nack: boolean;
}

export interface ProbeInit {
  readonly name: string;
  readonly address: () => Address;
  readonly config: SwimConfig;
  readonly members: Members;
  readonly awareness: Awareness;
  readonly deadlines: Deadlines;
  readonly act: (action: SwimAction) => void;
  /** Sends with as much gossip as fits. */
  readonly sendWithGossip: (to: Address, message: Message) => void;
  readonly onAlive: (target: Member, rttMs: number, payload: Uint8Array | null) => void;
  readonly onFailed: (suspect: Suspect, now: Instant) => void;
}

const TIMEOUT_KEY = "probe:timeout";
const END_KEY = "probe:end";
const RELAY_KEY = "relay:";

export class Probe {
  readonly #init: ProbeInit;
  readonly #relays = new Map<number, Relay>();
  #running: Running | undefined;
  #seqNo = 0;

  constructor(init: ProbeInit) {
    this.#init = init;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Starts on the next member; nothing while one is running. */
  next(onRound: () => void, now: Instant): void {
    if (this.#running !== undefined) return;
    const { members, name } = this.#init;
    const wanted = (member: Member): boolean => member.name !== name && !isGone(member);
    const target = members.nextToProbe(wanted, onRound);
    if (target !== undefined) this.#start(target, now);
  }

  #start(target: Member, now: Instant): void {
    const { config, awareness, deadlines, name } = this.#init;
    const seqNo = this.#nextSeqNo();
    const endsAt = now + awareness.scale(config.probeIntervalMs);
    this.#running = {
      seqNo,
      target,
      incarnation: target.incarnation,
      sentAt: now,
      endsAt,
      acked: false,
      streamAcked: false,
      nacksExpected: 0,
      nacks: 0,
    };
    const ping: Ping = { kind: "ping", seqNo, node: target.name, ...this.#source() };
    if (target.state === "alive") {
      this.#init.sendWithGossip(target, ping);
    } else {
      // In one packet, so that it can refute before anything else is lost.
      const { incarnation } = target;
      const suspect: Suspect = { kind: "suspect", incarnation, node: target.name, from: name };
      const crc = protocolMax(target) >= PROTOCOL_CRC;
      this.#init.act({ kind: "send", to: target, messages: [ping, suspect], crc });
    }
    deadlines.set(TIMEOUT_KEY, Math.min(now + config.probeTimeoutMs, endsAt));
    deadlines.set(END_KEY, endsAt);
  }

  /** True if the deadline was one of ours. */
  expired(key: string, now: Instant): boolean {
    if (key === TIMEOUT_KEY) this.#askOthers(now);
    else if (key === END_KEY) this.#end(now);
    else if (key.startsWith(RELAY_KEY)) this.#relayTimeout(Number(key.slice(RELAY_KEY.length)));
    else return false;
    return true;
  }

  #askOthers(now: Instant): void {
    const probe = this.#running;
    if (probe === undefined || probe.acked) return;
    const { config, members, name } = this.#init;
    const { target, seqNo } = probe;
    const wanted = (member: Member): boolean =>
      member.name !== name && member.name !== target.name && member.state === "alive";
    for (const helper of members.random(config.indirectChecks, wanted)) {
      const nack = protocolMax(helper) >= PROTOCOL_NACK;
      if (nack) probe.nacksExpected += 1;
      const { ip, port, name: node } = target;
      this.#init.sendWithGossip(helper, {
        kind: "indirectPing",
        seqNo,
        target: ip,
        port,
        node,
        nack,
        ...this.#source(),
      });
    }
    if (!config.tcpPings || protocolMax(target) < PROTOCOL_TCP_PING) return;
    const ping: Ping = { kind: "ping", seqNo, node: target.name, ...this.#source() };
    const timeoutMs = Math.max(0, probe.endsAt - now);
    const { name: node, ip, port } = target;
    this.#init.act({ kind: "stream-ping", to: { name: node, ip, port }, ping, timeoutMs });
  }

  #end(now: Instant): void {
    const probe = this.#running;
    if (probe === undefined) return;
    this.#running = undefined;
    const { awareness, act, name } = this.#init;
    if (probe.acked) return;
    if (probe.streamAcked) {
      awareness.apply(-1);
      act({ kind: "note", note: { what: "no-udp", node: probe.target.name } });
      return;
    }
    if (probe.nacksExpected > 0) awareness.apply(Math.max(0, probe.nacksExpected - probe.nacks));
    else awareness.apply(1);
    const { incarnation, target } = probe;
    this.#init.onFailed({ kind: "suspect", incarnation, node: target.name, from: name }, now);
  }

  /** The TCP ping was answered, or not. */
  streamAck(seqNo: number, ok: boolean): void {
    if (ok && this.#running?.seqNo === seqNo) this.#running.streamAcked = true;
  }

  /** @returns true if somebody waited for it */
  ack(ack: Ack, now: Instant): boolean {
    const probe = this.#running;
    if (probe !== undefined && probe.seqNo === ack.seqNo) {
      if (probe.acked) return false;
      probe.acked = true;
      const direct = this.#init.deadlines.has(TIMEOUT_KEY);
      this.#init.deadlines.clear(TIMEOUT_KEY);
      this.#init.awareness.apply(-1);
      if (direct) this.#init.onAlive(probe.target, now - probe.sentAt, ack.payload);
      this.#finishEarly();
      return true;
    }
    const relay = this.#relays.get(ack.seqNo);
    if (relay === undefined) return false;
    this.#forgetRelay(ack.seqNo);
    const answer: Ack = { kind: "ack", seqNo: relay.seqNo, payload: null };
    this.#init.sendWithGossip(relay.requester, answer);
    return true;
  }

  /** The cycle is over at the first ack; the next tick probes the next member. */
  #finishEarly(): void {
    this.#running = undefined;
    this.#init.deadlines.clear(END_KEY);
  }

  nack(nack: Nack): boolean {
    if (this.#running?.seqNo !== nack.seqNo) return false;
    this.#running.nacks += 1;
    return true;
  }

  /** Somebody asks us to ping for them. */
  relay(request: IndirectPing, from: Address, now: Instant): boolean {
    if (this.#relays.size >= RELAYS_MAX) return false;
    const seqNo = this.#nextSeqNo();
    const requester = replyAddress(request, from);
    this.#relays.set(seqNo, { requester, seqNo: request.seqNo, nack: request.nack });
    this.#init.deadlines.set(RELAY_KEY + seqNo, now + this.#init.config.probeTimeoutMs);
    const port = request.port || this.#init.address().port;
    const ping: Ping = { kind: "ping", seqNo, node: request.node, ...this.#source() };
    this.#init.sendWithGossip({ ip: request.target, port }, ping);
    return true;
  }

  #relayTimeout(seqNo: number): void {
    const relay = this.#relays.get(seqNo);
    if (relay === undefined) return;
    this.#forgetRelay(seqNo);
    if (relay.nack)
      this.#init.sendWithGossip(relay.requester, { kind: "nack", seqNo: relay.seqNo });
  }

  #forgetRelay(seqNo: number): void {
    this.#relays.delete(seqNo);
    this.#init.deadlines.clear(RELAY_KEY + seqNo);
  }

  #nextSeqNo(): number {
    this.#seqNo = (this.#seqNo + 1) >>> 0;
    return this.#seqNo;
  }

  #source(): Source {
    const { ip, port } = this.#init.address();
    return { sourceAddr: ip, sourcePort: port, sourceNode: this.#init.name };
  }
}

/** The source that the message names, or else the socket it came from. */
export function replyAddress(source: Source, from: Address): Address {
  const { sourceAddr, sourcePort } = source;
  if (sourceAddr === undefined || sourcePort === undefined) return from;
  return { ip: sourceAddr, port: sourcePort };
}
