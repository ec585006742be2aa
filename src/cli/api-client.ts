/**
 * Requests to an agent, with Nomad's flags and NOMAD_* variables, and errors that say what to do.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { join } from "node:path";
import { describeErrno } from "../host/network.ts";
import { CommandError } from "./output.ts";

/** Flags of every command that asks an agent. */
export interface ApiFlags {
  readonly address?: string;
  readonly region?: string;
  readonly namespace?: string;
  readonly caCert?: string;
  readonly caPath?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly tlsSkipVerify?: boolean;
  readonly token?: string;
}

export interface ApiResponse {
  readonly status: number;
  readonly body: string;
  /** The same, as it came. */
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const DEFAULT_ADDRESS = "http://127.0.0.1:4646";
const TIMEOUT_MS = 60_000;

export class ApiClient {
  readonly #flags: ApiFlags;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly address: URL;

  /** @throws CommandError for an address or files that cannot be used */
  constructor(flags: ApiFlags, env: Readonly<Record<string, string | undefined>>) {
    this.#flags = flags;
    this.#env = env;
    const text = flags.address ?? (env["NOMAD_ADDR"] || DEFAULT_ADDRESS);
    if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
      throw new CommandError(
        `invalid address '${text}': it must start with http:// or https://, ` +
          "for example https://127.0.0.1:4646",
      );
    }
    this.address = new URL(text);
  }

  /** A 200, or it is an error. @throws CommandError */
  async ok(method: string, path: string, body?: string | Uint8Array): Promise<ApiResponse> {
    const response = await this.send(method, path, body);
    if (response.status !== 200) throw this.#unexpected(response.status, response.body);
    return response;
  }

  /** The JSON of a 200. @throws CommandError */
  async get(path: string): Promise<unknown> {
    const { body } = await this.ok("GET", path);
    try {
      return JSON.parse(body);
    } catch {
      throw new CommandError(`the answer of ${this.address.origin}${path} is not JSON`);
    }
  }

  async send(method: string, path: string, body?: string | Uint8Array): Promise<ApiResponse> {
    return this.#perform(method, path, body, undefined);
  }

  /** A 200 that goes on: each piece as it comes, until the agent ends it. @throws CommandError */
  async stream(path: string, piece: (bytes: Uint8Array) => void): Promise<void> {
    const { status, body } = await this.#perform("GET", path, undefined, piece);
    if (status !== 200) throw this.#unexpected(status, body);
  }

