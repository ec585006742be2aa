/** Which tokens are so long over that nobody asks why any more. */
import { type AclToken, isExpired } from "../../state/acl/acl.ts";
import type { GoTime } from "../../wire/codec.ts";

/** Nomad's: so many go at once. */
const COLLECTED_MAX = 4096;

/**
 * Accessors of those that may be deleted.
 *
 * @param end what was over by then is old enough
 * @param isAuthoritative global tokens are made here: from elsewhere their end is copied
 */
export function expiredAccessors(
  tokens: Iterable<AclToken>,
  end: GoTime,
  isAuthoritative: boolean,
): readonly string[] {
  const over = [...tokens].filter((one) => isExpired(one, end) && (isAuthoritative || !one.Global));
  return over.slice(0, COLLECTED_MAX).map((one) => one.AccessorID);
}
