/** Where a server keeps what opens the signing keys of the replicated state: outside of it. */

/** Sealing keys by the id of the signing key that each of them opens. */
export interface Keystore {
  load(id: string): Uint8Array | undefined;
  /** Durably. @throws Error */
  save(id: string, key: Uint8Array): void;
  remove(id: string): void;
  ids(): readonly string[];
}

/** For as long as the process lives. */
export class MemoryKeystore implements Keystore {
  readonly #keys = new Map<string, Uint8Array>();

  load(id: string): Uint8Array | undefined {
    return this.#keys.get(id);
  }

  save(id: string, key: Uint8Array): void {
    this.#keys.set(id, key);
  }

  remove(id: string): void {
    this.#keys.delete(id);
  }

  ids(): readonly string[] {
    return [...this.#keys.keys()];
  }
}
