/**
 * HTTP and HTTPS listeners in front of the app.
 *
 * Connections are accepted here, not by the HTTP library: so handshakes are counted by outcome,
 * connections limited per address, and a certificate can be changed while they live.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { gunzipSync, gzipSync } from "node:zlib";
import { errorText } from "../host/error-text.ts";
import { FAREWELL_MS, finish } from "../host/finish.ts";
import type { Clock, Log, StreamServer } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import type { SocketStream } from "../host/network.ts";
import type { Address } from "../protocol/ports.ts";
import { ConnectionLimit } from "../service/connection-limit.ts";
import { Pace } from "../service/pace.ts";
import { countRefusal, RefusalLog } from "../service/refusals.ts";
import type { HandshakeCounters } from "../service/rpc/counters.ts";
import { certificateNames } from "../tls/certificate.ts";
import { acceptTls, type TlsIdentity } from "../tls/handshake.ts";
import { TlsError } from "../tls/refusal.ts";
import { acceptsGzip } from "./accepts-gzip.ts";
import { type Caller, callerOf, isTrusted } from "./access.ts";
import type { HttpApp } from "./app.ts";
import { type Asked, SimpleAsked } from "./asked.ts";
import { isForArchive, RequestBodies, type RequestHead, toRequest } from "./body.ts";
import { HttpConnection } from "./connection.ts";
import type { Answer } from "./json-answer.ts";
import { type HeaderList, ParsedReply, type Reply } from "./reply.ts";
import { bodyOf } from "./shared-body.ts";

/** One request, whoever has parsed it, and the way back. */
interface Exchange {
  readonly request: RequestHead;
  /** Undefined: it has none. */
  readonly body: IncomingMessage | undefined;
  readonly reply: Reply;
  readonly caller: Caller;
  /** Nobody waits for the answer any more. */
  readonly signal: () => AbortSignal;
}

interface HttpServerInit {
  readonly addresses: readonly Address[];
  /** As it is now; without an identity: plain HTTP. */
  readonly security: () => {
    readonly identity: TlsIdentity | undefined;
    readonly verifyClient: boolean;
  };
  readonly handshakeTimeoutMs: number;
  readonly connectionsPerClientMax: number;
  /** Headers of the configuration, added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly counters: HandshakeCounters;
  readonly clock: Clock;
  readonly log: Log;
  readonly listen: (
    local: Address,
    accept: (stream: SocketStream) => void,
  ) => Promise<StreamServer>;
}

/** Headers that say what is measured here, whatever the configuration says. */
const MEASURED: readonly string[] = ["vary", "content-length"];
/** On each answer, whether it is packed or not. */
const VARY: [string, string] = ["Vary", "Accept-Encoding"];
const NO_BODY = new Uint8Array(0);
const TLS_HANDSHAKE_RECORD = 0x16;
/** Answers smaller than this are not worth compressing. */
const GZIP_BYTES_MIN = 1400;
/** Single sign-on in front of us sends big cookies; more than this is a 431. */
const HEADER_BYTES_MAX = 64 * 1024;
/** Requests that are worked on at once, blocking queries among them. */
const RUNNING_MAX = 4096;
/** About what a usual request takes of a turn of the loop. */
const REQUEST_MS = 0.25;
/** What one does on the short way. */
const SHORT_MS = 0.05;

const PLAIN_TO_TLS =
  "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
const TOO_MANY =
  "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: 81\r\n" +
  "Connection: close\r\n\r\n" +
  "Your IP is issuing too many concurrent connections, please rate limit your calls\n";

export class HttpServer {
  readonly #init: HttpServerInit;
  readonly #http: Server;
  readonly #limit: ConnectionLimit;
  readonly #refusals: RefusalLog;
  readonly #callers = new WeakMap<Asked, Caller>();
  readonly #open = new Set<SocketStream>();
  #app: HttpApp | undefined;
  #running = 0;
  readonly #bodies = new RequestBodies();
  readonly #ownHeaders: readonly [string, string][];
  /** Names that an answer's own headers do not have. */
  readonly #ownNames: ReadonlySet<string>;
  readonly #pace: Pace;
  #listeners: StreamServer[] = [];

