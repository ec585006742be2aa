/**
 * A connection of Raft on another server: a greeting, then calls, answered one after another. How
 * much a call may have is known from its first byte, and bytes of a snapshot are kept only if it
 * was announced.
 *
 * @module
 */
import { systemClock } from "../../host/clock.ts";
import { finish } from "../../host/finish.ts";
import type { ByteStream, Clock } from "../../host/host.ts";
import type { RaftAnswer, RaftCall, Sender } from "../../protocol/raft/message.ts";
import { encodeAnswer, type ReadCall, toCall } from "../../wire/raft-codec.ts";
import {
  decodeGreeting,
  encodeGreeted,
  GREETING_BYTES_MAX,
  GREETING_TYPE,
} from "../../wire/raft-greeting.ts";
import { decodeRaftRequest, RaftType } from "../../wire/raft-message.ts";
import type { Budget } from "../rpc/value-stream.ts";
import { ValueQueue } from "../value-queue.ts";
import type { Door } from "./door.ts";
import { LastRead, LastWritten } from "./repeats.ts";

/** Entries go out by the megabyte, but one may be a whole state that an operator restores. */
const ENTRIES_BYTES_MAX = 40 * 1024 * 1024;
/** An id and an address or two, a few numbers. */
const SMALL_BYTES_MAX = 4096;
/** A snapshot's head has the configuration in it. */
const INSTALL_BYTES_MAX = 1024 * 1024;
const SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024;
/** Calls that may wait behind one that is being answered before the connection is not read. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** For the rest of a call that has begun, and for each further piece of it. */
const PIECE_MS = 10_000;
const PIECE_BYTES = 256 * 1024;

const BYTES_MAX: ReadonlyMap<number, number> = new Map<number, number>([
  [GREETING_TYPE, GREETING_BYTES_MAX],
  [RaftType.appendEntries, ENTRIES_BYTES_MAX],
  [RaftType.requestVote, SMALL_BYTES_MAX],
  [RaftType.installSnapshot, INSTALL_BYTES_MAX],
  [RaftType.timeoutNow, SMALL_BYTES_MAX],
  [RaftType.requestPreVote, SMALL_BYTES_MAX],
]);

/** undefined: no server of the group sends this. */
export type RaftHandler = (
  call: RaftCall,
  data: Uint8Array,
) => Promise<RaftAnswer | string | undefined>;

interface ServeRaft {
  readonly self: Sender;
  readonly door: Door;
  readonly handle: RaftHandler;
  /** Ends the connection, and counts it as one that sent what is no call. */
  readonly malformed: () => void;
  /** For calls that are not whole, or wait. */
  readonly budget?: Budget;
  readonly clock?: Clock;
}

export function serveRaft(stream: ByteStream, how: ServeRaft): void {
  new Calls(stream, how).start();
}

class Calls {
  readonly #stream: ByteStream;
  readonly #how: ServeRaft;
  readonly #clock: Clock;
  /** A type looks like a small number: a call is two values. */
  readonly #pending = new ValueQueue();
  readonly #read = new LastRead<RaftCall>();
  readonly #written = new LastWritten<RaftAnswer>();
  /** Its snapshot is coming. */
  #coming: ReadCall | undefined;
  #greeted: boolean;
  /** Of the budget. */
  #held = 0;
  /** Bytes of the call that is being answered. */
  #answering = 0;
  #busy = false;
  #blocked = false;
  #over = false;
  /** Bytes that came, and how many there were when the time for the next piece began. */
  #received = 0;
  #receivedBefore = 0;
  #cancel: (() => void) | undefined;

  constructor(stream: ByteStream, how: ServeRaft) {
    this.#stream = stream;
    this.#how = how;
    this.#clock = how.clock ?? systemClock;
    this.#greeted = how.door.unsafeWithoutGreeting;
  }

  start(): void {
    this.#stream.listen({
      data: (chunk) => {
        if (this.#over) return;
        this.#received += chunk.length;
        this.#pending.push(chunk);
        this.#next();
        this.#account();
        if (this.#busy && this.#pending.length > WAITING_BYTES_MAX) this.#stream.pause();
      },
      ended: () => this.#finish(),
      closed: () => this.#stop(),
      drained: () => {
        this.#blocked = false;
        this.#goOn();
      },
    });
  }

  #goOn(): void {
    this.#next();
    this.#account();
    if (!this.#busy && !this.#blocked && !this.#over) this.#stream.resume();
  }

  /** Calls that have come, until one has to wait. */
  #next(): void {
    while (!this.#busy && !this.#blocked && !this.#over && this.#step());
    this.#expect();
  }

