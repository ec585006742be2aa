/** `nomad keygen -bytes=N`, and `operator gossip keyring generate`. */
import { makeKeyText } from "./keygen.ts";
import { CommandError, print } from "./output.ts";

/** @throws CommandError for a length that AES does not have */
export function printKey(bytes: string): void {
  if (!["16", "24", "32"].includes(bytes)) {
    throw new CommandError(`-bytes must be 16, 24 or 32, found '${bytes}'`);
  }
  print(makeKeyText(Number(bytes)));
}