  constructor(init: HttpServerInit) {
    this.#init = init;
    this.#limit = new ConnectionLimit(init.connectionsPerClientMax);
    this.#refusals = new RefusalLog(init.clock, init.log);
    this.#pace = new Pace(init.clock);
    const isOurs = (name: string): boolean => MEASURED.includes(name.toLowerCase());
    this.#ownHeaders = Object.entries(init.headers).filter(([name]) => !isOurs(name));
    this.#ownNames = new Set([...MEASURED, ...this.#ownHeaders.map(([one]) => one.toLowerCase())]);
    this.#http = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (incoming, response) => {
      const { socket: connection } = incoming;
      if (!(connection instanceof HttpConnection)) return void response.destroy();
      const caller = callerOf(connection.caller, incoming.headers);
      const reply = new ParsedReply(response, incoming.method === "HEAD");
      connection.serve(incoming, response, (signal) => {
        return this.#handle({ request: incoming, body: incoming, reply, caller, signal });
      });
    });
    // The connection itself knows for how long to wait.
    this.#http.keepAliveTimeout = 0;
  }

  callerOf(request: Asked): Caller | undefined {
    return request instanceof SimpleAsked ? request.caller : this.#callers.get(request);
  }

  /** @throws when an address cannot be bound */
  async start(app: HttpApp): Promise<void> {
    this.#app = app;
    for (const address of this.#init.addresses) {
      this.#listeners.push(await this.#init.listen(address, (stream) => this.#accept(stream)));
    }
  }

  async close(): Promise<void> {
    for (const stream of this.#open) stream.destroy();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#listeners = [];
  }

  #accept(stream: SocketStream): void {
    const { ip } = stream.remote;
    if (!this.#limit.take(ip)) {
      countRefusal(this.#init.counters.refused, "too-many-connections");
      stream.write(new TextEncoder().encode(TOO_MANY));
      return void finish(stream, FAREWELL_MS, this.#init.clock);
    }
    this.#open.add(stream);
    stream.socket.once("close", () => {
      this.#open.delete(stream);
      this.#limit.release(ip);
    });
    const { identity, verifyClient } = this.#init.security();
    if (identity === undefined) this.#plain(stream);
    else void this.#secure(stream, identity, verifyClient);
  }

  #plain(stream: SocketStream): void {
    const caller = { ...stream.remote, names: undefined };
    this.#serve(stream, caller);
  }

  async #secure(stream: SocketStream, identity: TlsIdentity, verifyClient: boolean): Promise<void> {
    const { handshakeTimeoutMs: timeoutMs, counters, log } = this.#init;
    const first = await stream.takeFirst(timeoutMs);
    if (first !== TLS_HANDSHAKE_RECORD) {
      if (typeof first !== "number") return stream.destroy();
      countRefusal(counters.refused, "not-tls");
      stream.write(new TextEncoder().encode(PLAIN_TO_TLS));
      return void finish(stream, FAREWELL_MS, this.#init.clock);
    }
    stream.putBack(first);
    try {
      const { remote } = stream;
      const secured = await acceptTls(stream, identity, { requireClient: verifyClient, timeoutMs });
      counters.accepted += 1;
      const { peer } = secured;
      const names = verifyClient && peer !== undefined ? certificateNames(peer) : undefined;
      const { fingerprint } = peer ?? {};
      this.#serve(secured.stream, { ...remote, names, fingerprint });
    } catch (error) {
      const reason = error instanceof TlsError ? error.reason : "other";
      const text = errorText(error);
      countRefusal(counters.refused, reason);
      const from = formatAddress(stream.remote);
      this.#refusals.note(reason, `TLS handshake error: ${text}`, () => ({ remote_addr: from }));
      log.trace("TLS handshake refused", { remote_addr: from, reason });
      stream.destroy();
    }
  }

  #serve(stream: SocketStream, caller: Caller): void {
    new HttpConnection({
      ...{ stream, caller, clock: this.#init.clock, pace: this.#pace },
      parse: (connection) => void this.#http.emit("connection", connection),
      direct: (request, reply, from, signal) =>
        this.#handle({ request, body: undefined, reply, caller: from, signal }),
    });
  }

  async #handle(exchange: Exchange): Promise<void> {
    const startedAt = this.#init.clock.now();
    this.#running += 1;
    try {
      await this.#answer(exchange);
    } catch (error) {
      this.#failed(exchange, error);
    } finally {
      this.#running -= 1;
    }
    const ms = (this.#init.clock.now() - startedAt).toFixed(3);
    const { method = "", url = "" } = exchange.request;
    this.#init.log.debug("request complete", { method, path: url, duration: `${ms}ms` });
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { request, reply, caller } = exchange;
    if (this.#running > RUNNING_MAX) return refuse(reply, 503, "Too many requests at once");
    // A simple request has one Host, and no body.
    if (exchange.body === undefined) return this.#askSimple(exchange);
    const problem = hostProblem(request);
    if (problem !== undefined) return refuse(reply, 400, problem);
    const trusted = isTrusted(caller) || (await this.#isVouchedFor(exchange));
    const body = this.#bodies.reader(exchange.body, trusted);
    try {
      const bytes = await body.read();
      if (bytes === "too-large") return refuse(reply, 413, "Request body is too large");
      if (bytes === "too-many") return refuse(reply, 503, "Too many large requests at once");
      await this.#ask(exchange, bytes);
    } finally {
      body.release();
    }
  }

  /** A snapshot is long: whoever restores one may be known by a token only. */
  async #isVouchedFor({ request, signal }: Exchange): Promise<boolean> {
    if (!isForArchive(request)) return false;
    return (await this.#app?.vouchesFor(toRequest(request, NO_BODY, signal()))) === true;
  }

  /** By the app's short way, if it has one for it. */
  async #askSimple(exchange: Exchange): Promise<void> {
    const turn = this.#pace.begin(SHORT_MS);
    if (turn !== undefined) await turn;
    const asked = new SimpleAsked(exchange.request, exchange.caller, {
      make: () => this.#requestOf(exchange, NO_BODY),
      signal: exchange.signal,
    });
    const short = this.#app?.direct?.(asked);
    if (short === undefined) {
      await this.#pace.turn(REQUEST_MS - SHORT_MS);
      return this.#askApp(exchange, asked.request);
    }
    const answer = await short;
    if (answer instanceof Response) await this.#respond(exchange, answer);
    else this.#answerShort(exchange, answer);
  }

  async #ask(exchange: Exchange, body: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#pace.turn(REQUEST_MS);
    await this.#askApp(exchange, this.#requestOf(exchange, body));
  }

  async #askApp(exchange: Exchange, request: Request): Promise<void> {
    const answer = await this.#app?.handle(request);
    if (answer === undefined) throw new Error("no app");
    await this.#respond(exchange, answer);
  }

  #requestOf({ request: head, signal, caller }: Exchange, body: Uint8Array<ArrayBuffer>): Request {
    const request = toRequest(head, body, signal());
    this.#callers.set(request, caller);
    return request;
  }

  #failed({ request, reply, signal }: Exchange, error: unknown): void {
    const line = { path: request.url ?? "", error: errorText(error) };
    // Whoever hangs up in the middle is not our failure.
    if (signal().aborted) this.#init.log.debug("request aborted by the caller", line);
    else this.#refusals.note("failed", "request failed", () => line);
    if (reply.hasBegun) reply.end();
    else reply.whole(500, [], NO_BODY);
  }

  async #respond(exchange: Exchange, answer: Response): Promise<void> {
    const { request, reply } = exchange;
    let headers = this.#headersOf(answer);
    if (answer.headers.get(UNBUFFERED) === "no") {
      const isHead = request.method === "HEAD";
      // It has no end that could be measured.
      if (isHead) await answer.body?.cancel();
      return this.#stream(reply, isHead ? new Response(null, answer) : answer, headers);
    }
    let body = await bodyOf(answer);
    const isGzip = answer.headers.get("content-type") === "application/x-gzip";
    // The files of the page are packed since the build.
    const isPacked = answer.headers.get("content-encoding") === "gzip";
    if (isPacked && !acceptsGzip(request)) {
      body = new Uint8Array(gunzipSync(body));
      headers = headers.filter(([name]) => name !== "content-encoding");
    }
    if (isGzip || isPacked) reply.whole(answer.status, headers, body);
    else wholeOrPacked(exchange, answer.status, headers, body);
  }

  #answerShort(exchange: Exchange, { status, headers, body }: Answer): void {
    const all: [string, string][] = [];
    for (const name in headers) {
      const isOwn = this.#ownNames.size > MEASURED.length && this.#ownNames.has(name.toLowerCase());
      if (!isOwn) all.push([name, headers[name] ?? ""]);
    }
    for (const own of this.#ownHeaders) all.push(own);
    all.push(VARY);
    const text = typeof body === "string" ? body : "";
    if (body === text && text.length < GZIP_BYTES_MIN && Buffer.byteLength(text) === text.length) {
      exchange.reply.whole(status, all, text);
    } else {
      wholeOrPacked(exchange, status, all, body instanceof Uint8Array ? body : encode(text));
    }
  }

  /** Those of the configuration win; how long it is, and what it depends on, is said by us. */
  #headersOf({ headers }: Response): [string, string][] {
    const all: [string, string][] = [];
    headers.forEach((value, name) => {
      if (!this.#ownNames.has(name)) all.push([name, value]);
    });
    all.push(...this.#ownHeaders, VARY);
    return all;
  }

  async #stream(reply: Reply, answer: Response, headers: HeaderList): Promise<void> {
    reply.begin(answer.status, headers);
    const reader = answer.body?.getReader();
    reply.onClose(() => void reader?.cancel());
    for (;;) {
      const next = await reader?.read();
      if (next === undefined || next.done || reply.isOver) break;
      await reply.write(next.value);
    }
    reply.end();
  }
}

