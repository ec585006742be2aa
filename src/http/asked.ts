/**
 * What the guard looks at of a request: fetch's Request has it, and so has a simple request, for
 * which a Request with its headers is only made when somebody wants one.
 *
 * @module
 */
import type { Caller } from "./access.ts";
import type { RequestHead } from "./body.ts";

export interface Asked {
  readonly method: string;
  /** Whole, and in its normal form. */
  readonly url: string;
  readonly headers: Pick<Headers, "get">;
}

/** Names in small letters. */
type SimpleHead = Pick<RequestHead, "headers" | "url">;

/** For a path that is in its normal form already. */
export class SimpleAsked implements Asked {
  /** The app answers HEAD as it would GET. */
  readonly method = "GET";
  readonly path: string;
  readonly caller: Caller;
  readonly #head: SimpleHead;
  readonly #make: () => Request;
  readonly #signal: () => AbortSignal;
  #request: Request | undefined;

  constructor(
    head: SimpleHead,
    caller: Caller,
    how: { readonly make: () => Request; readonly signal: () => AbortSignal },
  ) {
    this.path = head.url ?? "/";
    this.caller = caller;
    this.#head = head;
    this.#make = how.make;
    this.#signal = how.signal;
  }

  get url(): string {
    return `http://localhost${this.path}`;
  }

  get headers(): Asked["headers"] {
    return this;
  }

  /** A header, by its name in small letters. */
  get(name: string): string | null {
    const value = this.#head.headers[name];
    return typeof value === "string" ? value : null;
  }

  /** Nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#signal();
  }

  /** The same, as fetch has it. */
  get request(): Request {
    this.#request ??= this.#make();
    return this.#request;
  }
}

/** Without the query. */
export function pathAsked(asked: Asked): string {
  return asked instanceof SimpleAsked ? asked.path : pathOf(asked.url);
}

/** Of an address that is whole and in its normal form, which needs no parser. */
export function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}
