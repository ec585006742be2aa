/** `nomad tls ca info` and `nomad tls cert info`: what a certificate file says, Nomad's rows. */
import { readText } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import {
  type CertificateInfo,
  describeCertificate,
  parseCertificates,
} from "../tls/certificate.ts";
import { formatTable } from "./columns.ts";
import { CommandError, print } from "./output.ts";

export function caInfo(file: string): void {
  const info = readCertificate(file);
  print(formatTable([...commonRows(info), ["CA", String(info.isCa)]]));
}

export function certInfo(file: string): void {
  const info = readCertificate(file);
  const rows = [
    ["DNS Names", `[${info.dnsNames.join(" ")}]`],
    ["IP Addresses", `[${info.ipAddresses.join(" ")}]`],
  ];
  print(formatTable([...commonRows(info), ...rows]));
}

function commonRows(info: CertificateInfo): string[][] {
  const expiry = new Date(info.notAfterMs).toISOString().replace("T", " ").replace(/\..*/, "");
  return [
    ["Serial Number", BigInt(`0x${info.serial}`).toString()],
    ["Issuer CN", info.issuerCommonName],
    ["Common Name", info.subject],
    ["Expiry Date", `${expiry} +0000 UTC`],
    ["SHA-256", info.fingerprint],
  ];
}

function readCertificate(file: string): CertificateInfo {
  let pem: string;
  try {
    pem = readText(file);
  } catch (error) {
    const why = describeErrno(error);
    throw new CommandError(`Error reading the certificate: open ${file}: ${why}`);
  }
  try {
    const [first] = parseCertificates(pem);
    if (first !== undefined) return describeCertificate(first);
  } catch {
    // Said below.
  }
  throw new CommandError(`Error reading the certificate: ${file} holds no PEM certificate`);
}
