/** IP addresses as bytes and as text. IPv4 out of a text has 4 bytes, as memberlist has it. */
import { isIPv4, isIPv6 } from "node:net";
import type { Address } from "../protocol/ports.ts";

const V4_IN_V6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** @returns 4 or 16 bytes, or undefined if it is not an address */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  const bare = text.split("%")[0] ?? "";
  if (!isIPv6(bare)) return undefined;
  return narrow(parseIpv6(bare));
}

/** Dotted for 4 bytes (also mapped ones), colons for 16, `?` and hex for anything else. */
export function formatIp(ip: Uint8Array): string {
  const bytes = narrow(ip);
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return `?${bytes.toHex()}`;
  return formatIpv6(bytes);
}

/** `ip:port`, with brackets around IPv6. */
export function formatAddress(address: Address): string {
  const ip = formatIp(address.ip);
  return ip.includes(":") ? `[${ip}]:${address.port}` : `${ip}:${address.port}`;
}

/** `host`, `host:port`, `[v6]:port` or a bare v6 address. */
export function splitHostPort(text: string): { host: string; port: number | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: portOf(bracketed[2]) };
  const colons = text.split(":").length - 1;
  if (colons > 1) return { host: text, port: undefined };
  const plain = /^([^:]*)(?::(\d{1,5}))?$/.exec(text);
  return { host: plain?.[1] ?? text, port: portOf(plain?.[2]) };
}

/** An address as `formatAddress` writes it; undefined: it has no port, or a name. */
export function parseAddress(text: string): Address | undefined {
  const { host, port } = splitHostPort(text);
  const ip = parseIp(host);
  return ip === undefined || port === undefined ? undefined : { ip, port };
}

export function isLoopback(ip: Uint8Array): boolean {
  const bytes = narrow(ip);
  if (bytes.length === 4) return bytes[0] === 127;
  return bytes.length === 16 && bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

export function isUnspecified(ip: Uint8Array): boolean {
  return ip.every((byte) => byte === 0);
}

function portOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function narrow(ip: Uint8Array): Uint8Array {
  const mapped = ip.length === 16 && V4_IN_V6.every((byte, i) => ip[i] === byte);
  return mapped ? ip.subarray(12) : ip;
}

function parseIpv6(text: string): Uint8Array {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let source = text;
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = (dotted[2] ?? "").split(".").map(Number);
    source = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = "", tail] = source.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, gap)).fill("0"), ...right];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[i * 2] = value >> 8;
    bytes[i * 2 + 1] = value & 0xff;
  });
  return bytes;
}

/** RFC 5952: lower case, the longest run of zeros as `::`. */
function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => {
    return (((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0)).toString(16);
  });
  let [start, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (groups[i + run] === "0") run += 1;
    if (run > length) [start, length] = [i, run];
  }
  if (start < 0) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}
