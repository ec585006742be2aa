/** Certificates as an operator sees them: names, issuer, dates. Reading only. */
import { X509Certificate } from "node:crypto";

const DAY_MS = 86_400_000;

export interface CertificateInfo {
  /** RFC 4514 text, one line. */
  readonly subject: string;
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

export function describeCertificate(certificate: X509Certificate): CertificateInfo {
  const alternatives = (certificate.subjectAltName ?? "").split(", ");
  const withPrefix = (prefix: string): string[] =>
    alternatives.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length));
  return {
    subject: oneLine(certificate.subject),
    commonName: commonName(certificate.subject),
    issuer: oneLine(certificate.issuer),
    issuerCommonName: commonName(certificate.issuer),
    dnsNames: withPrefix("DNS:"),
    ipAddresses: withPrefix("IP Address:"),
    serial: certificate.serialNumber,
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    keyType: certificate.publicKey.asymmetricKeyType ?? "unknown",
    isCa: certificate.ca,
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

/** Every certificate of a PEM file, in order. @throws when one cannot be parsed */
export function parseCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  return (blocks ?? []).map((block) => new X509Certificate(block));
}

function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}

function commonName(name: string | undefined): string {
  return /^CN=(.*)$/m.exec(name ?? "")?.[1] ?? "";
}
