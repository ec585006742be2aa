/**
 * `tls_cipher_suites`: Go's names, as Nomad accepts them, and what BoringSSL calls the same suite.
 * TLS 1.3 suites are not configurable, in Go as here.
 */
const SUITES: ReadonlyMap<string, string> = new Map([
  ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"],
  ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"],
  ["TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"],
  ["TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"],
  ["TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"],
  ["TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"],
  ["TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"],
]);

/** What is offered when nothing is configured: forward secrecy and AEAD only. */
const DEFAULT_SUITES: readonly string[] = [...SUITES.keys()].slice(0, 6);

export const SUITE_NAMES: readonly string[] = [...SUITES.keys()];

/** Colon-separated for the TLS library. Unknown names were refused by the configuration. */
export function librarySuites(names: readonly string[]): string {
  const chosen = names.length === 0 ? DEFAULT_SUITES : names;
  return chosen.flatMap((name) => SUITES.get(name) ?? []).join(":");
}

/** Suites that a certificate of this key type can be used with. */
export function suitesFor(names: readonly string[], keyType: "ec" | "rsa"): readonly string[] {
  const chosen = names.length === 0 ? DEFAULT_SUITES : names;
  return chosen.filter((name) => name.includes("_ECDSA_") === (keyType === "ec"));
}
