/**
 * Proxies by the environment, as Go's programs take them: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in
 * capitals or not, and never for this machine's loopback.
 *
 * @module
 */
import {
  contains,
  fromBytes,
  type IpNetwork,
  parseNetwork,
} from "../config/sockaddr/ip-network.ts";
import { isLoopback, parseIp } from "../host/ip.ts";
import { CommandError } from "./output.ts";
import type { Environment } from "./setting.ts";

export interface HttpProxy {
  readonly url: URL;
  /** The variable that names it. */
  readonly source: string;
}

/** undefined: the target is asked directly. @throws CommandError for what is no proxy */
export function proxyFor(target: URL, env: Environment): HttpProxy | undefined {
  const name = target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const found = [name, name.toLowerCase()].find((one) => (env[one] ?? "") !== "");
  const value = env[found ?? ""] ?? "";
  if (found === undefined || !isProxied(target, env["NO_PROXY"] || env["no_proxy"] || "")) {
    return undefined;
  }
  // A web server hands what a client calls itself to such programs, in a variable of this name.
  if (name === "HTTP_PROXY" && (env["REQUEST_METHOD"] ?? "") !== "") {
    throw new CommandError("refusing to use HTTP_PROXY value in CGI environment");
  }
  return { url: parseProxy(value, found), source: found };
}

function parseProxy(value: string, source: string): URL {
  const whole = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(whole)) throw new CommandError(`invalid proxy address (${source}): no URL`);
  const url = new URL(whole);
  if (url.protocol === "http:" || url.protocol === "https:") return url;
  const scheme = url.protocol.slice(0, -1);
  throw new CommandError(
    `${source}: a proxy of the kind ${scheme} is not supported: it is http or https`,
  );
}

/** Is it asked through a proxy, as far as NO_PROXY says? */
function isProxied({ hostname, port, protocol }: URL, exceptions: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const ip = parseIp(host);
  if (host === "localhost" || (ip !== undefined && isLoopback(ip))) return false;
  const target: Target = {
    host,
    address: ip && fromBytes(ip),
    port: Number(port || (protocol === "https:" ? 443 : 80)),
  };
  const words = exceptions.split(",").map((one) => one.trim().toLowerCase());
  return !words.some((word) => word !== "" && isMeant(word, target));
}

interface Target {
  readonly host: string;
  readonly address: IpNetwork | undefined;
  readonly port: number;
}

/** `*`, an address, a network, or a domain with all below it; behind each but a network a port. */
function isMeant(word: string, target: Target): boolean {
  if (word === "*") return true;
  if (word.includes("/")) {
    const network = parseNetwork(word);
    const { address } = target;
    return network !== undefined && address !== undefined && contains(network, address);
  }
  const [, name = "", port] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(word) ?? [];
  const host = name.replace(/^\[|\]$/g, "");
  if (host === "" || (port !== undefined && Number(port) !== target.port)) return false;
  const network = parseIp(host) === undefined ? undefined : parseNetwork(host);
  if (network !== undefined) {
    const { address } = target;
    return address !== undefined && contains(network, address);
  }
  const domain = host.replace(/^\*\./, ".");
  if (domain.startsWith(".")) return target.host.endsWith(domain);
  return target.host === domain || target.host.endsWith(`.${domain}`);
}
