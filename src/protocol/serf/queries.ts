/**
 * Queries that came to us, and those that we ask (wire/gossip.md §10.7, §10.9).
 *
 * @module
 */
import type { Address, Instant, Prng } from "../ports.ts";
import { randomInt } from "../prng.ts";
import { type Member, protocolMax } from "../swim/members.ts";
import type { Question, SerfAction } from "./action.ts";
import type { SerfConfig } from "./config.ts";
import { allMatch } from "./filter.ts";
import type { KeyKeeper } from "./key-queries.ts";
import { answerKeyQuery, isKeyQuery } from "./key-queries.ts";
import type { LamportClock } from "./lamport.ts";
import {
  type LTime,
  QUERY_ACK,
  QUERY_NO_BROADCAST,
  type Query,
  type QueryResponse,
  RESPONSE_ACK,
  type Relay,
  type SerfCodec,
  type SerfMember,
  type Tags,
} from "./message.ts";
import { RecentByTime } from "./recent.ts";

const INTERNAL_PREFIX = "_serf_";
const PING = "_serf_ping";
const CONFLICT = "_serf_conflict";
/** memberlist's, not Serf's: by it Serf tells who understands a relay. */
const PROTOCOL_RELAY = 5;
/** Queries of others that wait for the application. */
const ANSWERABLE_MAX = 4096;
/** Our own queries in flight. */
const OWN_MAX = 64;
/** What all answers to one of them may hold. */
const ANSWERS_BYTES_MAX = 16 * 1024 * 1024;
/** Queries of one Lamport time: members that ask at once. */
const QUERIES_PER_TIME_MAX = 128;
const ID_BYTES = 8;
const ID_BITS = 0x8000_0000;
const END_KEY = "query:end:";
const AGAIN_KEY = "query:again:";
/** Of a query's time; whoever has not answered by then is asked again, directly. */
const AGAIN_AFTER = [0.25, 0.5, 0.75] as const;
/** Members asked directly at once: as many as a small cluster has. */
const AGAIN_MAX = 256;

interface Asked {
  readonly query: Query;
  /** Every member is to answer; else nobody knows who will. */
  readonly ofAll: boolean;
  /** Members that were alive when we asked, and have not answered. */
  readonly silent: Set<string>;
  readonly expected: number;
  readonly answers: Map<string, Uint8Array>;
  /** Of all answers. */
  bytes: number;
  readonly acks: Set<string>;
}

interface QueriesInit {
  readonly name: string;
  readonly address: Address;
  readonly tags: () => Tags;
  readonly config: SerfConfig;
  readonly prng: Prng;
  readonly clock: LamportClock;
  readonly codec: SerfCodec;
  readonly keys: KeyKeeper;
  readonly act: (action: SerfAction) => void;
  readonly broadcast: (query: Query) => void;
  readonly members: () => Iterable<SerfMember>;
  readonly member: (name: string) => SerfMember | undefined;
  readonly textOf: (bytes: Uint8Array) => string;
  readonly refused: (reason: "clock-jump" | "event-limit", what: string) => void;
  readonly setDeadline: (key: string, at: Instant) => void;
  readonly clearDeadline: (key: string) => void;
  /** Up to `count` members to relay through. */
  readonly relays: (count: number) => readonly Address[];
}

export class Queries {
  readonly #init: QueriesInit;
  readonly #recent: RecentByTime<number>;
  readonly #asked = new Map<number, Asked>();
  /** Queries that the application may still answer. */
  readonly #answerable = new Map<number, { readonly query: Query; readonly endsAt: Instant }>();

