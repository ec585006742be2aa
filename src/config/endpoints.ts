/**
 * Where the agent listens and what it tells others: bind_addr, addresses, ports and advertise, with
 * templates resolved and Nomad's defaults.
 *
 * @module
 */
import { formatAddress, formatIp, isLoopback, isUnspecified, parseIp } from "../host/ip.ts";
import type { Address } from "../protocol/ports.ts";
import type { Config } from "./config.ts";
import { ConfigError, type Position, type Problem } from "./problem.ts";
import { type Interfaces, renderAddress } from "./sockaddr.ts";

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
  /** Asked when a template, or a default, needs them. */
  readonly interfaces: () => Interfaces;
  /** Addresses of a host name. */
  readonly lookup: (host: string) => Promise<readonly Uint8Array[]>;
}

type Kind = "http" | "rpc" | "serf";

/** @throws ConfigError with every mistake */
export async function resolveEndpoints(config: Config, host: EndpointHost): Promise<Endpoints> {
  const resolver = new Resolver(config, host);
  const http = await resolver.bind("http");
  const one = async (kind: Kind): Promise<Address> => {
    const found = await resolver.bind(kind);
    if (found.length > 1) resolver.tooMany(kind, found);
    return found[0] ?? NOWHERE;
  };
  const bind = { http, rpc: await one("rpc"), serf: await one("serf") };
  const advertise = {
    http: await resolver.advertise("http", http[0] ?? bind.rpc),
    rpc: await resolver.advertise("rpc", bind.rpc),
    serf: await resolver.advertise("serf", bind.serf),
  };
  const { problems } = resolver;
  if (problems.length > 0) throw new ConfigError(problems);
  return { bind, advertise };
}

const NOWHERE: Address = { ip: new Uint8Array(4), port: 0 };
const PORT_MAX = 65_535;

/** A setting, what it says, and where it, or what it comes from, stands. */
interface Setting {
  readonly key: string;
  readonly text: string;
  readonly at: Position | undefined;
}

class Resolver {
  readonly problems: Problem[] = [];
  readonly #config: Config;
  readonly #host: EndpointHost;
  /** By setting: bind_addr is asked for three ports, and is wrong once. */
  readonly #resolved = new Map<string, readonly Uint8Array[]>();
  #interfaces: Interfaces | undefined;

  constructor(config: Config, host: EndpointHost) {
    this.#config = config;
    this.#host = host;
  }

