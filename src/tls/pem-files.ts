/**
 * The three files of the `tls` block: what is in them, and what is wrong with each by itself. Read as
 * Go reads them: text around the blocks does not matter, what cannot be parsed among authorities is
 * passed over (with a warning), and the key is the first block that says it is one.
 *
 * @module
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { parseCertificate, type X509 } from "./x509/certificate.ts";
import { type PemFile, readPem } from "./x509/pem.ts";

/** What is in a file, and sentences about the rest of it. */
export interface Read<Content> {
  readonly content: Content;
  readonly faults: readonly string[];
}

const CERTIFICATE = "CERTIFICATE";
const BYTE_ORDER_MARK = "\ufeff";

/** Every certificate that can be parsed is an authority; a fault for each that cannot. */
export function readAuthorities(text: string): Read<readonly X509[]> {
  const pem = readPem(text);
  const faults = lostFaults(pem, text);
  const content: X509[] = [];
  for (const { type, hasHeaders, bytes, line } of pem.blocks) {
    if (type !== CERTIFICATE || hasHeaders) {
      faults.push(`the block "${type}" in line ${line} is no certificate`);
      continue;
    }
    const { certificate, error } = parseCertificate(bytes);
    if (certificate !== undefined) content.push(certificate);
    else faults.push(`the certificate in line ${line} cannot be parsed: x509: ${error}`);
  }
  return { content, faults: content.length + faults.length > 0 ? faults : [noPem(text)] };
}

/** A certificate and what it brings along; any fault makes it useless. */
export function readChain(text: string): Read<readonly X509[]> {
  const pem = readPem(text);
  const faults = lostFaults(pem, text);
  const content: X509[] = [];
  for (const { type, bytes, line } of pem.blocks) {
    if (type !== CERTIFICATE) continue;
    const { certificate, error } = parseCertificate(bytes);
    if (certificate !== undefined) content.push(certificate);
    else faults.push(`the certificate in line ${line} cannot be parsed: x509: ${error}`);
  }
  if (content.length + faults.length > 0) return { content, faults };
  const types = pem.blocks.map(({ type }) => type);
  if (types.length === 0) return { content, faults: [noPem(text)] };
  const switched = types.some(isKey) ? "; it and key_file may have been switched" : "";
  return { content, faults: [`it holds no certificate, but: ${types.join(", ")}${switched}`] };
}

export interface PrivateKey {
  readonly key: KeyObject;
  readonly type: string;
  readonly der: Uint8Array;
}

export function readPrivateKey(text: string): Read<PrivateKey | undefined> {
  const pem = readPem(text);
  const block = pem.blocks.find(({ type }) => isKey(type));
  if (block === undefined) {
    const types = pem.blocks.map(({ type }) => type).join(", ");
    const fault = types === "" ? noPem(text) : `it holds no private key, but: ${types}`;
    return { content: undefined, faults: [...lostFaults(pem, text), fault].slice(0, 1) };
  }
  if (block.hasHeaders || block.type.startsWith("ENCRYPTED ")) {
    return { content: undefined, faults: ["the key has a password"] };
  }
  const key = parseKey(block.bytes);
  if (key === undefined) return { content: undefined, faults: ["the key cannot be parsed"] };
  return { content: { key, type: block.type, der: block.bytes }, faults: [] };
}

/** Tools disagree on the words in front of a key: all forms are tried, as Go does. */
function parseKey(der: Uint8Array): KeyObject | undefined {
  for (const type of ["pkcs1", "pkcs8", "sec1"] as const) {
    try {
      return createPrivateKey({ key: Buffer.from(der), format: "der", type });
    } catch {
      // The next one.
    }
  }
  return undefined;
}

function isKey(type: string): boolean {
  return type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY");
}

function lostFaults({ lost }: PemFile, text: string): string[] {
  return lost.map((line) => {
    const marked = line === 1 && text.startsWith(BYTE_ORDER_MARK);
    const why = marked
      ? "a byte order mark stands in front of it: save the file as UTF-8 without one"
      : "it must begin and end with lines of its own, with nothing but base64 between them";
    return `the block in line ${line} is not read: ${why}`;
  });
}

function noPem(text: string): string {
  if (text.trim() === "") return "the file is empty";
  const isDer = text.startsWith("0") && /\p{Cc}/u.test(text.slice(1, 4));
  return isDer
    ? "it is DER, not PEM: convert it with `openssl x509 -inform der`"
    : "there is no PEM in it (-----BEGIN ...)";
}
