/**
 * Who may change something over HTTP. Nomad lets everybody while ACLs are off; we take changes only
 * from whoever proved itself by a client certificate, or from this machine.
 *
 * @module
 */
import { isLoopback, parseIp, splitHostPort } from "../host/ip.ts";
import { ARCHIVE_BYTES_MAX } from "../service/methods/snapshot-archive.ts";

/** The one endpoint that takes much. */
export const SNAPSHOT_PATH = "/v1/operator/snapshot";

export interface Caller {
  readonly ip: Uint8Array;
  /** It presented a certificate of our CA (verify_https_client). */
  readonly verified: boolean;
  /** It only passes on what somebody else has asked. */
  readonly proxy?: boolean;
}

/** Whom nobody vouches for. */
export const STRANGER: Caller = { ip: new Uint8Array(4), verified: false };

export interface AccessRequest {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

/** What a proxy says about whom it asks for; nobody on this machine has a reason to. */
const PASSED_ON = /^(forwarded|via|x-real-ip|x-client-ip|true-client-ip|x-forwarded-[a-z-]+)$/;

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

/** @returns why this request may not change anything, or undefined */
export function refuseChange(
  request: AccessRequest,
  caller: Caller,
  ownNames: readonly string[],
): string | undefined {
  if (!caller.verified && caller.proxy === true) {
    return (
      "Permission denied: a proxy passed this request on, and changes are taken from this machine " +
      "only, unless tls { http = true  verify_https_client = true } makes callers prove who they are"
    );
  }
  if (!caller.verified && !isLocal(caller)) {
    return (
      "Permission denied: changes are taken from this machine's loopback only, unless " +
      "tls { http = true  verify_https_client = true } makes callers prove who they are"
    );
  }
  // A page in the operator's browser can send requests here too: same site or nothing.
  const { host, origin } = request;
  if (origin !== undefined && hostOf(origin) !== host) {
    return "Permission denied: a web page of another origin may not change anything";
  }
  if (!caller.verified && !isOwnName(host, ownNames)) {
    return `Permission denied: the Host header names ${host ?? "nothing"}, which is not this agent`;
  }
  return undefined;
}

const BODY_BYTES_MAX = 1024 * 1024;

/** How much of a request is read: more only from whoever may change something by it. */
export function bodyBytesMax(path: string, caller: Caller): number {
  const trusted = caller.verified || isLocal(caller);
  return path === SNAPSHOT_PATH && trusted ? ARCHIVE_BYTES_MAX : BODY_BYTES_MAX;
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** A name that an attacker's DNS points at us is not ours. */
function isOwnName(host: string | undefined, ownNames: readonly string[]): boolean {
  if (host === undefined) return false;
  const { host: name } = splitHostPort(host);
  if (parseIp(name) !== undefined || name === "localhost") return true;
  return ownNames.includes(name);
}
