/** An error with the HTTP status that Nomad gives it; the text is the whole body. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  /**
   * @param status also of what another server or a node says is an error: to whoever asked here it
   *   must be one, and have a body
   */
  constructor(status: number, message: string) {
    super(message);
    this.status = status >= 400 && status <= 599 ? status : 500;
  }
}

/** How Nomad answers what a server says without a code: who may not ask is told so. */
export function statusOf(text: string): number {
  return /(?:Permission denied|ACL token (?:not found|expired))$/.test(text) ? 403 : 500;
}
