/** Two ByteStreams that are each other's other end, inside this process. */
import type { Address } from "../protocol/ports.ts";
import type { ByteStream, StreamHandler } from "./host.ts";
import { Inbox } from "./inbox.ts";

/** Unread bytes at which `write` says that it is enough. */
const HIGH_WATER_BYTES = 256 * 1024;
const NOWHERE: Address = { ip: Uint8Array.of(127, 0, 0, 1), port: 0 };

export function streamPair(): readonly [ByteStream, ByteStream] {
  const one = new PairEnd();
  const other = new PairEnd();
  one.connect(other);
  other.connect(one);
  return [one, other];
}

class PairEnd implements ByteStream {
  readonly remote = NOWHERE;
  readonly #inbox = new Inbox(this);
  #peer: PairEnd | undefined;
  #unread = 0;
  #full = false;
  #ended = false;
  #closed = false;

  connect(peer: PairEnd): void {
    this.#peer = peer;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended || this.#closed) return false;
    return this.#peer?.receive(bytes) ?? false;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#peer?.peerEnded();
  }

  destroy(): void {
    this.over();
    this.#peer?.over();
  }

  listen(handler: StreamHandler): void {
    this.#inbox.listen(handler);
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
  }

  takeFirst(timeoutMs: number): Promise<number | "ended" | "timeout"> {
    return this.#inbox.takeFirst(timeoutMs);
  }

  receive(bytes: Uint8Array): boolean {
    this.#unread += bytes.length;
    this.#full ||= this.#unread > HIGH_WATER_BYTES;
    // Not on the spot: whoever writes is in the middle of something.
    queueMicrotask(() => this.#inbox.push(bytes));
    return !this.#full;
  }

  peerEnded(): void {
    queueMicrotask(() => {
      this.#inbox.peerEnded();
      if (this.#ended) this.destroy();
    });
  }

  over(): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => this.#inbox.closed(undefined));
  }

  drained(): void {
    this.#inbox.drained();
  }

  /** The listener has taken so many. */
  consumed(bytes: number): void {
    this.#unread -= bytes;
    if (!this.#full || this.#unread > HIGH_WATER_BYTES / 2) return;
    this.#full = false;
    queueMicrotask(() => this.#peer?.drained());
  }
}
