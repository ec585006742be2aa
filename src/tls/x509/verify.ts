/**
 * Is a certificate good for a use, by these authorities? Decided as Go's crypto/x509 decides it, so
 * that both ends of a connection say the same: every certificate of the pool is an anchor, whoever
 * issued it; all ways from the certificate to an anchor are tried.
 *
 * @module
 */
import type { X509 } from "./certificate.ts";
import { hasBit } from "./der.ts";
import { KeyUsageBit } from "./extensions.ts";
import { hostNameFault } from "./host-name.ts";
import { constraintFault } from "./name-constraints.ts";
import { signatureFault } from "./public-key.ts";

export interface VerifyOptions {
  readonly nowMs: number;
  /** What the other side uses the certificate for. */
  readonly usage: "server" | "client";
  /** The name that it has to be for; undefined: any. */
  readonly host?: string | undefined;
}

export interface VerifyFault {
  readonly kind:
    | "unknown-authority"
    | "expired"
    | "wrong-name"
    | "usage"
    | "name-constraint"
    | "critical-extension"
    | "not-a-ca"
    | "path-length"
    | "key";
  /** Go's words, without "x509: ". */
  readonly message: string;
  /** The certificate that is at fault. */
  readonly certificate: X509;
  /** Why the first candidate that could have issued it has not. */
  readonly candidate?: { readonly certificate: X509; readonly why: string } | undefined;
}

/** Certificates by subject. */
export class CertificatePool {
  readonly #bySubject = new Map<string, X509[]>();
  readonly #fingerprints = new Set<string>();

  constructor(certificates: readonly X509[]) {
    for (const one of certificates) {
      if (this.#fingerprints.has(one.fingerprint)) continue;
      this.#fingerprints.add(one.fingerprint);
      const subject = one.subject.key;
      const same = this.#bySubject.get(subject);
      if (same === undefined) this.#bySubject.set(subject, [one]);
      else same.push(one);
    }
  }

  has(certificate: X509): boolean {
    return this.#fingerprints.has(certificate.fingerprint);
  }

  /** Whoever bears the issuer's name, those first whose key identifier fits. */
  issuersOf({ issuer, authorityKeyId }: X509): readonly X509[] {
    const candidates = this.#bySubject.get(issuer.key) ?? [];
    if (candidates.length < 2) return candidates;
    const rank = ({ subjectKeyId }: X509): number => {
      if (subjectKeyId.toHex() === authorityKeyId.toHex()) return 0;
      return subjectKeyId.length === 0 || authorityKeyId.length === 0 ? 1 : 2;
    };
    return [...candidates].sort((a, b) => rank(a) - rank(b));
  }
}

/** Certificates that are tried as issuers, all in all; Go's number. */
const CANDIDATES_MAX = 100;
/** Larger ones cost the one who verifies too much; Go's number. */
const RSA_BITS_MAX = 8192;

type Chain = readonly X509[];

/** What is wrong, or a way to an anchor, the certificate itself first. */
type Verdict =
  | { readonly fault: VerifyFault; readonly chain: undefined }
  | { readonly fault: undefined; readonly chain: Chain };

/** @param others certificates that came along, in any order */
export function verifyChain(
  certificate: X509,
  others: readonly X509[],
  anchors: CertificatePool,
  options: VerifyOptions,
): Verdict {
  const found = judge(certificate, others, anchors, options);
  return "kind" in found ? { fault: found, chain: undefined } : { fault: undefined, chain: found };
}

/** @returns what is wrong; undefined: nothing */
export function verifyCertificate(
  certificate: X509,
  others: readonly X509[],
  anchors: CertificatePool,
  options: VerifyOptions,
): VerifyFault | undefined {
  return verifyChain(certificate, others, anchors, options).fault;
}

function judge(
  certificate: X509,
  others: readonly X509[],
  anchors: CertificatePool,
  options: VerifyOptions,
): VerifyFault | Chain {
  const large = [certificate, ...others].find(({ publicKey }) => publicKey.bits > RSA_BITS_MAX);
  if (large !== undefined) {
    return fault("key", `RSA key larger than ${RSA_BITS_MAX} bits`, large);
  }
  const own = validityFault(certificate, [], options.nowMs, "leaf");
  if (own !== undefined) return own;
  const { host } = options;
  const name = host === undefined ? undefined : hostNameFault(certificate, host);
  if (name !== undefined) return fault("wrong-name", name, certificate);
  const search = new Search(anchors, new CertificatePool(others), options.nowMs);
  const chains = anchors.has(certificate) ? [[certificate]] : search.from(certificate);
  if (chains.length === 0) return search.fault(certificate);
  const { usage } = options;
  const usable = chains.filter((chain) => chain.every((one) => allows(one, usage)));
  if (usable.length === 0) {
    const message = "certificate specifies an incompatible key usage";
    return fault("usage", message, chains[0]?.find((one) => !allows(one, usage)) ?? certificate);
  }
  let first: VerifyFault | undefined;
  for (const chain of usable) {
    const found = namesFault(chain);
    if (found === undefined) return chain;
    first ??= found;
  }
  return first ?? search.fault(certificate);
}

function fault(kind: VerifyFault["kind"], message: string, certificate: X509): VerifyFault {
  return { kind, message, certificate };
}

/**
 * All ways to an anchor: first by names alone, then each from its anchor downwards, so that a
 * stranger's certificates are never worth a signature check.
 */
class Search {
  readonly #anchors: CertificatePool;
  readonly #others: CertificatePool;
  readonly #nowMs: number;
  #candidates = 0;
  /** Of the last candidate that signed, and may not stand in the chain. */
  #last: VerifyFault | undefined;
  #candidate: VerifyFault["candidate"];