function encode(text: string): Uint8Array {
  return text === "" ? NO_BODY : Buffer.from(text, "utf8");
}

/** A text of some size, packed if its caller takes that. */
function wholeOrPacked(
  { request, reply }: Exchange,
  status: number,
  headers: [string, string][],
  body: Uint8Array,
): void {
  if (body.length < GZIP_BYTES_MIN || !acceptsGzip(request)) {
    return reply.whole(status, headers, body);
  }
  headers.push(["Content-Encoding", "gzip"]);
  reply.whole(status, headers, packed(body));
}

/** What many ask for is packed once, and kept beside it. */
const known = new WeakMap<Uint8Array, Uint8Array>();

function packed(body: Uint8Array): Uint8Array {
  const before = known.get(body);
  if (before !== undefined) return before;
  const bytes = new Uint8Array(gzipSync(body));
  known.set(body, bytes);
  return bytes;
}

/** HTTP/1.1 wants exactly one (RFC 9112 §3.2): of two, a proxy and we may each believe another. */
function hostProblem({ httpVersion, rawHeaders }: Exchange["request"]): string | undefined {
  const names = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "host");
  if (names.length > 1) return "400 Bad Request: too many Host headers";
  if (names.length > 0 || httpVersion !== "1.1") return undefined;
  return "400 Bad Request: missing required Host header";
}

/** What was not read of the request goes with the connection. */
function refuse(reply: Reply, status: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  reply.last(status, [["Content-Type", "text/plain; charset=utf-8"], VARY], bytes);
}

/** An answer that goes on: sent as it comes, until the caller has enough. */
const UNBUFFERED = "x-accel-buffering";
