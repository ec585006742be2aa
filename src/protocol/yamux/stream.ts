/** One stream of a yamux session: what it may send and receive, and what waits. */
import { WINDOW_BYTES } from "./frame.ts";

export class Stream {
  readonly id: number;
  /** We opened it. */
  readonly ours: boolean;
  sendWindow = WINDOW_BYTES;
  receiveWindow = WINDOW_BYTES;
  /** Received and not yet consumed. */
  unread = 0;
  weEnded = false;
  finSent = false;
  theyEnded = false;
  /** Payload of the current data frame that has not come yet. */
  comingBytes = 0;
  /** The current data frame carries a FIN behind its payload. */
  finAfter = false;
  /** Did something stay in the queue? */
  waiting = false;
  queued = 0;
  #queue: Uint8Array[] = [];

  constructor(id: number, ours: boolean) {
    this.id = id;
    this.ours = ours;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#queue.push(bytes);
    this.queued += bytes.length;
  }

  /** Up to `max` bytes off the front; neighbours that fit together are joined. */
  take(max: number): Uint8Array {
    const [first] = this.#queue;
    if (first === undefined) return new Uint8Array(0);
    if (this.queued <= max && this.#queue.length > 1) return this.#all();
    if (first.length <= max) {
      this.#queue.shift();
      this.queued -= first.length;
      return first;
    }
    this.#queue[0] = first.subarray(max);
    this.queued -= max;
    return first.subarray(0, max);
  }

  #all(): Uint8Array {
    const joined = new Uint8Array(this.queued);
    let at = 0;
    for (const part of this.#queue) {
      joined.set(part, at);
      at += part.length;
    }
    this.#queue = [];
    this.queued = 0;
    return joined;
  }
}
