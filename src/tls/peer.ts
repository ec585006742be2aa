/** The certificate at the other end of a connection, and whether it is good. */
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { type CertificateInfo, describeCertificate } from "./certificate.ts";
import { refused, refusedCertificate, TlsError } from "./refusal.ts";
import { parseCertificate, type X509 } from "./x509/certificate.ts";
import { type CertificatePool, type VerifyOptions, verifyChain } from "./x509/verify.ts";

/** Of one peer; anybody can send more. */
const CHAIN_LENGTH_MAX = 16;

/** A certificate that was good for something, and between which times it is. */
interface Known {
  readonly certificate: X509;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** By authorities, then by certificate, use and name: most handshakes are of somebody known. */
const good = new WeakMap<CertificatePool, Map<string, Known>>();
const GOOD_MAX = 512;

/**
 * Decided here and not by the TLS library, so that we take and refuse what Go's peers do.
 *
 * @param options `nowMs` and the rest of what it has to be good for
 * @returns undefined: it is good
 */
export function peerFault(
  socket: TLSSocket,
  anchors: CertificatePool,
  options: VerifyOptions,
): TlsError | undefined {
  const shown = socket.getPeerCertificate();
  const use = `${shown?.fingerprint256} ${options.usage} ${options.host ?? ""}`;
  const before = good.get(anchors)?.get(use);
  if (before !== undefined && before.fromMs <= options.nowMs && options.nowMs <= before.untilMs) {
    chains.set(socket, [before.certificate]);
    return undefined;
  }
  const sent = peerChain(socket);
  if (sent instanceof TlsError) return sent;
  const [certificate, ...others] = sent;
  if (certificate === undefined) return refused("no-certificate");
  const { fault, chain } = verifyChain(certificate, others, anchors, options);
  if (chain === undefined) return refusedCertificate(fault);
  remember(anchors, use, {
    certificate,
    fromMs: Math.max(...chain.map(({ notBeforeMs }) => notBeforeMs)),
    untilMs: Math.min(...chain.map(({ notAfterMs }) => notAfterMs)),
  });
  return undefined;
}

function remember(anchors: CertificatePool, use: string, known: Known): void {
  if (known.certificate.der.length > KNOWN_BYTES_MAX) return;
  const uses = good.get(anchors) ?? new Map<string, Known>();
  if (uses.size >= GOOD_MAX) uses.clear();
  uses.set(use, known);
  good.set(anchors, uses);
}

/** Undefined: it showed none, or none that can be read. */
export function describePeer(socket: TLSSocket): CertificateInfo | undefined {
  const chain = peerChain(socket);
  const certificate = chain instanceof TlsError ? undefined : chain[0];
  return certificate === undefined ? undefined : describeCertificate(certificate);
}

const chains = new WeakMap<TLSSocket, readonly X509[] | TlsError>();

/** What the peer sent: its own certificate first. */
function peerChain(socket: TLSSocket): readonly X509[] | TlsError {
  const read = chains.get(socket) ?? readChain(socket);
  chains.set(socket, read);
  return read;
}

function readChain(socket: TLSSocket): readonly X509[] | TlsError {
  const chain: X509[] = [];
  const seen = new Set<string>();
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (hasBytes(next) && !seen.has(next.fingerprint256) && seen.size < CHAIN_LENGTH_MAX) {
    seen.add(next.fingerprint256);
    const parsed = parsed256(next);
    if (typeof parsed === "string") {
      return new TlsError("bad-certificate", `tls: failed to parse certificate: x509: ${parsed}`);
    }
    chain.push(parsed);
    next = next.issuerCertificate;
  }
  return chain;
}

function hasBytes(peer: DetailedPeerCertificate | undefined): peer is DetailedPeerCertificate {
  const raw: unknown = peer?.raw;
  return raw instanceof Uint8Array && raw.length > 0;
}

/** By fingerprint: the same few come again and again. */
const known = new Map<string, X509>();
const KNOWN_MAX = 512;
const KNOWN_BYTES_MAX = 8192;

/** @returns the certificate, or why it is none */
function parsed256(peer: DetailedPeerCertificate): X509 | string {
  const before = known.get(peer.fingerprint256);
  if (before !== undefined) return before;
  const { certificate, error } = parseCertificate(new Uint8Array(peer.raw));
  if (certificate === undefined) return error;
  if (known.size >= KNOWN_MAX) known.clear();
  if (peer.raw.length <= KNOWN_BYTES_MAX) known.set(peer.fingerprint256, certificate);
  return certificate;
}
