/**
 * What a CA may name (RFC 5280 §4.2.1.10), as Go applies it: to every name of every certificate
 * below the CA that has a subjectAltName, never to common names.
 *
 * @module
 */
import { formatIp } from "../../host/ip.ts";
import { DerError, DerReader, Tag } from "./der.ts";
import { readIa5 } from "./distinguished-name.ts";
import { type AlternativeNames, GeneralName } from "./general-name.ts";

interface Subtrees {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  readonly networks: readonly Network[];
}

interface Network {
  readonly ip: Uint8Array;
  readonly mask: Uint8Array;
}

export interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
}

const Context = { permitted: 0xa0, excluded: 0xa1 } as const;
/** Against pathological certificates; Go's number. */
const COMPARISONS_MAX = 250_000;

/** @returns also, whether there is none of a kind that we do not know. @throws DerError */
export function readNameConstraints(reader: DerReader): {
  readonly constraints: NameConstraints;
  readonly understood: boolean;
} {
  const what = "name constraints";
  const fields = reader.inside(Tag.sequence, what);
  const [permitted, excluded] = [
    fields.optional(Context.permitted)?.content ?? new Uint8Array(),
    fields.optional(Context.excluded)?.content ?? new Uint8Array(),
  ];
  if (!reader.isAtEnd || !fields.isAtEnd) throw new DerError(`malformed ${what}`);
  if (permitted.length + excluded.length === 0) throw new DerError(`empty ${what}`);
  const [allow, deny] = [readSubtrees(permitted), readSubtrees(excluded)];
  return {
    constraints: { permitted: allow.subtrees, excluded: deny.subtrees },
    understood: allow.understood && deny.understood,
  };
}

function readSubtrees(content: Uint8Array): { subtrees: Subtrees; understood: boolean } {
  const dns: string[] = [];
  const emails: string[] = [];
  const uris: string[] = [];
  const networks: Network[] = [];
  let understood = true;
  const list = new DerReader(content);
  while (!list.isAtEnd) {
    const { tag, content: base } = list.inside(Tag.sequence, "name constraints").any();
    if (tag === GeneralName.dns) dns.push(domain(readIa5(base)));
    else if (tag === GeneralName.uri) uris.push(domain(readIa5(base)));
    else if (tag === GeneralName.email) emails.push(mailbox(readIa5(base)));
    else if (tag === GeneralName.ip) networks.push(readNetwork(base));
    else understood = false;
  }
  return { subtrees: { dns, emails, uris, networks }, understood };
}

function domain(text: string): string {
  if (!isDomain(text, true)) throw new DerError(`the constraint "${text}" is not a domain`);
  return text;
}

function mailbox(text: string): string {
  const at = text.lastIndexOf("@");
  if (at < 0) return domain(text);
  if (at === 0 || !isDomain(text.slice(at + 1), false)) {
    throw new DerError(`the constraint "${text}" is not a mailbox`);
  }
  return text;
}

function readNetwork(bytes: Uint8Array): Network {
  if (bytes.length !== 8 && bytes.length !== 32) {
    throw new DerError(`an IP constraint of ${bytes.length} bytes`);
  }
  const half = bytes.length / 2;
  const mask = bytes.subarray(half);
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  if (!/^1*0*$/.test(bits)) throw new DerError("an IP constraint with holes in its mask");
  return { ip: bytes.subarray(0, half), mask };
}

/** Labels of printable characters, none of them empty; a constraint may begin with a dot. */
function isDomain(text: string, isConstraint: boolean): boolean {
  if (text === "") return true;
  const labels = (isConstraint && text.startsWith(".") ? text.slice(1) : text).split(".");
  return labels.every((label) => /^[!-~]+$/.test(label));
}

/** A CA's constraints against the names of a certificate below it. @returns the first fault */
export function constraintFault(
  { permitted, excluded }: NameConstraints,
  names: AlternativeNames,
): string | undefined {
  const count = Object.values(names).reduce((sum, list) => sum + list.length, 0);
  const rules = [permitted, excluded].flatMap((one) => Object.values(one));
  if (count * rules.reduce((sum, list) => sum + list.length, 0) > COMPARISONS_MAX) {
    return "too many names and constraints to compare";
  }
  const inNetwork = (network: Network, ip: Uint8Array): boolean => contains(network, ip);
  for (const ip of names.ips) {
    const fault = judge(permitted.networks, excluded.networks, ip, inNetwork, inNetwork);
    if (fault !== undefined) return `IP address "${formatIp(ip)}" is ${fault}`;
  }
  for (const name of names.dnsNames) {
    if (!isDomain(name, false)) return `cannot parse dnsName "${name}"`;
    const fault = judge(permitted.dns, excluded.dns, name, isBelow, excludes);
    if (fault !== undefined) return `DNS name "${name}" is ${fault}`;
  }
  for (const uri of names.uris) {
    const host = hostOf(uri);
    if (host === undefined) return `URI "${uri}" cannot be matched against constraints`;
    const fault = judge(permitted.uris, excluded.uris, host, isBelow, excludes);
    if (fault !== undefined) return `URI "${uri}" is ${fault}`;
  }
  for (const email of names.emails) {
    const at = email.lastIndexOf("@");
    if (at < 1 || !isDomain(email.slice(at + 1), false))
      return `cannot parse rfc822Name "${email}"`;
    const fault = judge(permitted.emails, excluded.emails, email, coversMail, coversMail);
    if (fault !== undefined) return `email address "${email}" is ${fault}`;
  }
  return undefined;
}

function judge<Rule, Name>(
  permitted: readonly Rule[],
  excluded: readonly Rule[],
  name: Name,
  permits: (rule: Rule, name: Name) => boolean,
  forbids: (rule: Rule, name: Name) => boolean,
): string | undefined {
  if (permitted.length > 0 && !permitted.some((rule) => permits(rule, name))) {
    return "not permitted by any constraint";
  }
  return excluded.some((rule) => forbids(rule, name)) ? "excluded by a constraint" : undefined;
}

/** `.example.com` covers what is below example.com; `example.com` covers itself, too. */
function isBelow(rule: string, name: string): boolean {
  const [suffix, text] = [rule.toLowerCase(), name.toLowerCase()];
  if (suffix === "" || text === suffix) return true;
  return text.endsWith(suffix.startsWith(".") ? suffix : `.${suffix}`);
}

/** A wildcard that could stand for an excluded name is excluded with it. */
function excludes(rule: string, name: string): boolean {
  if (isBelow(rule, name)) return true;
  const rest = (text: string): string => text.toLowerCase().replace(/^[^.]*/, "");
  return name.startsWith("*") && rest(name) !== "" && rest(name) === rest(rule);
}

function coversMail(rule: string, email: string): boolean {
  const at = email.lastIndexOf("@");
  const host = email.slice(at + 1);
  const ruleAt = rule.lastIndexOf("@");
  if (ruleAt < 0) return isBelow(rule, host);
  const sameBox = rule.slice(0, ruleAt) === email.slice(0, at);
  return sameBox && rule.slice(ruleAt + 1).toLowerCase() === host.toLowerCase();
}

function contains({ ip, mask }: Network, address: Uint8Array): boolean {
  if (ip.length !== address.length) return false;
  return mask.every((bits, i) => ((ip[i] ?? 0) & bits) === ((address[i] ?? 0) & bits));
}

/** undefined: none, or an IP address, which no constraint on URIs speaks of. */
function hostOf(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const host = new URL(uri).hostname;
  return host === "" || /^[\d.]+$|^\[/.test(host) || !isDomain(host, false) ? undefined : host;
}