  async #perform(
    method: string,
    path: string,
    body: string | Uint8Array | undefined,
    piece: ((bytes: Uint8Array) => void) | undefined,
  ): Promise<ApiResponse> {
    const url = new URL(path, this.address);
    const region = this.#setting(this.#flags.region, "NOMAD_REGION");
    if (region !== undefined) url.searchParams.set("region", region);
    try {
      const request = { method, headers: this.#headers(), ...this.#tlsOptions() };
      return await perform(url, request, body, piece);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw this.#unreachable(method, url, error);
    }
  }

  #headers(): Record<string, string> {
    const token = this.#setting(this.#flags.token, "NOMAD_TOKEN");
    const headers: Record<string, string> = { Accept: "application/json" };
    if (token !== undefined) headers["X-Nomad-Token"] = token;
    const basic = this.#env["NOMAD_HTTP_AUTH"];
    if (basic) headers["Authorization"] = `Basic ${Buffer.from(basic).toString("base64")}`;
    return headers;
  }

  #tlsOptions(): RequestOptions {
    if (this.address.protocol !== "https:") return {};
    const file = (flag: string | undefined, variable: string): string | undefined => {
      const path = this.#setting(flag, variable);
      return path === undefined ? undefined : readPem(path);
    };
    const { caCert, clientCert, clientKey, tlsServerName, tlsSkipVerify } = this.#flags;
    const cert = file(clientCert, "NOMAD_CLIENT_CERT");
    const key = file(clientKey, "NOMAD_CLIENT_KEY");
    if ((cert === undefined) !== (key === undefined)) {
      throw new CommandError(
        "Error initializing client: Both client cert and client key must be provided " +
          "(-client-cert and -client-key, or NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY)",
      );
    }
    const ca = file(caCert, "NOMAD_CACERT") ?? this.#caPath();
    const servername = this.#setting(tlsServerName, "NOMAD_TLS_SERVER_NAME");
    const skip = tlsSkipVerify ?? /^(1|t|true)$/i.test(this.#env["NOMAD_SKIP_VERIFY"] ?? "");
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert, key }),
      ...(servername === undefined ? {} : { servername }),
      rejectUnauthorized: !skip,
    };
  }

  #caPath(): string[] | undefined {
    const path = this.#setting(this.#flags.caPath, "NOMAD_CAPATH");
    if (path === undefined) return undefined;
    const names = readdirSync(path).filter((name) => /\.(pem|crt|cer)$/.test(name));
    return names.map((name) => readPem(join(path, name)));
  }

  #setting(flag: string | undefined, variable: string): string | undefined {
    return flag ?? (this.#env[variable] || undefined);
  }

  #unexpected(status: number, body: string): CommandError {
    const message = `Unexpected response code: ${status} (${body.trim()})`;
    if (body.startsWith("Client sent an HTTP request to an HTTPS server")) {
      const https = `https://${this.address.host}`;
      return new CommandError(
        `${message}\nThe agent speaks TLS: try -address=${https} (or NOMAD_ADDR)`,
      );
    }
    return new CommandError(message);
  }

  #unreachable(method: string, url: URL, error: unknown): CommandError {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const reason = describeErrno(error);
    const verb = method.charAt(0) + method.slice(1).toLowerCase();
    const message = `${verb} "${url.href}": ${reason}`;
    const help = helpFor(code, reason);
    return new CommandError(help === undefined ? message : `${message}\n${help}`);
  }
}

function helpFor(code: string, reason: string): string | undefined {
  if (code === "ECONNREFUSED") {
    return "Is the agent running there? Start one with `nomad agent -dev`, or set -address (NOMAD_ADDR)";
  }
  if (/unable to (verify|get)|self[- ]signed|UNABLE_TO|SELF_SIGNED/i.test(`${code} ${reason}`)) {
    return "The agent's certificate is not of a CA we trust: pass its CA with -ca-cert=FILE (NOMAD_CACERT)";
  }
  if (code.includes("CERTIFICATE_REQUIRED") || code === "ECONNRESET") {
    return (
      "If the agent has verify_https_client on, it wants a certificate: pass -client-cert and " +
      "-client-key (NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY)"
    );
  }
  if (/ALTNAME|altnames/.test(`${code} ${reason}`)) {
    return "Name what the certificate is for: -tls-server-name=server.global.nomad (NOMAD_TLS_SERVER_NAME)";
  }
  if (/WRONG_VERSION|wrong version|packet length/i.test(`${code} ${reason}`)) {
    return "The agent does not speak TLS on that port: try http://";
  }
  return undefined;
}

function perform(
  url: URL,
  request: RequestOptions,
  body: string | Uint8Array | undefined,
  piece: ((bytes: Uint8Array) => void) | undefined,
): Promise<ApiResponse> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const timeout = piece === undefined ? TIMEOUT_MS : 0;
    const outgoing = send(url, { ...request, timeout, agent: false }, (response) => {
      const chunks: Uint8Array[] = [];
      const goesOn = piece !== undefined && response.statusCode === 200;
      response.on("data", (chunk: Uint8Array) => {
        if (goesOn) piece(chunk);
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: status = 0, headers } = response;
        resolve({ status, body: bytes.toString("utf8"), bytes, headers });
      });
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("i/o timeout")));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = describeErrno(error);
    throw new CommandError(`Error initializing client: open ${path}: ${why}`);
  }
}
