/**
 * The TLS files of the command line: read and checked before anything is dialled, so that each
 * fault names its file. As in Go, every certificate of a CA file is an anchor.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeErrno } from "../host/network.ts";
import {
  type CertificateInfo,
  describeCertificate,
  parseCertificates,
} from "../tls/certificate.ts";
import type { ApiFlags } from "./api-command.ts";
import { CommandError } from "./output.ts";
import { type Environment, type Setting, settingOf } from "./setting.ts";

export interface ClientTls {
  /** PEM texts; undefined: the CAs of this machine. */
  readonly ca: readonly string[] | undefined;
  readonly caSetting: Setting | undefined;
  readonly authorities: readonly X509Certificate[];
  readonly pair: ClientPair | undefined;
  readonly serverName: string | undefined;
  readonly skipVerify: boolean;
}

export interface ClientPair {
  readonly cert: string;
  readonly key: string;
  readonly setting: Setting;
  readonly certificate: X509Certificate;
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
    caSetting === undefined ? [] : files.map((file) => readAuthorities(file, caSetting));
  const serverName = settingOf(
    ["-tls-server-name", flags.tlsServerName],
    "NOMAD_TLS_SERVER_NAME",
    env,
  );
  return {
    ca: caSetting === undefined ? undefined : found.map(({ pem }) => pem),
    caSetting,
    authorities: found.flatMap(({ certificates }) => certificates),
    pair: loadPair(flags, env),
    serverName: serverName?.value,
    skipVerify:
      flags.tlsSkipVerify === true ||
      flags.insecure === true ||
      /^(1|t|true)$/i.test(env["NOMAD_SKIP_VERIFY"] ?? ""),
  };
}

/** Every file of a folder and those below it, whatever its name: hashed ones (1a2b3c4d.0) too. */
function walk(setting: Setting): readonly string[] {
  const files: string[] = [];
  const visit = (directory: string): void => {
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name);
      if (statSync(path).isDirectory()) visit(path);
      else files.push(path);
    }
  };
  try {
    visit(setting.value);
  } catch (error) {
    throw fault(setting.value, setting.source, describeErrno(error));
  }
  if (files.length === 0) throw fault(setting.value, setting.source, "there is no file in it");
  return files;
}

interface Authorities {
  readonly pem: string;
  readonly certificates: readonly X509Certificate[];
}

function readAuthorities(file: string, { source }: Setting): Authorities {
  const pem = read(file, source);
  return { pem, certificates: certificatesIn(file, source, pem) };
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
  const [certificate] = certificatesIn(cert.value, cert.source, certText);
  const privateKey = keyIn(key, keyText);
  if (certificate === undefined) throw fault(cert.value, cert.source, NO_CERTIFICATE);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CommandError(
      `Error initializing client: ${key.value} (${key.source}) is not the key of the certificate ` +
        `in ${cert.value} (${cert.source})`,
    );
  }
  const info = describeCertificate(certificate);
  return { cert: certText, key: keyText, setting: cert, certificate, info };
}

const NO_CERTIFICATE = "it holds no PEM certificate";

function holdsCertificate(text: string): boolean {
  return text.includes("-----BEGIN CERTIFICATE-----");
}

function holdsKey(text: string): boolean {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
}

/** @throws CommandError */
function certificatesIn(file: string, source: string, pem: string): readonly X509Certificate[] {
  let found: readonly X509Certificate[];
  try {
    found = parseCertificates(pem);
  } catch {
    throw fault(file, source, "a certificate in it is damaged and cannot be parsed");
  }
  if (found.length > 0) return found;
  const isKey = holdsKey(pem);
  throw fault(file, source, isKey ? "it is a private key, not a certificate" : NO_CERTIFICATE);
}

/** @throws CommandError */
function keyIn({ value: file, source }: Setting, pem: string): KeyObject {
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
  try {
    return createPrivateKey(pem);
  } catch {
    throw fault(file, source, "its private key is damaged and cannot be parsed");
  }
}

/** @throws CommandError */
function read(file: string, source: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw fault(file, source, describeErrno(error));
  }
}

function fault(file: string, source: string, why: string): CommandError {
  return new CommandError(`Error initializing client: ${file} (${source}): ${why}`);
}
