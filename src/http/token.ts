/** The token of a request, in either of the ways that Nomad takes. */
import type { Asked } from "./asked.ts";

/** "" is none. */
export function tokenOf({ headers }: Asked): string {
  const token = headers.get("x-nomad-token");
  if (token !== null) return token;
  const authorization = headers.get("authorization");
  return authorization === null ? "" : (/^bearer +(.+)$/i.exec(authorization)?.[1] ?? "");
}
