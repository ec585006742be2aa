/**
 * Gossip payloads: `version | nonce 12 | ciphertext | tag 16` (wire/gossip.md §6).
 *
 * Nonces are passed in: this file can neither make nor repeat one.
 *
 * @module
 */
import { type Aead, NONCE_BYTES, TAG_BYTES } from "./aead.ts";
import type { Keyring } from "./keyring.ts";

export const PAYLOAD_OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;
const BLOCK_BYTES = 16;

/** Seals with `key`, version 1 (no padding). */
export function sealPayload(
  aead: Aead,
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const sealed = aead.seal(key, nonce, plaintext, aad);
  const payload = new Uint8Array(1 + NONCE_BYTES + sealed.length);
  payload[0] = 1;
  payload.set(nonce, 1);
  payload.set(sealed, 1 + NONCE_BYTES);
  return payload;
}

/** As {@link sealPayload}, version 0 (PKCS#7 padding): the agent opens such, and writes none. */
export function sealPayloadV0(
  aead: Aead,
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const pad = BLOCK_BYTES - (plaintext.length % BLOCK_BYTES);
  const padded = new Uint8Array(plaintext.length + pad).fill(pad);
  padded.set(plaintext);
  const payload = sealPayload(aead, key, nonce, padded, aad);
  payload[0] = 0;
  return payload;
}

/** Why a payload did not open. */
type OpenFault = "unknown-version" | "too-short" | "no-key-opens" | "bad-padding";

/** Opens with any key of the ring, primary first. Versions 0 and 1. */
export function openPayload(
  aead: Aead,
  keyring: Keyring,
  payload: Uint8Array,
  aad: Uint8Array,
): Uint8Array | OpenFault {
  const version = payload[0];
  if (version === undefined) return "too-short";
  if (version > 1) return "unknown-version";
  const bytesMin = PAYLOAD_OVERHEAD_BYTES + (version === 0 ? BLOCK_BYTES : 0);
  if (payload.length < bytesMin) return "too-short";
  const nonce = payload.subarray(1, 1 + NONCE_BYTES);
  const sealed = payload.subarray(1 + NONCE_BYTES);
  for (const key of keyring.keys) {
    const plaintext = aead.open(key.bytes, nonce, sealed, aad);
    if (plaintext === undefined) continue;
    return version === 0 ? unpad(plaintext) : plaintext;
  }
  return "no-key-opens";
}

/**
 * The version byte is not authenticated, so a version-1 packet can come back as version 0 and its
 * last byte mean nothing; the Go library crashes on that, we look first (wire/gossip.md §6).
 */
function unpad(padded: Uint8Array): Uint8Array | OpenFault {
  const pad = padded[padded.length - 1] ?? 0;
  if (pad < 1 || pad > BLOCK_BYTES || pad > padded.length) return "bad-padding";
  return padded.subarray(0, padded.length - pad);
}
