/**
 * A yamux session on an open connection: many streams, each a ByteStream of its own.
 *
 * @module
 */
import type { ByteStream, Clock } from "../../host/host.ts";
import type { SessionFailure, YamuxAction } from "../../protocol/yamux/action.ts";
import { YAMUX, type YamuxConfig } from "../../protocol/yamux/config.ts";
import type { FrameHeader } from "../../protocol/yamux/frame.ts";
import { YamuxSession } from "../../protocol/yamux/session.ts";
import { FrameReader, FrameWriter } from "../../wire/yamux-frame.ts";
import { Driver } from "../drive.ts";
import { MuxStream, type MuxStreamCommands } from "./mux-stream.ts";
import type { Budget } from "./value-stream.ts";

/** Answers that a peer may have waiting without reading them; then it is not read either. */
const UNSENT_BYTES_MAX = 1024 * 1024;

interface MuxInit {
  readonly stream: ByteStream;
  /** We opened the connection. */
  readonly dialer: boolean;
  readonly clock: Clock;
  /** A stream that the peer opened. */
  readonly onStream: (stream: MuxStream) => void;
  /** Once; `why` is "" when the connection simply ended. */
  readonly onClosed: (why: SessionFailure | "") => void;
  /** The peer wants no new streams. */
  readonly onGoAway?: () => void;
  readonly config?: YamuxConfig;
  /** For what the peer has us keep: a session that gets no more of it ends. */
  readonly budget?: Budget;
}

export class Mux {
  readonly #init: MuxInit;
  readonly #session: YamuxSession;
  readonly #driver: Driver<YamuxAction>;
  readonly #reader: FrameReader;
  readonly #writer = new FrameWriter();
  readonly #streams = new Map<number, MuxStream>();
  readonly #commands: MuxStreamCommands = {
    write: (id, bytes) => this.#tell(() => this.#session.write(id, bytes)),
    end: (id) => this.#tell((now) => this.#session.end(id, now)),
    reset: (id) => this.#tell(() => this.#session.reset(id)),
    consumed: (id, bytes) => this.#tell(() => this.#session.consumed(id, bytes)),
  };
  readonly #pongs = new Map<number, (rttMs: number) => void>();
  #reading = false;
  #flushing = false;
  #closed = false;
  /** Of the chunk that is being read. */
  #now = 0;
  /** Written since the connection was full. */
  #unsent = 0;
  #failure: SessionFailure | "" = "";
  /** Of the budget. */
  #kept = 0;

  constructor(init: MuxInit) {
    this.#init = init;
    const { clock, dialer, config = YAMUX } = init;
    this.#session = new YamuxSession(dialer, config, clock.now());
    this.#driver = new Driver(this.#session, clock, (action) => this.#perform(action));
    this.#reader = new FrameReader({
      header: (header) => this.#session.header(header, this.#now),
      payload: (bytes) => this.#session.payload(bytes),
      garbled: (why) => this.#session.garbled(why),
    });
  }

  /** Begins to listen: what has come already is heard before this returns. */
  start(): void {
    this.#init.stream.listen({
      data: (bytes) => this.#read(bytes),
      ended: () => this.#gone(""),
      closed: (error) => this.#gone(error?.message ?? ""),
      drained: () => this.#drained(),
    });
    this.#tell(() => undefined); // Arms the first deadline.
  }

  /** May streams be opened here? */
  get open(): boolean {
    return !this.#closed && this.#session.open;
  }

  get streams(): number {
    return this.#session.streams;
  }

  /** undefined: the session takes no new streams. */
  openStream(): MuxStream | undefined {
    if (this.#closed) return undefined;
    const id = this.#tell((now) => this.#session.openStream(now));
    return id === undefined ? undefined : this.#opened(id);
  }

  /** Milliseconds there and back; rejects when the session ends first. */
  ping(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error("session shutdown"));
      const id = this.#tell((now) => this.#session.ping(now));
      this.#pongs.set(id, (rttMs) => {
        if (rttMs < 0) reject(new Error("session shutdown"));
        else resolve(rttMs);
      });
    });
  }

  /** Asks the peer to open no more streams. */
  goAway(): void {
    this.#tell(() => this.#session.goAway());
  }

  /** Everything is over at once. */
  close(): void {
    this.#flush();
    this.#gone("session shutdown");
    this.#init.stream.destroy();
  }

  #tell<Result>(tell: (now: number) => Result): Result {
    const result = this.#driver.tell(tell);
    this.#account();
    return result;
  }

  #account(): void {
    const kept = this.#closed ? 0 : this.#session.kept + this.#unsent;
    const change = kept - this.#kept;
    if (change === 0 || this.#init.budget === undefined) return;
    this.#kept = kept;
    if (!this.#init.budget.take(change) && change > 0) this.close();
  }

  #add(header: FrameHeader, payload: Uint8Array): void {
    this.#writer.add(header, payload);
    if (this.#reading || this.#flushing) return;
    // Whatever else is said before this turn ends goes out with it.
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #read(bytes: Uint8Array): void {
    this.#reading = true;
    // All frames of a chunk are told at once, and what comes of them is done together.
    this.#tell((now) => {
      this.#now = now;
      this.#reader.read(bytes);
      this.#session.partial(this.#reader.partial, now);
    });
    this.#reading = false;
    this.#flush();
  }

  #drained(): void {
    this.#unsent = 0;
    this.#tell((now) => this.#session.flushed(true, now));
    this.#init.stream.resume();
  }

  #flush(): void {
    this.#flushing = false;
    while (this.#writer.length > 0 && !this.#closed) {
      const bytes = this.#writer.take();
      const writable = this.#init.stream.write(bytes);
      this.#unsent = writable ? 0 : this.#unsent + bytes.length;
      if (this.#unsent > UNSENT_BYTES_MAX) this.#init.stream.pause();
      this.#tell((now) => this.#session.flushed(writable, now));
    }
    if (this.#failure !== "" && !this.#closed) {
      this.#gone(this.#failure);
      this.#init.stream.end();
      this.#init.stream.destroy();
    }
  }

  #perform(action: YamuxAction): void {
    switch (action.kind) {
      case "frame":
        return this.#add(action.header, action.payload);
      case "opened":
        return this.#init.onStream(this.#opened(action.stream));
      case "data":
        return this.#streams.get(action.stream)?.inbox.push(action.bytes);
      case "ended":
        return this.#streams.get(action.stream)?.inbox.peerEnded();
      case "drained":
        return this.#streams.get(action.stream)?.inbox.drained();
      case "closed":
        return this.#removed(action.stream, action.why);
      case "pong":
        this.#pongs.get(action.id)?.(action.rttMs);
        this.#pongs.delete(action.id);
        return;
      case "go-away":
        return this.#init.onGoAway?.();
      case "failed":
        this.#failure = action.why;
        if (!this.#reading) this.#flush();
    }
  }

  #opened(id: number): MuxStream {
    const stream = new MuxStream(this.#init.stream.remote, id, this.#commands);
    this.#streams.set(id, stream);
    return stream;
  }

  #removed(id: number, why: string): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.inbox.closed(why === "" ? undefined : new Error(why));
  }

  #gone(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tell(() => this.#session.lost(why === "" ? "EOF" : why));
    this.#driver.stop();
    for (const settle of this.#pongs.values()) settle(-1);
    this.#pongs.clear();
    this.#init.stream.destroy();
    this.#init.onClosed(this.#failure);
  }
}
