/** The acl block, and what of ACLs stands in the server block. */
import type { AclConfig } from "./config.ts";
import type { Section } from "./section.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

export function readAcl(section: Section): AclConfig {
  const acl: AclConfig = {
    enabled: section.bool("enabled") ?? false,
    tokenTtlMs: duration(section, "token_ttl") ?? 30_000,
    policyTtlMs: duration(section, "policy_ttl") ?? 30_000,
    roleTtlMs: duration(section, "role_ttl") ?? 30_000,
    tokenMinExpirationMs: duration(section, "token_min_expiration_ttl") ?? MINUTE_MS,
    tokenMaxExpirationMs: duration(section, "token_max_expiration_ttl") ?? DAY_MS,
    replicationToken: section.text("replication_token") ?? "",
  };
  if (acl.tokenMinExpirationMs > acl.tokenMaxExpirationMs) {
    const message = "must be at most acl.token_max_expiration_ttl: no token could expire";
    section.mistake("token_min_expiration_ttl", message);
  }
  if (acl.replicationToken !== "" && !UUID.test(acl.replicationToken)) {
    // Not behind a colon: what stands there is hidden, wherever a token is named.
    const message = "acl.replication_token must be a UUID, the secret of a management token";
    section.fail("replication_token", message);
  }
  section.finish();
  return acl;
}

function duration(section: Section, key: string): number | undefined {
  const ms = section.durationMs(key);
  if (ms === undefined || ms >= 0) return ms;
  section.mistake(key, "must not be negative");
  return undefined;
}
