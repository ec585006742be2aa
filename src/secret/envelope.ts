/**
 * A secret at rest, sealed with XChaCha20-Poly1305, whose nonce is long enough to be by chance.
 * Loaded with the first one that is sealed or opened.
 *
 * @module
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";

export const SEALING_KEY_BYTES = 32;
export const SEALING_NONCE_BYTES = 24;

/**
 * @param nonce by chance
 * @param context what it is for: it opens for nothing else
 * @returns the nonce, then what is sealed
 */
export function sealSecret(
  key: Uint8Array,
  nonce: Uint8Array,
  secret: Uint8Array,
  context: string,
): Uint8Array {
  const body = xchacha20poly1305(key, nonce, bytesOf(context)).encrypt(secret);
  const sealed = new Uint8Array(nonce.length + body.length);
  sealed.set(nonce);
  sealed.set(body, nonce.length);
  return sealed;
}

/** undefined: another key, or changed bytes. */
export function openSecret(
  key: Uint8Array,
  sealed: Uint8Array,
  context: string,
): Uint8Array | undefined {
  if (key.length !== SEALING_KEY_BYTES) return undefined;
  const nonce = sealed.subarray(0, SEALING_NONCE_BYTES);
  try {
    const cipher = xchacha20poly1305(key, nonce, bytesOf(context));
    return cipher.decrypt(sealed.subarray(SEALING_NONCE_BYTES));
  } catch {
    return undefined;
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
