/** Certificates as an operator sees them: names, issuer, dates. Reading only. */
import { formatIp } from "../host/ip.ts";
import { parseCertificate, type X509 } from "./x509/certificate.ts";
import { fitToPrint } from "./x509/distinguished-name.ts";
import { readPem } from "./x509/pem.ts";

const DAY_MS = 86_400_000;

export interface CertificateInfo {
  /** One line: `C=US, O=Acme, CN=server.global.nomad`. */
  readonly subject: string;
  /** Of several the last, as in Go. */
  readonly commonName: string;
  readonly issuer: string;
  readonly issuerCommonName: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256, hex, of the whole certificate. */
  readonly fingerprint: string;
  readonly keyType: string;
  readonly isCa: boolean;
}

const described = new WeakMap<X509, CertificateInfo>();

export function describeCertificate(certificate: X509): CertificateInfo {
  const info = described.get(certificate) ?? describe(certificate);
  described.set(certificate, info);
  return info;
}

function describe(certificate: X509): CertificateInfo {
  const { subject, issuer, names, notBeforeMs, notAfterMs, fingerprint } = certificate;
  return {
    subject: subject.text,
    commonName: fitToPrint(subject.commonName),
    issuer: issuer.text,
    issuerCommonName: fitToPrint(issuer.commonName),
    dnsNames: names.dnsNames.map(fitToPrint),
    ipAddresses: names.ips.map(formatIp),
    serial: certificate.serial.toUpperCase(),
    notBeforeMs,
    notAfterMs,
    fingerprint,
    keyType: certificate.publicKey.type,
    isCa: certificate.constraints?.isCa === true,
  };
}

/** DNS names, and the common name: Go's TLS no longer looks there, but Nomad's role check does. */
export function certificateNames(info: CertificateInfo): readonly string[] {
  return [...new Set([info.commonName, ...info.dnsNames])].filter((name) => name !== "");
}

/** Whole days, rounded down; negative when it has expired. */
export function daysLeft(info: CertificateInfo, nowMs: number): number {
  return Math.floor((info.notAfterMs - nowMs) / DAY_MS);
}

/** The certificates of a PEM file, in order; what cannot be parsed is passed over, as in Go. */
export function parseCertificates(pem: string): readonly X509[] {
  return readPem(pem).blocks.flatMap(({ type, hasHeaders, bytes }) => {
    if (type !== "CERTIFICATE" || hasHeaders) return [];
    return parseCertificate(bytes).certificate ?? [];
  });
}
