/** Addresses with their networks, as go-sockaddr calculates with them. */
import { formatIp, parseIp, splitHostPort } from "../../host/ip.ts";

export interface IpNetwork {
  readonly version: 4 | 6;
  readonly address: bigint;
  /** Length of the network's prefix. */
  readonly bits: number;
  readonly port: number;
}

export function widthOf(version: 4 | 6): number {
  return version === 4 ? 32 : 128;
}

export function fromBytes(ip: Uint8Array, bits?: number, port = 0): IpNetwork {
  const version = ip.length === 4 ? 4 : 6;
  const address = BigInt(`0x${ip.toHex()}`);
  return { version, address, bits: bits ?? widthOf(version), port };
}

function toBytes(version: 4 | 6, value: bigint): Uint8Array {
  return Uint8Array.fromHex(value.toString(16).padStart(widthOf(version) / 4, "0"));
}

/** `10.0.0.0/8`, `10.0.0.1`, `[::1]`, `10.0.0.1:80`; undefined: none of these. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [base = "", bits, ...more] = text.split("/");
  const isMapped = base.includes(":") && base.includes(".");
  if (bits === undefined) {
    const { host, port } = splitHostPort(text);
    const ip = parseIp(host);
    return ip === undefined || host.includes("%") ? undefined : fromBytes(ip, undefined, port);
  }
  const ip = parseIp(base);
  if (ip === undefined || more.length > 0 || !/^\d{1,3}$/.test(bits)) return undefined;
  // An IPv4 address that is written in IPv6 has 96 bits in front of it.
  const own =
    ip.length === 4 && (isMapped || base.includes(":")) ? Number(bits) - 96 : Number(bits);
  const found = fromBytes(ip, own);
  return own < 0 || own > widthOf(found.version) ? undefined : found;
}

export function maskOf({ version, bits }: IpNetwork): bigint {
  const width = BigInt(widthOf(version));
  return ((1n << BigInt(bits)) - 1n) << (width - BigInt(bits));
}

/** The bits that are the host's. */
export function hostMaskOf({ version, bits }: IpNetwork): bigint {
  return (1n << BigInt(widthOf(version) - bits)) - 1n;
}

export function firstOf(one: IpNetwork): bigint {
  return one.address & maskOf(one);
}

export function lastOf(one: IpNetwork): bigint {
  return firstOf(one) | hostMaskOf(one);
}

/** Is the whole network of the other one in this one? */
export function contains(one: IpNetwork, other: IpNetwork): boolean {
  if (one.version !== other.version) return false;
  return firstOf(one) <= firstOf(other) && lastOf(one) >= lastOf(other);
}

export function addressText(version: 4 | 6, value: bigint): string {
  return formatIp(toBytes(version, value));
}

/** With the port or the prefix length, where there is one to be told. */
export function networkText(one: IpNetwork): string {
  const text = addressText(one.version, one.address);
  if (one.port !== 0) return one.version === 4 ? `${text}:${one.port}` : `[${text}]:${one.port}`;
  return one.bits === widthOf(one.version) ? text : `${text}/${one.bits}`;
}
