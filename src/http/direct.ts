/**
 * The short way to the handlers for what is asked most: a simple request for a path without names
 * in it, and without a query. The guard, the handler and the form of the answer are those of the
 * table; only fetch's objects, which cost more than most answers do, are left out.
 *
 * @module
 */
import type { AnyElysia } from "elysia";
import type { ApiContext } from "../api/context.ts";
import { withToken } from "../api/token.ts";
import type { Asked, SimpleAsked } from "./asked.ts";
import { ALLOW_ORIGIN, type BaseInit } from "./base.ts";
import { DETAIL, type Endpoint } from "./endpoint.ts";
import { type Answer, jsonAnswer } from "./json-answer.ts";
import { tokenOf } from "./token.ts";

interface DirectRoute {
  readonly endpoint: Endpoint;
  readonly run: (context: DirectContext) => unknown;
}

/** What Elysia has for the schemas and the hooks of a route; ours are the base's. */
const OTHER_HOOKS = [
  ...["body", "headers", "params", "cookie", "response", "type", "parse", "beforeHandle"],
  ...["afterHandle", "afterResponse", "trace", "standaloneValidator"],
];
/** The base derives `api`, and lets in or not. */
const OWN_TRANSFORMS = 2;

export class DirectRoutes {
  readonly #init: BaseInit;
  readonly #routes = new Map<string, DirectRoute>();

  /** @param app the table: routes that are in any way more than the base's go its way */
  constructor(app: Pick<AnyElysia, "routes">, init: BaseInit) {
    this.#init = init;
    for (const { method, path, handler, hooks } of app.routes) {
      const endpoint: Endpoint | undefined = hooks.detail?.[DETAIL];
      if (method !== "GET" || /[:*]/.test(path) || endpoint === undefined) continue;
      const isMore = OTHER_HOOKS.some((name) => hooks[name] !== undefined);
      const wantsQuery = hooks.query?.required !== undefined;
      if (isMore || wantsQuery || hooks.transform.length !== OWN_TRANSFORMS) continue;
      if (typeof handler !== "function") continue;
      const run = (context: DirectContext): unknown => Reflect.apply(handler, undefined, [context]);
      this.#routes.set(path, { endpoint, run });
    }
  }

  has(path: string): boolean {
    return this.#routes.has(path);
  }

  async answer(asked: SimpleAsked): Promise<Answer | Response> {
    const { failed, gate } = this.#init;
    const route = this.#routes.get(asked.path);
    if (route === undefined) throw new Error("no such route");
    const { endpoint, run } = route;
    const context = new DirectContext(this.#init, asked);
    const { headers } = context.set;
    try {
      const checked = gate.check(asked, endpoint);
      if (checked !== undefined) await checked;
      if (endpoint.cors === true) headers[ALLOW_ORIGIN] = "*";
      const value = await run(context);
      return value instanceof Response ? value : jsonAnswer(value, false, context.set);
    } catch (error) {
      const response = failed({ request: asked.request, error, code: Object(error).code });
      if (headers[ALLOW_ORIGIN] !== undefined) response.headers.set(ALLOW_ORIGIN, "*");
      return response;
    }
  }
}

/** What of Elysia's context the handlers of such routes can ask for. */
class DirectContext {
  readonly query: Readonly<Record<string, string>> = Object.create(null);
  readonly params = {};
  readonly set: { readonly headers: Record<string, string>; status?: number } = { headers: {} };
  readonly gate: BaseInit["gate"];
  readonly path: string;
  readonly #context: ApiContext;
  readonly #asked: SimpleAsked;

  constructor({ context, gate }: BaseInit, asked: SimpleAsked) {
    this.#context = context;
    this.#asked = asked;
    this.gate = gate;
    this.path = asked.path;
  }

  get api(): ApiContext {
    return withToken(this.#context, tokenOf(this.#asked));
  }

  /** Of fetch's: its address, method, signal, and headers one by one. */
  get request(): Asked & { readonly signal: AbortSignal } {
    return this.#asked;
  }
}
