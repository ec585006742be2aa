/** The token of a request, in either of the ways that Nomad takes. */

/** "" is none. */
export function tokenOf({ headers }: Request): string {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  return headers.get("x-nomad-token") ?? bearer ?? "";
}
