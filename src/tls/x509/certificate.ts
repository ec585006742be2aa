/**
 * X.509 certificates, read as strictly and as leniently as Go's crypto/x509 reads them: what it
 * would not parse is refused here, too, and what it does not look at is not looked at.
 *
 * @module
 */
import { sha256 } from "../../host/digest.ts";
import { DerError, DerReader, readTime, Tag } from "./der.ts";
import { type DistinguishedName, readName } from "./distinguished-name.ts";
import { type Extensions, readExtensions } from "./extensions.ts";
import { type Algorithm, type PublicKey, readAlgorithm, readPublicKey } from "./public-key.ts";

export interface X509 extends Extensions {
  readonly der: Uint8Array;
  /** SHA-256 of the whole, hex. */
  readonly fingerprint: string;
  readonly version: 1 | 2 | 3;
  /** Hex, without the sign's zero byte. */
  readonly serial: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: PublicKey;
  /** Subject, key and alternative names: the same in all cross-signed forms of a certificate. */
  readonly identity: string;
  /** The bytes that are signed. */
  readonly signed: Uint8Array;
  readonly algorithm: Algorithm;
  readonly signature: Uint8Array;
}

type ParsedCertificate =
  | { readonly certificate: X509; readonly error: undefined }
  | { readonly certificate: undefined; readonly error: string };

/** Never throws: the bytes may come from anybody. */
export function parseCertificate(der: Uint8Array): ParsedCertificate {
  try {
    return { certificate: read(der), error: undefined };
  } catch (error) {
    if (error instanceof DerError) return { certificate: undefined, error: error.message };
    throw error;
  }
}

const Context = { version: 0xa0, issuerId: 0x81, subjectId: 0x82, extensions: 0xa3 } as const;

function read(der: Uint8Array): X509 {
  const outer = new DerReader(der);
  const all = outer.inside(Tag.sequence, "certificate");
  if (!outer.isAtEnd) throw new DerError("trailing data");
  const { whole: signed, content } = all.element(Tag.sequence, "tbs certificate");
  const outerAlgorithm = all.content(Tag.sequence, "algorithm identifier");
  const signature = all.bitString("signature");
  const fields = new DerReader(content);
  const version = readVersion(fields);
  const serial = fields.integer("serial number");
  if (((serial[0] ?? 0) & 0x80) !== 0) throw new DerError("negative serial number");
  const algorithm = fields.content(Tag.sequence, "signature algorithm identifier");
  if (algorithm.toHex() !== outerAlgorithm.toHex()) {
    throw new DerError("inner and outer signature algorithm identifiers don't match");
  }
  const issuer = readName(fields, "issuer");
  const validity = fields.inside(Tag.sequence, "validity");
  const [notBeforeMs, notAfterMs] = [readTime(validity), readTime(validity)];
  const subject = readName(fields, "subject");
  const publicKey = readPublicKey(fields);
  if (version > 1) {
    fields.optional(Context.issuerId);
    fields.optional(Context.subjectId);
  }
  const extensions = version === 3 ? fields.optional(Context.extensions) : undefined;
  const more = readExtensions(extensions?.content);
  const identity = [publicKey.spki, more.rawNames ?? new Uint8Array()].map((one) => one.toHex());
  return {
    der,
    fingerprint: sha256(der).toHex(),
    version,
    serial: serial.toHex().replace(/^00(?=.)/, ""),
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    publicKey,
    identity: [subject.key, ...identity].join(),
    signed,
    algorithm: readAlgorithm(algorithm),
    signature: signature.bytes,
    ...more,
  };
}

function readVersion(fields: DerReader): X509["version"] {
  const tagged = fields.optional(Context.version);
  if (tagged === undefined) return 1;
  const version = new DerReader(tagged.content).count("version") + 1;
  if (version !== 1 && version !== 2 && version !== 3) throw new DerError("invalid version");
  return version;
}
