/**
 * TLS on a connection that is already open: a server learns from the first byte that it is wanted,
 * and a client says so with one. Both verify; what goes wrong becomes a reason that can be counted.
 *
 * @module
 */
import { constants, X509Certificate } from "node:crypto";
import {
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import { librarySuites } from "../config/cipher-suites.ts";
import type { TlsVersion } from "../config/config.ts";
import { SocketStream } from "../host/network.ts";
import { type CertificateInfo, describeCertificate } from "./certificate.ts";
import type { TlsMaterial } from "./material.ts";

/** Why a handshake came to nothing; the label of a counter. */
export type TlsRefusal =
  | "no-certificate"
  | "unknown-authority"
  | "expired"
  | "wrong-name"
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

export interface TlsIdentity {
  readonly context: SecureContext;
  readonly material: TlsMaterial;
  /** As the TLS library names them. */
  readonly minVersion: (typeof VERSIONS)[TlsVersion];
  readonly ciphers: string;
}

/** A certificate and its key, ready for either side. */
export function createIdentity(
  material: TlsMaterial,
  minVersion: TlsVersion,
  cipherSuites: readonly string[],
): TlsIdentity {
  const { ca, cert, key } = material;
  const strength = { minVersion: VERSIONS[minVersion], ciphers: librarySuites(cipherSuites) };
  // A resumed session would be let in by what was checked once, whatever CA is trusted since.
  const secureOptions = constants.SSL_OP_NO_TICKET;
  const context = createSecureContext({ ca, cert, key, secureOptions, ...strength });
  return { context, material, ...strength };
}

const VERSIONS = { tls10: "TLSv1", tls11: "TLSv1.1", tls12: "TLSv1.2", tls13: "TLSv1.3" } as const;

export interface SecuredStream {
  readonly stream: SocketStream;
  /** The peer's certificate, if it was asked for. */
  readonly peer: CertificateInfo | undefined;
  readonly version: string;
  readonly cipher: string;
}

/**
 * The server's side.
 *
 * @param requireClient demand a certificate of our CA
 * @throws TlsError
 */
export function acceptTls(
  plain: SocketStream,
  identity: TlsIdentity,
  how: { readonly requireClient: boolean; readonly timeoutMs: number },
): Promise<SecuredStream> {
  const { remote } = plain;
  const socket = new TLSSocket(plain.detach(), {
    isServer: true,
    requestCert: how.requireClient,
    rejectUnauthorized: how.requireClient,
    secureContext: identity.context,
  });
  return settle(socket, "secure", how.timeoutMs, (error) => error).then(() =>
    secured(socket, remote),
  );
}

export interface DialTls {
  /** The name that the peer has to prove; undefined: any certificate of our CA. */
  readonly serverName: string | undefined;
  readonly timeoutMs: number;
}

/** The client's side. @throws TlsError */
export async function dialTls(
  plain: SocketStream,
  identity: TlsIdentity,
  how: DialTls,
): Promise<SecuredStream> {
  const { remote } = plain;
  const { ca, cert, key, certificate } = identity.material;
  const { serverName } = how;
  const socket = connect({
    socket: plain.detach(),
    ca,
    cert,
    key,
    minVersion: identity.minVersion,
    ciphers: identity.ciphers,
    servername: serverName ?? "",
    rejectUnauthorized: true,
    checkServerIdentity: (_host, peer) => {
      if (serverName === undefined) return undefined;
      const info = describeCertificate(new X509Certificate(peer.raw));
      if (info.dnsNames.includes(serverName)) return undefined;
      const names = info.dnsNames.join(", ") || info.commonName;
      return new TlsError(
        "wrong-name",
        `x509: certificate is valid for ${names}, not ${serverName}`,
      );
    },
  });
  await settle(socket, "secureConnect", how.timeoutMs, (error) => {
    if (error.reason !== "refused-by-peer") return error;
    return new TlsError(
      "refused-by-peer",
      "the peer closed the connection during the TLS handshake: it does not accept our " +
        `certificate "${certificate.commonName}" issued by "${certificate.issuerCommonName}"`,
    );
  });
  return secured(socket, remote);
}

function settle(
  socket: TLSSocket,
  done: "secure" | "secureConnect",
  timeoutMs: number,
  explain: (error: TlsError) => TlsError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: TlsError): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(explain(error));
    };
    const closed = (): void =>
      fail(new TlsError("refused-by-peer", "EOF during the TLS handshake"));
    const failed = (error: Error): void => fail(classify(error));
    const timer =
      timeoutMs === 0
        ? undefined
        : setTimeout(() => fail(new TlsError("timeout", "TLS handshake: i/o timeout")), timeoutMs);
    // Stays on after the handshake: an error without a listener would end the process.
    socket.on("error", failed);
    socket.once("close", closed);
    socket.once(done, () => {
      clearTimeout(timer);
      socket.off("close", closed);
      socket.pause();
      resolve();
    });
  });
}

