/**
 * One end of a yamux session as a pure state machine: both ends may open streams.
 *
 *   commands  openStream, write, end, reset, consumed, goAway, ping
 *   events    header, payload, garbled, partial, flushed, expire, lost
 *   outputs   deadline, drain
 *   queries   streams, open, failed
 *
 * The caller cuts the bytes of the connection into frame headers and pieces of payload, so that no
 * buffer is ever as large as a peer says (wire/rpc-and-raft.md §2).
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Instant } from "../ports.ts";
import type { SessionFailure, YamuxAction } from "./action.ts";
import type { YamuxConfig } from "./config.ts";
import { Flag, type FrameHeader, FrameType, GoAway, WINDOW_BYTES } from "./frame.ts";
import { Stream } from "./stream.ts";

const STREAM_ID_MAX = 0xffff_fffe;
/** Payload handed out before the caller has said that the connection took it. */
const BURST_BYTES_MAX = 1024 * 1024;
/** Of streams that the peer has opened, so many are as good as none ... */
const STREAMS_FREE = 16;
/** ... and each of the others costs about so much, though nothing comes on it. */
const STREAM_BYTES = 4096;
const EMPTY = new Uint8Array(0);
const PING_DUE = "ping";
const PONG_DUE = "pong";
const BLOCKED = "blocked";
const PARTIAL = "partial";
const OPENING = "opening:";
const CLOSING = "closing:";

export class YamuxSession {
  readonly #config: YamuxConfig;
  readonly #streams = new Map<number, Stream>();
  readonly #deadlines = new Deadlines();
  readonly #pings = new Map<number, Instant>();
  /** Streams that have something to send and may: each sends one frame in its turn. */
  readonly #ready = new Set<Stream>();
  #actions: YamuxAction[] = [];
  #nextId: number;
  #pingId = 0;
  #unread = 0;
  #unsent = 0;
  #peerStreams = 0;
  #blocked = false;
  #burst = BURST_BYTES_MAX;
  #failed = false;
  #weGo = false;
  #theyGo = false;
  /** Of the data frame whose payload is coming. */
  #into: Stream | undefined;

  /** @param dialer the end that opened the connection: its streams have odd numbers */
  constructor(dialer: boolean, config: YamuxConfig, now: Instant) {
    this.#config = config;
    this.#nextId = dialer ? 1 : 2;
    this.#deadlines.set(PING_DUE, now + config.keepAliveMs);
  }

