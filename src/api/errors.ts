/** An error with the HTTP status that Nomad gives it; the text is the whole body. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** How Nomad answers what a server says without a code: who may not ask is told so. */
export function statusOf(text: string): number {
  return /(?:Permission denied|ACL token (?:not found|expired))$/.test(text) ? 403 : 500;
}
