/** SHA-256 by the runtime, and secrets compared. */
import { createHash, timingSafeEqual } from "node:crypto";

/** @param parts one after the other */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** Are they the same? It takes as long whatever they have in common. */
export function isSameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => sha256(new TextEncoder().encode(text)));
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

/** BLAKE2b of 32 bytes, which Nomad tells changed tokens, policies and roles by. */
export function blake2b256(...parts: readonly string[]): Uint8Array {
  const hash = new Bun.CryptoHasher("blake2b256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
