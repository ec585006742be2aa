/**
 * Who may change something over HTTP. Nomad lets everybody while ACLs are off; we take changes only
 * from whoever proved itself by a client certificate, or from this machine. Where ACLs are on, a
 * token decides: then only what a browser could be made to send is looked at here.
 *
 * @module
 */
import { isLoopback, parseIp, splitHostPort } from "../host/ip.ts";
import { mayOperate, operatorName, serverName } from "../service/rpc/roles.ts";

export interface Caller {
  readonly ip: Uint8Array;
  /** It presented a certificate of our CA (verify_https_client) with these names. */
  readonly names: readonly string[] | undefined;
  /** Of the certificate, whether its names count or not; and the port that it calls from. */
  readonly fingerprint?: string | undefined;
  readonly port?: number;
  /** It only passes on what somebody else has asked. */
  readonly proxy?: boolean;
}

/** Whom nobody vouches for. */
export const STRANGER: Caller = { ip: new Uint8Array(4), names: undefined };

/** What a request says of where it comes from. */
export interface AccessRequest {
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Browsers say of each request whether a page of another site has caused it. */
  readonly fetchSite: string | undefined;
}

/** Whom this agent takes for itself. */
export interface OwnIdentity {
  readonly region: string;
  /** Host names that it answers to. */
  readonly names: readonly string[];
  /** HTTP is encrypted: then a name that is not ours is the TLS library's affair. */
  readonly secured: boolean;
  /** There are ACLs. */
  readonly byToken?: boolean;
}

/** What a proxy says about whom it asks for; nobody on this machine has a reason to. */
const PASSED_ON =
  /^(via|x-real-ip|(x-)?forwarded[a-z-]*|x-original-[a-z-]+|([a-z]+-)*(client|connecting)-ip)$/;

/** @param headers of the request, names in small letters */
export function callerOf(socket: Caller, headers: Readonly<Record<string, unknown>>): Caller {
  return Object.keys(headers).some((name) => PASSED_ON.test(name))
    ? { ...socket, proxy: true }
    : socket;
}

/** Its address proves that it is on this machine, and asks for itself. */
function isLocal({ ip, proxy = false }: Caller): boolean {
  return isLoopback(ip) && !proxy;
}

/** How the group is, whom it trusts: not for every client's certificate. */
const OPERATORS = "/v1/operator/";

/** @returns why this request may not even read, or undefined */
export function refuseRead(
  { path, host }: AccessRequest,
  { ip, names }: Caller,
  own: OwnIdentity,
): string | undefined {
  if (names !== undefined) {
    const isGuarded = own.byToken !== true && path.startsWith(OPERATORS);
    return isGuarded ? refuseRole(names, own.region) : undefined;
  }
  return isExposed(ip, own) ? foreignName(host, own) : undefined;
}

/** A page whose name was pointed at loopback (DNS rebinding) could do what the browser may. */
function isExposed(ip: Uint8Array, own: OwnIdentity): boolean {
  return !own.secured && isLoopback(ip);
}

/** @returns why this request may not change anything, or see a secret, or undefined */
export function refuseChange(
  request: AccessRequest,
  caller: Caller,
  own: OwnIdentity,
): string | undefined {
  const { names } = caller;
  const { byToken = false } = own;
  const refusal = byToken ? undefined : refuseRank(caller, own.region);
  if (refusal !== undefined) return refusal;
  // A page in the operator's browser can send requests here too: same site or nothing.
  const { host, origin, fetchSite = "none" } = request;
  const isForeign = origin !== undefined && hostOf(origin) !== host;
  if (isForeign || (fetchSite !== "none" && fetchSite !== "same-origin")) {
    return "Permission denied: a web page of another origin may not change anything";
  }
  const isNamed = names === undefined && (!byToken || isExposed(caller.ip, own));
  return isNamed ? foreignName(host, own) : undefined;
}

/** Where there are no tokens. */
function refuseRank(caller: Caller, region: string): string | undefined {
  return caller.names === undefined ? refuseUnproven(caller) : refuseRole(caller.names, region);
}

function refuseUnproven(caller: Caller): string | undefined {
  if (isLocal(caller)) return undefined;
  const why =
    caller.proxy === true
      ? "a proxy passed this request on, and changes are taken from this machine only"
      : "changes are taken from this machine's loopback only";
  const remedy = "tls { http = true  verify_https_client = true } makes callers prove who they are";
  return `Permission denied: ${why}, unless ${remedy}`;
}

function refuseRole(names: readonly string[], region: string): string | undefined {
  if (mayOperate(names, region)) return undefined;
  return (
    `Permission denied: the certificate is for ${names.join(", ") || "nobody"}; what changes ` +
    "something, or shows keys and snapshots, wants one for " +
    `${operatorName(region)} or ${serverName(region)} (nomad tls cert create -cli -region ${region})`
  );
}

/** A name that an attacker's DNS points at us is not ours. */
function foreignName(host: string | undefined, own: OwnIdentity): string | undefined {
  if (isOwnName(host, own.names)) return undefined;
  return (
    `Permission denied: the Host header names ${host ?? "nothing"}, which is not this agent: use its ` +
    "address, localhost, or its own name"
  );
}

/** May change things, as far as its connection tells. */
export function isTrusted(caller: Caller): boolean {
  return caller.names !== undefined || isLocal(caller);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function isOwnName(host: string | undefined, ownNames: readonly string[]): boolean {
  if (host === undefined) return false;
  const name = splitHostPort(host).host.toLowerCase();
  if (parseIp(name) !== undefined || name === "localhost") return true;
  return ownNames.some((one) => one.toLowerCase() === name);
}
