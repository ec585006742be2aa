/**
 * The gossip keys of this node: first is the primary, which seals; all of them open.
 * Rules and texts as memberlist and Serf have them (wire/gossip.md §11, §10.9).
 *
 * @module
 */
import { type GossipKey, sameKey } from "./key.ts";

export class Keyring {
  #keys: readonly GossipKey[];
  /** By fingerprint. */
  #since = new Map<string, number>();

  /** @param keys primary first; duplicates are dropped. Empty: no encryption. */
  constructor(keys: readonly GossipKey[]) {
    this.#keys = keys.filter((key, i) => keys.findIndex((other) => sameKey(key, other)) === i);
  }

  get keys(): readonly GossipKey[] {
    return this.#keys;
  }

  get primary(): GossipKey | undefined {
    return this.#keys[0];
  }

  has(key: GossipKey): boolean {
    return this.#keys.some((known) => sameKey(known, key));
  }

  /**
   * Keys of which nothing was said yet are here since then, at the latest.
   *
   * @param ms Unix time in milliseconds
   */
  seen(ms: number): void {
    const since = (key: GossipKey): number => this.#since.get(key.fingerprint) ?? ms;
    this.#since = new Map(this.#keys.map((key) => [key.fingerprint, since(key)]));
  }

  /** Unix time in milliseconds; undefined: nothing was said of it. */
  sinceMs({ fingerprint }: GossipKey): number | undefined {
    return this.#since.get(fingerprint);
  }

  /** Takes over what another ring has: a change is tried on a copy first. */
  become(other: Keyring): void {
    this.#keys = other.keys;
  }

  /** Appends; no change if present. */
  add(key: GossipKey): void {
    if (!this.has(key)) this.#keys = [...this.#keys, key];
  }

  /** Makes `key` the primary. @returns an error text, or undefined */
  use(key: GossipKey): string | undefined {
    const known = this.#keys.find((one) => sameKey(one, key));
    if (known === undefined) return "requested key is not in the keyring";
    this.#keys = [known, ...this.#keys.filter((one) => one !== known)];
    return undefined;
  }

  /** Forgets `key`; unknown keys are fine. @returns an error text, or undefined */
  remove(key: GossipKey): string | undefined {
    const primary = this.primary;
    if (primary !== undefined && sameKey(primary, key))
      return "removing the primary key is not allowed";
    this.#keys = this.#keys.filter((one) => !sameKey(one, key));
    return undefined;
  }
}