  constructor(anchors: CertificatePool, others: CertificatePool, nowMs: number) {
    this.#anchors = anchors;
    this.#others = others;
    this.#nowMs = nowMs;
  }

  from(certificate: X509): readonly Chain[] {
    return this.#byNames([certificate]).filter((chain) => this.#holds(chain));
  }

  fault(certificate: X509): VerifyFault {
    if (this.#last !== undefined) return this.#last;
    const message = "certificate signed by unknown authority";
    return { kind: "unknown-authority", message, certificate, candidate: this.#candidate };
  }

  /** @param chain what we have, the certificate itself first */
  #byNames(chain: Chain): readonly Chain[] {
    const top = chain.at(-1);
    if (top === undefined) return [];
    const fits = (one: X509): boolean => {
      this.#candidates += 1;
      return this.#candidates <= CANDIDATES_MAX && !isAmong(one, chain);
    };
    const anchors = this.#anchors.issuersOf(top).filter(fits);
    const others = this.#others.issuersOf(top).filter(fits);
    return [
      ...anchors.map((one): Chain => [...chain, one]),
      ...others.flatMap((one) => this.#byNames([...chain, one])),
    ];
  }

  #holds(chain: Chain): boolean {
    for (let at = chain.length - 1; at > 0; at--) {
      const [issuer, child] = [chain[at], chain[at - 1]];
      if (issuer === undefined || child === undefined) return false;
      const place = at === chain.length - 1 ? "anchor" : "intermediate";
      if (!this.#issued(issuer, child, chain.slice(0, at), place)) return false;
    }
    return true;
  }

  #issued(issuer: X509, child: X509, below: Chain, place: "anchor" | "intermediate"): boolean {
    const why = issuingFault(issuer, child);
    if (why !== undefined) {
      this.#candidate ??= { certificate: issuer, why };
      return false;
    }
    const invalid = validityFault(issuer, below, this.#nowMs, place);
    if (invalid === undefined) return true;
    this.#candidate ??= { certificate: issuer, why: invalid.message };
    this.#last = invalid;
    return false;
  }
}

/** The same key under the same names: a way in circles, through whatever cross-signature. */
function isAmong({ identity }: X509, chain: Chain): boolean {
  return chain.some((one) => one.identity === identity);
}

/** May it issue certificates, and has it issued this one? */
function issuingFault(issuer: X509, child: X509): string | undefined {
  const { version, constraints, keyUsage } = issuer;
  if (constraints === undefined ? version === 3 : !constraints.isCa) {
    return "it is no CA: its basicConstraints do not say CA:TRUE";
  }
  const hasUsage = keyUsage?.bytes.some((byte) => byte !== 0) ?? false;
  if (keyUsage !== undefined && hasUsage && !hasBit(keyUsage, KeyUsageBit.certificateSign)) {
    return "it may not sign certificates: its keyUsage lacks keyCertSign";
  }
  return signatures.fault(child, issuer);
}

/** The same few are checked at every handshake; what was found never changes. */
class Signatures {
  readonly #known = new Map<string, string | undefined>();

  fault(child: X509, issuer: X509): string | undefined {
    const key = `${child.fingerprint}${issuer.fingerprint}`;
    if (this.#known.has(key)) return this.#known.get(key);
    const { algorithm, signed, signature } = child;
    const found = signatureFault(algorithm, signed, signature, issuer.publicKey);
    if (this.#known.size >= SIGNATURES_KNOWN_MAX) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }
}

const SIGNATURES_KNOWN_MAX = 4096;
const signatures = new Signatures();

function validityFault(
  one: X509,
  below: Chain,
  nowMs: number,
  place: "leaf" | "intermediate" | "anchor",
): VerifyFault | undefined {
  if (one.unknownCritical.length > 0) {
    const message = `unhandled critical extension ${one.unknownCritical.join(", ")}`;
    return fault("critical-extension", message, one);
  }
  const ended = nowMs > one.notAfterMs;
  if (ended || nowMs < one.notBeforeMs) {
    const [side, edge] = ended ? ["after", one.notAfterMs] : ["before", one.notBeforeMs];
    const message =
      "certificate has expired or is not yet valid: current time " +
      `${new Date(nowMs).toISOString()} is ${side} ${new Date(edge).toISOString()}`;
    return fault("expired", message, one);
  }
  const { constraints } = one;
  if (place === "intermediate" && constraints?.isCa !== true) {
    return fault("not-a-ca", "certificate is not authorized to sign other certificates", one);
  }
  const { pathLength } = constraints ?? {};
  if (pathLength !== undefined && below.length - 1 > pathLength) {
    return fault("path-length", "too many intermediates for path length constraint", one);
  }
  return undefined;
}

/** One that names usages has to name ours, authorities too; `any` is all of them. */
function allows({ extendedUsages: named }: X509, usage: "server" | "client"): boolean {
  return named.length === 0 || named.includes("any") || named.includes(usage);
}

function namesFault(chain: Chain): VerifyFault | undefined {
  for (const [at, one] of chain.entries()) {
    if (one.rawNames === undefined) continue;
    for (const { nameConstraints } of chain.slice(at + 1)) {
      const found = nameConstraints && constraintFault(nameConstraints, one.names);
      if (found === undefined) continue;
      const message = `a root or intermediate certificate is not authorized to sign for this name: ${found}`;
      return fault("name-constraint", message, one);
    }
  }
  return undefined;
}
