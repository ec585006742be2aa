/** Why a handshake came to nothing: a reason that can be counted, and words for the operator. */
import type { VerifyFault } from "./x509/verify.ts";

/** The label of a counter. */
type TlsRefusal =
  | "no-certificate"
  | "unknown-authority"
  | "expired"
  | "wrong-name"
  | "bad-certificate"
  | "protocol-version"
  | "no-shared-cipher"
  | "not-tls"
  | "refused-by-peer"
  | "timeout"
  | "other";

export class TlsError extends Error {
  override readonly name = "TlsError";
  readonly reason: TlsRefusal;

  constructor(reason: TlsRefusal, message: string) {
    super(message);
    this.reason = reason;
  }
}

const BY_CODE: ReadonlyMap<string, TlsRefusal> = new Map([
  ["ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE", "no-certificate"],
  ["ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED", "refused-by-peer"],
  ["ERR_SSL_KEY_USAGE_BIT_INCORRECT", "bad-certificate"],
  ["ERR_OSSL_EVP_UNSUPPORTED_ALGORITHM", "bad-certificate"],
  ["ERR_SSL_UNSUPPORTED_PROTOCOL", "protocol-version"],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "protocol-version"],
  ["ERR_SSL_NO_SHARED_CIPHER", "no-shared-cipher"],
  ["ERR_SSL_HTTP_REQUEST", "not-tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "not-tls"],
  ["ECONNRESET", "refused-by-peer"],
]);

/** Go's words where there are some; BoringSSL's mean little to an operator. */
const WORDS: Partial<Record<TlsRefusal, string>> = {
  "no-certificate": "tls: client didn't provide a certificate",
  "bad-certificate":
    "tls: the peer's certificate cannot be used: its keyUsage lacks digitalSignature, " +
    "or its key is of a kind that TLS has no signatures for",
  "protocol-version": "tls: client offered only unsupported versions",
  "no-shared-cipher": "tls: no cipher suite supported by both client and server",
  "not-tls": "tls: first record does not look like a TLS handshake",
  "refused-by-peer": "remote error: the peer refused the TLS handshake",
};

export function refused(reason: TlsRefusal): TlsError {
  return new TlsError(reason, WORDS[reason] ?? reason);
}

/** What the TLS library says of a handshake. */
export function classify(error: Error & { code?: unknown }): TlsError {
  if (error instanceof TlsError) return error;
  const code = typeof error.code === "string" ? error.code : "";
  const reason = BY_CODE.get(code) ?? (code.includes("_ALERT_") ? "refused-by-peer" : "other");
  return new TlsError(reason, WORDS[reason] ?? error.message);
}

/** What our own judgement of the peer's certificate says, in Go's words. */
export function refusedCertificate({ kind, message, candidate }: VerifyFault): TlsError {
  const hint =
    candidate === undefined
      ? ""
      : ` (possibly because of "${candidate.why}" while trying to verify candidate ` +
        `authority certificate "${candidate.certificate.subject.text}")`;
  const isCounted = kind === "unknown-authority" || kind === "expired" || kind === "wrong-name";
  return new TlsError(isCounted ? kind : "bad-certificate", `x509: ${message}${hint}`);
}
