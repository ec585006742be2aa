/** What commands print, at once: process.stdout would cost milliseconds to load. */
import { STDERR, STDOUT, writeTo } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { visibleLines } from "../host/visible.ts";

/**
 * Lines for a terminal; what peers have put into the text cannot take it over.
 *
 * @throws CommandError as `printRaw` does
 */
export function print(text: string): void {
  printRaw(new TextEncoder().encode(`${visibleLines(text)}\n`));
}

/** The same from an agent, which goes on when nobody can take it. */
export function announce(text: string): void {
  try {
    print(text);
  } catch {
    // Its log may fare better.
  }
}

/**
 * Bytes as they are.
 *
 * @throws CommandError when they cannot be written; with code 0 when the reader has had enough
 */
export function printRaw(bytes: Uint8Array): void {
  try {
    writeAll(STDOUT, bytes);
  } catch (error) {
    if (codeOf(error) === "EPIPE") throw new CommandError("", 0);
    throw new CommandError(`cannot write: ${describeErrno(error)}`);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeTo(descriptor, bytes.subarray(at));
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      Bun.sleepSync(1); // A pipe that does not block: its reader is slower than we are.
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** For people: warnings and errors. */
export function printError(text: string): void {
  try {
    writeAll(STDERR, new TextEncoder().encode(`${visibleLines(text)}\n`));
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
