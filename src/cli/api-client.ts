/**
 * Requests to an agent, with Nomad's flags and NOMAD_* variables, and errors that say what to do.
 *
 * @module
 */

import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import { after } from "../host/timer.ts";
import { dialHttps } from "../tls/https.ts";
import { type AgentAddress, parseAddress } from "./agent-address.ts";
import type { ApiFlags } from "./api-command.ts";
import { explainFailure } from "./api-failure.ts";
import { type ClientTls, loadClientTls } from "./client-tls.ts";
import { parseAnswer } from "./json-read.ts";
import { CommandError, printError } from "./output.ts";
import { type HttpProxy, proxyFor } from "./proxy.ts";
import { type Environment, settingOf } from "./setting.ts";
import { waitingFor } from "./waiting-for.ts";

interface ApiResponse {
  readonly status: number;
  readonly body: string;
  /** The same, as it came. */
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Asking {
  readonly body?: string | Uint8Array | undefined;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Hears of the answer before its body comes. */
  readonly begun?: (status: number, headers: ApiResponse["headers"]) => void;
  /** Gets each piece of a 200 as it comes, instead of the whole at the end. */
  readonly piece?: (bytes: Uint8Array) => void;
  /** Said when there is no answer after a second: whom we wait for (default: by the path). */
  readonly waiting?: string;
  /** Nothing is said, however long it takes. */
  readonly quiet?: boolean;
  /** Ends it early, as if the agent had. */
  readonly stop?: AbortSignal;
}

const DEFAULT_ADDRESS = { value: "http://127.0.0.1:4646", source: "default" };
/** The longest that an agent takes by itself: a query of all members, and a leader that dies. */
const TIMEOUT_MS = 60_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const PATIENCE_MS = 1000;

/** What to know when a region is without a leader. */
export const NO_LEADER =
  "Servers elect a leader when as many of them see each other as server.bootstrap_expect says;\n" +
  "afterwards while more than half of the voters live (`nomad operator raft list-peers -stale`)";

const NO_TOKEN =
  "No token was sent: with ACLs pass one with -token (NOMAD_TOKEN), without them another certificate";

export class ApiClient {
  readonly #flags: ApiFlags;
  readonly #env: Environment;
  readonly #at: AgentAddress;
  /** Undefined where the address is not https. */
  readonly #tls: ClientTls | undefined;

  /** @throws CommandError for an address, or files, that cannot be used */
  constructor(flags: ApiFlags, env: Environment) {
    this.#flags = flags;
    this.#env = env;
    const address = settingOf(["-address", flags.address], "NOMAD_ADDR", env);
    this.#at = parseAddress(address ?? DEFAULT_ADDRESS);
    const isTls = this.#at.url.protocol === "https:";
    this.#tls = isTls ? loadClientTls(flags, env) : undefined;
  }

  get address(): URL {
    return this.#at.url;
  }

