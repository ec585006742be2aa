/**
 * One gossip key: its bytes, and the fingerprint that may be shown instead of them.
 *
 * @module
 */

/** AES-128, AES-192, AES-256. */
const KEY_BYTES = [16, 24, 32] as const;

export interface GossipKey {
  readonly bytes: Uint8Array;
  /** Standard base64 with padding: how files and Serf write it. A secret. */
  readonly base64: string;
  /** First 8 bytes of SHA-256 over a fixed label and the key, in hex. Not a secret. */
  readonly fingerprint: string;
}

type KeyFault =
  | { readonly kind: "not-base64" }
  | { readonly kind: "bad-length"; readonly bytes: number };

/** Parses base64 text; `sha256` is the host's. */
export function parseKey(
  text: string,
  sha256: (bytes: Uint8Array) => Uint8Array,
): GossipKey | KeyFault {
  const bytes = decodeBase64(text.trim());
  if (bytes === undefined) return { kind: "not-base64" };
  return makeKey(bytes, sha256);
}

/** A key from raw bytes, as Serf's key queries carry them. */
export function makeKey(
  bytes: Uint8Array,
  sha256: (bytes: Uint8Array) => Uint8Array,
): GossipKey | KeyFault {
  if (!KEY_BYTES.some((size) => size === bytes.length)) {
    return { kind: "bad-length", bytes: bytes.length };
  }
  const label = new TextEncoder().encode("nomad gossip key fingerprint v1:");
  const labelled = new Uint8Array(label.length + bytes.length);
  labelled.set(label);
  labelled.set(bytes, label.length);
  const fingerprint = sha256(labelled).subarray(0, 8).toHex();
  return { bytes: bytes.slice(), base64: bytes.toBase64(), fingerprint };
}

export function isKeyFault(parsed: GossipKey | KeyFault): parsed is KeyFault {
  return "kind" in parsed;
}

/** `AES-128-GCM` and so on. */
export function cipherName(key: GossipKey): string {
  return `AES-${key.bytes.length * 8}-GCM`;
}

/** Same bytes? Takes the same time wherever they differ. */
export function sameKey(a: GossipKey, b: GossipKey): boolean {
  if (a.bytes.length !== b.bytes.length) return false;
  let difference = 0;
  for (let i = 0; i < a.bytes.length; i++) difference |= (a.bytes[i] ?? 0) ^ (b.bytes[i] ?? 0);
  return difference === 0;
}

/** Strict: standard alphabet, padded, as Go's base64.StdEncoding. */
function decodeBase64(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    return undefined;
  }
  return Uint8Array.fromBase64(text);
}
