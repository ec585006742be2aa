/** `nomad keygen`: random bytes from the system, base64. Loads nothing, so it takes no time. */

/** AES-128 as Nomad's documentation has it; 32 for AES-256. */
export const KEY_BYTES_DEFAULT = 16;

export function makeKeyText(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toBase64();
}
