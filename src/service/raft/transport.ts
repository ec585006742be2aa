/**
 * Raft's calls over the encrypted server port (mode 02): on each connection strictly in order, so
 * heartbeats, votes, entries and snapshots have connections of their own.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { ByteStream, Clock, Log } from "../../host/host.ts";
import { parseAddress } from "../../host/ip.ts";
import type { Address, Instant, Prng } from "../../protocol/ports.ts";
import type { Lane } from "../../protocol/raft/action.ts";
import type { RaftAnswer, RaftCall, RaftServer, Sender } from "../../protocol/raft/message.ts";
import { TlsError } from "../../tls/refusal.ts";
import { decodeAnswer, encodeCall } from "../../wire/raft-codec.ts";
import { decodeGreeted, encodeGreeting } from "../../wire/raft-greeting.ts";
import { Backoff } from "../rpc/client/backoff.ts";
import type { RpcDialer } from "../rpc/client/dial.ts";
import { RpcMode } from "../rpc/mode.ts";
import { ValueQueue } from "../value-queue.ts";
import { LastRead, LastWritten } from "./repeats.ts";

/** hashicorp/raft's, for dialling and for each answer. */
const TIMEOUT_MS = 10_000;
/** A snapshot has so much time for each such piece of it. */
const SNAPSHOT_PIECE_BYTES = 256 * 1024;
/** An answer: an id, an address, a few numbers, or a sentence. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** Before a server that has refused us is dialled again, at first. */
const REFUSED_MS = 250;

interface RaftTransportInit {
  readonly self: Sender;
  readonly region: string;
  readonly dialer: Pick<RpcDialer, "connect">;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** An answer that no server gives: for the counters. */
  readonly malformed: () => void;
  /** Calls go out before a greeting is answered: only where the protocol is tested. */
  readonly unsafeWithoutGreeting: boolean;
  /** A server does not speak with us: it says why. */
  readonly refused: (to: RaftServer, why: string) => void;
}

/** What came back; undefined: nothing will. */
type Settle = (answer: RaftAnswer | undefined) => void;

export class RaftTransport {
  readonly #init: RaftTransportInit;
  /** By address and lane: where the next call goes. */
  readonly #lines = new Map<string, Line>();
  /** All that are open: also those that only wait for their last answers. */
  readonly #open = new Set<Line>();
  /** Of servers that refuse us: a handshake costs both sides too much to be tried at each call. */
  readonly #backoff: Backoff;
  #closed = false;

  constructor(init: RaftTransportInit) {
    this.#init = init;
    this.#backoff = new Backoff(init.clock, init.prng, REFUSED_MS);
  }

  /** @param data a snapshot's bytes, behind an install-snapshot */
  send(to: RaftServer, lane: Lane, call: RaftCall, data: Uint8Array, settle: Settle): void {
    const key = `${to.address} ${lane}`;
    const known = this.#lines.get(key);
    const line = known === undefined || known.broken ? this.#connect(to, key) : known;
    if (line === undefined) return settle(undefined);
    line.send(call, data, settle);
  }

