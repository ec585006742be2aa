/**
 * One HTTP connection: its requests run one after another, as in Go's server, whatever comes in
 * one piece. What comes behind them waits here, and then with the kernel; that the caller has hung
 * up is seen meanwhile, and ends what waits for it. Simple requests are answered from here; the
 * first that is not, and all behind it, are for the library's parser.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { FINISH_MS, finish } from "../host/finish.ts";
import type { Clock } from "../host/host.ts";
import type { SocketStream } from "../host/network.ts";
import type { Instant } from "../protocol/ports.ts";
import type { Pace } from "../service/pace.ts";
import { type Caller, callerOf } from "./access.ts";
import { DirectReply, type Reply } from "./reply.ts";
import { headEnd, parseSimple, type SimpleRequest } from "./simple-request.ts";

/** The parser gets so much at a time: requests in one piece are all parsed at once. */
const SLICE_BYTES = 4096;
/** What a slice may take of a turn of the loop: a body can be in chunks of a byte each. */
const SLICE_MS = 1;
/** Bytes that may wait for the parser before the socket is not read any more. */
const WAITING_BYTES_MAX = 64 * 1024;
/** An answer goes out so much at a time: by the pieces one sees whether it gets on. */
const PIECE_BYTES = 256 * 1024;
/** For a request to come whole, and for each piece of an answer to be taken. */
const IDLE_MS = 60_000;
const NO_HEAD = Buffer.alloc(0);

interface Waiting {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly run: RunRequest;
}

/** Resolves when the answer is handed over; `signal`: that nobody waits for it any more. */
type RunRequest = (signal: () => AbortSignal) => Promise<void>;

interface HttpConnectionInit {
  readonly stream: SocketStream;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly pace: Pace;
  /** Gives the connection to the library's parser. */
  readonly parse: (connection: HttpConnection) => void;
  readonly direct: (
    request: SimpleRequest,
    reply: Reply,
    caller: Caller,
    signal: () => AbortSignal,
  ) => Promise<void>;
}

