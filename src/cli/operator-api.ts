/** `nomad operator api`: any request, with the address, TLS files and token of the other commands. */

import { errorText } from "../host/error-text.ts";
import { isFed, readBytes, STDIN } from "../host/files.ts";
import { describeErrno } from "../host/network.ts";
import { ApiClient, type Asking } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { curlCommand } from "./curl-command.ts";
import { CommandError, print, printError, printRaw } from "./output.ts";
import { settingOf } from "./setting.ts";

interface ApiCommandFlags extends ApiFlags {
  readonly X?: string;
  readonly H?: readonly string[];
  readonly d?: string;
  readonly filter?: string;
  readonly dryrun?: boolean;
  readonly verbose?: boolean;
}

/** A snapshot may be sent like this. */
const BODY_BYTES_MAX = 2 ** 31;

/** The body of whatever the answer is goes to stdout; its status is no failure, as in Nomad. */
export async function operatorApi(target: string, flags: ApiCommandFlags): Promise<void> {
  const { path, address } = split(target, flags);
  const client = new ApiClient({ ...flags, ...address }, process.env);
  const url = new URL(path, client.address);
  if (flags.filter !== undefined) url.searchParams.set("filter", flags.filter);
  const { region } = client;
  if (region !== undefined && !url.searchParams.has("region")) {
    url.searchParams.set("region", region);
  }
  const namespace = flags.namespace || process.env["NOMAD_NAMESPACE"];
  if (namespace && !url.searchParams.has("namespace")) {
    url.searchParams.set("namespace", namespace);
  }
  const headers = parseHeaders(flags.H ?? []);
  const body = readBody(flags);
  const method = flags.X ?? (body === undefined ? "GET" : "POST");
  const verbose = (line: string): void => {
    if (flags.verbose === true) printError(line);
  };
  if (flags.dryrun === true) {
    const from = flags.d ?? (body === undefined ? undefined : "@-");
    return print(curlCommand({ flags, method, url, headers, body: from }, process.env));
  }
  verbose(`> ${method} ${url.href}`);
  for (const [name, values] of Object.entries(headers)) {
    for (const value of values) verbose(`> ${name}: ${value}`);
  }
  const begun: Asking["begun"] = (status, received) => {
    verbose(`< HTTP/1.1 ${status}`);
    for (const [name, value] of Object.entries(received)) verbose(`< ${name}: ${String(value)}`);
  };
  const answer = await client
    .send(method, `${url.pathname}${url.search}`, { body, headers, begun, piece: printRaw })
    .catch((error: unknown) => {
      if (error instanceof CommandError && error.code === 0) throw error;
      throw new CommandError(`Error performing request: ${errorText(error)}`);
    });
  printRaw(answer.bytes);
}

/** A path is the agent's own; a URL, with or without its scheme, says where, too. */
function split(
  target: string,
  flags: ApiFlags,
): { readonly path: string; readonly address: { readonly address?: string } } {
  if (/^\/?v1\//.test(target)) return { path: `/${target.replace(/^\//, "")}`, address: {} };
  if (target.startsWith("/")) return { path: target, address: {} };
  const whole = /^https?:\/\//i.test(target) ? target : `${usualScheme(flags)}://${target}`;
  if (!URL.canParse(whole)) {
    throw new CommandError(`Error turning path into URL: '${target}' is neither /v1/... nor a URL`);
  }
  const { origin, pathname, search } = new URL(whole);
  return { path: `${pathname}${search}`, address: { address: origin } };
}

/** Whoever has set up TLS means it; otherwise as the agent's own address has it. */
function usualScheme(flags: ApiFlags): string {
  const { env } = process;
  const set = [
    settingOf(["", flags.caCert], "NOMAD_CACERT", env),
    settingOf(["", flags.caPath], "NOMAD_CAPATH", env),
    settingOf(["", flags.clientCert], "NOMAD_CLIENT_CERT", env),
    settingOf(["", flags.tlsServerName], "NOMAD_TLS_SERVER_NAME", env),
  ];
  if (set.some((one) => one !== undefined) || flags.tlsSkipVerify === true) return "https";
  const address = settingOf(["-address", flags.address], "NOMAD_ADDR", env)?.value ?? "";
  return /^https:/i.test(address) ? "https" : "http";
}

/** A name that is there again has both values. @throws CommandError */
function parseHeaders(lines: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) {
      throw new CommandError(
        `Headers must be in the form 'Key: Value' but found: ${JSON.stringify(line)}`,
      );
    }
    const name = line.slice(0, colon);
    headers[name] = [...(headers[name] ?? []), line.slice(colon + 1).trim()];
  }
  return headers;
}

/** What -d says, or stdin, where something is piped into it. @throws CommandError */
function readBody({ d, verbose }: ApiCommandFlags): Uint8Array | undefined {
  if (d?.startsWith("@") === true && d !== "@-") return readFile(d.slice(1));
  if (d !== undefined && d !== "@-") return new TextEncoder().encode(d);
  try {
    if (!isFed(STDIN)) return undefined;
    if (verbose === true) printError("* Reading request body from stdin.");
    const body = readBytes(STDIN, BODY_BYTES_MAX);
    return body.length === 0 ? undefined : body;
  } catch {
    return undefined; // There is no stdin.
  }
}

function readFile(path: string): Uint8Array {
  try {
    return readBytes(path, BODY_BYTES_MAX);
  } catch (error) {
    throw new CommandError(`Error reading the body: open ${path}: ${describeErrno(error)}`);
  }
}
