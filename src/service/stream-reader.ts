/** Values one after another off a stream without framing: headers first, then whatever follows. */
import type { ByteStream } from "../host/host.ts";
import type { Codec } from "../wire/codec.ts";
import { readValue } from "../wire/rpc-stream.ts";
import { ByteQueue } from "./byte-queue.ts";

/** One value of a streaming call: a frame of log lines is the largest there is. */
const VALUE_BYTES_MAX = 1024 * 1024;

export class StreamReader {
  readonly #stream: ByteStream;
  readonly #pending = new ByteQueue();
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    stream.listen({
      data: (chunk) => {
        this.#pending.push(chunk);
        if (this.#pending.length > VALUE_BYTES_MAX) stream.pause();
        this.#wake?.();
      },
      ended: end,
      closed: end,
    });
  }

  /**
   * The next value; undefined when the stream ended, sent nonsense, or said nothing in time.
   *
   * @param timeoutMs 0: for ever
   */
  async next<T>(codec: Codec<T>, timeoutMs: number): Promise<T | undefined> {
    for (;;) {
      const read = readValue(codec, this.#pending.peek());
      if (read.kind === "value") {
        this.#pending.drop(read.bytes);
        this.#stream.resume();
        return read.value;
      }
      if (read.kind === "malformed" || this.#ended) return undefined;
      if (this.#pending.length > VALUE_BYTES_MAX) return undefined;
      if (!(await this.#more(timeoutMs))) return undefined;
    }
  }

  /** Bytes that were read ahead: whoever takes the stream over begins with them. */
  rest(): Uint8Array {
    const rest = this.#pending.peek().slice();
    this.#pending.drop(rest.length);
    return rest;
  }

  #more(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (more: boolean): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(more);
      };
      const timer = timeoutMs === 0 ? undefined : setTimeout(() => done(false), timeoutMs);
      this.#wake = () => done(true);
    });
  }
}
