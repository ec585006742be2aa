/**
 * The addresses of this machine's interfaces, in the order of the kernel, with flags; those without
 * a carrier too, which the runtime leaves out.
 *
 * @module
 */
import { CString, type Pointer, read, toArrayBuffer } from "bun:ffi";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { parseIp } from "./ip.ts";
import { openLibc } from "./libc.ts";

export interface InterfaceAddress {
  readonly name: string;
  /** As Linux has them: 1 is up. */
  readonly flags: number;
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  /** Prefix length. */
  readonly bits: number;
}

export function machineInterfaces(): readonly InterfaceAddress[] {
  try {
    return process.platform === "linux" ? fromLibc() : fromRuntime();
  } catch {
    return fromRuntime();
  }
}

const UP_AND_RUNNING = 0x1043;
const LOOPBACK = 0x49;

/** Less than libc says, but everywhere. */
function fromRuntime(): readonly InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).flatMap(({ address, cidr, internal }) => {
      const ip = parseIp(address);
      if (ip === undefined) return [];
      const bits = Number(cidr?.split("/")[1] ?? ip.length * 8);
      return { name, ip, bits, flags: internal ? LOOPBACK : UP_AND_RUNNING };
    }),
  );
}

/** Offsets in `struct ifaddrs`, and in the addresses that it points to. */
const Ifaddrs = { next: 0, name: 8, flags: 16, address: 24, netmask: 32 } as const;
const Family = { inet: 2, inet6: 10, packet: 17 } as const;
const INTERFACES_MAX = 65_536;

function fromLibc(): readonly InterfaceAddress[] {
  const { symbols, close } = openLibc({
    getifaddrs: { args: ["ptr"], returns: "i32" },
    freeifaddrs: { args: ["ptr"], returns: "void" },
  });
  const list = new BigUint64Array(1);
  if (symbols.getifaddrs(list) !== 0) throw new Error("getifaddrs");
  const head = Number(list[0]);
  const found: { index: number; one: InterfaceAddress }[] = [];
  const indexes = new Map<string, number>();
  let next = head;
  for (let i = 0; isPointer(next) && i < INTERFACES_MAX; i++) {
    const name = new CString(pointerAt(next, Ifaddrs.name)).toString();
    const address = read.ptr(next, Ifaddrs.address);
    const family = isPointer(address) ? read.u16(address, 0) : 0;
    if (isPointer(address)) {
      if (family === Family.packet) indexes.set(name, read.u32(address, 4));
      const ip = ipAt(address, family);
      const mask = ipAt(read.ptr(next, Ifaddrs.netmask), family);
      if (ip !== undefined) {
        const flags = read.u32(next, Ifaddrs.flags);
        const one = { name, flags, ip, bits: prefixOf(mask ?? new Uint8Array()) };
        found.push({ index: found.length, one });
      }
    }
    next = read.ptr(next, Ifaddrs.next);
  }
  if (isPointer(head)) symbols.freeifaddrs(head);
  close();
  // By interface; of one interface IPv4 comes first, as libc gives them.
  const rank = ({ name }: InterfaceAddress): number => indexes.get(name) ?? INTERFACES_MAX;
  return found.sort((a, b) => rank(a.one) - rank(b.one) || a.index - b.index).map(({ one }) => one);
}

function isPointer(value: number | null): value is Pointer {
  return value !== null && value !== 0;
}

function pointerAt(base: Pointer, offset: number): Pointer {
  const pointer = read.ptr(base, offset);
  if (!isPointer(pointer)) throw new Error("a null pointer");
  return pointer;
}

function ipAt(address: number, family: number): Uint8Array | undefined {
  if (!isPointer(address)) return undefined;
  const [offset, length] = family === Family.inet ? [4, 4] : family === Family.inet6 ? [8, 16] : [];
  if (offset === undefined || length === undefined) return undefined;
  return new Uint8Array(toArrayBuffer(address, offset, length).slice(0));
}

function prefixOf(mask: Uint8Array): number {
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const zero = bits.indexOf("0");
  return zero < 0 ? bits.length : zero;
}

/** The interface with the default route by a gateway, of IPv4: what go-sockaddr asks `ip route`. */
export function defaultInterface(): string | undefined {
  try {
    for (const line of readFileSync("/proc/net/route", "latin1").split("\n").slice(1)) {
      const [name, destination, gateway, , , , , mask] = line.split(/\s+/);
      if (destination === "00000000" && mask === "00000000" && gateway !== "00000000") return name;
    }
  } catch {
    // No Linux, or no /proc.
  }
  return undefined;
}
