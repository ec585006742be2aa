/**
 * Raft's calls over the encrypted server port (mode 02): on each connection strictly in order, so
 * heartbeats, votes, entries and snapshots have connections of their own.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { finish } from "../../host/finish.ts";
import type { ByteStream, Log } from "../../host/host.ts";
import { parseAddress } from "../../host/ip.ts";
import type { Address } from "../../protocol/ports.ts";
import type { Lane } from "../../protocol/raft/action.ts";
import type { RaftAnswer, RaftCall, RaftServer, Sender } from "../../protocol/raft/message.ts";
import { decodeAnswer, encodeAnswer, encodeCall, toCall } from "../../wire/raft-codec.ts";
import {
  decodeGreeted,
  decodeGreeting,
  encodeGreeted,
  encodeGreeting,
  GREETING_BYTES_MAX,
  GREETING_TYPE,
} from "../../wire/raft-greeting.ts";
import { decodeRaftRequest, raftAnswerLength } from "../../wire/raft-message.ts";
import { ByteQueue } from "../byte-queue.ts";
import type { RpcDialer } from "../rpc/client/dial.ts";
import { RpcMode } from "../rpc/mode.ts";
import type { Door } from "./door.ts";

/** hashicorp/raft's, for dialling and for each answer. */
const TIMEOUT_MS = 10_000;
/** A snapshot has so much time for each such piece of it. */
const SNAPSHOT_PIECE_BYTES = 256 * 1024;
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;
const SNAPSHOT_BYTES_MAX = 1024 * 1024 * 1024;

export interface RaftTransportInit {
  readonly self: Sender;
  readonly region: string;
  readonly dialer: Pick<RpcDialer, "connect">;
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
  #closed = false;

  constructor(init: RaftTransportInit) {
    this.#init = init;
  }

