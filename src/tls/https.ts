/** Connections of the command line to an HTTPS port, judged before anything is sent. */

import { isIP, type Socket } from "node:net";
import { connect, rootCertificates, type TLSSocket } from "node:tls";
import { readText } from "../host/files.ts";
import { after } from "../host/timer.ts";
import { parseCertificates } from "./certificate.ts";
import { GROUPS } from "./handshake.ts";
import { peerFault } from "./peer.ts";
import { TlsError } from "./refusal.ts";
import type { X509 } from "./x509/certificate.ts";
import { CertificatePool } from "./x509/verify.ts";

interface DialHttps {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** What the certificate has to be for; default: the host. */
  readonly serverName: string | undefined;
  /** Whom to trust; undefined: whom this machine trusts. */
  readonly authorities: readonly X509[] | undefined;
  /** Take any certificate. */
  readonly skipVerify: boolean;
  /** PEM texts. */
  readonly pair: { readonly cert: string; readonly key: string } | undefined;
  readonly timeoutMs: number;
  /** What leads there already; undefined: host and port are dialled. */
  readonly through?: Socket | undefined;
}

/** @throws TlsError, or Error with a code of the network or of the TLS library */
export function dialHttps(how: DialHttps): Promise<TLSSocket> {
  const { host, port, pair, skipVerify, timeoutMs, through } = how;
  const name = how.serverName ?? host;
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...(through === undefined ? { host, port } : { socket: through }),
      ...{ minVersion: "TLSv1.2", rejectUnauthorized: false, ecdhCurve: GROUPS },
      servername: isIP(name) === 0 ? name : "",
      ...pair,
    });
    const fail = (error: Error): void => {
      cancel();
      socket.destroy();
      reject(error);
    };
    const late = new TlsError("timeout", "TLS handshake timeout");
    const cancel = after(timeoutMs, () => fail(late));
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      cancel();
      const fault = skipVerify ? undefined : faultOf(socket, name, how.authorities);
      if (fault !== undefined) return fail(fault);
      // Until somebody else listens: an error without a listener would end the process.
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

function faultOf(
  socket: TLSSocket,
  host: string,
  authorities: readonly X509[] | undefined,
): TlsError | undefined {
  const anchors = new CertificatePool(authorities ?? machineAuthorities());
  return peerFault(socket, anchors, { nowMs: Date.now(), usage: "server", host });
}

/** Where Linux distributions keep them, in Go's order. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** SSL_CERT_FILE, the first bundle that is there, or what the runtime brings along. */
function machineAuthorities(): readonly X509[] {
  const named = process.env["SSL_CERT_FILE"];
  for (const path of named ? [named] : BUNDLES) {
    try {
      return parseCertificates(readText(path));
    } catch {
      // The next one.
    }
  }
  return parseCertificates(rootCertificates.join("\n"));
}
