/** Seals and opens gossip with the keyring of the moment, fresh nonces, and a count of each. */
import type { Entropy } from "../../host/host.ts";
import { type Aead, NONCE_BYTES } from "../../secret/aead.ts";
import type { Keyring } from "../../secret/keyring.ts";
import { openPayload, PAYLOAD_OVERHEAD_BYTES, sealPayload } from "../../secret/seal.ts";
import type { SealLayer } from "../../wire/gossip-packet.ts";

/** Nonces are taken from the system in blocks: one call for many packets. */
const NONCES_PER_BLOCK = 256;

/** What a node with keys demands. Both false: a pool in clear that is about to take a key. */
interface SealPolicy {
  /** Refuse what is not sealed. */
  readonly verifyIncoming: boolean;
  /** Seal what goes out. */
  readonly verifyOutgoing: boolean;
}

const ALWAYS: SealPolicy = { verifyIncoming: true, verifyOutgoing: true };

export class Sealer {
  readonly keyring: Keyring;
  readonly policy: SealPolicy;
  readonly #aead: Aead;
  readonly #entropy: Entropy;
  /** One closure for all packets: it runs for every one that a stranger sends. */
  readonly #open = (payload: Uint8Array, aad: Uint8Array): Uint8Array | undefined => {
    const opened = openPayload(this.#aead, this.keyring, payload, aad);
    return typeof opened === "string" ? undefined : opened;
  };
  #nonces: Uint8Array = new Uint8Array(0);
  #nonceAt = 0;

  constructor(keyring: Keyring, aead: Aead, entropy: Entropy, policy: SealPolicy = ALWAYS) {
    this.keyring = keyring;
    this.policy = policy;
    this.#aead = aead;
    this.#entropy = entropy;
  }

  /** The sealing layer, or undefined without keys, and where they are not in use yet. */
  layer(): SealLayer | undefined {
    const key = this.keyring.primary;
    if (key === undefined || !this.policy.verifyOutgoing) return undefined;
    return {
      seal: (plaintext, aad) => sealPayload(this.#aead, key.bytes, this.#nonce(), plaintext, aad),
    };
  }

  /** The opening layer, or undefined without keys. */
  opener(): ((payload: Uint8Array, aad: Uint8Array) => Uint8Array | undefined) | undefined {
    return this.keyring.primary === undefined ? undefined : this.#open;
  }

  overheadBytes(): number {
    return this.keyring.primary === undefined ? 0 : PAYLOAD_OVERHEAD_BYTES;
  }

  fingerprints(): readonly string[] {
    return this.keyring.keys.map((key) => key.fingerprint);
  }

  /** Every byte is used once. */
  #nonce(): Uint8Array {
    if (this.#nonceAt >= this.#nonces.length) {
      this.#nonces = this.#entropy.bytes(NONCE_BYTES * NONCES_PER_BLOCK);
      this.#nonceAt = 0;
    }
    const nonce = this.#nonces.subarray(this.#nonceAt, this.#nonceAt + NONCE_BYTES);
    this.#nonceAt += NONCE_BYTES;
    return nonce;
  }
}
