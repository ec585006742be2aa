/** Ed25519 signatures by the runtime (RFC 8032): keys as the 32 bytes that they are. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";

interface SigningPair {
  readonly publicKey: Uint8Array;
  /** Whoever has it can sign: it is nowhere but sealed. */
  readonly privateKey: Uint8Array;
}

const KEY_BYTES = 32;
const CURVE = { kty: "OKP", crv: "Ed25519" };

export function makeSigningPair(): SigningPair {
  const { x = "", d = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { publicKey: bytesOf(x), privateKey: bytesOf(d) };
}

/** Signs with a key that it has read once. */
export class Signer {
  readonly #key: KeyObject;

  /** @throws Error: the bytes are no pair */
  constructor({ publicKey, privateKey }: SigningPair) {
    const key = { ...CURVE, x: textOf(publicKey), d: textOf(privateKey) };
    this.#key = createPrivateKey({ key, format: "jwk" });
  }

  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#key));
  }
}

/** @returns false, too, where the key is none */
export function isSignedBy(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== 64) return false;
  try {
    const key = createPublicKey({ key: { ...CURVE, x: textOf(publicKey) }, format: "jwk" });
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
}

function textOf(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}