  /** @param data a snapshot's bytes, behind an install-snapshot */
  send(to: RaftServer, lane: Lane, call: RaftCall, data: Uint8Array, settle: Settle): void {
    const address = parseAddress(to.address);
    if (address === undefined || this.#closed) return settle(undefined);
    const key = `${to.address} ${lane}`;
    let line = this.#lines.get(key);
    if (line === undefined || line.broken) {
      const fresh = new Line(this.#init, { ...to, at: address }, () => {
        this.#open.delete(fresh);
        // One that is retired has been replaced.
        if (this.#lines.get(key) === fresh) this.#lines.delete(key);
      });
      this.#open.add(fresh);
      this.#lines.set(key, fresh);
      line = fresh;
    }
    line.send(call, data, settle);
  }

  /** New connections from now on: the TLS settings have changed. */
  reset(): void {
    for (const line of [...this.#lines.values()]) line.retire();
    this.#lines.clear();
  }

  close(): void {
    this.#closed = true;
    for (const line of [...this.#open]) line.destroy();
  }
}

interface LineTarget extends RaftServer {
  readonly at: Address;
}

interface Waiting {
  readonly kind: RaftCall["kind"];
  readonly settle: Settle;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * One connection: a greeting, and when it is answered calls out, with answers in the same order.
 */
class Line {
  readonly #waiting: Waiting[] = [];
  readonly #pending = new ByteQueue();
  readonly #gone: () => void;
  readonly #init: RaftTransportInit;
  readonly #to: LineTarget;
  #greeted: boolean;
  #stream: ByteStream | undefined;
  #unsent: Uint8Array[] = [];
  #retired = false;
  broken = false;

  constructor(init: RaftTransportInit, to: LineTarget, gone: () => void) {
    this.#gone = gone;
    this.#init = init;
    this.#to = to;
    const { dialer, region, log, unsafeWithoutGreeting } = init;
    this.#greeted = unsafeWithoutGreeting;
    dialer.connect(to.at, region, RpcMode.raft, TIMEOUT_MS).then(
      ({ stream }) => this.#connected(stream),
      (error: unknown) => {
        log.debug("cannot dial for Raft", { error: errorText(error) });
        this.destroy();
      },
    );
  }

  send(call: RaftCall, data: Uint8Array, settle: Settle): void {
    const pieces = Math.max(1, data.length / SNAPSHOT_PIECE_BYTES);
    const timer = setTimeout(() => this.destroy(), TIMEOUT_MS * pieces);
    this.#waiting.push({ kind: call.kind, settle, timer });
    const bytes = [encodeCall(call, data.length), ...(data.length === 0 ? [] : [data])];
    if (this.#stream === undefined || !this.#greeted) this.#unsent.push(...bytes);
    else for (const one of bytes) this.#stream.write(one);
  }

  /** Ends when what is under way is answered. */
  retire(): void {
    this.#retired = true;
    if (this.#waiting.length === 0) this.destroy();
  }

  destroy(): void {
    if (this.broken) return;
    this.broken = true;
    this.#stream?.destroy();
    this.#gone();
    for (const { settle, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      settle(undefined);
    }
  }

  #refuse(): void {
    this.#init.malformed();
    this.destroy();
  }

  #connected(stream: ByteStream): void {
    if (this.broken) return stream.destroy();
    this.#stream = stream;
    stream.listen({
      data: (chunk) => this.#data(chunk),
      ended: () => this.destroy(),
      closed: () => this.destroy(),
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
      return this.#flush();
    }
    this.#init.refused(this.#to, refusal);
    this.destroy();
  }

  #data(chunk: Uint8Array): void {
    this.#pending.push(chunk);
    while (!this.broken && this.#pending.length > 0) {
      const length = raftAnswerLength(this.#pending.peek());
      if (!this.#greeted && typeof length === "number") {
        this.#answered(length);
        continue;
      }
      const waiting = this.#waiting[0];
      if (length === "more" && this.#pending.length < REQUEST_BYTES_MAX) return;
      if (typeof length !== "number" || waiting === undefined) return this.#refuse();
      const answer = decodeAnswer(waiting.kind, this.#pending.peek().subarray(0, length));
      if (answer === undefined) return this.#refuse();
      this.#pending.drop(length);
      this.#waiting.shift();
      clearTimeout(waiting.timer);
      // An error of the other side's is no answer to what we asked.
      waiting.settle(typeof answer === "string" ? undefined : answer);
    }
    if (this.#retired && this.#waiting.length === 0) this.destroy();
  }
}

/** undefined: no server of the group sends this. */
export type RaftHandler = (
  call: RaftCall,
  data: Uint8Array,
) => Promise<RaftAnswer | string | undefined>;

export interface ServeRaft {
  readonly self: Sender;
  readonly door: Door;
  readonly handle: RaftHandler;
  /** Ends the connection, and counts it as one that sent what is no call. */
  readonly malformed: () => void;
}

/** Answers one connection's calls in order, after a greeting. */
export function serveRaft(stream: ByteStream, { self, door, handle, malformed }: ServeRaft): void {
  const pending = new ByteQueue();
  let busy = false;
  let over = false;
  let greeted = door.unsafeWithoutGreeting;
  const turnAway = (answer: Uint8Array): void => {
    over = true;
    stream.write(answer);
    void finish(stream);
  };
  /** @returns may calls be read now? */
  const greet = (): boolean => {
    if (pending.peek()[0] !== GREETING_TYPE) {
      const refusal = greeted || pending.length === 0 ? undefined : door.notGreeted(stream.remote);
      if (refusal !== undefined) turnAway(encodeAnswer(refusal, self));
      return greeted;
    }
    const read = decodeGreeting(pending.peek());
    const tooLong = read.kind === "more" && pending.length > GREETING_BYTES_MAX;
    if (read.kind === "malformed" || tooLong) malformed();
    if (read.kind !== "greeting") return false;
    const refusal = door.greeted(read.greeting, stream.remote);
    if (refusal !== undefined) {
      turnAway(encodeGreeted(self, refusal));
      return false;
    }
    pending.drop(read.bytes);
    greeted = true;
    stream.write(encodeGreeted(self, undefined));
    return true;
  };
  const next = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    while (!over) {
      if (!greet()) break;
      const read = decodeRaftRequest(pending.peek());
      if (read.kind === "malformed") return malformed();
      if (read.kind === "more") break;
      const call = toCall(read.request);
      if (call === undefined) return malformed();
      const size = typeof call === "string" ? 0 : call.size;
      if (size < 0 || size > SNAPSHOT_BYTES_MAX) return malformed();
      if (pending.length < read.bytes + size) break;
      pending.drop(read.bytes);
      const data = pending.peek().slice(0, size);
      pending.drop(size);
      const answer = typeof call === "string" ? call : await handle(call.call, data);
      if (answer === undefined) return malformed();
      if (!over) stream.write(encodeAnswer(answer, self));
    }
    busy = false;
  };
  stream.listen({
    data: (chunk) => {
      if (over) return;
      pending.push(chunk);
      if (pending.length > SNAPSHOT_BYTES_MAX) return malformed();
      void next();
    },
    ended: () => {
      over = true;
      void finish(stream);
    },
    closed: () => {
      over = true;
    },
  });
}
