/**
 * Will our peers take our certificate? Judged as they will, by the authorities that we know: as a
 * server's and as a client's, for the name that they dial, for the role that they read in it.
 *
 * @module
 */
import { createPublicKey } from "node:crypto";
import { certificateNames, describeCertificate } from "./certificate.ts";
import type { PrivateKey } from "./pem-files.ts";
import type { X509 } from "./x509/certificate.ts";
import { hasBit } from "./x509/der.ts";
import { fitToPrint } from "./x509/distinguished-name.ts";
import { KeyUsageBit } from "./x509/extensions.ts";
import { isNameOf, isSameName } from "./x509/host-name.ts";
import { CertificatePool, type VerifyFault, verifyCertificate } from "./x509/verify.ts";

/** One sentence for the operator, and what to do. */
interface Fault {
  readonly message: string;
  readonly help: string;
}

const RSA_BITS_MIN = 1024;
const RSA_BITS_MAX = 8192;
const CURVES = ["P-256", "P-384", "P-521"];
const NEW_ONE = "have the CA issue a new certificate (`nomad tls cert create`)";

/** What keeps the certificate from being used in a handshake at all. */
export function keyFault(certificate: X509): Fault | undefined {
  const { publicKey, keyUsage } = certificate;
  const { type, curve = "", bits } = publicKey;
  const help = "make a key on P-256 (`nomad tls cert create` does), or RSA of 2048 bits";
  if (type === "ec" && !CURVES.includes(curve)) {
    const message = `unsupported certificate curve (${curve}): TLS has no signatures for it`;
    return { message, help };
  }
  if (type === "rsa" && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)) {
    const bounds = `${RSA_BITS_MIN} to ${RSA_BITS_MAX}`;
    return { message: `an RSA key of ${bits} bits: peers take ${bounds}`, help };
  }
  if (type === "unknown") return { message: "unknown public key algorithm", help };
  if (keyUsage === undefined || hasBit(keyUsage, KeyUsageBit.digitalSignature)) return undefined;
  return {
    message:
      "its keyUsage lacks digitalSignature, which is what the key does in a TLS handshake " +
      "(Go's TLS does not look, the one of this agent does)",
    help: `${NEW_ONE} with keyUsage = digitalSignature, or without keyUsage`,
  };
}

/** Is it the key of this certificate? */
export function isPair(certificate: X509, { key }: PrivateKey): boolean {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return spki.toHex() === certificate.publicKey.spki.toHex();
}

/** What the certificate is needed for. */
interface Expectation {
  readonly region: string;
  readonly isServer: boolean;
  readonly rpc: boolean;
  readonly http: boolean;
  readonly verifyServerHostname: boolean;
}

interface Use {
  readonly usage: "server" | "client";
  readonly host?: string | undefined;
}

function usesOf({ region, isServer, rpc, http, verifyServerHostname }: Expectation): Use[] {
  const uses: Use[] = [];
  const host = verifyServerHostname ? serverNameOf(region) : undefined;
  if (rpc && isServer) uses.push({ usage: "server", host });
  else if (http) uses.push({ usage: "server" });
  if (rpc) uses.push({ usage: "client" });
  return uses;
}

function serverNameOf(region: string): string {
  return `server.${region}.nomad`;
}

/**
 * What a peer would say that trusts these authorities.
 *
 * @param chain the certificate first
 */
export function peersFaults(
  chain: readonly X509[],
  authorities: readonly X509[],
  expected: Expectation,
  nowMs: number,
): readonly Fault[] {
  const [certificate, ...others] = chain;
  if (certificate === undefined) return [];
  const anchors = new CertificatePool(authorities);
  const found = usesOf(expected).flatMap((use): Fault[] => {
    const fault = verifyCertificate(certificate, others, anchors, { nowMs, ...use });
    return fault === undefined ? [] : [explain(fault, use, certificate, authorities, expected)];
  });
  const role = found.length === 0 ? roleFault(certificate, expected) : undefined;
  const all = role === undefined ? found : [role];
  // Of one kind of fault, both uses say the same.
  return all.filter(({ message }, at) => all.findIndex((one) => one.message === message) === at);
}

function explain(
  fault: VerifyFault,
  { usage, host }: Use,
  certificate: X509,
  authorities: readonly X509[],
  expected: Expectation,
): Fault {
  const { kind, message, candidate } = fault;
  const isOurs = fault.certificate === certificate;
  const culprit = nameOf(fault.certificate);
  if (kind === "unknown-authority") {
    const held = authorities.map(nameOf).join(", ");
    const issuer = fitToPrint(certificate.issuer.commonName) || certificate.issuer.text;
    const why =
      candidate === undefined ? `while it holds "${held}"` : issuerFault(candidate, authorities);
    return {
      message: `is not signed by ca_file: issued by "${issuer}", ${why}`,
      help: "use the CA that issued the certificate, or have this CA issue one",
    };
  }
  if (kind === "usage") {
    const purpose = usage === "server" ? "serverAuth" : "clientAuth";
    const whose = isOurs ? "its extendedKeyUsage" : `the extendedKeyUsage of its CA "${culprit}"`;
    const both = expected.rpc && expected.isServer ? ": servers also dial each other" : "";
    return {
      message: `cannot be used as a ${usage}'s: ${whose} lacks ${purpose}${both}`,
      help: `${NEW_ONE} for serverAuth and clientAuth`,
    };
  }
  if (kind === "wrong-name" && host !== undefined) {
    return {
      message: `lacks the name ${host} while verify_server_hostname is on: x509: ${message}`,
      help: `make one with \`nomad tls cert create -server -region ${expected.region}\``,
    };
  }
  const where = isOurs ? "" : ` (of "${culprit}" in its chain)`;
  return { message: `is refused by every peer: x509: ${message}${where}`, help: NEW_ONE };
}

/** Somebody bears the issuer's name, and yet it is not the issuer. */
function issuerFault(
  { certificate, why }: NonNullable<VerifyFault["candidate"]>,
  authorities: readonly X509[],
): string {
  const where = authorities.includes(certificate) ? "in it" : "in the chain";
  const name = nameOf(certificate);
  if (why === "verification failure") {
    return `while the "${name}" ${where} has another key: it is another CA of the same name`;
  }
  return `and the "${name}" ${where} cannot have done that: ${why}`;
}

function nameOf({ subject, serial }: X509): string {
  return fitToPrint(subject.commonName) || subject.text || `serial ${serial}`;
}

/** The role is read letter by letter, in the common name as well; wildcards mean nothing there. */
function roleFault(certificate: X509, expected: Expectation): Fault | undefined {
  const { rpc, verifyServerHostname, isServer, region } = expected;
  if (!rpc || !verifyServerHostname) return undefined;
  const role = isServer ? "server" : "client";
  const wanted = `${role}.${region}.nomad`;
  const names = certificateNames(describeCertificate(certificate));
  if (names.some((name) => isSameName(name, wanted))) return undefined;
  const wild = names.some((name) => isNameOf(name, wanted));
  const why = wild ? " (peers take no wildcard for a role)" : "";
  return {
    message:
      `lacks the name ${wanted} while verify_server_hostname is on: ` +
      `it is valid for ${names.join(", ")}${why}`,
    help: `make one with \`nomad tls cert create -${role} -region ${region}\``,
  };
}
