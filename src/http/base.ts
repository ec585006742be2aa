/**
 * What every plugin of the API stands on: the context, the guard, and how values become answers.
 *
 * @module
 */
import { Elysia, t } from "elysia";
import type { ApiContext } from "../api/context.ts";
import type { IndexedAnswer } from "../api/nodes.ts";
import { withToken } from "../api/token.ts";
import { DETAIL, type Endpoint } from "./endpoint.ts";
import type { Gate } from "./gate.ts";
import { jsonAnswer, responseOf } from "./json-answer.ts";
import { REPEATED } from "./parameters.ts";
import { tokenOf } from "./token.ts";

export interface BaseInit {
  readonly context: ApiContext;
  readonly gate: Gate;
  /** Answers a request that has failed, or that nothing takes. */
  readonly failed: (failure: Failure) => Response;
}

interface Failure {
  readonly request: Request;
  readonly error: unknown;
  /** Elysia's word for it. */
  readonly code: unknown;
}

export const ALLOW_ORIGIN = "access-control-allow-origin";

/** An Elysia with an option of routes, `endpoint`, and with `api` for their handlers. */
export function createBase({ context, gate, failed }: BaseInit) {
  // A path with a slash behind it is another one, and not there. What a caller has sent is not said
  // back to it, so that there is nothing to look for in an error but its text.
  return (
    new Elysia({ strictPath: true, allowUnsafeValidationDetails: true })
      // First of all: it is there for the routes that come after it.
      .onError(({ request, error, code, set }) => {
        const response = failed({ request, error, code });
        const origin = set.headers[ALLOW_ORIGIN];
        if (origin !== undefined) response.headers.set(ALLOW_ORIGIN, String(origin));
        return response;
      })
      .decorate("gate", gate)
      .derive(({ request }) => ({ api: withToken(context, tokenOf(request)) }))
      .macro({
        endpoint: (endpoint: Endpoint) => ({
          detail: described(endpoint),
          // Before the query is looked at: a stranger learns nothing of it.
          transform: async (asked) => {
            await gate.check(asked.request, endpoint);
            Object.assign(asked, { query: queryOf(asked.request) });
            if (endpoint.cors === true) asked.set.headers[ALLOW_ORIGIN] = "*";
          },
        }),
      })
      .mapResponse(async ({ responseValue, set, request }) => {
        // Whether a handler's promise is awaited before depends on how its source looks.
        const value = await responseValue;
        if (value instanceof Response) return value;
        return responseOf(jsonAnswer(value, isPretty(request.url), set));
      })
  );
}

export type Base = ReturnType<typeof createBase>;

/** A body as it came: nothing reads it as a form, or as JSON, first. */
export const TEXT_BODY = { parse: "text", body: t.String() } as const;
/** It means nothing if there is one. */
export const NO_BODY = { parse: "none" } as const;

function described(endpoint: Endpoint): object {
  return { [DETAIL]: endpoint };
}

/** What the answer tells of its freshness goes into its headers. @returns what is left */
export function indexed(
  set: { readonly headers: Record<string, unknown> },
  { value, headers }: IndexedAnswer,
): unknown {
  Object.assign(set.headers, headers);
  return value;
}

/** As Go reads it: the first of several, an empty text for a name alone. */
function queryOf({ url }: Request): Readonly<Record<string, string | string[]>> {
  const query: Record<string, string | string[]> = Object.create(null);
  if (!url.includes("?")) return query;
  const { searchParams } = new URL(url);
  for (const [name, value] of searchParams) query[name] ??= value;
  for (const name of REPEATED) {
    if (query[name] !== undefined) query[name] = searchParams.getAll(name);
  }
  return query;
}

function isPretty(url: string): boolean {
  if (!url.includes("pretty")) return false;
  const pretty = new URL(url).searchParams.get("pretty");
  return pretty !== null && pretty !== "0";
}
