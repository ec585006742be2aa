/**
 * Which name a certificate is for: without regard to case, `*` for exactly one label and only as the
 * whole first one, IP addresses among the IP addresses only, and never the common name.
 *
 * @module
 */
import { formatIp, parseIp } from "../../host/ip.ts";
import type { X509 } from "./certificate.ts";
import { fitToPrint } from "./distinguished-name.ts";

/** Names in an error text; Go's number. And no more text than anybody reads. */
const NAMES_SHOWN_MAX = 100;
const NAMES_LENGTH_MAX = 1000;

/** @returns Go's sentence why the certificate is not for this host; undefined: it is */
export function hostNameFault(certificate: X509, host: string): string | undefined {
  const { names, rawNames, subject } = certificate;
  const bare = /^\[(.+)\]$/.exec(host)?.[1] ?? host;
  const ip = parseIp(bare);
  if (ip !== undefined) {
    const wanted = formatIp(ip);
    const found = names.ips.map(formatIp);
    if (found.includes(wanted)) return undefined;
    if (found.length > 0) return notAmong(found, bare);
    return `cannot validate certificate for ${bare} because it doesn't contain any IP SANs`;
  }
  if (names.dnsNames.some((name) => isNameOf(name, host))) return undefined;
  if (rawNames === undefined && isNameOf(subject.commonName, host)) {
    return "certificate relies on legacy Common Name field, use SANs instead";
  }
  if (names.dnsNames.length > 0) return notAmong(names.dnsNames, host);
  return `certificate is not valid for any names, but wanted to match ${host}`;
}

function notAmong(names: readonly string[], host: string): string {
  const all = names.slice(0, NAMES_SHOWN_MAX).map(fitToPrint).join(", ");
  if (names.length < NAMES_SHOWN_MAX && all.length <= NAMES_LENGTH_MAX) {
    return `certificate is valid for ${all}, not ${host}`;
  }
  return `certificate is valid for ${names.length} names, but none matched ${host}`;
}

/** @param pattern a DNS name out of a certificate */
export function isNameOf(pattern: string, host: string): boolean {
  const [name, wanted] = [lowerCase(pattern), lowerCase(host)];
  const bare = wanted.replace(/\.$/, "");
  if (!HOST.test(bare) || !PATTERN.test(name)) return isSameName(name, wanted);
  const [parts, labels] = [name.split("."), bare.split(".")];
  if (parts.length !== labels.length) return false;
  return parts.every((part, i) => part === labels[i] || (i === 0 && part === "*"));
}

/** The same name letter by letter, whatever their case: for the roles, where `*` means nothing. */
export function isSameName(one: string, other: string): boolean {
  if (one === "" || one === ".") return false;
  return lowerCase(one) === lowerCase(other);
}

/** Underscores are no DNS, but common where names are made up. */
const LABEL = "[a-z0-9_][a-z0-9_-]*";
const HOST = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const PATTERN = new RegExp(`^(\\*|${LABEL})(\\.${LABEL})+$|^${LABEL}$`);

/** ASCII only: other letters have no case in a DNS name. */
function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
