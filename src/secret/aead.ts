/** AES-GCM as an interface, so that the fast provider and the portable one can be compared. */

export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

export interface Aead {
  readonly name: string;
  /** @returns ciphertext followed by the 16-byte tag */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** @returns the plaintext, or undefined if the tag does not match */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    aad: Uint8Array,
  ): Uint8Array | undefined;
}
