/**
 * Why an agent could not be asked: one sentence with the cause, and with the file or the address
 * that is to blame where that can be found out.
 *
 * @module
 */

import { isIP } from "node:net";
import { connect } from "node:tls";
import { describeErrno } from "../host/network.ts";
import { after } from "../host/timer.ts";
import { TlsError } from "../tls/refusal.ts";
import { CertificatePool, verifyCertificate } from "../tls/x509/verify.ts";
import { withoutPassword } from "./agent-address.ts";
import type { ClientPair, ClientTls } from "./client-tls.ts";

interface Attempt {
  readonly method: string;
  readonly url: URL;
  readonly socketPath: string | undefined;
  /** Undefined where TLS was not tried. */
  readonly tls: TlsAttempt | undefined;
}

interface TlsAttempt extends ClientTls {
  /** The handshake was done as far as we can see: a client's certificate is judged after it. */
  readonly secured: boolean;
  /** Nobody else may be asked what there is. */
  readonly proxied: boolean;
}

interface Failure {
  readonly code: string;
  readonly reason: string;
}

const DIAGNOSIS_MS = 3000;
const HUNG_UP = /ECONNRESET|EPIPE|ERR_SOCKET_CLOSED|socket hang up|Socket is closed/;

/** @param error of node's HTTP client */
export async function explainFailure(attempt: Attempt, error: unknown): Promise<string> {
  const { method, url, socketPath, tls } = attempt;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const failure = { code, reason: describeErrno(error) };
  const isProxys = error instanceof Error && error.name === "ProxyError";
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const where = socketPath === undefined ? withoutPassword(url.href) : `unix://${socketPath}`;
  const why = isProxys
    ? failure.reason
    : ((tls && (await explainTls(attempt.url, tls, failure, error))) ??
      explainAny(attempt, failure));
  return `${verb} "${where}": ${why}`;
}

function explainAny({ url, socketPath }: Attempt, { code, reason }: Failure): string {
  if (code === "ECONNREFUSED" || (socketPath !== undefined && code === "ENOENT")) {
    const hint =
      "Is the agent running there? Start one with `nomad agent -dev`, or set -address (NOMAD_ADDR)";
    return `${reason}\n${hint}`;
  }
  if (/ENOTFOUND|EAI_AGAIN|EAI_NONAME/.test(code)) return `no such host: ${url.hostname}`;
  if (HUNG_UP.test(`${code} ${reason}`)) return notHttp(url, "HTTP");
  if (/^HPE_|Parse Error|Malformed/i.test(`${code} ${reason}`)) return notHttp(url, "HTTP");
  return reason;
}

/** What listens there is something else. */
function notHttp(url: URL, protocol: string): string {
  const known = usualPort(url);
  return known === undefined
    ? `the other side hung up without an answer: does it speak ${protocol} on that port?`
    : `the other side hung up: ${known}`;
}

/** What is at that port of an agent, if it is not its HTTP API. */
function usualPort({ port }: URL): string | undefined {
  const is = { "4647": "the RPC port of an agent", "4648": "the gossip port of an agent" }[port];
  return is && `${port} is ${is} as a rule, its HTTP API is on 4646`;
}

/** undefined: it has nothing to do with TLS. */
async function explainTls(
  url: URL,
  tls: TlsAttempt,
  { code, reason }: Failure,
  error: unknown,
): Promise<string | undefined> {
  if (error instanceof TlsError) return explainRefusal(url, tls, error);
  const text = `${code} ${reason}`;
  const alert = /ALERT/.test(code);
  if (alert || (tls.secured && HUNG_UP.test(text))) return refusedUs(tls, code);
  if (HUNG_UP.test(text)) return notHttp(url, "HTTPS");
  if (/WRONG_VERSION|wrong version|packet length|HTTP_REQUEST/i.test(text)) {
    return usualPort(url) ?? `the agent does not speak TLS on that port: try http://${url.host}`;
  }
  return undefined;
}

/** We did not take the agent's certificate. */
async function explainRefusal(url: URL, tls: TlsAttempt, error: TlsError): Promise<string> {
  const { reason, message } = error;
  if (reason === "wrong-name") return wrongName(url, tls, message);
  if (reason === "unknown-authority") return untrusted(url, tls, message);
  if (reason !== "expired") return message;
  const found = await peerCertificate(url, tls);
  const [from, until] = [found?.valid_from ?? "", found?.valid_to ?? ""];
  if (Date.parse(until) < Date.now()) return `the agent's certificate has expired on ${until}`;
  if (Date.parse(from) < Date.now()) return `the agent's certificate: ${message}`;
  return "the agent's certificate is not valid yet: is this machine's clock right?";
}

