/**
 * TLS on a connection that is already open: a server learns from the first byte that it is wanted,
 * and a client says so with one. Both verify; what goes wrong becomes a reason that can be counted.
 *
 * @module
 */

import { constants } from "node:crypto";
import { isIP } from "node:net";
import { connect, createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { librarySuites } from "../config/cipher-suites.ts";
import type { TlsVersion } from "../config/config.ts";
import { SocketStream } from "../host/network.ts";
import { after } from "../host/timer.ts";
import { type CertificateInfo, parseCertificates } from "./certificate.ts";
import type { TlsMaterial } from "./material.ts";
import { describePeer, peerFault } from "./peer.ts";
import { classify, TlsError } from "./refusal.ts";
import { CertificatePool } from "./x509/verify.ts";

export interface TlsIdentity {
  readonly context: SecureContext;
  readonly material: TlsMaterial;
  /** Whoever is to be trusted. */
  readonly anchors: CertificatePool;
  readonly demand: ClientDemand;
  /** As the TLS library names them. */
  readonly minVersion: (typeof VERSIONS)[TlsVersion];
  readonly ciphers: string;
  readonly ecdhCurve: string;
}

/** Go's, in its order. P-521 is not the library's default: TLS 1.2 then has no such certificates. */
export const GROUPS = "X25519MLKEM768:X25519:P-256:P-384:P-521";

/**
 * How a server demands certificates of its clients. Within the handshake, the one who has none gets
 * the alert that says so; but then the library ends it by a verdict of its own, too, and there is a
 * little that Go takes and the library does not (a usage of `any`, two CAs of one name). So from the
 * first such certificate on, and at once if ours is of that kind, the demand comes after the
 * handshake.
 */
class ClientDemand {
  inHandshake: boolean;

  constructor(inHandshake: boolean) {
    this.inHandshake = inHandshake;
  }
}

/** A certificate and its key, ready for either side. @throws Error in the library's words */
export function createIdentity(
  material: TlsMaterial,
  minVersion: TlsVersion,
  cipherSuites: readonly string[],
): TlsIdentity {
  const { ca, cert, key } = material;
  const strength = {
    minVersion: VERSIONS[minVersion],
    ciphers: librarySuites(cipherSuites),
    ecdhCurve: GROUPS,
  };
  // A resumed session would be let in by what was checked once, whatever CA is trusted since.
  const secureOptions = constants.SSL_OP_NO_TICKET;
  const context = createSecureContext({
    ...{ ca, cert, key, secureOptions, ...strength },
    allowPartialTrustChain: true,
  });
  const anchors = new CertificatePool(parseCertificates(ca));
  const usages = parseCertificates(cert)[0]?.extendedUsages ?? [];
  const demand = new ClientDemand(!usages.includes("any"));
  return { context, material, anchors, demand, ...strength };
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
export async function acceptTls(
  plain: SocketStream,
  identity: TlsIdentity,
  how: { readonly requireClient: boolean; readonly timeoutMs: number },
): Promise<SecuredStream> {
  const { remote } = plain;
  const { demand, anchors } = identity;
  const inHandshake = how.requireClient && demand.inHandshake;
  const socket = new TLSSocket(plain.detach(), {
    isServer: true,
    requestCert: how.requireClient,
    rejectUnauthorized: inHandshake,
    secureContext: identity.context,
  });
  // What the library says of a certificate shall not end it unheard; without this it would.
  if (inHandshake) Object.assign(socket, { _rejectUnauthorized: false });
  const judge = (): TlsError | undefined => {
    if (!how.requireClient) return undefined;
    const fault = peerFault(socket, anchors, { nowMs: Date.now(), usage: "client" });
    if (fault !== undefined || socket.authorized || !inHandshake) return fault;
    demand.inHandshake = false;
    return new TlsError("other", "tls: a certificate of an unusual kind: dial again");
  };
  await settle(socket, "secure", how.timeoutMs, judge, (error) => error);
  return secured(socket, remote);
}

interface DialTls {
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
  const { serverName: host } = how;
  const socket = connect({
    socket: plain.detach(),
    ca,
    cert,
    key,
    minVersion: identity.minVersion,
    ciphers: identity.ciphers,
    ecdhCurve: identity.ecdhCurve,
    servername: host === undefined || isIP(host) !== 0 ? "" : host, // SNI has no addresses.
    rejectUnauthorized: false, // We do, by our own judgement.
  });
  const judge = (): TlsError | undefined =>
    peerFault(socket, identity.anchors, { nowMs: Date.now(), usage: "server", host });
  await settle(socket, "secureConnect", how.timeoutMs, judge, (error) => {
    if (error.reason !== "refused-by-peer") return error;
    return new TlsError(
      "refused-by-peer",
      "the peer closed the connection during the TLS handshake: it does not accept our " +
        `certificate "${certificate.commonName}" issued by "${certificate.issuerCommonName}"`,
    );
  });
  return secured(socket, remote);
}

/** @param judge what is wrong with the peer, asked when the handshake is done */
function settle(
  socket: TLSSocket,
  done: "secure" | "secureConnect",
  timeoutMs: number,
  judge: () => TlsError | undefined,
  explain: (error: TlsError) => TlsError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: TlsError): void => {
      cancel?.();
      socket.destroy();
      reject(explain(error));
    };
    const closed = (): void =>
      fail(new TlsError("refused-by-peer", "EOF during the TLS handshake"));
    const failed = (error: Error): void => fail(classify(error));
    const cancel =
      timeoutMs === 0
        ? undefined
        : after(timeoutMs, () => fail(new TlsError("timeout", "TLS handshake: i/o timeout")));
    socket.on("error", failed);
    socket.once("close", closed);
    socket.once(done, () => {
      cancel?.();
      socket.off("close", closed);
      // An error without a listener would end the process.
      socket.on("error", ignore);
      socket.off("error", failed);
      socket.pause();
      const fault = judge();
      if (fault === undefined) resolve();
      else fail(fault);
    });
  });
}

function ignore(): void {
  // The stream on it hears of it, too.
}

function secured(socket: TLSSocket, remote: SocketStream["remote"]): SecuredStream {
  return {
    stream: new SocketStream(socket, remote),
    peer: describePeer(socket),
    version: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher()?.standardName ?? "unknown",
  };
}

/** What a server shows of itself, verified or not; for looking, never for talking. */
interface TlsInspection {
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
    ecdhCurve: GROUPS,
    servername: how.serverName ?? "",
    rejectUnauthorized: false,
  });
  const accept = (): undefined => undefined;
  await settle(socket, "secureConnect", how.timeoutMs, accept, (error) => error);
  const options = { nowMs: Date.now(), usage: "server" } as const;
  const fault = identity && peerFault(socket, identity.anchors, options);
  return { secured: secured(socket, remote), verifyError: fault?.message };
}