  /** Which region the flags or the environment ask for. */
  get region(): string | undefined {
    return settingOf(["-region", this.#flags.region], "NOMAD_REGION", this.#env)?.value;
  }

  /** For people: what is dialled. */
  get addressText(): string {
    const { url, socketPath } = this.#at;
    return socketPath === undefined ? url.origin : `unix://${socketPath}`;
  }

  /** A 200, or it is an error. @throws CommandError */
  async ok(method: string, path: string, asking: Asking = {}): Promise<ApiResponse> {
    const response = await this.send(method, path, asking);
    if (response.status !== 200) throw this.#unexpected(response.status, response.body);
    return response;
  }

  /** The JSON of a 200. @throws CommandError */
  async get(path: string, asking: Asking = {}): Promise<unknown> {
    const { body } = await this.ok("GET", path, asking);
    return parseAnswer(body, `${this.addressText}${path}`);
  }

  /** Whatever the status is. @throws CommandError when there is no answer */
  async send(method: string, path: string, asking: Asking = {}): Promise<ApiResponse> {
    const url = new URL(path, this.#at.url);
    if (this.region !== undefined && !url.searchParams.has("region")) {
      url.searchParams.set("region", this.region);
    }
    const { headers = {} } = asking;
    const options = { method, headers: { ...this.#headers(), ...headers } };
    const stopWaiting = this.#watch(path, asking);
    const seen: Seen = { secured: false, proxied: false };
    try {
      const { headers: more = {}, ...connection } = await this.#connection(url, seen);
      const whole = { ...options, ...connection, headers: { ...options.headers, ...more } };
      const response = await perform(url, whole, asking);
      // No command has another use for it.
      if (isPlainToTls(response.body)) throw this.#unexpected(response.status, response.body);
      return response;
    } catch (error) {
      if (error instanceof CommandError) throw error;
      const tls = this.#tls === undefined ? undefined : { ...this.#tls, ...seen };
      const { socketPath } = this.#at;
      throw new CommandError(await explainFailure({ method, url, socketPath, tls }, error));
    } finally {
      stopWaiting();
    }
  }

  /** @returns what ends the watch */
  #watch(path: string, { piece, waiting, quiet = false }: Asking): () => void {
    if (quiet || piece !== undefined) return () => undefined;
    let over = false;
    const say = async (): Promise<void> => {
      const whom = waiting ?? (await waitingFor(this, path));
      if (!over) printError(`==> Waiting for ${whom} ...`);
    };
    const cancel = after(PATIENCE_MS, () => void say().catch(() => undefined));
    return () => {
      over = true;
      cancel();
    };
  }

  #headers(): Record<string, string> {
    const token = settingOf(["-token", this.#flags.token], "NOMAD_TOKEN", this.#env)?.value;
    const headers: Record<string, string> = { Accept: "application/json" };
    if (token !== undefined) headers["X-Nomad-Token"] = token;
    const basic = this.#env["NOMAD_HTTP_AUTH"];
    if (basic) headers["Authorization"] = `Basic ${Buffer.from(basic).toString("base64")}`;
    return headers;
  }

  /** What the request goes through. @throws Error, and nothing has been sent */
  async #connection(target: URL, seen: Seen): Promise<RequestOptions> {
    const { socketPath, url } = this.#at;
    if (socketPath !== undefined) return { socketPath };
    const proxy = proxyFor(url, this.#env);
    seen.proxied = proxy !== undefined;
    if (this.#tls === undefined) return proxy === undefined ? {} : inTheClear(proxy, target);
    const { caSetting, authorities, pair, serverName, skipVerify } = this.#tls;
    const port = Number(url.port || 443);
    const through = proxy && (await tunnelTo(proxy, `${url.hostname}:${port}`));
    const socket = await dialHttps({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port,
      through,
      serverName,
      authorities: caSetting === undefined ? undefined : authorities,
      skipVerify,
      pair: pair && { cert: pair.cert, key: pair.key },
      timeoutMs: HANDSHAKE_TIMEOUT_MS,
    });
    seen.secured = true;
    const agent = new Agent({ keepAlive: false });
    return { agent: Object.assign(agent, { createConnection: () => socket }) };
  }

  #unexpected(status: number, body: string): CommandError {
    const message = `Unexpected response code: ${status} (${body.trim()})`;
    if (status === 501 && body.trim() === "Invalid method") {
      return new CommandError(`${message}\nThat agent is a client: ask a server (-address)`);
    }
    if (status === 403 && this.#headers()["X-Nomad-Token"] === undefined) {
      return new CommandError(`${message}\n${NO_TOKEN}`);
    }
    if (body.trim() === "No cluster leader") return new CommandError(`${message}\n${NO_LEADER}`);
    if (!isPlainToTls(body)) return new CommandError(message);
    const https = `https://${this.#at.url.host}`;
    return new CommandError(
      `${message}\nThe agent speaks TLS: try -address=${https} (or NOMAD_ADDR)`,
    );
  }
}

/** What a TLS listener says to whoever speaks in the clear. */
function isPlainToTls(body: string): boolean {
  return body.startsWith("Client sent an HTTP request to an HTTPS server");
}

async function tunnelTo(proxy: HttpProxy, to: string): Promise<Socket> {
  const { openTunnel } = await import("./proxy-tunnel.ts");
  return openTunnel(proxy, to);
}

/** A proxy is asked for the whole URL. */
async function inTheClear(proxy: HttpProxy, target: URL): Promise<RequestOptions> {
  const { dialProxy, proxyLogin } = await import("./proxy-tunnel.ts");
  const socket = await dialProxy(proxy);
  const login = proxyLogin(proxy);
  const agent = Object.assign(new HttpAgent({ keepAlive: false }), {
    createConnection: () => socket,
  });
  const headers = { Host: target.host, ...(login && { "Proxy-Authorization": login }) };
  return { agent, path: target.href, headers };
}

/** How far a connection came. */
interface Seen {
  /** The TLS handshake was done, as far as we can see. */
  secured: boolean;
  /** It goes by way of a proxy. */
  proxied: boolean;
}

function perform(
  url: URL,
  request: RequestOptions,
  { body, begun, piece, stop }: Asking,
): Promise<ApiResponse> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const timeout = piece === undefined ? TIMEOUT_MS : 0;
    const outgoing = send(url, { agent: false, ...request, timeout }, (response) => {
      const chunks: Uint8Array[] = [];
      const { statusCode: status = 0, headers } = response;
      begun?.(status, headers);
      const goesOn = piece !== undefined && status === 200;
      const done = (): void => {
        const bytes = Buffer.concat(chunks);
        resolve({ status, body: bytes.toString("utf8"), bytes, headers });
      };
      response.on("data", (chunk: Uint8Array) => {
        if (!goesOn) return void chunks.push(chunk);
        try {
          piece(chunk);
        } catch (error) {
          reject(error);
          outgoing.destroy();
        }
      });
      response.on("error", reject);
      response.on("end", done);
      stop?.addEventListener("abort", done);
    });
    stop?.addEventListener("abort", () => outgoing.destroy());
    outgoing.on("timeout", () => outgoing.destroy(new Error("i/o timeout")));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
