/**
 * The probe cycle (wire/gossip.md §8.7): ping; after the timeout ask others and try TCP; at the end
 * of the scaled interval count what came and suspect.
 *
 * @module
 */
import type { Deadlines } from "../deadlines.ts";
import type { Address, Instant } from "../ports.ts";
import type { SwimAction } from "./action.ts";
import type { Awareness } from "./awareness.ts";
import type { SwimConfig } from "./config.ts";
import { isGone, type Member, type Members, protocolMax } from "./members.ts";
import type { Ack, Message, Nack, Ping, Source, Suspect } from "./message.ts";

/** Protocols from which on a node understands TCP pings, nacks and checksums. */
const PROTOCOL_TCP_PING = 3;
const PROTOCOL_NACK = 4;
const PROTOCOL_CRC = 5;

interface Running {
  readonly seqNo: number;
  readonly target: Member;
  readonly incarnation: number;
  readonly sentAt: Instant;
  readonly endsAt: Instant;
  streamAcked: boolean;
  nacksExpected: number;
  nacks: number;
}

interface ProbeInit {
  readonly name: string;
  readonly nextSeqNo: () => number;
  /** Where acks are to go. */
  readonly source: () => Source;
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

export class Probe {
  readonly #init: ProbeInit;
  #running: Running | undefined;

  constructor(init: ProbeInit) {
    this.#init = init;
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
    const seqNo = this.#init.nextSeqNo();
    const endsAt = now + awareness.scale(config.probeIntervalMs);
    this.#running = {
      seqNo,
      target,
      incarnation: target.incarnation,
      sentAt: now,
      endsAt,
      streamAcked: false,
      nacksExpected: 0,
      nacks: 0,
    };
    const ping: Ping = { kind: "ping", seqNo, node: target.name, ...this.#init.source() };
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
    else return false;
    return true;
  }

  #askOthers(now: Instant): void {
    const probe = this.#running;
    if (probe === undefined) return;
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
        ...this.#init.source(),
      });
    }
    if (!config.tcpPings || protocolMax(target) < PROTOCOL_TCP_PING) return;
    const ping: Ping = { kind: "ping", seqNo, node: target.name, ...this.#init.source() };
    const timeoutMs = Math.max(0, probe.endsAt - now);
    const { name: node, ip, port } = target;
    this.#init.act({ kind: "stream-ping", to: { name: node, ip, port }, ping, timeoutMs });
  }

  #end(now: Instant): void {
    const probe = this.#running;
    if (probe === undefined) return;
    this.#running = undefined;
    const { awareness, act, name } = this.#init;
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

  /** The cycle is over at the first ack. @returns true if we waited for it */
  ack(ack: Ack, now: Instant): boolean {
    const probe = this.#running;
    if (probe?.seqNo !== ack.seqNo) return false;
    const { deadlines, awareness, onAlive } = this.#init;
    const direct = deadlines.has(TIMEOUT_KEY);
    this.#running = undefined;
    deadlines.clear(TIMEOUT_KEY);
    deadlines.clear(END_KEY);
    awareness.apply(-1);
    if (direct) onAlive(probe.target, now - probe.sentAt, ack.payload);
    return true;
  }

  nack(nack: Nack): boolean {
    if (this.#running?.seqNo !== nack.seqNo) return false;
    this.#running.nacks += 1;
    return true;
  }
}
