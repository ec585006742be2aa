/** What a handler returns, as JSON: in the form that is sent, and in fetch's. */
import { JsonText } from "../api/json.ts";
import { sharedResponse } from "./shared-body.ts";

/** An answer that is whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Nobody may write into it; null: there is none. */
  readonly body: Uint8Array<ArrayBuffer> | string | null;
}

/** What a handler says of its answer beside the value. */
interface AnswerHead {
  readonly status?: number | string | undefined;
  readonly headers: object;
}

/** Compact JSON; `pretty` indents by four and ends the line; nothing is an empty body. */
export function jsonAnswer(value: unknown, pretty: boolean, head: AnswerHead): Answer {
  const headers: Record<string, string> = {};
  for (const [name, one] of Object.entries(head.headers)) headers[name] = String(one);
  const status = Number(head.status ?? 200);
  if (value === undefined) return { status, headers, body: null };
  headers["Content-Type"] = "application/json";
  if (value instanceof JsonText) {
    return { status, headers, body: pretty ? prettyOf(value.value) : value.bytes };
  }
  return { status, headers, body: pretty ? prettyOf(value) : JSON.stringify(value) };
}

function prettyOf(value: unknown): string {
  return `${JSON.stringify(value, null, 4)}\n`;
}

export function responseOf({ status, headers, body }: Answer): Response {
  const init = { status, headers };
  return body instanceof Uint8Array ? sharedResponse(body, init) : new Response(body, init);
}
