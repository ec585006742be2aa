/** Whose token it is, for what is written down of changes: never the token itself. */
import type { AclResolver } from "./resolver.ts";

export type Bearer = Readonly<Record<string, string | boolean>>;

/** @returns undefined: nobody's that is known here and now, or there are no ACLs */
export function bearerOf(
  resolver: Pick<AclResolver, "enabled" | "token">,
  secret: string,
): Bearer | undefined {
  if (!resolver.enabled || secret === "") return undefined;
  try {
    const token = resolver.token(secret);
    if (token === undefined) return undefined;
    const { AccessorID, Name, Global, Type } = token;
    return { accessor_id: AccessorID, name: Name, global: Global, type: Type };
  } catch {
    return undefined; // It has expired.
  }
}
