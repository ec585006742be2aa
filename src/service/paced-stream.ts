/**
 * A stream whose listener is given so much of each turn of the loop, together with those of all
 * others that share a pace: what has come beyond it waits, and then with the kernel.
 */
import type { ByteStream, StreamHandler } from "../host/host.ts";
import { Inbox } from "../host/inbox.ts";
import type { Address } from "../protocol/ports.ts";
import type { Pace } from "./pace.ts";

/** The listener gets so much at a time, as a record of TLS has: hundreds of small requests. */
const SLICE_BYTES = 16 * 1024;

export class PacedStream implements ByteStream {
  readonly remote: Address;
  readonly #inner: ByteStream;
  readonly #pace: Pace;
  readonly #inbox = new Inbox();
  #paused = false;
  /** It waits for one of the next turns. */
  #yielding = false;

  constructor(inner: ByteStream, pace: Pace) {
    this.#inner = inner;
    this.#pace = pace;
    this.remote = inner.remote;
  }

  write(bytes: Uint8Array): boolean {
    return this.#inner.write(bytes);
  }

  end(): void {
    this.#inner.end();
  }

  destroy(): void {
    this.#inner.destroy();
  }

  listen(handler: StreamHandler): void {
    this.#paused = false;
    this.#inbox.listen({
      data: (slice) => {
        this.#pace.spend(() => handler.data(slice));
        if (this.#pace.isOver) this.#yield();
      },
      ended: () => handler.ended(),
      closed: (error) => handler.closed(error),
      drained: () => handler.drained?.(),
    });
    this.#inner.listen({
      data: (chunk) => {
        if (this.#pace.isOver) this.#yield();
        for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
          this.#inbox.push(chunk.subarray(at, at + SLICE_BYTES));
        }
      },
      ended: () => this.#inbox.peerEnded(),
      closed: (error) => this.#inbox.closed(error),
      drained: () => this.#inbox.drained(),
    });
  }

  pause(): void {
    this.#paused = true;
    this.#inbox.pause();
    this.#inner.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#yielding) return;
    this.#inbox.resume();
    // What was heard just now may have had it wait again.
    if (!this.#paused && !this.#yielding) this.#inner.resume();
  }

  takeFirst(timeoutMs: number): Promise<number | "ended" | "timeout"> {
    return this.#inner.takeFirst(timeoutMs);
  }

  #yield(): void {
    if (this.#yielding) return;
    this.#yielding = true;
    this.#inbox.pause();
    this.#inner.pause();
    this.#pace.later(() => {
      this.#yielding = false;
      if (!this.#paused) this.resume();
    });
  }
}
