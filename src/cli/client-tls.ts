/**
 * The TLS files of the command line: read and checked before anything is dialled, so that each
 * fault names its file. As in Go, every certificate of a CA file is an anchor.
 *
 * @module
 */

import { join } from "node:path";
import { isDirectory, namesIn, readText, realPath } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { type CertificateInfo, describeCertificate } from "../tls/certificate.ts";
import { isPair } from "../tls/own-certificate.ts";
import { type PrivateKey, readAuthorities, readChain, readPrivateKey } from "../tls/pem-files.ts";
import type { X509 } from "../tls/x509/certificate.ts";
import { writePem } from "../tls/x509/pem.ts";
import type { ApiFlags } from "./api-command.ts";
import { CommandError } from "./output.ts";
import { type Environment, type Setting, settingOf } from "./setting.ts";

export interface ClientTls {
  /** Undefined: the CAs of this machine. */
  readonly caSetting: Setting | undefined;
  readonly authorities: readonly X509[];
  readonly pair: ClientPair | undefined;
  readonly serverName: string | undefined;
  readonly skipVerify: boolean;
}

export interface ClientPair {
  readonly cert: string;
  readonly key: string;
  readonly setting: Setting;
  /** The certificate, and what is sent along with it. */
  readonly chain: readonly X509[];
  readonly info: CertificateInfo;
}

/** @throws CommandError that names the file */
export function loadClientTls(flags: ApiFlags, env: Environment): ClientTls {
  const caFile = settingOf(["-ca-cert", flags.caCert], "NOMAD_CACERT", env);
  const caPath = settingOf(["-ca-path", flags.caPath], "NOMAD_CAPATH", env);
  // The file wins where both are given, as in Go.
  const caSetting = caFile ?? caPath;
  const files = caFile !== undefined ? [caFile.value] : caPath !== undefined ? walk(caPath) : [];
  const found =
    caSetting === undefined ? [] : files.flatMap((file) => authoritiesIn(file, caSetting.source));
  const serverName = settingOf(
    ["-tls-server-name", flags.tlsServerName],
    "NOMAD_TLS_SERVER_NAME",
    env,
  );
  return {
    caSetting,
    authorities: found,
    pair: loadPair(flags, env),
    serverName: serverName?.value,
    skipVerify:
      flags.tlsSkipVerify === true ||
      flags.insecure === true ||
      /^(1|t|true)$/i.test(env["NOMAD_SKIP_VERIFY"] ?? ""),
  };
}

/** Every file of a folder and those below it, whatever its name: hashed ones (1a2b3c4d.0) too. */
function walk({ value, source }: Setting): readonly string[] {
  const files: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string): void => {
    let names: readonly string[];
    try {
      if (!isDirectory(path)) return void files.push(path);
      // A link may lead back to where we come from.
      const real = realPath(path);
      if (seen.has(real)) return;
      seen.add(real);
      names = namesIn(path);
    } catch (error) {
      throw fault(path, source, describeErrno(error));
    }
    for (const name of names) visit(join(path, name));
  };
  visit(value);
  if (files.length === 0) throw fault(value, source, "there is no file in it");
  return files;
}

/** One that can be parsed is enough, as in Go. @throws CommandError */
function authoritiesIn(file: string, source: string): readonly X509[] {
  const pem = read(file, source);
  const { content } = readAuthorities(pem);
  if (content.length === 0) throw noCertificate(file, source, pem);
  return content;
}

/** @throws CommandError */
function loadPair(flags: ApiFlags, env: Environment): ClientPair | undefined {
  const cert = settingOf(["-client-cert", flags.clientCert], "NOMAD_CLIENT_CERT", env);
  const key = settingOf(["-client-key", flags.clientKey], "NOMAD_CLIENT_KEY", env);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    const given = cert ?? key;
    const missing =
      cert === undefined ? "-client-cert or NOMAD_CLIENT_CERT" : "-client-key or NOMAD_CLIENT_KEY";
    throw new CommandError(
      "Error initializing client: Both client cert and client key must be provided: " +
        `there is only ${given?.source ?? ""}, set ${missing} too`,
    );
  }
  const certText = read(cert.value, cert.source);
  const keyText = read(key.value, key.source);
  if (!holdsCertificate(certText) && !holdsKey(keyText)) {
    if (holdsKey(certText) && holdsCertificate(keyText)) {
      throw new CommandError(
        `Error initializing client: ${cert.value} (${cert.source}) is a private key and ` +
          `${key.value} (${key.source}) a certificate: they are swapped`,
      );
    }
  }
  const { content: chain, faults } = readChain(certText);
  const [certificate] = chain;
  if (certificate === undefined || faults.length > 0) {
    throw noCertificate(cert.value, cert.source, certText);
  }
  const privateKey = keyIn(key, keyText);
  if (!isPair(certificate, privateKey)) {
    throw new CommandError(
      `Error initializing client: ${key.value} (${key.source}) is not the key of the certificate ` +
        `in ${cert.value} (${cert.source})`,
    );
  }
  const info = describeCertificate(certificate);
  return {
    cert: chain.map(({ der }) => writePem("CERTIFICATE", der)).join(""),
    key: writePem(privateKey.type, privateKey.der),
    setting: cert,
    chain,
    info,
  };
}

const NO_CERTIFICATE = "it holds no PEM certificate";

function holdsCertificate(text: string): boolean {
  return text.includes("-----BEGIN CERTIFICATE-----");
}

function holdsKey(text: string): boolean {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
}

function noCertificate(file: string, source: string, pem: string): CommandError {
  if (holdsCertificate(pem)) {
    return fault(file, source, "a certificate in it is damaged and cannot be parsed");
  }
  const isKey = holdsKey(pem);
  return fault(file, source, isKey ? "it is a private key, not a certificate" : NO_CERTIFICATE);
}

/** @throws CommandError */
function keyIn({ value: file, source }: Setting, pem: string): PrivateKey {
  if (!holdsKey(pem)) {
    const isCertificate = holdsCertificate(pem);
    const why = isCertificate
      ? "it is a certificate, not a private key"
      : "it holds no PEM private key";
    throw fault(file, source, why);
  }
  if (/ENCRYPTED/.test(pem)) {
    throw fault(
      file,
      source,
      "its private key needs a password, which Nomad's commands do not ask for",
    );
  }
  const { content } = readPrivateKey(pem);
  if (content !== undefined) return content;
  throw fault(file, source, "its private key is damaged and cannot be parsed");
}

/** @throws CommandError */
function read(file: string, source: string): string {
  try {
    return readText(file);
  } catch (error) {
    throw fault(file, source, describeErrno(error));
  }
}

function fault(file: string, source: string, why: string): CommandError {
  // What stands there instead of a path may be a key, and is not said again.
  const what = file.includes("-----BEGIN")
    ? `${source} holds the text of a file, and wants its path`
    : `${file} (${source}): ${why}`;
  return new CommandError(`Error initializing client: ${what}`);
}
