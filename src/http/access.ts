/**
 * Who may change something over HTTP. Nomad lets everybody while ACLs are off; we take changes only
 * from whoever proved itself by a client certificate, or from this machine.
 *
 * @module
 */
import { isLoopback, parseIp, splitHostPort } from "../host/ip.ts";

export interface Caller {
  readonly ip: Uint8Array;
  /** It presented a certificate of our CA (verify_https_client). */
  readonly verified: boolean;
}

export interface AccessRequest {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

/** @returns why this request may not change anything, or undefined */
export function refuseChange(
  request: AccessRequest,
  caller: Caller,
  ownNames: readonly string[],
): string | undefined {
  if (!caller.verified && !isLoopback(caller.ip)) {
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