/** The name to ask for is one of those that the certificate has. */
async function wrongName(url: URL, tls: TlsAttempt, message: string): Promise<string> {
  const alternatives = (await peerCertificate(url, tls))?.subjectaltname;
  if (alternatives === undefined) return `the agent's certificate: ${message}`;
  const names = alternatives.split(", ").map((one) => one.replace(/^(DNS|IP Address):/, ""));
  const wanted = tls.serverName ?? url.hostname;
  const best = names.find((name) => /^(server|client)\..+\.nomad$/.test(name)) ?? names[0] ?? "";
  return (
    `the agent's certificate is valid for ${names.join(", ")}, not for ${wanted}\n` +
    `Name what it is for: -tls-server-name=${best} (NOMAD_TLS_SERVER_NAME)`
  );
}

async function untrusted(url: URL, tls: TlsAttempt, message: string): Promise<string> {
  const issuer = (await peerCertificate(url, tls))?.issuer?.CN;
  const by = issuer === undefined ? "" : ` was issued by "${String(issuer)}", which`;
  const { caSetting } = tls;
  if (caSetting === undefined) {
    return (
      `the agent's certificate${by} is not of a CA that this machine trusts\n` +
      "Pass its CA with -ca-cert=FILE (NOMAD_CACERT)"
    );
  }
  const why = /\(possibly because of .*/.exec(message)?.[0] ?? "";
  const where = `${caSetting.value} (${caSetting.source})`;
  return `the agent's certificate${by} is not of a CA in ${where}${why && ` ${why}`}`;
}

/** It saw our certificate, or that we have none, and hung up. */
function refusedUs(tls: TlsAttempt, code: string): string {
  const { pair, secured } = tls;
  if (pair === undefined) {
    const sure = /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(code);
    return (
      `the agent ${sure ? "wants" : "hung up: it may want"} a certificate of its CA\n` +
      "Pass one with -client-cert and -client-key (NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY)"
    );
  }
  const fault = faultOf(pair, tls, Date.now());
  if (fault !== undefined) return `the agent did not take our certificate: ${fault}`;
  if (secured && !/ALERT/.test(code)) return "the agent hung up without an answer";
  const alert = code.replace(/^ERR_SSL_|^SSLV3_ALERT_|^TLSV1_ALERT_/g, "");
  return `the agent did not take the certificate in ${at(pair)} (${alert})`;
}

function faultOf(pair: ClientPair, tls: TlsAttempt, nowMs: number): string | undefined {
  const { notAfterMs, notBeforeMs, issuerCommonName } = pair.info;
  if (notAfterMs < nowMs) return `${at(pair)} has expired on ${dateText(notAfterMs)}`;
  if (notBeforeMs > nowMs) {
    return `${at(pair)} is not valid before ${dateText(notBeforeMs)}: is this machine's clock right?`;
  }
  const { authorities, caSetting } = tls;
  const [certificate, ...others] = pair.chain;
  if (certificate === undefined || caSetting === undefined) return undefined;
  const options = { nowMs, usage: "client" } as const;
  const fault = verifyCertificate(certificate, others, new CertificatePool(authorities), options);
  if (fault === undefined) return undefined;
  if (fault.kind !== "unknown-authority") return `${at(pair)}: x509: ${fault.message}`;
  return `${at(pair)} was issued by "${issuerCommonName}", not by a CA in ${caSetting.value}`;
}

function at({ setting }: ClientPair): string {
  return `${setting.value} (${setting.source})`;
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

interface PeerFacts {
  readonly valid_from?: string;
  readonly valid_to?: string;
  readonly subjectaltname?: string | undefined;
  readonly issuer?: { readonly CN?: unknown };
}

/** The agent's certificate, unverified: only for saying what is wrong with it. */
function peerCertificate(url: URL, tls: TlsAttempt): Promise<PeerFacts | undefined> {
  if (tls.proxied) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const port = Number(url.port || 443);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const name = tls.serverName ?? host;
    const options = {
      ...{ host, port, rejectUnauthorized: false },
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(tls.pair === undefined ? {} : { cert: tls.pair.cert, key: tls.pair.key }),
    };
    const socket = connect(options, () => {
      done(socket.getPeerCertificate());
    });
    const done = (facts: PeerFacts | undefined): void => {
      cancel();
      socket.destroy();
      resolve(facts);
    };
    const cancel = after(DIAGNOSIS_MS, () => done(undefined));
    socket.on("error", () => done(undefined));
  });
}
