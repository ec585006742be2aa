/** What this page's caller may not do, in the agent's own words. */
import { Live } from "./live.ts";

interface Rights {
  /** "PUT /v1/agent/keyring/install", and why not. */
  readonly Refused: Readonly<Record<string, string>>;
}

export const rights = new Live<Rights>("/v1/agent/permissions", 30_000);

/** @returns why not; "" when it may, as far as is known */
export function whyNot(operation: string): string {
  return rights.value.value?.Refused[operation] ?? "";
}
