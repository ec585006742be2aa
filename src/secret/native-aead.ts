/** AES-GCM by the runtime's own BoringSSL: 30 to 40 times faster than JavaScript. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { type Aead, TAG_BYTES } from "./aead.ts";

export const nativeAead: Aead = {
  name: "native",
  seal(key, nonce, plaintext, aad) {
    const cipher = createCipheriv(cipherFor(key), key, nonce);
    if (aad.length > 0) cipher.setAAD(aad);
    const body = cipher.update(plaintext);
    cipher.final();
    const sealed = new Uint8Array(body.length + TAG_BYTES);
    sealed.set(body);
    sealed.set(cipher.getAuthTag(), body.length);
    return sealed;
  },
  open(key, nonce, sealed, aad) {
    if (sealed.length < TAG_BYTES) return undefined;
    const split = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(cipherFor(key), key, nonce);
    decipher.setAuthTag(sealed.subarray(split));
    if (aad.length > 0) decipher.setAAD(aad);
    const plaintext = decipher.update(sealed.subarray(0, split));
    try {
      decipher.final();
    } catch {
      return undefined; // The tag is wrong: what update() gave is not to be looked at.
    }
    return plaintext;
  },
};

function cipherFor(key: Uint8Array): "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm" {
  if (key.length === 16) return "aes-128-gcm";
  return key.length === 24 ? "aes-192-gcm" : "aes-256-gcm";
}
