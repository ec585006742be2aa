/**
 * The files of the `tls` block, read and checked before anything listens: what Nomad lets pass at
 * start (an expired certificate, a client's, one of another CA) is refused here with its reason.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { suitesFor } from "../config/cipher-suites.ts";
import type { TlsConfig } from "../config/config.ts";
import type { Position, Problem } from "../config/problem.ts";
import { describeErrno } from "../host/network.ts";
import {
  type CertificateInfo,
  certificateNames,
  describeCertificate,
  parseCertificates,
} from "./certificate.ts";

export interface TlsMaterial {
  /** PEM texts, as the TLS library wants them. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly certificate: CertificateInfo;
  readonly authorities: readonly CertificateInfo[];
}

export interface LoadOptions {
  readonly region: string;
  /** Only a server must prove a server's name. */
  readonly isServer: boolean;
  readonly nowMs: number;
}

/** The material, or every reason why it cannot be used. */
export function loadTlsMaterial(
  tls: TlsConfig,
  options: LoadOptions,
): { readonly material: TlsMaterial | undefined; readonly problems: readonly Problem[] } {
  const loading = new Loading(tls, options);
  const material = loading.load();
  return { material, problems: loading.problems };
}

class Loading {
  readonly problems: Problem[] = [];
  readonly #tls: TlsConfig;
  readonly #options: LoadOptions;

  constructor(tls: TlsConfig, options: LoadOptions) {
    this.#tls = tls;
    this.#options = options;
  }

