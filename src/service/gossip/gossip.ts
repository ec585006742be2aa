/**
 * The gossip engine: the Serf machine on real sockets, sealed with the keyring.
 *
 * @module
 */

import type { DatagramSocket, Log, StreamServer } from "../../host/host.ts";
import { formatAddress, parseIp, splitHostPort } from "../../host/ip.ts";
import { visible } from "../../host/visible.ts";
import { sameBytes } from "../../protocol/bytes.ts";
import type { Address, Instant, Prng } from "../../protocol/ports.ts";
import { createPrng, shuffle } from "../../protocol/prng.ts";
import type {
  KeyQueryResult,
  QueryResult,
  Question,
  SerfAction,
} from "../../protocol/serf/action.ts";
import { type RefuseMember, refuseMerge } from "../../protocol/serf/admission.ts";
import { type KeyOperation, keyQuestion, keyResult } from "../../protocol/serf/key-queries.ts";
import type { SerfMember } from "../../protocol/serf/message.ts";
import { Serf } from "../../protocol/serf/serf.ts";
import type { SwimNote } from "../../protocol/swim/action.ts";
import type { Peer, PeerState, Ping } from "../../protocol/swim/message.ts";
import { encodeMessage } from "../../wire/gossip-message.ts";
import type { PacketRefusal } from "../../wire/gossip-packet.ts";
import type { StreamMessage, StreamRefusal } from "../../wire/gossip-stream.ts";
import { labelOverhead } from "../../wire/label.ts";
import { serfCodec } from "../../wire/serf-message.ts";
import { printable } from "../../wire/text.ts";
import { Driver } from "../drive.ts";
import { countRefusal, RefusalLog } from "../refusals.ts";
import { createGossipCounters, type GossipCounters } from "./counters.ts";
import type { GossipInit } from "./init.ts";
import { describeNote } from "./notes.ts";
import { Packets } from "./packets.ts";
import { dialProblem, receiveProblem } from "./problems.ts";
import { type ExchangeResult, LOOK, type PushPull, StreamSync } from "./stream-sync.ts";

/** Where to join, and under which name if the caller gave one: a push/pull asks for none. */
export interface JoinTarget extends Address {
  readonly name?: string;
}

interface JoinResult {
  readonly joined: number;
  readonly errors: readonly string[];
}

/** How often the member clock is written down while nothing else happens. */
const CLOCK_MS = 500;

export class Gossip {
  readonly #init: GossipInit;
  readonly #serf: Serf;
  readonly #driver: Driver<SerfAction>;
  readonly #packets: Packets;
  readonly #streams: StreamSync;
  readonly #refusals: RefusalLog;
  readonly #memberlist: Log;
  readonly counters: GossipCounters = createGossipCounters();
  readonly #results = new Map<number, (result: QueryResult) => void>();
  #datagrams: DatagramSocket | undefined;
  #server: StreamServer | undefined;
  readonly #prng: Prng;
  #onLeft: (() => void) | undefined;
  #stopClock: (() => void) | undefined;