export class HttpConnection extends Duplex {
  readonly caller: Caller;
  /** Bun's parser asks for it. */
  readonly remoteAddress: string | undefined;
  readonly #stream: SocketStream;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #init: HttpConnectionInit;
  /** From the first request on that is not simple. */
  #hasParser = false;
  /** A simple request is being answered. */
  #answering = false;
  /** Pollers send the same again and again. */
  #lastHead = NO_HEAD;
  #lastRequest: SimpleRequest | undefined;
  #lastCaller: Caller;
  /** It waits for one of the next turns. */
  #yielding = false;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  /** The parser wants more. */
  #wanted = false;
  readonly #requests: Waiting[] = [];
  #current: IncomingMessage | undefined;
  /** Of the current request: its caller has hung up. */
  #hungUp: AbortController | undefined;
  /** Most answers never ask for it. */
  readonly #signal = (): AbortSignal => {
    this.#hungUp ??= new AbortController();
    return this.#hungUp.signal;
  };
  /** Its body has come, if it has one. */
  #whole = false;
  /** When the socket has last taken a piece, and whether one waits for that. */
  #progressAt: Instant = 0;
  #blocked = false;
  #cancelIdle: (() => void) | undefined;
  /** Since when something is expected. */
  #expectedAt: Instant = 0;

  constructor(init: HttpConnectionInit) {
    super({ allowHalfOpen: true });
    const socket = init.stream.detach();
    this.#init = init;
    this.#stream = init.stream;
    this.#socket = socket;
    this.#clock = init.clock;
    this.#pace = init.pace;
    this.caller = init.caller;
    this.#lastCaller = init.caller;
    this.remoteAddress = socket.remoteAddress;
    socket.on("data", (chunk: Uint8Array) => this.#received(chunk));
    socket.on("end", () => {
      this.#ended = true;
      this.#hangUp();
      this.#feed();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.destroy());
    this.#expect();
    socket.resume(); // It was paused to be handed over.
  }

  /** Runs it when those before it are answered. */
  serve(incoming: IncomingMessage, response: ServerResponse, run: RunRequest): void {
    this.#requests.push({ incoming, response, run });
    if (this.#current === undefined) void this.#work();
  }

  /** The parser sets these on its sockets; what they are for is done here, or before. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  /** Resolves when the socket has taken it, or nobody is there; undefined: it has. */
  put(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length > PIECE_BYTES) return this.#putPieces(bytes);
    if (this.destroyed) return undefined;
    this.#blocked = !this.#socket.write(bytes);
    return this.#blocked ? this.#unblocked() : undefined;
  }

  async #putPieces(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.destroyed; at += PIECE_BYTES) {
      await this.put(bytes.subarray(at, at + PIECE_BYTES));
    }
  }

  #gotOn(): void {
    this.#progressAt = this.#clock.now();
    this.#blocked = false;
  }

  #unblocked(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off("drain", done);
        socket.off("close", done);
        this.#gotOn();
        resolve();
      };
      socket.once("drain", done);
      socket.once("close", done);
    });
  }

  override _read(): void {
    this.#wanted = true;
    this.#feed();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    const piece = chunk.subarray(0, PIECE_BYTES);
    const next = (): void => {
      this.#gotOn();
      if (piece.length === chunk.length) done();
      else this._write(chunk.subarray(piece.length), _encoding, done);
    };
    this.#blocked = !this.#socket.write(piece);
    if (this.#blocked) this.#socket.once("drain", next);
    else next();
  }

  /** The parser ends it, for whatever reason: what is written goes out, and its peer has to go. */
  override _final(done: () => void): void {
    void finish(this.#stream, FINISH_MS, this.#clock).then(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#cancelIdle?.();
    this.#hangUp();
    this.#chunks = [];
    this.#requests.length = 0;
    this.#socket.destroy();
    done(error);
  }

  async #work(): Promise<void> {
    for (;;) {
      const next = this.#requests.shift();
      this.#current = next?.incoming;
      if (next === undefined) break;
      this.#whole = !hasBody(next.incoming);
      // A half-closed connection has hung up, as in Go: it gets its answer, but no waiting.
      if (!this.#ended) this.#hungUp = undefined;
      next.incoming.once("end", () => this.#isWhole(next.incoming));
      await next.run(this.#signal);
      await sent(next.response);
      this.#expect();
    }
    this.#feed();
  }

  #hangUp(): void {
    this.#hungUp ??= new AbortController();
    this.#hungUp.abort();
  }

  #isWhole(incoming: IncomingMessage): void {
    if (incoming === this.#current) this.#whole = true;
  }

  #received(chunk: Uint8Array): void {
    if (this.writableEnded) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > WAITING_BYTES_MAX) this.#socket.pause();
    this.#feed();
  }

  /** One slice each time that the parser asks; none while a request that is whole is answered. */
  #feed(): void {
    if (this.destroyed || this.#isBusy()) return;
    const [chunk] = this.#chunks;
    if (chunk === undefined) {
      if (this.#ended) this.#noMore();
      return;
    }
    if (this.#pace.isOver) return this.#yield();
    if (!this.#hasParser) {
      const request = this.#simple(chunk);
      if (request !== undefined) return void this.#answer(request, chunk, this.#lastHead.length);
      this.#hasParser = true;
      this.#init.parse(this);
    }
    if (!this.#wanted) return;
    const slice = chunk.subarray(0, SLICE_BYTES);
    this.#taken(chunk, slice.length);
    this.#wanted = false;
    void this.#pace.turn((slice.length / SLICE_BYTES) * SLICE_MS);
    this.push(slice);
  }

  #taken(chunk: Uint8Array, bytes: number): void {
    if (bytes === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(bytes);
    const wasFull = this.#bytes > WAITING_BYTES_MAX;
    this.#bytes -= bytes;
    if (wasFull && this.#bytes <= WAITING_BYTES_MAX) this.#socket.resume();
  }

  #noMore(): void {
    if (!this.#hasParser) return void this.end();
    if (!this.#wanted) return;
    this.#wanted = false;
    this.push(null);
  }

  /** The request that the chunk begins with: the last head is its. */
  #simple(chunk: Uint8Array): SimpleRequest | undefined {
    const last = this.#lastHead;
    const isLast = chunk.length === last.length && Buffer.compare(chunk, last) === 0;
    if (isLast && last.length > 0) return this.#lastRequest;
    const end = headEnd(chunk);
    if (end === 0) return undefined;
    const head = Buffer.from(chunk.subarray(0, end)); // A copy: the chunk may be long.
    this.#lastHead = head;
    this.#lastRequest = parseSimple(head.toString("latin1"));
    this.#lastCaller = callerOf(this.caller, this.#lastRequest?.headers ?? {});
    return this.#lastRequest;
  }

  async #answer(request: SimpleRequest, chunk: Uint8Array, end: number): Promise<void> {
    this.#answering = true;
    this.#taken(chunk, end);
    // A half-closed connection has hung up, as in Go: it gets its answer, but no waiting.
    if (!this.#ended) this.#hungUp = undefined;
    const reply = new DirectReply(this, request.method === "HEAD");
    await this.#init.direct(request, reply, this.#lastCaller, this.#signal);
    if (reply.taken !== undefined) await reply.taken;
    this.#answering = false;
    if (reply.isLast) return void this.end();
    this.#expect();
    this.#feed();
  }

  #yield(): void {
    if (this.#yielding) return;
    this.#yielding = true;
    this.#pace.later(() => {
      this.#yielding = false;
      this.#feed();
    });
  }

  #isBusy(): boolean {
    return (
      this.#answering || this.#requests.length > 0 || (this.#current !== undefined && this.#whole)
    );
  }

  /** The time that a request may take to come, and a reader to take what is written. */
  #expect(): void {
    this.#expectedAt = this.#clock.now();
    if (this.#cancelIdle === undefined) this.#watch(IDLE_MS);
  }

  /** One timer for all that comes: many requests a second would each set their own. */
  #watch(waitMs: number): void {
    if (this.destroyed) return;
    this.#cancelIdle = this.#clock.schedule(this.#clock.now() + waitMs, () => {
      const sinceAt = Math.max(this.#expectedAt, this.#progressAt);
      const leftMs = sinceAt + IDLE_MS - this.#clock.now();
      const isAnswered = this.#answering || (this.#current !== undefined && this.#whole);
      if (leftMs > 0) this.#watch(leftMs);
      else if (this.#blocked || !isAnswered) this.destroy();
      else this.#watch(IDLE_MS);
    });
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** All of it is with the socket, or nobody is there to take it. */
function sent(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.writableFinished || response.destroyed) return resolve();
    response.once("finish", resolve);
    response.once("close", resolve);
  });
}
