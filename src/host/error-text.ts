/** What was thrown, as one text for a log line or an answer. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
