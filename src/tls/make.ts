/**
 * Making certificates, as `nomad tls` makes them (ECDSA P-256, the same extensions). Loaded only by
 * the commands that make some: @peculiar/x509 takes its time.
 *
 * @module
 */
import "reflect-metadata";
import { createPrivateKey } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
const SERIAL_BYTES = 16;

/** PEM texts. */
export interface MadeCertificate {
  readonly certificate: string;
  /** SEC1, without a password. */
  readonly key: string;
}

interface CaSubject {
  readonly commonName: string;
  readonly country: string;
  readonly province: string;
  readonly locality: string;
  readonly streetAddress: string;
  readonly postalCode: string;
  readonly organization: string;
  readonly organizationalUnit: string;
}

/** @param permittedDomains name constraint: the CA can sign for nothing else; empty: none */
export async function makeAuthority(
  subject: CaSubject,
  days: number,
  permittedDomains: readonly string[],
): Promise<MadeCertificate> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const serial = randomSerial();
  const keyId = await keyIdentifier(keys.publicKey);
  const { keyCertSign, cRLSign, digitalSignature } = KeyUsageFlags;
  const extensions: Extension[] = [
    new KeyUsagesExtension(digitalSignature | keyCertSign | cRLSign, true),
    new BasicConstraintsExtension(true, undefined, true),
    new SubjectKeyIdentifierExtension(keyId),
    new AuthorityKeyIdentifierExtension(keyId),
  ];
  if (permittedDomains.length > 0) extensions.push(nameConstraints(permittedDomains));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial,
    name: distinguishedName(subject, BigInt(`0x${serial}`)),
    ...validity(days),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions,
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

interface LeafRequest {
  readonly commonName: string;
  /** In order; the common name is not added by itself. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly days: number;
  /** Order of the extended key usages, as `nomad tls` has it for each role. */
  readonly usages: readonly ("server" | "client")[];
}

/** @throws Error when the CA's PEM texts cannot be used */
export async function makeLeaf(
  authority: MadeCertificate,
  leaf: LeafRequest,
): Promise<MadeCertificate> {
  const issuer = new X509Certificate(authority.certificate);
  const signingKey = await importKey(authority.key);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const issuerKey = await issuer.publicKey.export();
  const alternatives = [
    ...leaf.dnsNames.map((value) => ({ type: "dns", value }) as const),
    ...leaf.ipAddresses.map((value) => ({ type: "ip", value }) as const),
  ];
  const usages = leaf.usages.map((usage) =>
    usage === "server" ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
  );
  const { digitalSignature, keyEncipherment } = KeyUsageFlags;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: [{ CN: [leaf.commonName] }],
    issuer: issuer.subjectName,
    ...validity(leaf.days),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new KeyUsagesExtension(digitalSignature | keyEncipherment, true),
      new ExtendedKeyUsageExtension(usages),
      new BasicConstraintsExtension(false, undefined, true),
      new SubjectKeyIdentifierExtension(await keyIdentifier(keys.publicKey)),
      new AuthorityKeyIdentifierExtension(await keyIdentifier(issuerKey)),
      new SubjectAlternativeNameExtension(alternatives),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now), notAfter: new Date(now + days * DAY_MS) };
}

/** Positive, and never shorter than it should be. */
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toHex();
}

/** SHA-256 of the public key, 32 bytes, as `nomad tls` writes it. */
async function keyIdentifier(key: CryptoKey): Promise<string> {
  const spki = await crypto.subtle.exportKey("spki", key);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", spki)).toHex();
}

function distinguishedName(subject: CaSubject, serial: bigint): JsonName {
  const parts: readonly (readonly [string, string])[] = [
    ["C", subject.country],
    ["ST", subject.province],
    ["L", subject.locality],
    ["2.5.4.9", subject.streetAddress],
    ["2.5.4.17", subject.postalCode],
    ["O", subject.organization],
    ["OU", subject.organizationalUnit],
    ["CN", `${subject.commonName} ${serial}`],
  ];
  return parts.filter(([, value]) => value !== "").map(([type, value]) => ({ [type]: [value] }));
}

/** RFC 5280 §4.2.1.10: [0] permittedSubtrees of dNSName [2]; critical. */
function nameConstraints(domains: readonly string[]): Extension {
  const subtrees = domains.map((domain) => der(0x30, der(0x82, new TextEncoder().encode(domain))));
  return new Extension("2.5.29.30", true, der(0x30, der(0xa0, ...subtrees)));
}

/** One DER value of less than 64 KiB. */
function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = contents.reduce((sum, one) => sum + one.length, 0);
  const header =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  const out = new Uint8Array(header.length + length);
  out.set(header);
  let at = header.length;
  for (const one of contents) {
    out.set(one, at);
    at += one.length;
  }
  return out;
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString("pem").trim()}\n`;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key));
  const exported = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  return exported.export({ type: "sec1", format: "pem" }).toString();
}

async function importKey(text: string): Promise<CryptoKey> {
  const pkcs8 = createPrivateKey(text).export({ type: "pkcs8", format: "der" });
  return crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), ALGORITHM, false, ["sign"]);
}
