/** Values as Nomad's HTTP API sends them. */
import type { ApiContext } from "../api/context.ts";
import { ApiError } from "../api/errors.ts";

/** What a request is answered with: what is asked of others carries its token. */
export type ContextOf = (request: Request) => ApiContext;

export function invalidMethod(): never {
  throw new ApiError(405, "Invalid method");
}

/** As for any path that is not there. */
export function notFound(): never {
  throw new ApiError(404, "");
}

export function queryOf(request: Request): URLSearchParams {
  return new URL(request.url).searchParams;
}

/** Compact JSON; `?pretty` indents by four and ends the line; nothing is an empty body. */
export function answer(request: Request, value: unknown, status = 200): Response {
  if (value === undefined) return new Response(null, { status: 200 });
  const pretty = queryOf(request).get("pretty");
  const indented = pretty !== null && pretty !== "0";
  const text = indented ? `${JSON.stringify(value, null, 4)}\n` : JSON.stringify(value);
  return new Response(text, { status, headers: { "Content-Type": "application/json" } });
}

export function plain(status: number, text: string): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  return new Response(text, text === "" ? { status } : { status, headers });
}
