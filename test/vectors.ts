/** Golden bytes recorded from the real libraries; see vectors/gossip/README.md. */
import { readFileSync } from "node:fs";

// biome-ignore lint/suspicious/noExplicitAny: the files are data of many shapes, checked by use
export type Json = any;

export function vectors(path: string): Json {
  return JSON.parse(readFileSync(new URL(`vectors/${path}`, import.meta.url), "utf8"));
}

export function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text);
}

/** `{"hex": ...}`, null or text, as the vector files write byte strings. */
export function bytesOf(value: Json): Uint8Array | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return new TextEncoder().encode(value);
  return hex(value.hex);
}
