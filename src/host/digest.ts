/** SHA-256 by the runtime, and secrets compared. */
import { createHash, timingSafeEqual } from "node:crypto";

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** Are they the same? It takes as long whatever they have in common. */
export function isSameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => sha256(new TextEncoder().encode(text)));
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
