/** Keys and nonces from the operating system. WebCrypto: costs nothing to load, unlike node:crypto. */
import type { Entropy } from "./host.ts";

export const systemEntropy: Entropy = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
