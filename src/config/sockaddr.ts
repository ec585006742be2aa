/**
 * The go-sockaddr templates that Nomad users write in addresses: `{{ GetPrivateIP }}`,
 * `{{ GetInterfaceIP "eth0" }}` and pipelines such as
 * `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}`.
 *
 * @module
 */
import { isLoopback, isPrivate, parseIp } from "../host/ip.ts";
import type { InterfaceAddress } from "../host/machine.ts";

/** Addresses that the text stands for, or why there are none. */
export type Resolved =
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  | { readonly kind: "unresolved"; readonly reason: string };

type Selection = readonly InterfaceAddress[];

const FUNCTIONS =
  "GetPrivateIP, GetPublicIP, GetInterfaceIP, GetAllInterfaces, GetPrivateInterfaces, " +
  "GetPublicInterfaces, GetDefaultInterfaces with include, exclude, limit, attr and join";

/** Plain texts pass through; several templates in one text are joined with what is between them. */
export function resolveTemplate(text: string, interfaces: Selection): Resolved {
  let problem: string | undefined;
  const expanded = text.replaceAll(/\{\{(.*?)\}\}/gs, (_all, body: string) => {
    const value = evaluate(body.trim(), interfaces);
    if (value.kind === "unresolved") problem ??= value.reason;
    return value.kind === "addresses" ? value.addresses.join(" ") : "";
  });
  if (problem !== undefined) return { kind: "unresolved", reason: problem };
  if (expanded.includes("{{")) {
    return {
      kind: "unresolved",
      reason: `unable to parse address template "${text}": no closing }}`,
    };
  }
  return { kind: "addresses", addresses: expanded.split(/\s+/).filter((one) => one !== "") };
}

function evaluate(body: string, interfaces: Selection): Resolved {
  const [head, ...filters] = body.split("|").map((part) => words(part));
  let selection = source(head ?? [], interfaces);
  if (selection === undefined) {
    const reason = `unable to parse address template "{{ ${body} }}": known are ${FUNCTIONS}`;
    return { kind: "unresolved", reason };
  }
  for (const filter of filters) {
    const next = apply(filter, selection);
    if (next === undefined) {
      return {
        kind: "unresolved",
        reason: `unknown step "${filter.join(" ")}" in "{{ ${body} }}"`,
      };
    }
    selection = next;
  }
  if (selection.length === 0) {
    return { kind: "unresolved", reason: `"{{ ${body} }}" matches no address of this machine` };
  }
  return { kind: "addresses", addresses: selection.map((one) => one.address) };
}

/** Words, with quotes taken off. */
function words(part: string): readonly string[] {
  return [...part.matchAll(/\\?"((?:[^"\\]|\\[^"])*)\\?"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? "");
}

function source(head: readonly string[], interfaces: Selection): Selection | undefined {
  const up = interfaces.filter((one) => one.up);
  const privates = up.filter((one) => !loopback(one) && isPrivate(bytes(one)));
  const publics = up.filter((one) => !loopback(one) && !isPrivate(bytes(one)) && !linkLocal(one));
  switch (head[0]) {
    case "GetPrivateIP":
      return ipv4First(privates).slice(0, 1);
    case "GetPublicIP":
      return ipv4First(publics).slice(0, 1);
    case "GetPrivateIPs":
    case "GetPrivateInterfaces":
      return privates;
    case "GetPublicIPs":
    case "GetPublicInterfaces":
      return publics;
    case "GetInterfaceIP":
      return ipv4First(up.filter((one) => one.name === head[1])).slice(0, 1);
    case "GetInterfaceIPs":
      return up.filter((one) => one.name === head[1]);
    case "GetAllInterfaces":
      return interfaces;
    case "GetDefaultInterfaces":
      return up.filter((one) => !loopback(one) && !linkLocal(one));
    default:
      return undefined;
  }
}

function apply(filter: readonly string[], from: Selection): Selection | undefined {
  const [name, ...args] = filter;
  switch (name) {
    case "include":
      return from.filter((one) => matches(one, args));
    case "exclude":
      return from.filter((one) => !matches(one, args));
    case "limit":
      return from.slice(0, Number(args[0]));
    case "sort":
      return ipv4First(from);
    case "attr":
    case "join":
      return args[0] === "address" ? from : undefined;
    default:
      return undefined;
  }
}

function matches(one: InterfaceAddress, [selector, value = ""]: readonly string[]): boolean {
  switch (selector) {
    case "name":
      return new RegExp(value).test(one.name);
    case "network":
      return inNetwork(bytes(one), value);
    case "type":
      return value.toLowerCase() === (bytes(one).length === 4 ? "ipv4" : "ipv6") || value === "ip";
    case "flags":
      return value.split("|").every((flag) => {
        if (flag === "up") return one.up;
        return flag === "loopback" ? loopback(one) : flag === "forwardable" && !linkLocal(one);
      });
    case "rfc":
      return value === "1918" && bytes(one).length === 4 && isPrivate(bytes(one));
    default:
      return false;
  }
}

function inNetwork(ip: Uint8Array, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  const wanted = parseIp(base);
  if (wanted === undefined || wanted.length !== ip.length) return false;
  for (let bit = 0; bit < Number(bits); bit++) {
    const mask = 0x80 >> (bit & 7);
    if (((ip[bit >> 3] ?? 0) & mask) !== ((wanted[bit >> 3] ?? 0) & mask)) return false;
  }
  return true;
}

function ipv4First(from: Selection): Selection {
  return [...from].sort((a, b) => bytes(a).length - bytes(b).length);
}

function bytes(one: InterfaceAddress): Uint8Array {
  return parseIp(one.address) ?? new Uint8Array(4);
}

function loopback(one: InterfaceAddress): boolean {
  return isLoopback(bytes(one));
}

function linkLocal(one: InterfaceAddress): boolean {
  const [a = 0, b = 0] = bytes(one);
  return (a === 169 && b === 254) || (a === 0xfe && (b & 0xc0) === 0x80);
}