  load(): TlsMaterial | undefined {
    const { at, caFile, certFile, keyFile } = this.#tls;
    const ca = this.#read("tls.ca_file", caFile, at.caFile);
    const cert = this.#read("tls.cert_file", certFile, at.certFile);
    const key = this.#read("tls.key_file", keyFile, at.keyFile);
    const authorities = this.#certificates("tls.ca_file", caFile, ca, at.caFile);
    const [certificate, ...chain] = this.#certificates(
      "tls.cert_file",
      certFile,
      cert,
      at.certFile,
    );
    const privateKey = this.#privateKey(key);
    if (certificate === undefined) return undefined;
    const info = describeCertificate(certificate);
    if (privateKey !== undefined && !certificate.checkPrivateKey(privateKey)) {
      this.#fail(
        `tls: private key does not match public key: ${keyFile} is not the key of ${certFile}`,
        at.keyFile,
        "point key_file at the key that was made together with the certificate",
      );
    }
    this.#dates("tls.cert_file", certFile, info, at.certFile);
    for (const one of authorities) {
      this.#dates("tls.ca_file", caFile, describeCertificate(one), at.caFile);
    }
    if (authorities.length > 0) this.#signature(certificate, chain, authorities);
    this.#names(info);
    this.#suites(info);
    if (ca === undefined || cert === undefined || key === undefined) return undefined;
    if (this.problems.length > 0) return undefined;
    return {
      ca,
      cert,
      key,
      certificate: info,
      authorities: authorities.map(describeCertificate),
    };
  }

  #read(name: string, path: string, at: Position): string | undefined {
    if (path === "") {
      const help = `set ${name.slice(4)} to a PEM file; \`nomad tls ca create\` and \`nomad tls cert create\` make them`;
      this.#fail(`${name} is not set but TLS is on`, this.#tls.at.block ?? at, help);
      return undefined;
    }
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      const why = describeErrno(error);
      this.#fail(
        `Failed to read ${name}: open ${path}: ${why}`,
        at,
        "check the path and its owner",
      );
      return undefined;
    }
  }

  #certificates(
    name: string,
    path: string,
    pem: string | undefined,
    at: Position,
  ): readonly X509Certificate[] {
    if (pem === undefined) return [];
    try {
      const found = parseCertificates(pem);
      if (found.length > 0) return found;
    } catch {
      // Said below.
    }
    this.#fail(`Failed to parse any valid certificates in ${name}: ${path}`, at, "it must be PEM");
    return [];
  }

  #privateKey(pem: string | undefined): KeyObject | undefined {
    if (pem === undefined) return undefined;
    const { keyFile, at } = this.#tls;
    try {
      const key = createPrivateKey(pem);
      if (key.asymmetricKeyType === "ec" || key.asymmetricKeyType === "rsa") return key;
      const found = `${key.asymmetricKeyType} in ${keyFile}`;
      this.#fail(
        `Unsupported signature algorithm: ${found}; RSA and ECDSA only are supported`,
        at.keyFile,
      );
    } catch {
      const help = "it must be a PEM private key without a password";
      this.#fail(`Failed to parse the private key in tls.key_file: ${keyFile}`, at.keyFile, help);
    }
    return undefined;
  }

  #dates(name: string, path: string, info: CertificateInfo, at: Position): void {
    const { nowMs } = this.#options;
    const days = Math.abs(Math.floor((info.notAfterMs - nowMs) / 86_400_000));
    if (info.notAfterMs < nowMs) {
      const when = new Date(info.notAfterMs).toISOString();
      this.#fail(
        `${name}: the certificate ${info.commonName} in ${path} expired ${days} days ago (${when})`,
        at,
        "make a new one with `nomad tls cert create` (or `nomad tls ca create`)",
      );
    } else if (info.notBeforeMs > nowMs) {
      const when = new Date(info.notBeforeMs).toISOString();
      const message = `${name}: the certificate ${info.commonName} in ${path} is not valid before ${when}`;
      this.#fail(message, at, "is this machine's clock right?");
    }
  }

  #signature(
    certificate: X509Certificate,
    chain: readonly X509Certificate[],
    authorities: readonly X509Certificate[],
  ): void {
    let current = certificate;
    for (let depth = 0; depth <= chain.length; depth++) {
      if (authorities.some((authority) => isSignedBy(current, authority))) return;
      const next = chain.find((one) => one !== current && isSignedBy(current, one));
      if (next === undefined) break;
      current = next;
    }
    const { certFile, caFile, at } = this.#tls;
    const info = describeCertificate(certificate);
    const known = authorities.map((one) => describeCertificate(one).commonName).join(", ");
    this.#fail(
      `tls.cert_file: ${certFile} is not signed by ca_file: issued by "${info.issuerCommonName}", ` +
        `while ${caFile} holds "${known}"`,
      at.certFile,
      "use the CA that issued the certificate, or have this CA issue one",
    );
  }

  /** What peers will demand of us once verify_server_hostname is on. */
  #names(info: CertificateInfo): void {
    const { verifyServerHostname, rpc, certFile, at } = this.#tls;
    const { region, isServer } = this.#options;
    if (!rpc || !verifyServerHostname) return;
    const roles = isServer ? ["server"] : ["client", "server"];
    const wanted = roles.map((role) => `${role}.${region}.nomad`);
    const names = certificateNames(info);
    if (wanted.some((name) => names.includes(name))) return;
    this.#fail(
      `tls.cert_file: ${certFile} lacks the name ${wanted.join(" or ")} while ` +
        `verify_server_hostname is on: it is valid for ${names.join(", ")}`,
      at.certFile,
      `make one with \`nomad tls cert create -${isServer ? "server" : "client"} -region ${region}\``,
    );
  }

  #suites(info: CertificateInfo): void {
    const { cipherSuites, at } = this.#tls;
    if (cipherSuites.length === 0) return;
    const type = info.keyType === "rsa" ? "rsa" : "ec";
    if (suitesFor(cipherSuites, type).length > 0) return;
    const algorithm = type === "rsa" ? "RSA" : "ECDSA";
    this.#fail(
      "Specified cipher suites don't support the certificate signature algorithm " +
        `${algorithm}, consider adding more cipher suites to match this signature algorithm`,
      at.cipherSuites,
    );
  }

  #fail(message: string, at: Position | undefined, help?: string): void {
    this.problems.push({ severity: "error", message, at, help });
  }
}

function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}