  constructor(init: GossipInit) {
    this.#init = init;
    const { clock, network, sealer, label, log, advertise } = init;
    this.#memberlist = log;
    this.#refusals = new RefusalLog(clock, log);
    const seed = new DataView(init.entropy.bytes(4).buffer).getUint32(0);
    this.#prng = createPrng(seed);
    this.#serf = new Serf({
      name: init.name,
      address: advertise,
      tags: init.tags,
      swim: init.swim,
      config: init.serf,
      prng: this.#prng,
      codec: serfCodec,
      keys: init.keys,
      sizeOf: (message) => encodeMessage(message).length,
      overheadBytes: () => sealer.overheadBytes() + labelOverhead(label),
      refuseMember: init.refuseMember,
    });
    this.#driver = new Driver(this.#serf, clock, (action) => this.#perform(action));
    this.#packets = new Packets({
      sealer,
      label,
      counters: this.counters.packets,
      send: (packet, to) => this.#datagrams?.send(packet, to),
      refused: (reason, from) => this.#refusedPacket(reason, from),
    });
    this.#streams = new StreamSync({
      clock,
      network,
      sealer,
      label,
      counters: this.counters.streams,
      timeoutMs: init.streamTimeoutMs,
      serve: (request, from) => this.#serve(request, from),
      refused: (reason, from) => this.#refusedStream(reason, from),
      isMember: (ip) => this.#isMember(ip),
    });
  }

  /** Opens both sockets and announces us. @throws when an address cannot be bound */
  async start(): Promise<void> {
    const { network, bind } = this.#init;
    this.#server = await network.listen(bind, (stream) => void this.#streams.accept(stream));
    try {
      this.#datagrams = await network.datagrams(bind, {
        packet: (bytes, from) => this.#packet(bytes, from),
        problem: (error) => this.#memberlist.debug("udp", { error: error.message }),
      });
    } catch (error) {
      await this.#server.close();
      throw error;
    }
    const { knownMembers } = this.#init;
    if (knownMembers !== undefined) this.#serf.restore(knownMembers.restored);
    this.#driver.tell((now) => this.#serf.start(now));
    this.#rememberClock();
  }

  /** Push/pull with every target; successful if one worked. Never rejects. */
  async join(targets: readonly JoinTarget[], ignoreOld: boolean): Promise<JoinResult> {
    let joined = 0;
    const errors: string[] = [];
    for (const target of targets) {
      const problem = await this.#sync(target, true, ignoreOld);
      if (problem === undefined) joined += 1;
      else errors.push(`failed to join ${formatAddress(target)}: ${visible(problem)}`);
    }
    if (joined > 0) this.#driver.tell((now) => this.#serf.joined(now));
    return { joined, errors };
  }

  /**
   * One after another, those whom the file remembers, until one answers. No join intent: we
   * were never gone on purpose.
   *
   * @returns who answered, or undefined
   */
  async rejoin(): Promise<string | undefined> {
    const remembered = [...(this.#init.knownMembers?.restored.alive ?? [])];
    for (const [name, address] of shuffle(remembered, this.#prng)) {
      const { host, port } = splitHostPort(address);
      const ip = parseIp(host);
      if (name === this.#init.name || ip === undefined || port === undefined) continue;
      const problem = await this.#sync({ ip, port }, true, true);
      if (problem === undefined) return name;
    }
    return undefined;
  }

  /** Says goodbye and waits until it has spread, or its timeouts ran out. */
  leave(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLeft = resolve;
      this.#init.knownMembers?.leave();
      this.#driver.tell((now) => this.#serf.leave(now));
    });
  }

  forceLeave(node: string, prune: boolean): void {
    this.#driver.tell((now) => this.#serf.forceLeave(node, prune, now));
  }

  /** For commands that need nothing but the machine: user events, answers to queries, tags. */
  tell<T>(command: (serf: Serf, now: Instant) => T): T {
    return this.#driver.tell((now) => command(this.#serf, now));
  }

  /** Asks the members; a text is why it was not asked. */
  ask(question: Question): Promise<QueryResult> | string {
    const id = this.tell((serf, now) => serf.ask(question, now));
    if (typeof id === "string") return id;
    return new Promise((resolve) => void this.#results.set(id, resolve));
  }

  /** Asks all members to do something with a key. */
  askKeys(operation: KeyOperation, key: Uint8Array): Promise<KeyQueryResult> | string {
    const asked = this.ask(keyQuestion(operation, key, serfCodec));
    if (typeof asked === "string") return asked;
    return asked.then((result) => keyResult(result, serfCodec));
  }

  members(): Iterable<SerfMember> {
    return this.#serf.members();
  }

  member(name: string): SerfMember | undefined {
    return this.#serf.member(name);
  }

  stats(): Readonly<Record<string, number | bigint>> {
    return this.#serf.stats();
  }

  async close(): Promise<void> {
    this.#driver.stop();
    this.#stopClock?.();
    this.#init.knownMembers?.close();
    this.#datagrams?.close();
    await this.#server?.close();
  }

  #rememberClock(): void {
    const { knownMembers, clock } = this.#init;
    if (knownMembers === undefined) return;
    knownMembers.clock(this.#serf.clock());
    this.#stopClock = clock.schedule(clock.now() + CLOCK_MS, () => this.#rememberClock());
  }

  #perform(action: SerfAction): void {
    switch (action.kind) {
      case "send":
        this.#packets.send(action.to, action.messages, action.crc);
        return;
      case "stream-ping":
        void this.#streamPing(action.to, action.ping, action.timeoutMs);
        return;
      case "sync":
        void this.#background(action.with, "push/pull");
        return;
      case "reconnect":
        this.#memberlist.info("serf: attempting reconnect to", {
          node: printable(action.with.name),
          address: formatAddress(action.with),
        });
        void this.#background(action.with, "reconnect");
        return;
      case "event":
        this.#init.knownMembers?.event(action.event, this.#serf.clock());
        countRefusal(this.counters.events, action.event.kind);
        this.#init.onEvent(action.event);
        return;
      case "query-result":
        this.#results.get(action.id)?.(action.result);
        this.#results.delete(action.id);
        return;
      case "left":
        this.#onLeft?.();
        return;
      case "note":
        this.#note(action.note);
        return;
    }
  }

  #packet(bytes: Uint8Array, from: Address): void {
    const messages = this.#packets.open(bytes, from);
    if (messages.length === 0) return;
    this.#driver.tell((now) => {
      for (const message of messages) this.#serf.receive(from, message, now);
    });
  }

  #serve(
    request: StreamMessage,
    from: Address,
  ): { answer?: StreamMessage; after?: () => void } | undefined {
    switch (request.kind) {
      case "pushPull": {
        const { join, states, userState } = request;
        // Whoever may not join hears why, and not who we are.
        const problem = join ? this.#refuse(states, this.#init.refuseMember) : undefined;
        if (problem !== undefined) {
          this.#refusedMerge(problem, from);
          return { answer: { kind: "err", error: problem } };
        }
        // The answer is our state from before the merge, also if we then refuse theirs.
        const after = (): void => {
          const how = { joining: join, ignoreOld: false };
          const refusal = this.#driver.tell((now) => this.#serf.merge(states, userState, how, now));
          if (refusal !== undefined) this.#refusedMerge(refusal, from);
        };
        return { answer: this.#ourState(join), after };
      }
      case "ping": {
        const { seqNo, node } = request.ping;
        if (node !== "" && node !== this.#init.name) return undefined;
        return { answer: { kind: "ack", ack: { kind: "ack", seqNo, payload: null } } };
      }
      case "user": {
        const { body } = request;
        const after = (): void =>
          void this.#driver.tell((now) => this.#serf.receive(from, { kind: "user", body }, now));
        return { after };
      }
      default:
        return undefined;
    }
  }

  /** Also one that has failed: it comes back with all that it remembers. */
  #isMember(ip: Uint8Array): boolean {
    for (const member of this.#serf.members()) if (sameBytes(member.ip, ip)) return true;
    return false;
  }

  #ourState(join: boolean): StreamMessage {
    const states = this.#serf.swim.states();
    return { kind: "pushPull", join, states, userState: this.#serf.pushPullState() };
  }

  /** @returns why it failed, or undefined */
  async #sync(peer: Address, joining: boolean, ignoreOld: boolean): Promise<string | undefined> {
    if (joining) {
      // Look first, and say nothing: those whom we may not join must not hear of us, either.
      const { refuseAtSight = () => undefined } = this.#init;
      const found = await this.#exchange(peer, LOOK);
      const problem = typeof found === "string" ? found : this.#refuse(found.states, refuseAtSight);
      if (problem !== undefined) return problem;
    }
    const answer = await this.#exchange(peer, this.#ourState(joining));
    if (typeof answer === "string") return answer;
    const { states, userState } = answer;
    const how = { joining, ignoreOld };
    const refusal = this.#driver.tell((now) => this.#serf.merge(states, userState, how, now));
    if (refusal !== undefined) countRefusal(this.counters.streams.refused, "merge");
    return refusal;
  }

  /** Why nobody may join by these states, or undefined. */
  #refuse(states: readonly PeerState[], refuseMember: RefuseMember): string | undefined {
    const { name: self } = this.#init;
    return refuseMerge({ self, codec: serfCodec, refuseMember }, states);
  }

  /** The other one's state; a text is why there is none. */
  async #exchange(peer: Address, state: StreamMessage): Promise<PushPull | string> {
    const result = await this.#streams.exchange(peer, state, this.#init.streamTimeoutMs);
    const problem = this.#exchangeProblem(result);
    if (problem !== undefined) return problem;
    const isState = result.kind === "answer" && result.message.kind === "pushPull";
    return isState ? result.message : "the peer answered something else than its state";
  }

  #exchangeProblem(result: ExchangeResult): string | undefined {
    const own = this.#init.sealer.fingerprints();
    if (result.kind === "refused") countRefusal(this.counters.streams.refused, result.reason);
    if (result.kind === "answer" && result.message.kind === "err") {
      countRefusal(this.counters.streams.refused, "refused-by-peer");
    }
    return dialProblem(result, own);
  }

  async #background(peer: Peer, what: string): Promise<void> {
    const problem = await this.#sync(peer, what === "reconnect", false);
    if (problem === undefined) return;
    this.#memberlist.warn(`memberlist: ${what} failed`, {
      node: printable(peer.name),
      address: formatAddress(peer),
      error: problem,
    });
  }

  async #streamPing(to: Peer, ping: Ping, timeoutMs: number): Promise<void> {
    const result = await this.#streams.exchange(to, { kind: "ping", ping }, timeoutMs);
    const answered = result.kind === "answer" && result.message.kind === "ack";
    const ok = answered && result.message.kind === "ack" && result.message.ack.seqNo === ping.seqNo;
    this.#driver.tell(() => this.#serf.streamAck(ping.seqNo, ok));
  }

  #refusedPacket(reason: PacketRefusal | "malformed", from: Address): void {
    this.#refusals.note(`packet:${reason}`, `memberlist: ${receiveProblem(reason)}`, () => ({
      from: formatAddress(from),
      transport: "udp",
      our_keys: this.#init.sealer.fingerprints(),
    }));
  }

  #refusedStream(reason: StreamRefusal, from: Address): void {
    this.#refusals.note(`stream:${reason}`, `memberlist: ${receiveProblem(reason)}`, () => ({
      from: formatAddress(from),
      transport: "tcp",
      our_keys: this.#init.sealer.fingerprints(),
    }));
  }

  #refusedMerge(refusal: string, from: Address): void {
    countRefusal(this.counters.streams.refused, "merge");
    const text = `memberlist: refused to merge the state of a peer: ${refusal}`;
    this.#refusals.note("merge", text, () => ({ from: formatAddress(from) }));
  }

  #note(note: SwimNote): void {
    const { level, text, fields, oftenAs } = describeNote(note);
    // What a stranger can cause goes through the summary, what happens to us does not.
    if (oftenAs === undefined) return this.#memberlist[level](text, fields);
    countRefusal(this.counters.messagesRefused, oftenAs);
    this.#refusals.note(oftenAs, text, () => fields);
  }
}