function secured(socket: TLSSocket, remote: SocketStream["remote"]): SecuredStream {
  return {
    stream: new SocketStream(socket, remote),
    peer: describePeer(socket.getPeerCertificate()),
    version: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher()?.standardName ?? "unknown",
  };
}

/** What peers' certificates say, by fingerprint: the same few come again and again. */
const described = new Map<string, CertificateInfo>();
const DESCRIBED_MAX = 1024;

function describePeer(peer: PeerCertificate | undefined): CertificateInfo | undefined {
  const raw: unknown = peer?.raw;
  if (peer === undefined || !(raw instanceof Uint8Array) || raw.length === 0) return undefined;
  const known = described.get(peer.fingerprint256);
  if (known !== undefined) return known;
  if (described.size >= DESCRIBED_MAX) described.clear();
  const info = describeCertificate(new X509Certificate(raw));
  described.set(peer.fingerprint256, info);
  return info;
}

const BY_CODE: ReadonlyMap<string, TlsRefusal> = new Map([
  ["ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE", "no-certificate"],
  ["ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED", "refused-by-peer"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unknown-authority"],
  ["UNABLE_TO_GET_ISSUER_CERT", "unknown-authority"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unknown-authority"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "unknown-authority"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "unknown-authority"],
  ["CERT_HAS_EXPIRED", "expired"],
  ["CERT_NOT_YET_VALID", "expired"],
  ["ERR_SSL_UNSUPPORTED_PROTOCOL", "protocol-version"],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "protocol-version"],
  ["ERR_SSL_NO_SHARED_CIPHER", "no-shared-cipher"],
  ["ERR_SSL_HTTP_REQUEST", "not-tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "not-tls"],
  ["ECONNRESET", "refused-by-peer"],
]);

function classify(error: Error & { code?: unknown }): TlsError {
  if (error instanceof TlsError) return error;
  const code = typeof error.code === "string" ? error.code : "";
  const reason = BY_CODE.get(code) ?? (code.includes("_ALERT_") ? "refused-by-peer" : "other");
  return new TlsError(reason, WORDS[reason] ?? error.message);
}

/** Go's words where there are some; BoringSSL's mean little to an operator. */
const WORDS: Partial<Record<TlsRefusal, string>> = {
  "no-certificate": "tls: client didn't provide a certificate",
  "unknown-authority": "x509: certificate signed by unknown authority",
  expired: "x509: certificate has expired or is not yet valid",
  "protocol-version": "tls: client offered only unsupported versions",
  "no-shared-cipher": "tls: no cipher suite supported by both client and server",
  "not-tls": "tls: first record does not look like a TLS handshake",
  "refused-by-peer": "remote error: the peer refused the TLS handshake",
};

/** What a server shows of itself, verified or not; for looking, never for talking. */
export interface TlsInspection {
  readonly secured: SecuredStream;
  /** Why its certificate is not of our CA; undefined: it is, or there is no CA to compare with. */
  readonly verifyError: string | undefined;
}

/** The client's side without a verdict. @throws TlsError when there is no TLS to be had */
export async function inspectTls(
  plain: SocketStream,
  identity: TlsIdentity | undefined,
  how: DialTls,
): Promise<TlsInspection> {
  const { remote } = plain;
  const { ca, cert, key } = identity?.material ?? {};
  const socket = connect({
    socket: plain.detach(),
    ...(ca === undefined ? {} : { ca, cert, key }),
    minVersion: "TLSv1",
    servername: how.serverName ?? "",
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  await settle(socket, "secureConnect", how.timeoutMs, (error) => error);
  const failed = socket.authorizationError;
  const code = typeof failed === "string" ? failed : (failed?.message ?? "");
  const reason = BY_CODE.get(code);
  const words = (reason === undefined ? undefined : WORDS[reason]) ?? code;
  const unknown = ca === undefined || code === "";
  return { secured: secured(socket, remote), verifyError: unknown ? undefined : words };
}
