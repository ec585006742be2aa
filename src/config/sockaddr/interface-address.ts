/** An address of this machine as a template's value: its attributes, and arithmetic on it. */
import type { InterfaceAddress } from "../../host/interfaces.ts";
import { TemplateError } from "../../template/tokens.ts";
import type { Thing, Value } from "../../template/value.ts";
import {
  addressText,
  firstOf,
  fromBytes,
  hostMaskOf,
  type IpNetwork,
  lastOf,
  maskOf,
  networkText,
  widthOf,
} from "./ip-network.ts";

/** Bits of `flags`, as Linux has them, in the order in which Go names them. */
export const InterfaceFlag = {
  up: 1,
  broadcast: 2,
  loopback: 8,
  "point-to-point": 0x10,
  multicast: 0x1000,
  running: 0x40,
} as const;

export class IfAddr implements Thing {
  readonly name: string;
  readonly flags: number;
  readonly ip: IpNetwork;

  constructor(name: string, flags: number, ip: IpNetwork) {
    this.name = name;
    this.flags = flags;
    this.ip = ip;
  }

  static of({ name, flags, ip, bits }: InterfaceAddress): IfAddr {
    return new IfAddr(name, flags, fromBytes(ip, bits));
  }

  get text(): string {
    return `${networkText(this.ip)} ${this.name}`;
  }

  field(name: string, args: readonly Value[]): Value {
    if (name === "Attr" && typeof args[0] === "string") return this.attribute(args[0]);
    if (name === "Name" && args.length === 0) return this.name;
    if (name === "Flags" && args.length === 0) return this.attribute("flags");
    if (name === "SockAddr" && args.length === 0) return this;
    throw new TemplateError(`can't evaluate field ${name} in type sockaddr.IfAddr`);
  }

  /** @throws TemplateError for a name that go-sockaddr does not know */
  attribute(selector: string): string {
    const name = selector.toLowerCase();
    const value = this.#own(name) ?? this.#ofIp(name) ?? this.#ofVersion(name);
    if (value !== undefined) return value;
    throw new TemplateError(`unsupported attribute name ${JSON.stringify(name)}`);
  }

  #own(name: string): string | undefined {
    if (name === "name") return this.name;
    if (name !== "flags") return undefined;
    const set = Object.entries(InterfaceFlag).filter(([, bit]) => (this.flags & bit) !== 0);
    const names = set.map(([flag]) => flag.replaceAll("-", ""));
    return names.length === 0 ? "0" : names.join("|");
  }

  #ofIp(name: string): string | undefined {
    const { ip } = this;
    const { version, address, bits, port } = ip;
    const digits = widthOf(version);
    switch (name) {
      case "address":
        return addressText(version, address);
      case "host":
        return networkText({ ...ip, bits: digits });
      case "port":
        return String(port);
      case "netmask":
        return addressText(version, maskOf(ip));
      case "network":
        return addressText(version, firstOf(ip));
      case "mask_bits":
        return String(bits);
      case "binary":
        return address.toString(2).padStart(digits, "0");
      case "hex":
        return address.toString(16).padStart(digits / 4, "0");
      case "first_usable":
        return addressText(version, firstOf(ip) + edge(ip));
      case "last_usable":
        return addressText(version, lastOf(ip) - edge(ip));
      case "octets":
        return bytesOf(ip).join(" ");
      case "string":
        return networkText(ip);
      case "type":
        return `IPv${version}`;
      default:
        return undefined;
    }
  }

  #ofVersion(name: string): string | undefined {
    const { version, address } = this.ip;
    if (name === "size") return (hostMaskOf(this.ip) + 1n).toString();
    if (name === "uint128" && version === 6) return address.toString();
    if (version !== 4) return undefined;
    if (name === "broadcast") return addressText(4, lastOf(this.ip));
    return name === "uint32" ? address.toString() : undefined;
  }

  /** @throws TemplateError */
  calculate(operation: string, value: string): IfAddr {
    const changed = calculate(operation, value, this.ip);
    return new IfAddr(this.name, this.flags, { ...changed, port: 0 });
  }
}

/** Networks of IPv4 keep their first and last address to themselves, unless they are links. */
function edge({ version, bits }: IpNetwork): bigint {
  return version === 4 && bits < 31 ? 1n : 0n;
}

function bytesOf({ version, address }: IpNetwork): readonly number[] {
  const hex = address.toString(16).padStart(widthOf(version) / 4, "0");
  return [...Uint8Array.fromHex(hex)];
}

function calculate(operation: string, value: string, ip: IpNetwork): IpNetwork {
  const { version } = ip;
  const all = (1n << BigInt(widthOf(version))) - 1n;
  switch (operation.toLowerCase()) {
    case "address":
      return { ...ip, address: (ip.address + signed(operation, value, version)) & all };
    case "network": {
      const step = signed(operation, value, version);
      const host = hostMaskOf(ip);
      // Down from the end: -1 is the last address of the network.
      const address = step >= 0n ? firstOf(ip) + (step & host) : lastOf(ip) - ((-step - 1n) & host);
      return { ...ip, address: address & all };
    }
    case "mask":
      return masked(operation, value, ip);
    default:
      throw new TemplateError(`unsupported math operation: ${JSON.stringify(operation)}`);
  }
}

function masked(operation: string, value: string, ip: IpNetwork): IpNetwork {
  const bits = /^\d{1,10}$/.test(value) ? Number(value) : undefined;
  if (bits === undefined || bits > widthOf(ip.version)) {
    const range = `0 and ${widthOf(ip.version)}`;
    throw new TemplateError(`parameter for operation "${operation}" must be between ${range}`);
  }
  return { ...ip, address: firstOf({ ...ip, bits }), bits: Math.min(bits, ip.bits) };
}

function signed(operation: string, value: string, version: 4 | 6): bigint {
  if (!/^\s*[+-]/.test(value)) {
    throw new TemplateError(`sign (+/-) is required for operation "${operation}"`);
  }
  const limit = 1n << (version === 4 ? 32n : 63n);
  const step = /^[+-]\d{1,40}$/.test(value) ? BigInt(value.replace("+", "")) : limit;
  if (step >= limit || step < -limit) {
    throw new TemplateError(`unable to convert "${value}" to int for operation "${operation}"`);
  }
  return step;
}
