/**
 * net-rpc on one stream or connection: requests one after another, the next one read when the
 * answer is out (wire/rpc-and-raft.md §4).
 *
 * @module
 */
import { errorText } from "../../../host/error-text.ts";
import { FINISH_MS, finish } from "../../../host/finish.ts";
import type { ByteStream, Clock } from "../../../host/host.ts";
import {
  decodeRequest,
  encodeResponse,
  type RpcRequest,
  requestMethod,
} from "../../../wire/rpc-frame.ts";
import { encodeEmpty } from "../../../wire/rpc-status.ts";
import type { RpcMethods } from "../../methods/methods.ts";
import { ValueQueue } from "../../value-queue.ts";
import type { RpcCounters } from "../counters.ts";
import { callerGone, type RpcCaller, RpcMethodError } from "../method-error.ts";
import type { Budget } from "../value-stream.ts";

/** The name of a method and a number. */
const HEAD_BYTES_MAX = 1024;
/** For the rest of a request that has begun. */
const REQUEST_MS = 30_000;
/** For an answer to be read. */
const TAKEN_MS = 60_000;
const TOO_MUCH = "rpc: too much that waits for its answer, or to be read";
/** Requests that may wait behind one that is being answered before the stream is not read. */
const WAITING_BYTES_MAX = 64 * 1024;

interface ServeCalls {
  readonly methods: Pick<RpcMethods, "call" | "bodyBytesMax">;
  readonly counters: RpcCounters;
  readonly clock: Clock;
  readonly caller: RpcCaller;
  /** The peer sent what is no request: the stream is over. */
  readonly refuse: (reason: string, message: string) => void;
  /** For the first request, and for each next one: 0 is for ever. */
  readonly firstMs: number;
  readonly idleMs: number;
  /** What all streams of the connection may hold of requests that are not whole yet. */
  readonly budget: Budget;
  /** For requests that are whole and wait for their answers. */
  readonly unanswered?: Budget;
  /** For answers that wait to be taken, where the stream itself does not count them. */
  readonly untaken?: Budget;
}

/** Bytes that the peer of a connection may have us keep, or all peers together. */
export class ByteBudget implements Budget {
  readonly #partOf: Budget | undefined;
  #left: number;

  constructor(bytes: number, partOf?: Budget) {
    this.#left = bytes;
    this.#partOf = partOf;
  }

  /** @returns false when there are no more; negative `bytes` give back */
  take(bytes: number): boolean {
    this.#left -= bytes;
    const inAll = this.#partOf?.take(bytes) ?? true;
    return inAll && this.#left >= 0;
  }
}

export function serveCalls(stream: ByteStream, how: ServeCalls): void {
  new Calls(stream, how).start();
}

class Calls {
  readonly #stream: ByteStream;
  readonly #how: ServeCalls;
  readonly #pending = new ValueQueue();
  /** What the request that is coming may have, once it is known which method it is for. */
  #bytesMax: number | undefined;
  /** Nobody waits for answers any more. */
  readonly #gone = new AbortController();
  readonly #caller: RpcCaller;
  #busy = false;
  #over = false;
  #peerEnded = false;
  #blocked = false;
  /** Of the connection's budget, and of those for the request and the answer under way. */
  #held = 0;
  #asked = 0;
  #untaken = 0;
  /** Ends the wait for a request. */
  #cancel: (() => void) | undefined;

  constructor(stream: ByteStream, how: ServeCalls) {
    this.#stream = stream;
    this.#how = how;
    this.#caller = { ...how.caller, signal: this.#gone.signal };
  }

