/** Values one after another on a stream without framing, both ways: headers first, then more. */

import { systemClock } from "../../host/clock.ts";
import type { ByteStream } from "../../host/host.ts";
import { after } from "../../host/timer.ts";
import type { Codec } from "../../wire/codec.ts";
import { readValue } from "../../wire/rpc-stream.ts";
import { ValueQueue } from "../value-queue.ts";

/** One value of a streaming call: a frame of an archive, or of log lines. */
const FRAME_BYTES_MAX = 1024 * 1024;
/** The name of a method. */
export const HEADER_BYTES_MAX = 1024;
/** What a call asks for, or a yes or no. */
export const REQUEST_BYTES_MAX = 64 * 1024;
/** Read ahead of whoever is asked for the next value. */
const AHEAD_BYTES_MAX = 64 * 1024;
/** Of what is written at once. */
const PIECE_BYTES = 32 * 1024;

/** What a peer may have us keep. `take` says whether there is room; negative bytes give back. */
export interface Budget {
  take(bytes: number): boolean;
}

export class ValueStream {
  readonly #stream: ByteStream;
  #budget: Budget | undefined;
  /** Of the budget. */
  #held = 0;
  readonly #pending = new ValueQueue();
  #ended = false;
  #drained: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: ByteStream, budget?: Budget) {
    this.#stream = stream;
    this.#budget = budget;
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    const closed = (): void => {
      end();
      this.#drained?.();
    };
    stream.listen({
      data: (chunk) => {
        this.#pending.push(chunk);
        this.#account();
        if (this.#wake === undefined && this.#pending.length > AHEAD_BYTES_MAX) stream.pause();
        this.#wake?.();
      },
      ended: end,
      closed,
      drained: () => this.#drained?.(),
    });
  }

  /**
   * The next value; undefined when the stream ended, sent nonsense or too much, or when the value
   * was not whole in time.
   *
   * @param timeoutMs 0: for ever
   */
  async next<T>(
    codec: Codec<T>,
    timeoutMs: number,
    bytesMax = FRAME_BYTES_MAX,
  ): Promise<T | undefined> {
    const until = systemClock.now() + timeoutMs;
    for (;;) {
      const end = this.#pending.end(1);
      const bytes = typeof end === "number" ? end : this.#pending.needed;
      if (end === "malformed" || bytes > bytesMax) return undefined;
      if (end !== "more") {
        const read = readValue(codec, this.#pending.peek());
        if (read.kind !== "value") return undefined;
        this.#pending.drop(read.bytes);
        this.#account();
        this.#stream.resume();
        return read.value;
      }
      if (this.#ended) return undefined;
      this.#stream.resume();
      const leftMs = timeoutMs === 0 ? 0 : until - systemClock.now();
      if (leftMs < 0 || !(await this.#more(Math.ceil(leftMs)))) return undefined;
    }
  }

  /** Whatever has come, or comes next; undefined when that was all, or nothing came in time. */
  async some(timeoutMs: number): Promise<Uint8Array | undefined> {
    if (this.#pending.length === 0 && !this.#ended) await this.#more(timeoutMs);
    const some = this.rest();
    this.#stream.resume();
    return some.length === 0 ? undefined : some;
  }

  /** Writes in pieces, as fast as they are taken. @returns false: nobody takes them */
  async send(bytes: Uint8Array, timeoutMs: number): Promise<boolean> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      if (this.#stream.write(bytes.subarray(at, at + PIECE_BYTES))) continue;
      const taken = await new Promise<boolean>((resolve) => {
        const cancel = after(timeoutMs, () => resolve(false));
        this.#drained = () => {
          cancel();
          resolve(!this.#ended);
        };
      });
      this.#drained = undefined;
      if (!taken) return false;
    }
    return true;
  }

  /** Bytes that were read ahead: whoever takes the stream over begins with them. */
  rest(): Uint8Array {
    const rest = this.#pending.peek().slice();
    this.#pending.drop(rest.length);
    this.#account();
    return rest;
  }

  /** The call is over: nothing of it counts any more. */
  release(): void {
    this.#budget?.take(-this.#held);
    this.#budget = undefined;
  }

  /** What waits counts; whoever has us keep too much is cut off. */
  #account(): void {
    const change = this.#pending.length - this.#held;
    if (this.#budget === undefined || change === 0) return;
    this.#held += change;
    if (!this.#budget.take(change) && change > 0) this.#stream.destroy();
  }

  #more(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (more: boolean): void => {
        cancel?.();
        this.#wake = undefined;
        resolve(more);
      };
      const cancel = timeoutMs === 0 ? undefined : after(timeoutMs, () => done(false));
      this.#wake = () => done(true);
    });
  }
}