  /** Streams that are open on either side. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Bytes that the peer has us keep: unread, unsent, and its streams themselves. */
  get kept(): number {
    const streams = Math.max(0, this.#peerStreams - STREAMS_FREE);
    return this.#unread + this.#unsent + streams * STREAM_BYTES;
  }

  /** May new streams be opened? */
  get open(): boolean {
    return !this.#failed && !this.#weGo && !this.#theyGo && this.#nextId <= STREAM_ID_MAX;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** @returns its number, or undefined if `open` is false */
  openStream(now: Instant): number | undefined {
    if (!this.open) return undefined;
    const id = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(id, new Stream(id, true));
    this.#deadlines.set(OPENING + id, now + this.#config.openTimeoutMs);
    this.#control(FrameType.windowUpdate, Flag.syn, id, 0);
    return id;
  }

  /**
   * A stream whose peer reads too little is reset.
   *
   * @returns false when it has to wait: `drained` follows; also for a stream that is over
   */
  write(id: number, bytes: Uint8Array): boolean {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.weEnded) return false;
    stream.push(bytes);
    this.#unsent += bytes.length;
    this.#send(stream);
    if (this.#unsent > this.#config.unsentBytesMax && stream.queued > 0) {
      this.reset(id);
      return false;
    }
    stream.waiting = stream.queued > 0;
    return !stream.waiting;
  }

  /** No more from us on this stream; what was written still goes out. */
  end(id: number, now: Instant): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.weEnded) return;
    stream.weEnded = true;
    this.#deadlines.set(CLOSING + id, now + this.#config.closeTimeoutMs);
    if (stream.queued === 0) this.#emptied(stream);
  }

  /** The stream is over at once, here and there. */
  reset(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#control(FrameType.windowUpdate, Flag.rst, id, 0);
    this.#forget(stream, "stream reset");
  }

  /** The application is done with so many bytes of this stream: the peer may send as many more. */
  consumed(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.unread -= bytes;
    this.#unread -= bytes;
    const grant = WINDOW_BYTES - stream.unread - stream.receiveWindow;
    if (grant < WINDOW_BYTES / 2 || stream.theyEnded) return;
    stream.receiveWindow += grant;
    this.#control(FrameType.windowUpdate, 0, id, grant);
  }

  /** The peer shall open no new streams; those that live go on. */
  goAway(): void {
    if (this.#weGo || this.#failed) return;
    this.#weGo = true;
    this.#control(FrameType.goAway, 0, 0, GoAway.normal);
  }

  /** @returns the id of the `pong` that will follow */
  ping(now: Instant): number {
    const id = this.#pingId;
    this.#pingId = (this.#pingId + 1) >>> 0;
    this.#pings.set(id, now);
    if (!this.#deadlines.has(PONG_DUE)) {
      this.#deadlines.set(PONG_DUE, now + this.#config.writeTimeoutMs);
    }
    this.#control(FrameType.ping, Flag.syn, 0, id);
    return id;
  }

  /** The peer sent what is no frame. */
  garbled(why: SessionFailure): void {
    if (!this.#failed) this.#fail(why);
  }

  /** A frame has begun. Of a data frame `length` bytes follow by `payload`, in any pieces. */
  header(header: FrameHeader, now: Instant): void {
    if (this.#failed) return;
    this.#into = undefined;
    const { type, length } = header;
    if (type === FrameType.ping) return this.#pinged(header, now);
    if (type === FrameType.goAway) return this.#goneAway(length);
    if ((header.flags & Flag.syn) !== 0 && !this.#accept(header.stream)) return;
    const stream = this.#streams.get(header.stream);
    // We reset it, or never had it: what comes is skipped.
    if (stream === undefined) return;
    if (type === FrameType.data) {
      // Checked before the flags: bytes that may not come do not end a stream in good order either.
      if (length > stream.receiveWindow) return this.#refuse("window-exceeded");
      stream.receiveWindow -= length;
      this.#into = stream;
      stream.finAfter = (header.flags & Flag.fin) !== 0 && length > 0;
      stream.comingBytes = length;
    }
    this.#flags(stream, stream.finAfter ? header.flags & ~Flag.fin : header.flags);
    if (type === FrameType.windowUpdate && length > 0) {
      stream.sendWindow += length;
      this.#send(stream);
    }
  }

  payload(bytes: Uint8Array): void {
    const stream = this.#into;
    if (stream === undefined || this.#failed || !this.#streams.has(stream.id)) return;
    stream.comingBytes -= bytes.length;
    this.#unread += bytes.length;
    stream.unread += bytes.length;
    if (this.#unread > this.#config.unreadBytesMax) {
      this.#into = undefined;
      return this.reset(stream.id);
    }
    this.#actions.push({ kind: "data", stream: stream.id, bytes });
    if (stream.comingBytes === 0 && stream.finAfter) {
      stream.finAfter = false;
      this.#flags(stream, Flag.fin);
    }
  }

  /** Does part of a frame header wait for its rest? */
  partial(waits: boolean, now: Instant): void {
    if (!waits) this.#deadlines.clear(PARTIAL);
    else if (!this.#deadlines.has(PARTIAL)) {
      this.#deadlines.set(PARTIAL, now + this.#config.headerTimeoutMs);
    }
  }

  /**
   * The actions drained before are written.
   *
   * @param writable false: the connection's buffers are full, and data waits until it is true
   */
  flushed(writable: boolean, now: Instant): void {
    this.#burst = BURST_BYTES_MAX;
    if (writable) this.#deadlines.clear(BLOCKED);
    else if (!this.#deadlines.has(BLOCKED)) {
      this.#deadlines.set(BLOCKED, now + this.#config.writeTimeoutMs);
    }
    this.#blocked = !writable;
    this.#run();
  }

  expire(now: Instant): void {
    for (let key = this.#deadlines.due(now); key !== undefined; key = this.#deadlines.due(now)) {
      if (this.#failed) return;
      if (key === PING_DUE) {
        this.#deadlines.set(PING_DUE, now + this.#config.keepAliveMs);
        this.ping(now);
      } else if (key === PONG_DUE) this.#fail("keepalive-timeout");
      else if (key === BLOCKED) this.#fail("write-timeout");
      else if (key === PARTIAL) this.#fail("header-timeout");
      else if (key.startsWith(OPENING)) this.#fail("open-timeout");
      else this.reset(Number(key.slice(CLOSING.length)));
    }
  }

  deadline(): Instant | undefined {
    return this.#failed ? undefined : this.#deadlines.next();
  }

  drain(): readonly YamuxAction[] {
    if (this.#actions.length === 0) return NONE;
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** The connection is gone: every stream is over. */
  lost(why: string): void {
    this.#failed = true;
    for (const stream of [...this.#streams.values()]) this.#forget(stream, why);
  }

  #accept(id: number): boolean {
    if (this.#streams.has(id)) {
      this.#refuse("duplicate-stream");
      return false;
    }
    if (this.#weGo || this.#peerStreams >= this.#config.streamsMax) {
      this.#control(FrameType.windowUpdate, Flag.rst, id, 0);
      return false;
    }
    this.#streams.set(id, new Stream(id, false));
    this.#peerStreams += 1;
    this.#actions.push({ kind: "opened", stream: id });
    this.#control(FrameType.windowUpdate, Flag.ack, id, 0);
    return true;
  }

  #flags(stream: Stream, flags: number): void {
    if ((flags & Flag.ack) !== 0) this.#deadlines.clear(OPENING + stream.id);
    if ((flags & Flag.fin) !== 0) {
      if (stream.theyEnded) return this.#refuse("unexpected-fin");
      stream.theyEnded = true;
      this.#actions.push({ kind: "ended", stream: stream.id });
      this.#settle(stream);
    }
    if ((flags & Flag.rst) !== 0) this.#forget(stream, "connection reset by the peer");
  }

  #pinged({ flags, length }: FrameHeader, now: Instant): void {
    if ((flags & Flag.syn) !== 0) return this.#control(FrameType.ping, Flag.ack, 0, length);
    const sentAt = this.#pings.get(length);
    if (sentAt === undefined) return;
    this.#pings.clear(); // Older ones are answered too, or never will be: the peer lives.
    this.#deadlines.clear(PONG_DUE);
    this.#actions.push({ kind: "pong", id: length, rttMs: now - sentAt });
  }

  #goneAway(code: number): void {
    if (code !== GoAway.normal) {
      const internal = code === GoAway.internalError;
      return this.#fail(internal ? "peer-internal-error" : "peer-protocol-error");
    }
    this.#theyGo = true;
    this.#actions.push({ kind: "go-away" });
  }

  #send(stream: Stream): void {
    if (stream.queued === 0 || stream.sendWindow === 0) return;
    this.#ready.add(stream);
    this.#run();
  }

  /** One frame a stream in turn, as far as connection and windows allow. */
  #run(): void {
    for (const stream of this.#ready) {
      if (this.#blocked || this.#burst <= 0) return;
      this.#ready.delete(stream);
      const payload = stream.take(Math.min(stream.sendWindow, this.#config.frameBytesMax));
      stream.sendWindow -= payload.length;
      this.#unsent -= payload.length;
      this.#burst -= payload.length;
      const header = { type: FrameType.data, flags: 0, stream: stream.id, length: payload.length };
      this.#actions.push({ kind: "frame", header, payload });
      if (stream.queued === 0) this.#emptied(stream);
      else if (stream.sendWindow > 0) this.#ready.add(stream); // Comes again at the end.
    }
  }

  #emptied(stream: Stream): void {
    if (stream.waiting) {
      stream.waiting = false;
      this.#actions.push({ kind: "drained", stream: stream.id });
    }
    if (!stream.weEnded || stream.finSent) return;
    stream.finSent = true;
    this.#control(FrameType.windowUpdate, Flag.fin, stream.id, 0);
    this.#settle(stream);
  }

  #settle(stream: Stream): void {
    if (stream.theyEnded && stream.finSent) this.#forget(stream, "");
  }

  #forget(stream: Stream, why: string): void {
    const { id } = stream;
    if (!this.#streams.delete(id)) return;
    if (!stream.ours) this.#peerStreams -= 1;
    this.#unread -= stream.unread;
    this.#unsent -= stream.queued;
    this.#ready.delete(stream);
    this.#deadlines.clear(OPENING + id);
    this.#deadlines.clear(CLOSING + id);
    this.#actions.push({ kind: "closed", stream: id, why });
  }

  /** The peer broke the protocol: it is told so before the end. */
  #refuse(why: SessionFailure): void {
    this.#control(FrameType.goAway, 0, 0, GoAway.protocolError);
    this.#fail(why);
  }

  #fail(why: SessionFailure): void {
    this.lost(`session shutdown: ${why}`);
    this.#actions.push({ kind: "failed", why });
  }

  #control(type: FrameType, flags: number, stream: number, length: number): void {
    const header = { type, flags, stream, length };
    this.#actions.push({ kind: "frame", header, payload: EMPTY });
  }
}

const NONE: readonly YamuxAction[] = [];
