/**
 * The files of the `tls` block, read and judged before anything listens: what Nomad lets pass at
 * start (an expired certificate, a client's, one of another CA) is refused here with its reason.
 *
 * @module
 */

import { createSecureContext } from "node:tls";
import { suitesFor } from "../config/cipher-suites.ts";
import type { TlsConfig } from "../config/config.ts";
import type { Position, Problem } from "../config/problem.ts";
import { errorText } from "../host/error-text.ts";
import { readText } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { type CertificateInfo, describeCertificate } from "./certificate.ts";
import { isPair, keyFault, peersFaults } from "./own-certificate.ts";
import {
  type PrivateKey,
  type Read,
  readAuthorities,
  readChain,
  readPrivateKey,
} from "./pem-files.ts";
import type { X509 } from "./x509/certificate.ts";
import { writePem } from "./x509/pem.ts";

export interface TlsMaterial {
  /** PEM texts, as the TLS library wants them: what could be parsed, and nothing else. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly certificate: CertificateInfo;
  readonly authorities: readonly CertificateInfo[];
}

interface LoadOptions {
  readonly region: string;
  /** Only a server must prove a server's name. */
  readonly isServer: boolean;
  readonly nowMs: number;
}

/** The material and what is to be warned of, or every reason why it cannot be used. */
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
    const authorities = this.#authorities();
    const chain = this.#chain();
    const key = this.#privateKey();
    const [certificate] = chain;
    if (certificate === undefined) return undefined;
    const info = describeCertificate(certificate);
    if (key !== undefined && !isPair(certificate, key)) {
      this.#foreignKey(chain, key);
    }
    this.#judge(certificate, chain, authorities, info);
    this.#suites(info);
    if (key === undefined || this.#failed) return undefined;
    const material = {
      ca: authorities.map(({ der }) => writePem("CERTIFICATE", der)).join(""),
      cert: chain.map(({ der }) => writePem("CERTIFICATE", der)).join(""),
      key: writePem(key.type, key.der),
      certificate: info,
      authorities: authorities.map(describeCertificate),
    };
    return this.#tried(material) ? material : undefined;
  }

  #foreignKey(chain: readonly X509[], key: PrivateKey): void {
    const { keyFile, certFile, at } = this.#tls;
    const mismatch = "tls: private key does not match public key";
    if (chain.some((one) => isPair(one, key))) {
      const message = `${mismatch}: the key's certificate is not the first one in ${certFile}`;
      return this.#fail(message, at.certFile, "put it first, and its CAs behind it");
    }
    this.#fail(
      `${mismatch}: ${keyFile} is not the key of ${certFile}`,
      at.keyFile,
      "point key_file at the key that was made together with the certificate",
    );
  }

  get #failed(): boolean {
    return this.problems.some(({ severity }) => severity === "error");
  }

  /** Nothing that these checks miss shall end the agent in the library's own words. */
  #tried({ ca, cert, key }: TlsMaterial): boolean {
    const { certFile, at } = this.#tls;
    try {
      createSecureContext({ ca, cert, key });
      return true;
    } catch (error) {
      const message = `tls.cert_file: ${certFile} cannot be used: ${errorText(error)}`;
      this.#fail(message, at.certFile);
      return false;
    }
  }

  #authorities(): readonly X509[] {
    const { caFile, at } = this.#tls;
    const text = this.#read("tls.ca_file", caFile, at.caFile);
    if (text === undefined) return [];
    const { content, faults } = readAuthorities(text);
    if (content.length === 0) {
      const message = `Failed to parse any valid certificates in tls.ca_file: ${caFile}`;
      this.#fail([message, ...faults.slice(0, 3)].join(": "), at.caFile, "it must be PEM");
      return [];
    }
    for (const fault of faults.slice(0, FAULTS_SHOWN_MAX)) {
      const message = `tls.ca_file: ${caFile}: ${fault}; it is passed over`;
      this.problems.push({ severity: "warning", message, at: at.caFile });
    }
    this.#authorityDates(content);
    return content;
  }

  /** One that is over is only missed when there is no other. */
  #authorityDates(authorities: readonly X509[]): void {
    const { nowMs } = this.#options;
    const { caFile, at } = this.#tls;
    const isOver = (one: X509): boolean => one.notAfterMs < nowMs || one.notBeforeMs > nowMs;
    const severity = authorities.every(isOver) ? "error" : "warning";
    for (const one of authorities.filter(isOver).slice(0, FAULTS_SHOWN_MAX)) {
      this.#dates("tls.ca_file", caFile, describeCertificate(one), at.caFile, severity);
    }
  }

  #chain(): readonly X509[] {
    const { certFile, at } = this.#tls;
    const text = this.#read("tls.cert_file", certFile, at.certFile);
    if (text === undefined) return [];
    return this.#whole(
      "any valid certificates",
      "tls.cert_file",
      certFile,
      at.certFile,
      readChain(text),
      [],
    );
  }

  #privateKey(): PrivateKey | undefined {
    const { keyFile, at } = this.#tls;
    const text = this.#read("tls.key_file", keyFile, at.keyFile);
    if (text === undefined) return undefined;
    const read = readPrivateKey(text);
    const key = this.#whole(
      "the private key",
      "tls.key_file",
      keyFile,
      at.keyFile,
      read,
      undefined,
    );
    const type = key?.key.asymmetricKeyType;
    if (key === undefined || type === "ec" || type === "rsa") return key;
    const found = `${type} in ${keyFile}`;
    const message = `Unsupported signature algorithm: ${found}; RSA and ECDSA only are supported`;
    this.#fail(message, at.keyFile);
    return undefined;
  }

  /** What a file holds, if there is nothing wrong with it. */
  #whole<Content>(
    what: string,
    name: string,
    path: string,
    at: Position,
    { content, faults }: Read<Content>,
    none: Content,
  ): Content {
    if (faults.length === 0) return content;
    const help = what.includes("certificates")
      ? "it must be PEM"
      : "it must be PEM without a password";
    const parsed = `Failed to parse ${what} in ${name}: ${path}`;
    this.#fail(`${parsed}: ${faults.slice(0, 3).join("; ")}`, at, help);
    return none;
  }

  #read(name: string, path: string, at: Position): string | undefined {
    if (path === "") {
      const help = `set ${name.slice(4)} to a PEM file; \`nomad tls ca create\` and \`nomad tls cert create\` make them`;
      this.#fail(`${name} is not set but TLS is on`, this.#tls.at.block ?? at, help);
      return undefined;
    }
    if (path.includes("-----BEGIN")) {
      // It may be a key, and is not said again.
      const help = "write the text into a file, and name that here";
      this.#fail(`${name} holds the text of a file, and wants its path`, at, help);
      return undefined;
    }
    try {
      return readText(path);
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

  #judge(
    certificate: X509,
    chain: readonly X509[],
    authorities: readonly X509[],
    info: CertificateInfo,
  ): void {
    const { certFile, at, rpc, http, verifyServerHostname } = this.#tls;
    const { nowMs, region, isServer } = this.#options;
    const unusable = keyFault(certificate);
    if (unusable !== undefined) {
      const message = `tls.cert_file: ${certFile} cannot be used: ${unusable.message}`;
      return this.#fail(message, at.certFile, unusable.help);
    }
    if (certificate.notAfterMs < nowMs || certificate.notBeforeMs > nowMs) {
      return this.#dates("tls.cert_file", certFile, info, at.certFile, "error");
    }
    if (authorities.length === 0 || this.#failed) return;
    const expected = { region, isServer, rpc, http, verifyServerHostname };
    for (const { message, help } of peersFaults(chain, authorities, expected, nowMs)) {
      this.#fail(`tls.cert_file: ${certFile} ${message}`, at.certFile, help);
    }
    if (!http || info.dnsNames.length + info.ipAddresses.length > 0) return;
    const message = `tls.cert_file: ${certFile} names no host in its subjectAltName: no HTTPS client can verify it`;
    this.problems.push({ severity: "warning", message, at: at.certFile, help: NAME_HOSTS });
  }

  #dates(
    name: string,
    path: string,
    info: CertificateInfo,
    at: Position,
    severity: Problem["severity"],
  ): void {
    const { nowMs } = this.#options;
    const who = `${name}: the certificate ${info.commonName || info.subject} in ${path}`;
    if (info.notAfterMs < nowMs) {
      const days = Math.floor((nowMs - info.notAfterMs) / 86_400_000);
      const when = new Date(info.notAfterMs).toISOString();
      const message = `${who} expired ${days} days ago (${when})`;
      const make = "make a new one with `nomad tls cert create` (or `nomad tls ca create`)";
      const help = severity === "error" ? make : "take it out of the file, if nothing needs it";
      this.problems.push({ severity, message, at, help });
    } else {
      const when = new Date(info.notBeforeMs).toISOString();
      const message = `${who} is not valid before ${when}`;
      this.problems.push({ severity, message, at, help: "is this machine's clock right?" });
    }
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

const NAME_HOSTS = "have one issued with DNS names; common names are not looked at any more";
/** A bundle of the system has hundreds. */
const FAULTS_SHOWN_MAX = 8;
