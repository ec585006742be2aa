/** `nomad tls ca create` and `nomad tls cert create`: Nomad's file names, never overwriting. */

import { PUBLIC_MODE, SECRET_MODE, writeFileNew } from "../host/disk.ts";
import { errorText } from "../host/error-text.ts";
import { isThere, readText, remove } from "../host/files.ts";
import { parseIp } from "../host/ip.ts";
import { describeErrno } from "../host/network.ts";
import type { MadeCertificate } from "../tls/make.ts";
import { CommandError, print, printError } from "./output.ts";

interface CaFlags {
  readonly additionalDomain?: readonly string[];
  readonly commonName?: string;
  readonly country?: string;
  readonly days?: string;
  readonly domain?: string;
  readonly locality?: string;
  readonly nameConstraint?: boolean;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly postalCode?: string;
  readonly province?: string;
  readonly streetAddress?: string;
}

const DOMAIN = "nomad";
const CA_DAYS = 1825;
const LEAF_DAYS = 365;

export async function createCa(flags: CaFlags): Promise<void> {
  const domain = flags.domain ?? DOMAIN;
  checkConstraint(flags, domain);
  checkSubject(flags);
  const days = parseDays(flags.days, CA_DAYS);
  const [certPath, keyPath] = [`${domain}-agent-ca.pem`, `${domain}-agent-ca-key.pem`];
  refuseExisting(certPath, `CA certificate file '${certPath}' already exists`);
  refuseExisting(keyPath, `CA key file '${keyPath}' already exists`);
  const { makeAuthority } = await import("../tls/make.ts");
  const permitted =
    flags.nameConstraint === true
      ? [...new Set([domain, "localhost", DOMAIN, ...(flags.additionalDomain ?? [])])]
      : [];
  const subject = {
    commonName: flags.commonName ?? "Nomad Agent CA",
    country: flags.country ?? "",
    province: flags.province ?? "",
    locality: flags.locality ?? "",
    streetAddress: flags.streetAddress ?? "",
    postalCode: flags.postalCode ?? "",
    organization: flags.organization ?? "Nomad",
    organizationalUnit: flags.organizationalUnit ?? "Agents",
  };
  writePair(await makeAuthority(subject, days, permitted), certPath, keyPath);
  print(`==> CA certificate saved to: ${certPath}`);
  print(`==> CA certificate key saved to: ${keyPath}`);
}

function checkConstraint(flags: CaFlags, domain: string): void {
  const constrained = flags.nameConstraint === true;
  if (domain !== DOMAIN && !constrained) {
    const message = "Please provide the -name-constraint flag to use a custom domain constraint";
    throw new CommandError(message);
  }
  if (domain === DOMAIN && constrained && flags.additionalDomain === undefined) {
    const message =
      "Please provide the -domain flag if you want to enable custom domain constraints";
    throw new CommandError(message);
  }
  if (flags.additionalDomain !== undefined && !constrained) {
    throw new CommandError("-additional-domain has no effect without -name-constraint");
  }
}

/** A custom subject is all or nothing, as Nomad has it. */
function checkSubject(flags: CaFlags): void {
  const required = ["commonName", "country", "organization", "organizationalUnit"] as const;
  const optional = ["locality", "postalCode", "province", "streetAddress"] as const;
  const custom = [...required, ...optional].some((name) => flags[name] !== undefined);
  const missing = required.find((name) => flags[name] === undefined);
  if (!custom || missing === undefined) return;
  const flag = missing.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new CommandError(`Please provide the -${flag} flag when customizing the CA`);
}

interface CertFlags {
  readonly additionalDnsname?: readonly string[];
  readonly additionalIpaddress?: readonly string[];
  readonly ca?: string;
  readonly key?: string;
  readonly days?: string;
  readonly domain?: string;
  readonly region?: string;
  readonly server?: boolean;
  readonly client?: boolean;
  readonly cli?: boolean;
}

type Role = "server" | "client" | "cli";

