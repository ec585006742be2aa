/**
 * Signed tokens in their compact form (RFC 7519, RFC 7515 §7.1): what is signed, and what a token
 * says. Whether its signature holds is not looked at here.
 *
 * @module
 */

/** Claims by name, as JSON has them. */
export type Claims = Readonly<Record<string, unknown>>;

interface ReadToken {
  /** "" where the header names none. */
  readonly algorithm: string;
  readonly keyId: string;
  readonly claims: Claims;
  /** What the signature is about. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Of names of nodes, pools and datacenters, and more than any of Nomad's has. */
const TOKEN_CHARS_MAX = 8192;
const PART = /^[\w-]+$/;

/** Header and claims of a token that is to be signed. */
export function signingInput(algorithm: string, keyId: string, claims: Claims): string {
  const header = { alg: algorithm, kid: keyId, typ: "JWT" };
  return [header, claims].map((part) => base64Url(encode(JSON.stringify(part)))).join(".");
}

/** @param input as `signingInput` made it */
export function signedToken(input: string, signature: Uint8Array): string {
  return `${input}.${base64Url(signature)}`;
}

/** Has it the form of a token, rather than of a secret? */
export function looksLikeToken(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 3 && parts.every((part) => PART.test(part));
}

/** undefined: it is none. */
export function readToken(text: string): ReadToken | undefined {
  if (text.length > TOKEN_CHARS_MAX || !looksLikeToken(text)) return undefined;
  const [first = "", second = "", third = ""] = text.split(".");
  const [header, claims] = [first, second].map(objectIn);
  const signature = bytesIn(third);
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  const { alg, kid, crit } = header;
  // Extensions that have to be understood: none is.
  if (crit !== undefined) return undefined;
  return {
    algorithm: typeof alg === "string" ? alg : "",
    keyId: typeof kid === "string" ? kid : "",
    ...{ claims, signature, signed: encode(`${first}.${second}`) },
  };
}

function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** undefined: not base64, or more than one text would stand for the same bytes. */
function bytesIn(part: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.fromBase64(part, { alphabet: "base64url" });
    return base64Url(bytes) === part ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function objectIn(part: string): Claims | undefined {
  const bytes = bytesIn(part);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? Object(value) : undefined;
  } catch {
    return undefined;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
