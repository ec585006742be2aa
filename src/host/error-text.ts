/** What was thrown: as one text for a log line or an answer, and whose fault it is. */

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The language's own complaints about the program; a disk or a peer never throws one. */
export function isBug(error: unknown): boolean {
  return [TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind);
}
