/** AES-GCM by @noble/ciphers: the oracle that the native provider is compared with at start. */
import { gcm } from "@noble/ciphers/aes.js";
import { type Aead, TAG_BYTES } from "./aead.ts";

export const portableAead: Aead = {
  name: "portable",
  seal: (key, nonce, plaintext, aad) => gcm(key, nonce, aad).encrypt(plaintext),
  open(key, nonce, sealed, aad) {
    if (sealed.length < TAG_BYTES) return undefined;
    try {
      return gcm(key, nonce, aad).decrypt(sealed);
    } catch {
      return undefined;
    }
  },
};
