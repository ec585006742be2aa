/** What commands print. console.log costs nothing to load; process.stdout costs milliseconds. */
import { writeSync } from "node:fs";

export function print(text: string): void {
  console.log(text);
}

/** Bytes as they are; a reader that has gone ends the command. */
export function printRaw(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
  } catch {
    process.exit(0);
  }
}

/** For people: warnings and errors. */
export function printError(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nowhere to say it.
  }
}

/** A mistake of the operator's: one text, exit code 1 (or `code`). */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}
