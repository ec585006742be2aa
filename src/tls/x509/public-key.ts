/** Public keys and signatures of certificates: which of them Go takes, and checking one. */
import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import { DerError, DerReader, Tag } from "./der.ts";

export interface PublicKey {
  /** "unknown": an algorithm that Go cannot verify with; nothing can be issued by it. */
  readonly type: "rsa" | "ec" | "ed25519" | "unknown";
  /** Of an elliptic curve key: `P-256`. */
  readonly curve: string | undefined;
  /** Of the modulus, of an RSA key. */
  readonly bits: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

const RSA = "1.2.840.113549.1.1.1";
const EC = "1.2.840.10045.2.1";
const ED25519 = "1.3.101.112";
const CURVES: ReadonlyMap<string, readonly [name: string, pointBytes: number]> = new Map([
  ["1.3.132.0.33", ["P-224", 57]],
  ["1.2.840.10045.3.1.7", ["P-256", 65]],
  ["1.3.132.0.34", ["P-384", 97]],
  ["1.3.132.0.35", ["P-521", 133]],
]);
const UNCOMPRESSED = 4;
const NULL = "0500";
const ED25519_KEY_BYTES = 32;

/** @throws DerError where Go does not parse the certificate */
export function readPublicKey(reader: DerReader): PublicKey {
  const { whole: spki, content } = reader.element(Tag.sequence, "public key");
  const fields = new DerReader(content);
  const algorithm = readAlgorithm(fields.content(Tag.sequence, "public key algorithm"));
  const { bytes } = fields.bitString("public key");
  const key = { type: "unknown", curve: undefined, bits: 0, spki } as const;
  if (algorithm.id === RSA) {
    if (algorithm.parameters.toHex() !== NULL) {
      throw new DerError("RSA key missing NULL parameters");
    }
    const numbers = new DerReader(bytes).inside(Tag.sequence, "RSA public key");
    const modulus = numbers.integer("RSA modulus");
    const exponent = numbers.integer("RSA public exponent");
    if (!isPositive(modulus) || !isPositive(exponent)) throw new DerError("invalid RSA key");
    return { ...key, type: "rsa", bits: bitLength(modulus) };
  }
  if (algorithm.id === EC) {
    if ((algorithm.parameters[0] ?? 0) !== Tag.objectId) {
      throw new DerError("invalid ECDSA parameters");
    }
    const curve = CURVES.get(new DerReader(algorithm.parameters).objectId("curve"));
    if (curve === undefined) throw new DerError("unsupported elliptic curve");
    const [name, pointBytes] = curve;
    if (bytes.length !== pointBytes || bytes[0] !== UNCOMPRESSED) {
      throw new DerError("invalid point of an elliptic curve");
    }
    return { ...key, type: "ec", curve: name };
  }
  if (algorithm.id !== ED25519) return key;
  if (algorithm.parameters.length > 0 || bytes.length !== ED25519_KEY_BYTES) {
    throw new DerError("malformed Ed25519 key");
  }
  return { ...key, type: "ed25519" };
}

function isPositive(integer: Uint8Array): boolean {
  return ((integer[0] ?? 0) & 0x80) === 0 && integer.some((byte) => byte !== 0);
}

function bitLength(integer: Uint8Array): number {
  const start = integer.findIndex((byte) => byte !== 0);
  const rest = integer.subarray(start);
  return rest.length * 8 - Math.clz32(rest[0] ?? 0) + 24;
}

export interface Algorithm {
  readonly id: string;
  /** DER; empty if there are none. */
  readonly parameters: Uint8Array;
}

export function readAlgorithm(content: Uint8Array): Algorithm {
  const reader = new DerReader(content);
  const id = reader.objectId("algorithm");
  return { id, parameters: reader.isAtEnd ? new Uint8Array() : reader.any().whole };
}

interface Signing {
  readonly name: string;
  readonly keyType: PublicKey["type"];
  /** Undefined: the algorithm has its own. */
  readonly hash: string | undefined;
  readonly isPss?: boolean;
}

/** What Go verifies; and what it knows, but refuses by name. */
const SIGNATURES: ReadonlyMap<string, Signing> = new Map([
  ["1.2.840.113549.1.1.11", { name: "SHA256-RSA", keyType: "rsa", hash: "sha256" }],
  ["1.2.840.113549.1.1.12", { name: "SHA384-RSA", keyType: "rsa", hash: "sha384" }],
  ["1.2.840.113549.1.1.13", { name: "SHA512-RSA", keyType: "rsa", hash: "sha512" }],
  ["1.2.840.10045.4.3.2", { name: "ECDSA-SHA256", keyType: "ec", hash: "sha256" }],
  ["1.2.840.10045.4.3.3", { name: "ECDSA-SHA384", keyType: "ec", hash: "sha384" }],
  ["1.2.840.10045.4.3.4", { name: "ECDSA-SHA512", keyType: "ec", hash: "sha512" }],
  [ED25519, { name: "Ed25519", keyType: "ed25519", hash: undefined }],
]);
const INSECURE: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.4", "MD5-RSA"],
  ["1.2.840.113549.1.1.5", "SHA1-RSA"],
  ["1.3.14.3.2.29", "SHA1-RSA"],
  ["1.2.840.10045.4.1", "ECDSA-SHA1"],
  ["1.2.840.10040.4.3", "DSA-SHA1"],
]);
const PSS = "1.2.840.113549.1.1.10";
/** The three forms that RFC 4055 and everybody's tools write: one hash, a salt as long as it. */
const PSS_HASHES: ReadonlyMap<string, string> = new Map([
  ["sha256", "608648016503040201"],
  ["sha384", "608648016503040202"],
  ["sha512", "608648016503040203"],
]);
const HASH_BYTES: Readonly<Record<string, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** Go's limit of what it verifies with. */
const RSA_BITS_MIN = 1024;

