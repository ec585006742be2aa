/** Connections at once from one address (Nomad's `*_max_conns_per_client`). */
import { formatIp } from "../host/ip.ts";

export class ConnectionLimit {
  readonly #max: number;
  readonly #open = new Map<string, number>();

  /** @param max 0: no limit */
  constructor(max: number) {
    this.#max = max;
  }

  /** @returns false if this address has enough; else call `release` when it closes */
  take(ip: Uint8Array): boolean {
    const key = formatIp(ip);
    const open = this.#open.get(key) ?? 0;
    if (this.#max > 0 && open >= this.#max) return false;
    this.#open.set(key, open + 1);
    return true;
  }

  release(ip: Uint8Array): void {
    const key = formatIp(ip);
    const open = (this.#open.get(key) ?? 1) - 1;
    if (open <= 0) this.#open.delete(key);
    else this.#open.set(key, open);
  }
}