  /** New connections from now on: the TLS settings have changed. */
  reset(): void {
    for (const line of [...this.#lines.values()]) line.retire();
    this.#lines.clear();
    this.#backoff.clear();
  }

  /** There is news of that server: it may be dialled at once. */
  forgive(address: string): void {
    this.#backoff.forgive(address);
  }

  close(): void {
    this.#closed = true;
    for (const line of [...this.#open]) line.destroy();
  }

  /** @returns undefined: there is nowhere to go, not yet again, or we are closed */
  #connect(to: RaftServer, key: string): Line | undefined {
    const address = parseAddress(to.address);
    if (address === undefined || this.#closed) return undefined;
    if (this.#backoff.refusal(to.address) !== undefined) return undefined;
    const target = { ...to, at: address };
    const line = new Line(this.#init, target, {
      refused: (error) => this.#backoff.failed(to.address, error),
      answered: () => this.#backoff.forgive(to.address),
      gone: () => {
        this.#open.delete(line);
        // One that is retired has been replaced.
        if (this.#lines.get(key) === line) this.#lines.delete(key);
      },
    });
    this.#open.add(line);
    this.#lines.set(key, line);
    return line;
  }
}

interface LineEvents {
  /** Whoever is there does not speak with us, and will not at the next call either. */
  readonly refused: (error: unknown) => void;
  readonly answered: () => void;
  readonly gone: () => void;
}

interface LineTarget extends RaftServer {
  readonly at: Address;
}

interface Waiting {
  readonly kind: RaftCall["kind"];
  readonly settle: Settle;
  /** When it is too late for an answer. */
  readonly dueAt: Instant;
}

/**
 * One connection: a greeting, and when it is answered calls out, with answers in the same order.
 */
class Line {
  readonly #waiting: Waiting[] = [];
  readonly #pending = new ValueQueue();
  readonly #written = new LastWritten<RaftCall>();
  readonly #read = new LastRead<RaftAnswer>();
  readonly #events: LineEvents;
  readonly #init: RaftTransportInit;
  readonly #to: LineTarget;
  #greeted: boolean;
  #stream: ByteStream | undefined;
  #unsent: Uint8Array[] = [];
  #cancelWatch: (() => void) | undefined;
  #retired = false;
  broken = false;

  constructor(init: RaftTransportInit, to: LineTarget, events: LineEvents) {
    this.#events = events;
    this.#init = init;
    this.#to = to;
    const { dialer, region, log, unsafeWithoutGreeting } = init;
    this.#greeted = unsafeWithoutGreeting;
    dialer.connect(to.at, region, RpcMode.raft, TIMEOUT_MS).then(
      ({ stream }) => this.#connected(stream),
      (error: unknown) => {
        log.debug("cannot dial for Raft", { error: errorText(error) });
        if (error instanceof TlsError) events.refused(error);
        this.destroy();
      },
    );
  }

  send(call: RaftCall, data: Uint8Array, settle: Settle): void {
    const pieces = Math.max(1, data.length / SNAPSHOT_PIECE_BYTES);
    const dueAt = this.#init.clock.now() + TIMEOUT_MS * pieces;
    this.#waiting.push({ kind: call.kind, settle, dueAt });
    this.#watch();
    this.#write(this.#written.bytesOf(call, (one) => encodeCall(one, data.length)));
    if (data.length > 0) this.#write(data);
  }

  #write(bytes: Uint8Array): void {
    if (this.#stream === undefined || !this.#greeted) this.#unsent.push(bytes);
    else this.#stream.write(bytes);
  }

  /** Ends when what is under way is answered. */
  retire(): void {
    this.#retired = true;
    if (this.#waiting.length === 0) this.destroy();
  }

  destroy(): void {
    if (this.broken) return;
    this.broken = true;
    this.#cancelWatch?.();
    this.#stream?.destroy();
    this.#events.gone();
    for (const { settle } of this.#waiting.splice(0)) settle(undefined);
  }

  /** One timer, for the oldest that waits: one for each call would cost more than the call. */
  #watch(): void {
    const { clock } = this.#init;
    const [first] = this.#waiting;
    if (first === undefined || this.#cancelWatch !== undefined) return;
    this.#cancelWatch = clock.schedule(first.dueAt, () => {
      this.#cancelWatch = undefined;
      const [oldest] = this.#waiting;
      if (oldest !== undefined && oldest.dueAt <= clock.now()) this.destroy();
      else this.#watch();
    });
  }

  #refuse(): void {
    this.#init.malformed();
    this.destroy();
  }

  /** With TLS 1.3 a server refuses our certificate only when we believe that we are connected. */
  #hungUp(): void {
    if (!this.broken && !this.#greeted)
      this.#events.refused("closed before our greeting was answered");
    this.destroy();
  }

  #connected(stream: ByteStream): void {
    if (this.broken) return stream.destroy();
    this.#stream = stream;
    stream.listen({
      data: (chunk) => this.#data(chunk),
      ended: () => this.#hungUp(),
      closed: () => this.#hungUp(),
    });
    if (this.#greeted) return this.#flush();
    stream.write(encodeGreeting({ from: this.#init.self, to: this.#to.id }));
  }

  #flush(): void {
    for (const bytes of this.#unsent.splice(0)) this.#stream?.write(bytes);
  }

  #answered(length: number): void {
    const refusal = decodeGreeted(this.#pending.peek().subarray(0, length));
    this.#pending.drop(length);
    if (refusal === undefined) {
      this.#greeted = true;
      this.#events.answered();
      return this.#flush();
    }
    this.#events.refused(refusal);
    this.#init.refused(this.#to, refusal);
    this.destroy();
  }

  #data(chunk: Uint8Array): void {
    this.#pending.push(chunk);
    while (!this.broken && this.#pending.length > 0) {
      const again = this.#read.again(this.#pending.peek());
      const length = again?.length ?? this.#pending.end(2);
      if (this.#pending.needed > ANSWER_BYTES_MAX) return this.#refuse();
      if (length === "more") return;
      if (!this.#greeted && typeof length === "number") {
        this.#answered(length);
        continue;
      }
      const waiting = this.#waiting[0];
      if (typeof length !== "number" || waiting === undefined) return this.#refuse();
      const isSame = again?.value.kind === waiting.kind;
      const answer = isSame ? again.value : this.#decode(waiting.kind, length);
      if (answer === undefined) return this.#refuse();
      this.#pending.drop(length);
      this.#waiting.shift();
      // An error of the other side's is no answer to what we asked.
      waiting.settle(typeof answer === "string" ? undefined : answer);
    }
    if (this.#retired && this.#waiting.length === 0) this.destroy();
  }

  #decode(kind: RaftCall["kind"], length: number): ReturnType<typeof decodeAnswer> {
    const bytes = this.#pending.peek().subarray(0, length);
    const answer = decodeAnswer(kind, bytes);
    if (typeof answer === "object") this.#read.keep(bytes, answer);
    return answer;
  }
}