/**
 * Does the signature come from this key?
 *
 * @returns Go's reason why not; undefined: it does
 */
export function signatureFault(
  algorithm: Algorithm,
  signed: Uint8Array,
  signature: Uint8Array,
  key: PublicKey,
): string | undefined {
  const insecure = INSECURE.get(algorithm.id);
  if (insecure !== undefined) {
    return `cannot verify signature: insecure algorithm ${insecure}`;
  }
  const signing = algorithm.id === PSS ? pssSigning(algorithm) : SIGNATURES.get(algorithm.id);
  if (signing === undefined || key.type === "unknown") {
    return "cannot verify signature: algorithm unimplemented";
  }
  if (signing.keyType !== key.type) {
    return `signature algorithm ${signing.name} is not one of a key of type ${key.type}`;
  }
  if (key.type === "rsa" && key.bits < RSA_BITS_MIN) {
    return `${key.bits}-bit RSA keys are insecure`;
  }
  const publicKey = keyObject(key);
  if (publicKey === undefined) return `keys on the curve ${key.curve ?? ""} are not supported`;
  const options = signing.isPss
    ? {
        key: publicKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : { key: publicKey };
  return isSigned(signing, signed, options, signature) ? undefined : "verification failure";
}

function isSigned(
  signing: Signing,
  signed: Uint8Array,
  options: Parameters<typeof verify>[2],
  signature: Uint8Array,
): boolean {
  try {
    return verify(signing.hash, signed, options, signature);
  } catch {
    return false; // A signature that is not one of this algorithm.
  }
}

function keyObject(key: PublicKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(key.spki), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function pssSigning({ parameters }: Algorithm): Signing | undefined {
  const written = parameters.toHex();
  for (const [hash, oid] of PSS_HASHES) {
    if (!pssForms(oid, HASH_BYTES[hash] ?? 0).includes(written)) continue;
    return { name: `${hash.toUpperCase()}-RSAPSS`, keyType: "rsa", hash, isPss: true };
  }
  return undefined;
}

/** Hash, MGF1 of the same hash, salt length; with and without NULL behind the hash. */
function pssForms(oid: string, saltBytes: number): readonly string[] {
  const value = (tag: string, ...inner: readonly string[]): string => {
    const content = inner.join("");
    return `${tag}${(content.length / 2).toString(16).padStart(2, "0")}${content}`;
  };
  const mgf1 = value("06", "2a864886f70d010108");
  return [NULL, ""].flatMap((end) => {
    const hash = value("30", value("06", oid), end);
    const mask = value("a1", value("30", mgf1, hash));
    const salt = value("a2", value("02", saltBytes.toString(16)));
    const all = [value("a0", hash), mask, salt];
    return [value("30", ...all), value("30", ...all, value("a3", "020101"))];
  });
}
