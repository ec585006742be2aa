/**
 * The HTTP API as an Elysia app: the table's endpoints, and errors in Nomad's texts. No socket: the
 * server hands it requests, tests hand it `new Request(...)`.
 *
 * @module
 */
import { hasAcls } from "../api/acl.ts";
import type { ApiContext } from "../api/context.ts";
import { ApiError } from "../api/errors.ts";
import { systemClock } from "../host/clock.ts";
import type { Log } from "../host/host.ts";
import { RefusalLog } from "../service/refusals.ts";
import type { Caller, OwnIdentity } from "./access.ts";
import { plain } from "./answers.ts";
import { type Asked, pathOf, type SimpleAsked } from "./asked.ts";
import type { BaseInit } from "./base.ts";
import { DirectRoutes } from "./direct.ts";
import { declaredIn } from "./endpoint.ts";
import { Gate } from "./gate.ts";
import type { Answer } from "./json-answer.ts";
import { pageAnswer } from "./page.ts";
import { type Otherwise, Routing } from "./routing.ts";
import { addRefusals, addTwins, createTable } from "./table.ts";

interface HttpAppInit {
  readonly context: ApiContext;
  readonly log: Log;
  /** Who sent it; a request that nobody vouches for is a stranger. */
  readonly callerOf: (request: Asked) => Caller | undefined;
  readonly own: () => OwnIdentity;
}

export interface HttpApp {
  handle(request: Request): Promise<Response>;
  /** Does its token prove an operator, whatever its connection does? Asked without its body. */
  vouchesFor(request: Request): Promise<boolean>;
  /** The same answer on a shorter way; undefined: there is none for this request. */
  direct?(asked: SimpleAsked): Promise<Answer | Response> | undefined;
}

export function createHttpApp({ context, log, callerOf, own }: HttpAppInit): HttpApp {
  const { acl, config } = context;
  const gate = new Gate({
    callerOf,
    own,
    acl,
    region: config.region,
    hasAcls: (region) => hasAcls(context, region),
  });
  // Whoever can cause one can cause many.
  const failures = new RefusalLog(systemClock, log);
  /** Made when somebody asks for what is not there. */
  let routing: Routing | undefined;
  const otherwiseAt = (path: string): Otherwise | undefined => {
    routing ??= new Routing(declared);
    return routing.otherwise(path);
  };
  const failed: BaseInit["failed"] = ({ error, request, code }) => {
    const { pathname: path } = new URL(request.url);
    const { method } = request;
    const otherwise = code === "NOT_FOUND" ? otherwiseAt(path) : undefined;
    if (method === "OPTIONS" && otherwise?.cors === true) return preflight(otherwise);
    const { status, text } = otherwise ?? refusalOf(error);
    const line = { method, path, error: text, code: status };
    // What a caller can cause with bad parameters is an answer, not an event.
    if (status < 500 || error instanceof ApiError) log.debug("request failed", line);
    else failures.note("failed", "request failed", () => line);
    return plain(status, text);
  };
  const init: BaseInit = { context, gate, failed };
  const app = createTable(init);
  const direct = new DirectRoutes(app, init);
  const declared = declaredIn(app);
  gate.guards(declared);
  addTwins(app);
  addRefusals(app, declared);
  return {
    vouchesFor: (request) => gate.isOperators(request),
    async handle(request) {
      const pathname = pathOf(request.url);
      if (!isText(pathname)) return plain(400, "the path is not text in UTF-8");
      const refusal = gate.refusal(request);
      if (refusal !== undefined) return plain(403, refusal);
      return (await pageAnswer(request)) ?? app.handle(request);
    },
    direct(asked) {
      if (!direct.has(asked.path)) return undefined;
      const refusal = gate.refusal(asked);
      return refusal === undefined ? direct.answer(asked) : Promise.resolve(plain(403, refusal));
    },
  };
}

/** @returns what is said to whoever asked for it */
function refusalOf(error: unknown): { readonly status: number; readonly text: string } {
  if (error instanceof ApiError) return { status: error.status, text: error.message };
  const { code, customError } = Object(error);
  if (code === "NOT_FOUND") return { status: 404, text: "" };
  if (code === "VALIDATION") return { status: 400, text: String(customError ?? "Bad request") };
  return { status: 500, text: error instanceof Error ? error.message : "" };
}

/** What a browser asks before it lets a page of elsewhere ask. */
function preflight({ methods }: Otherwise): Response {
  const headers = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": methods.join(", "),
    "Access-Control-Allow-Headers": "*",
  };
  return new Response(null, { status: 204, headers });
}

/** Percent signs and what they stand for; the router throws at what is none. */
function isText(path: string): boolean {
  try {
    return decodeURIComponent(path) !== "";
  } catch {
    return false;
  }
}