  start(): void {
    this.#wait(this.#how.firstMs);
    this.#stream.listen({
      data: (chunk) => {
        if (this.#over) return;
        this.#pending.push(chunk);
        this.#next();
        this.#account();
        // The end of the stream comes behind what waits, and ends a call that takes long: it is
        // looked for while there is room.
        if (this.#busy && this.#pending.length > WAITING_BYTES_MAX) this.#stream.pause();
      },
      ended: () => {
        this.#peerEnded = true;
        // It may have asked all that it wanted, or be gone: an answer that is near still goes out.
        if (this.#busy) this.#after(FINISH_MS, () => this.#finish());
        else this.#finish();
      },
      closed: () => this.#stop(),
      drained: () => {
        this.#blocked = false;
        this.#count(0, 0);
        this.#wait(this.#how.idleMs);
        this.#goOn();
      },
    });
  }

  /** Requests that have come, until one has to wait. */
  #next(): void {
    while (!this.#busy && !this.#over && !this.#blocked && this.#pending.length > 0) {
      if (this.#pending.isFresh && this.#answerShort()) continue;
      const end = this.#end();
      if (end === "more") return this.#wait(REQUEST_MS);
      if (end === "too-much") {
        return this.#refuse(end, "rpc: a request that is larger than any of its method");
      }
      const read = end === "malformed" ? undefined : decodeRequest(this.#pending.peek());
      if (read?.kind !== "frame") {
        return this.#refuse("malformed", "rpc: a request that cannot be decoded");
      }
      this.#pending.drop(read.bytes);
      this.#bytesMax = undefined;
      this.#answer(read.frame, read.bytes);
    }
  }

  /** Nearly all requests are short, and come whole. @returns false: this one is not, or is bad */
  #answerShort(): boolean {
    const read = decodeRequest(this.#pending.peek().subarray(0, HEAD_BYTES_MAX));
    if (read.kind !== "frame") return false;
    this.#pending.drop(read.bytes);
    this.#answer(read.frame, read.bytes);
    return true;
  }

  /** Where the next request ends; what it will be too large for is known before it has come. */
  #end(): number | "more" | "malformed" | "too-much" {
    const whole = this.#pending.end(2);
    if (whole === "malformed") return whole;
    if (whole !== "more" && whole <= HEAD_BYTES_MAX) return whole;
    const head = this.#pending.end(1);
    if (head === "malformed") return head;
    if (head !== "more" && this.#bytesMax === undefined) {
      const method = requestMethod(this.#pending.peek().subarray(0, head));
      if (method === undefined) return "malformed";
      this.#bytesMax = head + this.#how.methods.bodyBytesMax(method);
    }
    const bytes = whole === "more" ? this.#pending.needed : whole;
    return bytes > (this.#bytesMax ?? HEAD_BYTES_MAX) ? "too-much" : whole;
  }

  #answer(request: RpcRequest, bytes: number): void {
    const { methods, counters } = this.#how;
    counters.requests += 1;
    this.#cancel?.();
    try {
      const answer = methods.call(request.method, request.body, this.#caller);
      if (answer instanceof Uint8Array) return this.#reply(request, "", answer);
      // Others wait in line, and in the end the peer does.
      this.#busy = true;
      void answer.then(
        (body) => this.#later(request, "", body),
        (error: unknown) => this.#laterFailed(request, error),
      );
      if (!this.#count(bytes, 0)) this.#refuse("too-much", TOO_MUCH);
    } catch (error) {
      this.#failed(request, error);
    }
  }

  #later(request: RpcRequest, error: string, body: Uint8Array): void {
    this.#busy = false;
    this.#count(0, 0);
    if (this.#over) return;
    this.#reply(request, error, body);
    this.#goOn();
  }

  #laterFailed(request: RpcRequest, error: unknown): void {
    this.#busy = false;
    this.#count(0, 0);
    if (this.#over) return;
    this.#failed(request, error);
    this.#goOn();
  }

  #goOn(): void {
    this.#next();
    this.#account();
    if (this.#busy || this.#blocked || this.#over) return;
    this.#stream.resume();
    if (this.#peerEnded) this.#finish();
  }

  #failed(request: RpcRequest, error: unknown): void {
    this.#how.counters.requestErrors += 1;
    this.#reply(request, errorText(error), encodeEmpty());
    // As net/rpc has it: an unknown method costs the stream, a method's own error does not.
    if (!(error instanceof RpcMethodError) || error.endsStream) this.#finish();
  }

  #reply({ seq, method }: RpcRequest, error: string, body: Uint8Array): void {
    // Whoever does not read answers is not read either.
    const bytes = encodeResponse({ seq, method, error, body });
    this.#blocked = !this.#stream.write(bytes);
    if (!this.#blocked) return this.#wait(this.#how.idleMs);
    if (!this.#count(0, bytes.length)) return this.#refuse("too-much", TOO_MUCH);
    this.#stream.pause();
    this.#after(TAKEN_MS, () => this.#refuse("unread", "rpc: an answer is not read"));
  }

  #finish(): void {
    this.#stop();
    void finish(this.#stream, FINISH_MS, this.#how.clock);
  }

  #refuse(reason: string, message: string): void {
    this.#stop();
    this.#how.refuse(reason, message);
  }

  #stop(): void {
    this.#over = true;
    if (this.#busy) this.#gone.abort(callerGone());
    this.#pending.drop(this.#pending.length);
    this.#account();
    this.#count(0, 0);
    this.#cancel?.();
  }

  /** The request that is being answered, and the answer that waits. @returns false: no room */
  #count(asked: number, untaken: number): boolean {
    const [more, out] = [asked - this.#asked, untaken - this.#untaken];
    this.#asked = asked;
    this.#untaken = untaken;
    const hasRoom = more === 0 || (this.#how.unanswered?.take(more) ?? true);
    return (out === 0 || (this.#how.untaken?.take(out) ?? true)) && hasRoom;
  }

  /** What waits here counts against the whole connection. */
  #account(): void {
    const change = this.#pending.length - this.#held;
    this.#held += change;
    if (change === 0 || this.#how.budget.take(change) || this.#over) return;
    this.#refuse("too-much", "rpc: too many requests that are not whole");
  }

  #wait(timeoutMs: number): void {
    this.#after(timeoutMs, () => this.#refuse("idle", "rpc: no request for too long"));
  }

  /** @param ms 0: never */
  #after(ms: number, run: () => void): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (ms === 0 || this.#over) return;
    const { clock } = this.#how;
    this.#cancel = clock.schedule(clock.now() + ms, run);
  }
}
