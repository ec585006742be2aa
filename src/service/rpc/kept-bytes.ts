/**
 * What all peers of a port have us keep together: bytes that came and are not read, requests
 * without their answers, answers that nobody takes. When it is too much, whoever has us keep the
 * most pays for it, not whoever comes next: peers are told apart by their certificates, and of the
 * one with the most its fullest connection is cut off. So thousands that have us keep a little each
 * go on beside one that fills as many connections as it may have, with another certificate or with
 * the same.
 *
 * @module
 */
import type { Budget } from "./value-stream.ts";

export class KeptBytes {
  readonly #max: number;
  #bytes = 0;
  /** Those that keep something. */
  readonly #shares = new Set<Share>();

  constructor(bytesMax: number) {
    this.#max = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The part of one connection.
   *
   * @param peer whose it is: all that a peer has is looked at together
   * @param cutOff ends the connection
   */
  share(peer: string, cutOff: () => void): Share {
    return new Share(peer, cutOff, (share, bytes) => this.#changed(share, bytes));
  }

  #changed(share: Share, bytes: number): boolean {
    this.#bytes += bytes;
    if (share.bytes > 0) this.#shares.add(share);
    else this.#shares.delete(share);
    if (bytes <= 0) return true;
    while (this.#bytes > this.#max) {
      const fullest = this.#fullest();
      if (fullest === undefined || fullest === share) return false;
      fullest.end();
    }
    return true;
  }

  /** The connection that keeps the most, of the peer that does. */
  #fullest(): Share | undefined {
    const byPeer = new Map<string, number>();
    let [most, mostBytes] = ["", 0];
    for (const { peer, bytes } of this.#shares) {
      const all = (byPeer.get(peer) ?? 0) + bytes;
      byPeer.set(peer, all);
      if (all > mostBytes) [most, mostBytes] = [peer, all];
    }
    let fullest: Share | undefined;
    for (const share of this.#shares) {
      if (share.peer === most && share.bytes > (fullest?.bytes ?? 0)) fullest = share;
    }
    return fullest;
  }
}

/** Of one connection; a budget for each of its parts. */
export class Share implements Budget {
  readonly peer: string;
  readonly #cutOff: () => void;
  readonly #changed: (share: Share, bytes: number) => boolean;
  #bytes = 0;
  #closed = false;

  constructor(peer: string, cutOff: () => void, changed: (share: Share, bytes: number) => boolean) {
    this.peer = peer;
    this.#cutOff = cutOff;
    this.#changed = changed;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns false: it is this connection that keeps too much, or it has been closed */
  take(bytes: number): boolean {
    if (this.#closed) return bytes <= 0;
    this.#bytes += bytes;
    return this.#changed(this, bytes);
  }

  /** The connection is gone, and all that was kept for it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#changed(this, -bytes);
  }

  /** Others need the room more. */
  end(): void {
    this.close();
    this.#cutOff();
  }
}
