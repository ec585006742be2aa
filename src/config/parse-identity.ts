/** Settings of what servers sign: who client nodes are, and who may come as a new one. */
import { type ClientIntroductionConfig, ENFORCEMENTS, type SigningKeysConfig } from "./config.ts";
import type { Section } from "./section.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LOOK_MS_MIN = 1000;

/** Keys of the server block. */
export function readSigningKeys(section: Section): SigningKeysConfig {
  return {
    rotationMs: positive(section, "root_key_rotation_threshold") ?? 720 * HOUR_MS,
    graceMs: positive(section, "root_key_gc_threshold") ?? HOUR_MS,
    intervalMs: Math.max(LOOK_MS_MIN, positive(section, "root_key_gc_interval") ?? 10 * MINUTE_MS),
  };
}

export function readIntroduction(section: Section): ClientIntroductionConfig {
  const introduction = {
    enforcement: section.word("enforcement", ENFORCEMENTS) ?? "warn",
    defaultLifetimeMs: positive(section, "default_identity_ttl") ?? 5 * MINUTE_MS,
    maxLifetimeMs: positive(section, "max_identity_ttl") ?? 30 * MINUTE_MS,
  };
  if (introduction.defaultLifetimeMs > introduction.maxLifetimeMs) {
    section.warn("default_identity_ttl", "is longer than max_identity_ttl, which counts");
  }
  section.finish();
  return introduction;
}

function positive(section: Section, key: string): number | undefined {
  const value = section.durationMs(key);
  if (value === undefined || value > 0) return value;
  section.mistake(key, "must not be negative");
  return undefined;
}