  constructor(init: QueriesInit) {
    this.#init = init;
    this.#recent = new RecentByTime({
      size: init.config.queryBuffer,
      same: (a, b) => a === b,
      bytesOf: () => ID_BYTES,
      perTimeMax: QUERIES_PER_TIME_MAX,
      bytesMax: init.config.queryBuffer * QUERIES_PER_TIME_MAX * ID_BYTES,
    });
  }

  /** @returns true if it was news */
  receive(query: Query, now: Instant): boolean {
    const { clock, name, codec, tags } = this.#init;
    if (!clock.witness(query.lTime)) {
      this.#init.refused("clock-jump", query.sourceNode);
      return false;
    }
    const noted = this.#recent.note(query.lTime, query.id, clock.time());
    if (noted === "too-many") this.#init.refused("event-limit", query.sourceNode);
    if (noted !== "news") return false;
    if ((query.flags & QUERY_NO_BROADCAST) === 0) this.#init.broadcast(query);
    const filters = (query.filters ?? []).map((bytes) => codec.decodeFilter(bytes));
    if (!allMatch(filters, name, tags(), codec.expressionMatches)) return true;
    if ((query.flags & QUERY_ACK) !== 0) this.#respond(query, RESPONSE_ACK, null);
    if (query.name.startsWith(INTERNAL_PREFIX)) this.#internal(query);
    else this.#toApplication(query, now);
    return true;
  }

  /**
   * Asks the members, ourselves included.
   *
   * @returns the id that the `query-result` action will carry, or why it was not asked
   */
  ask(question: Question, timeoutMs: number, now: Instant): number | string {
    const { prng, clock, codec, config, address, name } = this.#init;
    if (this.#asked.size >= OWN_MAX) return `${OWN_MAX} queries are running already`;
    const { filters, wantAcks } = question;
    const query: Query = {
      kind: "query",
      lTime: clock.time(),
      id: randomInt(prng, ID_BITS),
      addr: address.ip,
      port: address.port,
      sourceNode: name,
      filters: filters.length === 0 ? null : filters.map((one) => codec.encodeFilter(one)),
      flags: wantAcks ? QUERY_ACK : 0,
      relayFactor: question.relayFactor,
      timeoutNs: BigInt(Math.round(timeoutMs)) * 1_000_000n,
      name: question.name,
      payload: question.payload,
    };
    const { id } = query;
    if (codec.encode(query).length > config.querySizeMax) {
      return `query exceeds limit of ${config.querySizeMax} bytes`;
    }
    const silent = new Set<string>();
    for (const member of this.#init.members())
      if (member.status === "alive") silent.add(member.name);
    const [ofAll, expected] = [filters.length === 0, silent.size];
    const nothing = { answers: new Map<string, Uint8Array>(), bytes: 0, acks: new Set<string>() };
    this.#asked.set(id, { query, ofAll, silent, expected, ...nothing });
    this.#init.setDeadline(END_KEY + id, now + timeoutMs);
    for (const [i, part] of AGAIN_AFTER.entries()) {
      if (ofAll) this.#init.setDeadline(`${AGAIN_KEY}${i}:${id}`, now + part * timeoutMs);
    }
    this.receive(query, now);
    return id;
  }

  /** True if the deadline was one of ours. */
  expired(key: string): boolean {
    const id = Number(key.slice(key.lastIndexOf(":") + 1));
    if (key.startsWith(END_KEY)) this.#finish(id);
    else if (key.startsWith(AGAIN_KEY)) this.#askAgain(id);
    else return false;
    return true;
  }

  /** @returns true if somebody waited for it */
  response(response: QueryResponse): boolean {
    const asked = this.#asked.get(response.id);
    if (asked === undefined || asked.query.lTime !== response.lTime) return false;
    const { from } = response;
    // A name is what the answer says it is: there are no more of them than members.
    if (this.#init.member(from) === undefined) return false;
    if ((response.flags & RESPONSE_ACK) !== 0) {
      asked.acks.add(from);
      return true;
    }
    const payload = response.payload ?? new Uint8Array(0);
    if (asked.answers.has(from) || asked.bytes + payload.length > ANSWERS_BYTES_MAX) return false;
    asked.answers.set(from, payload.slice());
    asked.bytes += payload.length;
    // Whoever answers beside them, such as a member that leaves, must not end it for them.
    asked.silent.delete(from);
    if (asked.silent.size === 0) this.#finish(response.id);
    return true;
  }

  /** Queries before this time are old news. */
  ignoreBefore(lTime: LTime): void {
    this.#recent.raiseMinimum(lTime);
  }

  /** The application's answer, once and in time. @returns why not, or undefined */
  answer(lTime: LTime, id: number, payload: Uint8Array, now: Instant): string | undefined {
    for (const [known, { endsAt }] of this.#answerable) {
      if (endsAt < now) this.#answerable.delete(known);
    }
    const found = this.#answerable.get(id);
    if (found === undefined || found.query.lTime !== lTime) {
      return "response is past the deadline, or was sent already";
    }
    const { codec, config } = this.#init;
    const bytes = codec.encode(this.#responseTo(found.query, 0, payload)).length;
    if (bytes > config.queryResponseSizeMax) {
      return `response of ${bytes} bytes exceeds limit of ${config.queryResponseSizeMax} bytes`;
    }
    this.#answerable.delete(id);
    this.#respond(found.query, 0, payload);
    return undefined;
  }

  /** Somebody else's answer, to be passed on unchanged. */
  relay(relay: Relay): void {
    this.#sendUser(relay.to, relay.inner);
  }

  /** Time is up, or all have answered. */
  #finish(id: number): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    for (const i of AGAIN_AFTER.keys()) this.#init.clearDeadline(`${AGAIN_KEY}${i}:${id}`);
    this.#init.clearDeadline(END_KEY + id);
    const { answers, acks, expected, silent } = asked;
    this.#init.act({ kind: "query-result", id, result: { answers, acks, expected, silent } });
  }

  /**
   * Gossip goes to whoever chance picks, a few times, and among freshly dead members it may miss a
   * living one. Who has the query already takes the copy for what it is, and does nothing twice.
   */
  #askAgain(id: number): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    const body = this.#init.codec.encode(asked.query);
    let sent = 0;
    for (const name of asked.silent) {
      const member = this.#init.member(name);
      if (member?.status !== "alive" || name === this.#init.name) continue;
      if (++sent > AGAIN_MAX) return;
      this.#sendUser(member, body);
    }
  }

  #internal(query: Query): void {
    const { keys, codec, config } = this.#init;
    if (query.name === PING) return; // The ack is the answer.
    if (query.name === CONFLICT) return this.#conflict(query);
    if (!isKeyQuery(query.name)) return;
    const fits = (payload: Uint8Array): boolean =>
      codec.encode(this.#responseTo(query, 0, payload)).length <= config.queryResponseSizeMax;
    this.#respond(query, 0, answerKeyQuery(query, keys, codec, fits));
  }

  /** Who we know under a name that two nodes claim; about ourselves others have to answer. */
  #conflict(query: Query): void {
    const { codec, name, textOf, member } = this.#init;
    const wanted = textOf(query.payload ?? new Uint8Array(0));
    if (wanted !== name) this.#respond(query, 0, codec.encodeConflict(member(wanted)));
  }

  #toApplication(query: Query, now: Instant): void {
    const { lTime, id, name, sourceNode } = query;
    const endsAt = now + Number(query.timeoutNs) / 1e6;
    if (this.#answerable.size < ANSWERABLE_MAX) this.#answerable.set(id, { query, endsAt });
    const payload = query.payload ?? new Uint8Array(0);
    this.#init.act({
      kind: "event",
      event: { kind: "query", lTime, id, name, payload, sourceNode },
    });
  }

  #responseTo(query: Query, flags: number, payload: Uint8Array | null): QueryResponse {
    const { lTime, id } = query;
    return { kind: "queryResponse", lTime, id, from: this.#init.name, flags, payload };
  }

  #respond(query: Query, flags: number, payload: Uint8Array | null): void {
    const { codec, relays } = this.#init;
    const to: Address = { ip: query.addr ?? new Uint8Array(0), port: query.port };
    const inner = codec.encode(this.#responseTo(query, flags, payload));
    this.#sendUser(to, inner);
    if (query.relayFactor === 0) return;
    for (const helper of relays(query.relayFactor)) {
      const relay: Relay = { kind: "relay", to, name: query.sourceNode, inner };
      this.#sendUser(helper, codec.encode(relay));
    }
  }

  #sendUser({ ip, port }: Address, body: Uint8Array): void {
    const to = { ip, port };
    this.#init.act({ kind: "send", to, messages: [{ kind: "user", body }], crc: false });
  }
}

/** It lives, and knows the message by which answers take a detour. */
export function canRelay(member: Member): boolean {
  return member.state === "alive" && protocolMax(member) >= PROTOCOL_RELAY;
}
