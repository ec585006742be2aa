/**
 * Compares two AEAD providers before the first packet is sealed: a broken runtime must stop the
 * agent, not encrypt with something that nobody else can open (or that everybody can).
 */
import type { Aead } from "./aead.ts";

/** @returns what differs, or undefined if the providers agree for every key size */
export function compareProviders(one: Aead, other: Aead): string | undefined {
  const nonce = Uint8Array.from({ length: 12 }, (_, i) => i * 7 + 1);
  const aad = Uint8Array.from([1, 2, 3]);
  for (const keyBytes of [16, 24, 32]) {
    const key = Uint8Array.from({ length: keyBytes }, (_, i) => i * 11 + keyBytes);
    for (const length of [0, 1, 16, 100]) {
      const plaintext = Uint8Array.from({ length }, (_, i) => i * 13);
      const what = `AES-${keyBytes * 8}-GCM of ${length} bytes`;
      const sealed = one.seal(key, nonce, plaintext, aad);
      if (!same(sealed, other.seal(key, nonce, plaintext, aad))) return `${what} seals differently`;
      const opened = one.open(key, nonce, sealed, aad);
      if (opened === undefined || !same(opened, plaintext)) return `${what} does not open again`;
      sealed[0] = (sealed[0] ?? 0) ^ 1;
      if (one.open(key, nonce, sealed, aad) !== undefined)
        return `${what} opens when tampered with`;
    }
  }
  return undefined;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
