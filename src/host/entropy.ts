/** Keys and nonces from the operating system, by WebCrypto: unlike node:crypto it is there. */
import type { Entropy } from "./host.ts";

export const systemEntropy: Entropy = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