  async bind(kind: Kind): Promise<readonly Address[]> {
    const ips = await this.#ips(this.#boundBy(kind));
    return ips.map((ip) => ({ ip, port: this.#config.ports[kind] }));
  }

  tooMany(kind: Kind, found: readonly Address[]): void {
    const all = found.map(({ ip }) => formatIp(ip)).join(" ");
    const what = `Multiple addresses found ("${all}"), please configure one.`;
    this.#fail(this.#boundBy(kind), what);
  }

  #boundBy(kind: Kind): Setting {
    const { addresses, bindAddr, at } = this.#config;
    const own = addresses[kind];
    const key = own === undefined ? "bind_addr" : `addresses.${kind}`;
    return { key, text: own ?? bindAddr, at: at[key] };
  }

  async advertise(kind: Kind, bound: Address): Promise<Address> {
    const { advertise, server } = this.#config;
    const text = advertise[kind];
    if (text === undefined || text === "") return this.#defaultAdvertise(kind, bound);
    const key = `advertise.${kind}`;
    const setting = { key, text, at: this.#config.at[key] };
    const rendered = this.#rendered(setting);
    if (rendered === undefined) return bound;
    const [, host = rendered, port] = HOST_PORT.exec(rendered) ?? [];
    const number = port === undefined ? bound.port : Number(port);
    if (port !== undefined && !(number >= 1 && number <= PORT_MAX)) {
      this.#fail(setting, `address ${rendered}: invalid port`, `1 to ${PORT_MAX}, or none`);
      return bound;
    }
    const [ip, ...more] = await this.#ips({ ...setting, text: host });
    if (more.length > 0) {
      this.#fail(setting, `Multiple addresses found ("${host}"), please configure one.`);
    }
    const found = { ip: ip ?? bound.ip, port: number };
    // HTTP's is only shown, as in Nomad; the others are what servers and clients dial.
    if (ip !== undefined && isUnspecified(ip) && kind !== "http" && server.enabled) {
      const what = `${kind === "rpc" ? "RPC" : "Serf"} advertise address is not advertisable`;
      const help = "name an address that the others can reach; bind_addr is where this one listens";
      this.#fail(setting, `${what}: ${formatAddress(found)}`, help);
    }
    return found;
  }

  /** The bind address if others can use it; else the first private one (go-sockaddr's choice). */
  #defaultAdvertise(kind: Kind, bound: Address): Address {
    if (this.problems.length > 0) return bound; // It may be of an address that is wrong itself.
    const { advertise, devMode } = this.#config;
    const key = `advertise.${kind}`;
    const at = this.#config.at[key] ?? this.#boundBy(kind).at;
    const setting = { key, text: "", at };
    if (isUnspecified(bound.ip)) {
      const { text } = renderAddress("{{ GetPrivateIP }}", () => this.#machine());
      const ip = parseIp(text ?? "");
      if (ip !== undefined) return { ip, port: bound.port };
      if (devMode) return { ip: Uint8Array.of(127, 0, 0, 1), port: bound.port };
      const help = `set advertise { ${kind} = "IP" }`;
      this.#fail(setting, "no private address was found to tell others", help);
      return bound;
    }
    const everywhere = Uint8Array.of(127, 0, 0, 1);
    const isDefaultLoopback = bound.ip.every((byte, i) => byte === everywhere[i]);
    // Who left it empty meant to advertise something; who left it out may have all on one machine.
    const wasMeant = advertise[kind] !== undefined;
    if ((isDefaultLoopback || wasMeant) && isLoopback(bound.ip) && !devMode) {
      this.#fail(
        setting,
        "Defaulting advertise to localhost is unsafe, please set advertise manually",
        `set advertise { ${kind} = "${formatIp(bound.ip)}" } if all agents run on this machine`,
      );
    }
    return bound;
  }

  #machine(): Interfaces {
    this.#interfaces ??= this.#host.interfaces();
    return this.#interfaces;
  }

  /** undefined: it cannot be, and that has been said. */
  #rendered(setting: Setting): string | undefined {
    const { text, error } = renderAddress(setting.text, () => this.#machine());
    if (text === undefined) {
      const why = `Unable to parse address template ${JSON.stringify(setting.text)}: ${error}`;
      this.#fail(setting, why);
      return undefined;
    }
    if (text.trim() !== "") return text.trim();
    const isTemplate = setting.text.includes("{{");
    this.#fail(
      setting,
      isTemplate ? "the template matches no address of this machine" : "is empty",
    );
    return undefined;
  }

  async #ips(setting: Setting): Promise<readonly Uint8Array[]> {
    const known = this.#resolved.get(setting.key);
    if (known !== undefined) return known;
    const ips: Uint8Array[] = [];
    for (const address of new Set(this.#rendered(setting)?.split(/\s+/) ?? [])) {
      const bare = /^\[(.+)\]$/.exec(address)?.[1] ?? address;
      const ip = parseIp(bare) ?? (await this.#lookup(setting, bare));
      if (ip !== undefined) ips.push(ip);
    }
    this.#resolved.set(setting.key, ips);
    return ips;
  }

  async #lookup(setting: Setting, host: string): Promise<Uint8Array | undefined> {
    const found = await this.#host.lookup(host);
    if (found.length === 0) {
      const isTold = setting.key.startsWith("advertise.");
      const ports = isTold ? ", with a port or without one" : "; ports stand in ports { }";
      const help = `name an IP, a host or a template${ports}`;
      const what = `Error resolving address "${host}": no such host`;
      this.#fail(setting, what, /[:/,]/.test(host) ? help : undefined);
    }
    return found[0];
  }

  #fail({ key, at }: Setting, what: string, help?: string): void {
    const message = `${key}: ${what}`;
    if (this.problems.some((one) => one.message === message)) return;
    this.problems.push({ severity: "error", message, at, help });
  }
}

/** A host with a port; a bare IPv6 address has none. */
const HOST_PORT = /^(\[[^\]]*\]|[^:]*):(\d*)$/;

export function describeEndpoints(addresses: {
  readonly http: Address;
  readonly rpc: Address;
  readonly serf: Address;
}): string {
  const { http, rpc, serf } = addresses;
  return `HTTP: ${formatAddress(http)}; RPC: ${formatAddress(rpc)}; Serf: ${formatAddress(serf)}`;
}
