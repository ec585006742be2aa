/** What the machine is: its name, addresses, DNS. */
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import { parseIp } from "./ip.ts";

export function machineName(): string {
  return hostname();
}

/** All addresses of a host, IPv4 first; none if it does not resolve. */
export async function lookupHost(host: string): Promise<readonly Uint8Array[]> {
  const literal = parseIp(host);
  if (literal !== undefined) return [literal];
  // The runtime would print a warning of its own.
  if (host === "") return [];
  // The system takes 10.0.1 for 10.0.0.1, which is a slip more often than it is meant.
  if (/(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(host)) return [];
  try {
    const found = await lookup(host, { all: true });
    const ips = found.flatMap((one) => parseIp(one.address) ?? []);
    return ips.sort((a, b) => a.length - b.length);
  } catch {
    return [];
  }
}