  /** @returns was there something to do? */
  #step(): boolean {
    const coming = this.#coming;
    if (coming !== undefined) {
      if (this.#pending.length < coming.size) return false;
      this.#coming = undefined;
      const data = this.#pending.peek().slice(0, coming.size);
      this.#pending.drop(coming.size);
      this.#run(coming.call, data, data.length);
      return true;
    }
    const bytes = this.#pending.peek();
    const again = this.#read.again(bytes);
    if (again !== undefined) {
      this.#pending.drop(again.length);
      this.#run(again.value, NONE, again.length);
      return true;
    }
    const [type] = bytes;
    if (type === undefined) return false;
    if (type !== GREETING_TYPE && !this.#greeted) {
      this.#turnAway(encodeAnswer(this.#how.door.notGreeted(this.#stream.remote), this.#how.self));
      return false;
    }
    const end = this.#end(type);
    if (end === "more") return false;
    if (end === "malformed") this.#malformed();
    else if (type === GREETING_TYPE) this.#greet(end);
    else this.#call(end);
    return true;
  }

  #end(type: number): number | "more" | "malformed" {
    const end = this.#pending.end(2);
    const bytes = typeof end === "number" ? end : this.#pending.needed;
    return bytes > (BYTES_MAX.get(type) ?? 0) ? "malformed" : end;
  }

  #greet(end: number): void {
    const { door, self } = this.#how;
    const read = decodeGreeting(this.#pending.peek());
    if (read.kind !== "greeting") return this.#malformed();
    this.#pending.drop(end);
    const refusal = door.greeted(read.greeting, this.#stream.remote);
    if (refusal !== undefined) return this.#turnAway(encodeGreeted(self, refusal));
    this.#greeted = true;
    this.#write(encodeGreeted(self, undefined));
  }

  #call(end: number): void {
    const bytes = this.#pending.peek().subarray(0, end);
    const read = decodeRaftRequest(bytes);
    const call = read.kind === "request" ? toCall(read.request) : undefined;
    if (typeof call === "object" && mayRepeat(call)) this.#read.keep(bytes, call.call);
    this.#pending.drop(end);
    if (call === undefined) return this.#malformed();
    if (typeof call === "string") return this.#write(encodeAnswer(call, this.#how.self));
    if (call.size < 0 || call.size > SNAPSHOT_BYTES_MAX) return this.#malformed();
    if (call.size > 0) this.#coming = call;
    else this.#run(call.call, NONE, end);
  }

  #run(call: RaftCall, data: Uint8Array, bytes: number): void {
    this.#busy = true;
    this.#answering = bytes;
    void this.#how.handle(call, data).then((answer) => {
      this.#busy = false;
      this.#answering = 0;
      if (this.#over) return this.#account();
      if (answer === undefined) return this.#malformed();
      const encode = (one: RaftAnswer): Uint8Array => encodeAnswer(one, this.#how.self);
      if (typeof answer === "string") this.#write(encodeAnswer(answer, this.#how.self));
      else this.#write(this.#written.bytesOf(answer, encode));
      this.#goOn();
    });
  }

  /** Whoever does not read answers is not read either. */
  #write(bytes: Uint8Array): void {
    this.#blocked = !this.#stream.write(bytes);
    if (this.#blocked) this.#stream.pause();
  }

  #turnAway(answer: Uint8Array): void {
    this.#stream.write(answer);
    this.#finish();
  }

  #malformed(): void {
    this.#stop();
    this.#how.malformed();
  }

  #finish(): void {
    this.#stop();
    void finish(this.#stream);
  }

  #stop(): void {
    this.#over = true;
    this.#coming = undefined;
    this.#pending.drop(this.#pending.length);
    this.#account();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #account(): void {
    const change = this.#pending.length + this.#answering - this.#held;
    this.#held += change;
    if (change === 0 || (this.#how.budget?.take(change) ?? true) || this.#over) return;
    this.#stop();
    this.#stream.destroy();
  }

  /** Nothing need come; but what has begun has to go on. */
  #expect(): void {
    const waits = this.#coming !== undefined || this.#pending.length > 0;
    const isNew = this.#received - this.#receivedBefore >= PIECE_BYTES;
    if (this.#cancel !== undefined && waits && !this.#busy && !isNew) return;
    this.#cancel?.();
    this.#cancel = undefined;
    if (!waits || this.#busy || this.#over) return;
    this.#receivedBefore = this.#received;
    this.#cancel = this.#clock.schedule(this.#clock.now() + PIECE_MS, () => {
      this.#stop();
      this.#stream.destroy();
    });
  }
}

const NONE = new Uint8Array(0);

/** Entries come once, and so do snapshots. */
function mayRepeat({ call, size }: ReadCall): boolean {
  return size === 0 && (call.kind !== "append-entries" || (call.entries ?? []).length === 0);
}
