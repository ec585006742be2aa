/** What commands print. console.log costs nothing to load; process.stdout costs milliseconds. */
import { writeSync } from "node:fs";
import { visibleLines } from "../host/visible.ts";

/** Lines for a terminal; what peers have put into the text cannot take it over. */
export function print(text: string): void {
  console.log(visibleLines(text));
}

/** Bytes as they are. @throws CommandError with code 0 when the reader has had enough */
export function printRaw(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
  } catch {
    throw new CommandError("", 0);
  }
}

/** For people: warnings and errors. */
export function printError(text: string): void {
  try {
    writeSync(2, `${visibleLines(text)}\n`);
  } catch {
    // Nowhere to say it.
  }
}

/**
 * How a command ends with another code than 0: one text for people (or none, where all has been
 * said), and the code. Only main.ts ends the process.
 */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}
