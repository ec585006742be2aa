/**
 * The agent's log as a stream, as Agent.Monitor has it: lines in frames five times a second, an
 * empty frame each second as a sign of life. A listener that does not keep up loses lines, and is
 * told how many (wire/rpc-and-raft.md §7.1).
 *
 * @module
 */
import { FAREWELL_MS, finish } from "../../host/finish.ts";
import type { ByteStream, Clock } from "../../host/host.ts";
import { LOG_LEVELS, type LogListener, type LogSink } from "../../host/log.ts";
import { encodeFrame, encodeFrameError, type MonitorRequest } from "../../wire/rpc-stream.ts";

const FLUSH_MS = 200;
const HEARTBEAT_MS = 1000;
/** Lines that wait for a slow listener (Nomad's buffer). */
const LINES_MAX = 512;
/** ... and their bytes, which strangers may have a say in. */
const LINES_BYTES_MAX = 256 * 1024;
/** A listener that takes nothing for so long is none. */
const UNREAD_MS = 60_000;
/** Listeners at once: each renders every line for itself. */
const LISTENERS_MAX = 64;

interface MonitorInit {
  readonly sink: Pick<LogSink, "listen">;
  readonly clock: Clock;
}

export class Monitor {
  readonly #init: MonitorInit;
  #listeners = 0;

  constructor(init: MonitorInit) {
    this.#init = init;
  }

  /** Sends until the stream is over. */
  serve(stream: ByteStream, request: MonitorRequest): Promise<void> {
    const wanted = request.LogLevel === "" ? "INFO" : request.LogLevel.toUpperCase();
    const level = LOG_LEVELS.find((one) => one === wanted && one !== "OFF");
    const fail = (code: number, message: string): Promise<void> => {
      stream.write(encodeFrameError(code, message));
      void finish(stream, FAREWELL_MS, this.#init.clock);
      return Promise.resolve();
    };
    if (level === undefined) return fail(400, `Unknown log level: ${request.LogLevel}`);
    if (this.#listeners >= LISTENERS_MAX) {
      return fail(429, `${LISTENERS_MAX} monitors are running already`);
    }
    this.#listeners += 1;
    return new Promise((resolve) => {
      const feed = new Feed(stream, request.PlainText, this.#init.clock, () => {
        forget();
        this.#listeners -= 1;
        resolve();
      });
      const listener: LogListener = {
        level,
        json: request.LogJSON,
        line: (text) => feed.line(text),
      };
      const forget = this.#init.sink.listen(listener);
      feed.start();
    });
  }
}

class Feed {
  readonly #stream: ByteStream;
  readonly #plain: boolean;
  readonly #clock: Clock;
  readonly #over: () => void;
  #lines: string[] = [];
  #bytes = 0;
  #dropped = 0;
  #blocked = false;
  #ended = false;
  #sentAt: number;
  #cancel: (() => void) | undefined;

  constructor(stream: ByteStream, plain: boolean, clock: Clock, over: () => void) {
    this.#stream = stream;
    this.#plain = plain;
    this.#clock = clock;
    this.#over = over;
    this.#sentAt = clock.now();
  }

  start(): void {
    const end = (): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.#cancel?.();
      void finish(this.#stream, FAREWELL_MS, this.#clock);
      this.#over();
    };
    this.#stream.listen({
      data: () => undefined, // Nomad's callers say nothing more.
      ended: end,
      closed: end,
      drained: () => {
        this.#blocked = false;
      },
    });
    this.#tick();
  }

  line(text: string): void {
    const bytes = this.#bytes + text.length;
    if (this.#lines.length >= LINES_MAX || bytes > LINES_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#bytes = bytes;
    this.#lines.push(text);
  }

  #tick(): void {
    if (this.#ended) return;
    this.#flush();
    if (this.#ended) return;
    this.#cancel = this.#clock.schedule(this.#clock.now() + FLUSH_MS, () => this.#tick());
  }

  #flush(): void {
    const now = this.#clock.now();
    if (this.#blocked) {
      if (now - this.#sentAt >= UNREAD_MS) this.#stream.destroy();
      return;
    }
    if (this.#dropped > 0) {
      this.#lines.push(`[WARN] Monitor dropped ${this.#dropped} logs during monitor request`);
      this.#dropped = 0;
    }
    if (this.#lines.length > 0) this.#send(`${this.#lines.join("\n")}\n`);
    else if (now - this.#sentAt < HEARTBEAT_MS) return;
    else if (this.#plain) return;
    else this.#write("{}");
    this.#lines = [];
    this.#bytes = 0;
    this.#sentAt = now;
  }

  #send(text: string): void {
    if (this.#plain) return this.#write(text);
    const data = new TextEncoder().encode(text).toBase64();
    this.#write(JSON.stringify({ Data: data, FileEvent: "log" }));
  }

  #write(payload: string): void {
    this.#blocked = !this.#stream.write(encodeFrame(new TextEncoder().encode(payload)));
  }
}
