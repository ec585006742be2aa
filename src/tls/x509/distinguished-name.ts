/** Names of subjects and issuers, read as Go's crypto/x509 reads them. */
import { DerError, DerReader, Tag } from "./der.ts";

export interface DistinguishedName {
  /** The whole DER, hex: what issuers and subjects are compared by. */
  readonly key: string;
  /** The last one, if there are several, as in Go; "" if there is none. */
  readonly commonName: string;
  /** One line, in the order of the certificate: `C=US, O=Acme, CN=server.global.nomad`. */
  readonly text: string;
}

const COMMON_NAME = "2.5.4.3";
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  [COMMON_NAME, "CN"],
  ["2.5.4.4", "SN"],
  ["2.5.4.5", "serialNumber"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.9", "street"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["2.5.4.12", "title"],
  ["2.5.4.17", "postalCode"],
  ["2.5.4.42", "GN"],
  ["0.9.2342.19200300.100.1.1", "UID"],
  ["0.9.2342.19200300.100.1.25", "DC"],
  ["1.2.840.113549.1.9.1", "emailAddress"],
]);

/** @throws DerError */
export function readName(reader: DerReader, what: string): DistinguishedName {
  const { whole, content } = reader.element(Tag.sequence, what);
  const parts: string[] = [];
  let commonName = "";
  const names = new DerReader(content);
  while (!names.isAtEnd) {
    const set = names.inside(Tag.set, what);
    while (!set.isAtEnd) {
      const attribute = set.inside(Tag.sequence, what);
      const type = attribute.objectId(what);
      const { tag, content: bytes } = attribute.any();
      const value = readText(tag, bytes);
      if (type === COMMON_NAME) commonName = value;
      parts.push(`${SHORT_NAMES.get(type) ?? type}=${onOneLine(value)}`);
    }
  }
  return { key: whole.toHex(), commonName, text: parts.join(", ") };
}

const StringTag = {
  utf8: 0x0c,
  numeric: 0x12,
  printable: 0x13,
  t61: 0x14,
  ia5: 0x16,
  bmp: 0x1e,
} as const;

const PRINTABLE = /^[A-Za-z0-9'()+,\-./ :=?*&]*$/;
const NUMERIC = /^[0-9 ]*$/;
const IA5 = /^[\x00-\x7f]*$/;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readText(tag: number, bytes: Uint8Array): string {
  switch (tag) {
    case StringTag.utf8:
      return readUtf8(bytes);
    case StringTag.t61:
      return latin1(bytes); // What everybody takes T.61 for.
    case StringTag.printable:
      return matching(latin1(bytes), PRINTABLE);
    case StringTag.numeric:
      return matching(latin1(bytes), NUMERIC);
    case StringTag.ia5:
      return readIa5(bytes);
    case StringTag.bmp:
      return readBmp(bytes);
    default:
      throw new DerError(`malformed name: no text has the tag ${tag}`);
  }
}

/** ASCII, or it is no name at all. */
export function readIa5(bytes: Uint8Array): string {
  return matching(latin1(bytes), IA5);
}

function readUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new DerError("malformed name: invalid UTF-8");
  }
}

/** Two bytes a character; surrogates and what will never be a character are refused. */
function readBmp(bytes: Uint8Array): string {
  const units: number[] = [];
  for (let i = 0; i < bytes.length; i += 2) {
    units.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  }
  if (units.at(-1) === 0) units.pop();
  const isNone = (unit: number): boolean =>
    unit >= 0xfffe || (unit >= 0xfdd0 && unit <= 0xfdef) || (unit >= 0xd800 && unit <= 0xdfff);
  if (bytes.length % 2 === 1 || units.some(isNone)) throw new DerError("malformed name: BMPString");
  return units.map((unit) => String.fromCharCode(unit)).join("");
}

function matching(text: string, form: RegExp): string {
  if (!form.test(text)) throw new DerError("malformed name: a character that its type lacks");
  return text;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** RFC 4514's escapes, and no control characters. */
function onOneLine(text: string): string {
  return fitToPrint(text.replaceAll(/[,+"\\<>;]/g, "\\$&"));
}

/** What a certificate says goes to terminals and logs. */
export function fitToPrint(text: string): string {
  return text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (one) => {
    const hex = one.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex}` : `\\x${hex.padStart(2, "0")}`;
  });
}