export async function createCert(flags: CertFlags): Promise<void> {
  const role = oneRole(flags);
  const domain = flags.domain ?? DOMAIN;
  const region = flags.region ?? (process.env["NOMAD_REGION"] || "global");
  const days = parseDays(flags.days, LEAF_DAYS);
  const ips = flags.additionalIpaddress ?? [];
  const badIp = ips.find((ip) => parseIp(ip) === undefined);
  if (badIp !== undefined)
    throw new CommandError(`-additional-ipaddress: '${badIp}' is no IP address`);
  const caPath = flags.ca ?? `${domain}-agent-ca.pem`;
  const caKeyPath = flags.key ?? `${domain}-agent-ca-key.pem`;
  const [certPath, keyPath] = [
    `${region}-${role}-${domain}.pem`,
    `${region}-${role}-${domain}-key.pem`,
  ];
  refuseExisting(certPath, `Certificate file '${certPath}' already exists`);
  refuseExisting(keyPath, `Key file '${keyPath}' already exists`);
  const authority = { certificate: read(caPath, "CA"), key: read(caKeyPath, "CA key") };
  if (role === "server") printError(SERVER_WARNING);
  const made = await makeCert(authority, role, { region, domain, days, ips, flags });
  writePair(made, certPath, keyPath);
  const label = { server: "Server", client: "Client", cli: "Cli" }[role];
  print(`==> Using CA file ${caPath} and CA key ${caKeyPath}`);
  print(`==> ${label} Certificate saved to ${certPath}`);
  print(`==> ${role === "cli" ? "CLI" : label} Certificate key saved to ${keyPath}`);
}

async function makeCert(
  authority: MadeCertificate,
  role: Role,
  how: {
    readonly region: string;
    readonly domain: string;
    readonly days: number;
    readonly ips: readonly string[];
    readonly flags: CertFlags;
  },
): Promise<MadeCertificate> {
  const { makeLeaf } = await import("../tls/make.ts");
  const name = `${role}.${how.region}.${how.domain}`;
  const names = [...(how.flags.additionalDnsname ?? []), name, "localhost"];
  try {
    return await makeLeaf(authority, {
      commonName: name,
      dnsNames: [...new Set(names)],
      ipAddresses: [...new Set([...how.ips, ...(role === "cli" ? [] : ["127.0.0.1"])])],
      days: how.days,
      usages: role === "cli" ? ["client", "server"] : ["server", "client"],
    });
  } catch (error) {
    const text = errorText(error);
    throw new CommandError(`Error making the certificate: the CA files cannot be used: ${text}`);
  }
}

const SERVER_WARNING = [
  "==> WARNING: Server Certificates grants authority to become a",
  "    server and access all state in the cluster including root keys",
  "    and all ACL tokens. Do not distribute them to production hosts",
  "    that are not server nodes. Store them as securely as CA keys.",
].join("\n");

function oneRole(flags: CertFlags): Role {
  const chosen = (["server", "client", "cli"] as const).filter((role) => flags[role] === true);
  const [role] = chosen;
  if (role === undefined || chosen.length > 1) {
    throw new CommandError("Please provide either -server, -client, or -cli");
  }
  return role;
}

function parseDays(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const days = Number(text);
  if (Number.isInteger(days) && days > 0) return days;
  throw new CommandError(`-days must be a whole number above 0, found '${text}'`);
}

function refuseExisting(path: string, message: string): void {
  if (isThere(path)) throw new CommandError(message);
}

function read(path: string, what: string): string {
  try {
    return readText(path);
  } catch (error) {
    const why = describeErrno(error);
    throw new CommandError(`Error reading ${what}: open ${path}: ${why}`);
  }
}

/** The key first: a certificate without its key is worth nothing; both or none. */
function writePair(made: MadeCertificate, certPath: string, keyPath: string): void {
  try {
    writeFileNew(keyPath, made.key, SECRET_MODE);
  } catch (error) {
    throw new CommandError(`cannot write ${keyPath}: ${describeErrno(error)}`);
  }
  try {
    writeFileNew(certPath, made.certificate, PUBLIC_MODE);
  } catch (error) {
    remove(keyPath);
    throw new CommandError(`cannot write ${certPath}: ${describeErrno(error)}`);
  }
}
