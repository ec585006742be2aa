/**
 * Where the agent listens and what it tells others: bind_addr, addresses, ports and advertise, with
 * templates resolved and Nomad's defaults.
 *
 * @module
 */
import {
  formatAddress,
  formatIp,
  isLoopback,
  isUnspecified,
  parseIp,
  splitHostPort,
} from "../host/ip.ts";
import type { InterfaceAddress } from "../host/machine.ts";
import type { Address } from "../protocol/ports.ts";
import type { Config } from "./config.ts";
import { ConfigError, type Problem } from "./problem.ts";
import { resolveTemplate } from "./sockaddr.ts";

export interface Endpoints {
  /** HTTP may have several. */
  readonly bind: {
    readonly http: readonly Address[];
    readonly rpc: Address;
    readonly serf: Address;
  };
  readonly advertise: { readonly http: Address; readonly rpc: Address; readonly serf: Address };
}

export interface EndpointHost {
  readonly interfaces: readonly InterfaceAddress[];
  /** Addresses of a host name. */
  readonly lookup: (host: string) => Promise<readonly Uint8Array[]>;
}

type Kind = "http" | "rpc" | "serf";

/** @throws ConfigError with every mistake */
export async function resolveEndpoints(config: Config, host: EndpointHost): Promise<Endpoints> {
  const problems: Problem[] = [];
  const resolver = new Resolver(config, host, problems);
  const http = await resolver.bind("http");
  const rpc = await resolver.bind("rpc");
  const serf = await resolver.bind("serf");
  const one = (kind: Kind, found: readonly Address[]): Address => {
    const [first] = found;
    if (found.length > 1) {
      resolver.fail(`addresses.${kind}`, `multiple addresses found (${texts(found)})`);
    }
    return first ?? { ip: new Uint8Array(4), port: 0 };
  };
  const bind = { http, rpc: one("rpc", rpc), serf: one("serf", serf) };
  const advertise = {
    http: await resolver.advertise("http", http[0] ?? bind.rpc),
    rpc: await resolver.advertise("rpc", bind.rpc),
    serf: await resolver.advertise("serf", bind.serf),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return { bind, advertise };
}

function texts(addresses: readonly Address[]): string {
  return addresses.map((address) => formatIp(address.ip)).join(" ");
}

class Resolver {
  readonly #config: Config;
  readonly #host: EndpointHost;
  readonly #problems: Problem[];

  constructor(config: Config, host: EndpointHost, problems: Problem[]) {
    this.#config = config;
    this.#host = host;
    this.#problems = problems;
  }

  fail(key: string, what: string, help?: string): void {
    const at = this.#config.at[key];
    this.#problems.push({ severity: "error", message: `${key}: ${what}`, at, help });
  }

  async bind(kind: Kind): Promise<readonly Address[]> {
    const { addresses, bindAddr, ports } = this.#config;
    const own = addresses[kind];
    const key = own === undefined ? "bind_addr" : `addresses.${kind}`;
    const ips = await this.#ips(key, own ?? bindAddr);
    return ips.map((ip) => ({ ip, port: ports[kind] }));
  }

  async advertise(kind: Kind, bound: Address): Promise<Address> {
    const text = this.#config.advertise[kind];
    const key = `advertise.${kind}`;
    if (text === undefined || text === "") return this.#defaultAdvertise(kind, bound);
    const resolved = resolveTemplate(text, this.#host.interfaces);
    if (resolved.kind === "unresolved") {
      this.fail(key, resolved.reason);
      return bound;
    }
    const { host, port } = splitHostPort(resolved.addresses.join(" "));
    const [ip] = await this.#ips(key, host);
    return { ip: ip ?? bound.ip, port: port ?? bound.port };
  }

  /** The bind address if others can use it; else the first private one (go-sockaddr's choice). */
  #defaultAdvertise(kind: Kind, bound: Address): Address {
    if (isUnspecified(bound.ip)) {
      const chosen = resolveTemplate("{{ GetPrivateIP }}", this.#host.interfaces);
      const ip = chosen.kind === "addresses" ? parseIp(chosen.addresses[0] ?? "") : undefined;
      if (ip !== undefined) return { ip, port: bound.port };
      if (this.#config.devMode) return { ip: Uint8Array.of(127, 0, 0, 1), port: bound.port };
      this.fail(
        `advertise.${kind}`,
        "no private address was found to tell others",
        `set advertise { ${kind} = "IP" }`,
      );
      return bound;
    }
    const everywhere = Uint8Array.of(127, 0, 0, 1);
    const isDefaultLoopback = bound.ip.every((byte, i) => byte === everywhere[i]);
    // Who left it empty meant to advertise something; who left it out may have all on one machine.
    const wasMeant = this.#config.advertise[kind] !== undefined;
    if ((isDefaultLoopback || wasMeant) && isLoopback(bound.ip) && !this.#config.devMode) {
      this.fail(
        `advertise.${kind}`,
        "Defaulting advertise to localhost is unsafe, please set advertise manually",
        `set advertise { ${kind} = "${formatIp(bound.ip)}" } if all agents run on this machine`,
      );
    }
    return bound;
  }

  async #ips(key: string, text: string): Promise<readonly Uint8Array[]> {
    const resolved = resolveTemplate(text, this.#host.interfaces);
    if (resolved.kind === "unresolved") {
      this.fail(key, `Bind address resolution failed: ${resolved.reason}`);
      return [];
    }
    if (resolved.addresses.length === 0) this.fail(key, "is empty");
    const ips: Uint8Array[] = [];
    for (const address of resolved.addresses) {
      const ip = parseIp(address) ?? (await this.#lookup(key, address));
      if (ip !== undefined) ips.push(ip);
    }
    return ips;
  }

  async #lookup(key: string, host: string): Promise<Uint8Array | undefined> {
    const found = await this.#host.lookup(host);
    if (found.length === 0) this.fail(key, `Error resolving address "${host}": no such host`);
    return found[0];
  }
}

export function describeEndpoints(addresses: {
  readonly http: Address;
  readonly rpc: Address;
  readonly serf: Address;
}): string {
  const { http, rpc, serf } = addresses;
  return `HTTP: ${formatAddress(http)}; RPC: ${formatAddress(rpc)}; Serf: ${formatAddress(serf)}`;
}
