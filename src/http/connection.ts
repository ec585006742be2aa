/**
 * One HTTP connection in front of the parser: its requests run one after another, as in Go's
 * server, whatever comes in one piece. What comes behind them waits here, and then with the kernel;
 * that the caller has hung up is seen meanwhile, and ends what waits for it.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { FINISH_MS, finish } from "../host/finish.ts";
import type { Clock } from "../host/host.ts";
import type { SocketStream } from "../host/network.ts";
import type { Pace } from "../service/pace.ts";
import type { Caller } from "./access.ts";

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

interface Waiting {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly run: RunRequest;
}

/** Resolves when the answer is handed over; `signal`: nobody waits for it any more. */
type RunRequest = (signal: AbortSignal) => Promise<void>;

export class HttpConnection extends Duplex {
  readonly caller: Caller;
  /** Bun's parser asks for it. */
  readonly remoteAddress: string | undefined;
  readonly #stream: SocketStream;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #pace: Pace;
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
  #hungUp = new AbortController();
  /** Its body has come, if it has one. */
  #whole = false;
  /** Pieces that the socket has taken, and whether one waits for that. */
  #pieces = 0;
  #blocked = false;
  #cancelIdle: (() => void) | undefined;

  constructor(stream: SocketStream, caller: Caller, clock: Clock, pace: Pace) {
    super({ allowHalfOpen: true });
    const socket = stream.detach();
    this.#stream = stream;
    this.#socket = socket;
    this.#clock = clock;
    this.#pace = pace;
    this.caller = caller;
    this.remoteAddress = socket.remoteAddress;
    socket.on("data", (chunk: Uint8Array) => this.#received(chunk));
    socket.on("end", () => {
      this.#ended = true;
      this.#hungUp.abort();
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

  override _read(): void {
    this.#wanted = true;
    this.#feed();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    const piece = chunk.subarray(0, PIECE_BYTES);
    const next = (): void => {
      this.#pieces += 1;
      this.#blocked = false;
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
    this.#hungUp.abort();
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
      if (!this.#ended) this.#hungUp = new AbortController();
      next.incoming.once("end", () => this.#isWhole(next.incoming));
      await next.run(this.#hungUp.signal);
      await sent(next.response);
      this.#expect();
    }
    this.#feed();
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
    if (!this.#wanted || this.destroyed || this.#isBusy()) return;
    const [chunk] = this.#chunks;
    if (chunk === undefined) {
      if (!this.#ended) return;
      this.#wanted = false;
      this.push(null);
      return;
    }
    if (this.#pace.isOver) return this.#yield();
    const slice = chunk.subarray(0, SLICE_BYTES);
    if (slice.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(SLICE_BYTES);
    this.#bytes -= slice.length;
    if (this.#bytes <= WAITING_BYTES_MAX) this.#socket.resume();
    this.#wanted = false;
    void this.#pace.turn((slice.length / SLICE_BYTES) * SLICE_MS);
    this.push(slice);
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
    return this.#requests.length > 0 || (this.#current !== undefined && this.#whole);
  }

  /** The time that a request may take to come, and a reader to take what is written. */
  #expect(): void {
    this.#cancelIdle?.();
    if (this.destroyed) return;
    const pieces = this.#pieces;
    this.#cancelIdle = this.#clock.schedule(this.#clock.now() + IDLE_MS, () => {
      const isStuck = this.#blocked && this.#pieces === pieces;
      const isAnswered = this.#current !== undefined && this.#whole;
      if (isStuck || !(isAnswered || this.#blocked)) this.destroy();
      else this.#expect();
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
