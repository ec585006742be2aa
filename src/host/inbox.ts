/**
 * What came on a stream and has not been heard yet: it waits until somebody listens, and while the
 * listener is paused.
 *
 * @module
 */
import type { StreamHandler } from "./host.ts";

const NONE = new Uint8Array(0);
/** Smaller chunks are joined while they wait ... */
const SMALL_BYTES = 1024;
/** ... into blocks of this size. */
const BLOCK_BYTES = 4096;

/** Whose inbox it is. */
interface Owner {
  /** Told once for every byte that a listener has taken. */
  consumed(bytes: number): void;
}

export class Inbox {
  readonly #owner: Owner | undefined;
  #handler: StreamHandler | undefined;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Of small chunks that wait: the last one may be in it. */
  #block = NONE;
  /** Of the waiting bytes, how many the owner has been told of: what `takeFirst` gave back. */
  #told = 0;
  #paused = false;
  #ended = false;
  #endTold = false;
  #closed = false;
  #closeTold = false;
  #error: Error | undefined;

  constructor(owner?: Owner) {
    this.#owner = owner;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  push(bytes: Uint8Array): void {
    if (this.#handler === undefined || this.#paused || this.#chunks.length > 0) this.#keep(bytes);
    else this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    this.#deliver();
  }

  /**
   * A chunk that waits costs more than its bytes, and a view of a few of them keeps the whole piece
   * that came: small ones are copied together.
   */
  #keep(bytes: Uint8Array): void {
    if (bytes.length >= SMALL_BYTES) return void this.#chunks.push(bytes);
    const last = this.#chunks.at(-1);
    const isOurs = last !== undefined && last.buffer === this.#block.buffer;
    const before = isOurs && last.length + bytes.length <= BLOCK_BYTES ? last : NONE;
    const length = before.length + bytes.length;
    if (before !== NONE) this.#chunks.pop();
    let from = before.byteOffset;
    if (before === NONE || from + length > this.#block.length) {
      this.#block = new Uint8Array(Math.min(BLOCK_BYTES, length * 2));
      this.#block.set(before);
      from = 0;
    }
    const joined = this.#block.subarray(from, from + length);
    joined.set(bytes, before.length);
    this.#chunks.push(joined);
  }

  peerEnded(): void {
    this.#ended = true;
    this.#deliver();
  }

  drained(): void {
    this.#handler?.drained?.();
  }

  closed(error: Error | undefined): void {
    this.#closed = true;
    this.#error ??= error;
    // Cut off, not ended: nobody waits for an answer to what is unread, and whoever has paused us
    // while it works for the peer has to hear of it.
    if (!this.#ended && this.#handler !== undefined) {
      this.takeAll();
      this.#paused = false;
    }
    this.#deliver();
  }

  listen(handler: StreamHandler): void {
    this.#handler = handler;
    this.#paused = false;
    // Whoever takes a stream over hears of its end, though the one before has heard it too.
    this.#endTold = false;
    this.#closeTold = false;
    this.#deliver();
  }

  /** Not behind the end of one that was cut off: little is left, and its end must be heard. */
  pause(): void {
    this.#paused = !this.#closed || this.#ended;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  /**
   * Waits for the first byte and takes it; whoever listens next gets the rest.
   *
   * @param timeoutMs 0: no limit, as in Nomad's configuration
   */
  takeFirst(timeoutMs: number): Promise<number | "ended" | "timeout"> {
    return new Promise((resolve) => {
      const done = (result: number | "ended" | "timeout", rest: Uint8Array): void => {
        clearTimeout(timer);
        this.#handler = undefined;
        if (rest.length > 0) this.putBack(rest);
        resolve(result);
      };
      const timer =
        timeoutMs === 0 ? undefined : setTimeout(() => done("timeout", NONE), timeoutMs);
      this.listen({
        data: (chunk) => {
          const [first] = chunk;
          if (first !== undefined) done(first, chunk.subarray(1));
        },
        ended: () => done("ended", NONE),
        closed: () => done("ended", NONE),
      });
    });
  }

  /** In front of what waits. */
  putBack(bytes: Uint8Array): void {
    this.#chunks.unshift(bytes);
    this.#bytes += bytes.length;
    this.#told += bytes.length;
  }

  /** Everything that waits; nobody will hear it here any more. */
  takeAll(): readonly Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    return chunks;
  }

  #deliver(): void {
    while (this.#handler !== undefined && !this.#paused) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      this.#bytes -= chunk.length;
      const told = Math.min(this.#told, chunk.length);
      this.#told -= told;
      this.#handler.data(chunk);
      if (chunk.length > told) this.#owner?.consumed(chunk.length - told);
    }
    if (this.#handler === undefined || this.#paused || this.#chunks.length > 0) return;
    if (this.#ended && !this.#endTold) {
      this.#endTold = true;
      this.#handler.ended();
    }
    if (!this.#closed || this.#closeTold) return;
    this.#closeTold = true;
    this.#handler?.closed(this.#error);
  }
}
