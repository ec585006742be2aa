/** `nomad keygen`: random bytes from the system, base64. Loads nothing, so it takes no time. */

import { CommandError, print } from "./output.ts";

/** AES-128 as Nomad's documentation has it; 32 for AES-256. */
export const KEY_BYTES_DEFAULT = 16;

export function makeKeyText(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toBase64();
}

/** @throws CommandError for a length that AES does not have */
export function printKey(bytes: string): void {
  if (!["16", "24", "32"].includes(bytes)) {
    throw new CommandError(`-bytes must be 16, 24 or 32, found '${bytes}'`);
  }
  print(makeKeyText(Number(bytes)));
}
