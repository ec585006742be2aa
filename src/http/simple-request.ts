/**
 * The requests that nearly all callers send nearly always: one that only reads, whole, and with
 * nothing in it that could be understood in two ways. What is anything else is for the parser.
 *
 * @module
 */
import type { RequestHead } from "./body.ts";

/** As the parser gives it; it has no body. */
export interface SimpleRequest extends RequestHead {
  readonly headers: Record<string, string>;
}

const HEAD_BYTES_MAX = 4096;
const [CARRIAGE_RETURN, LINE_FEED] = [0x0d, 0x0a];
const FIRST_LINE = /^(GET|HEAD) (\/[!"$-~]*) HTTP\/1\.1$/;
/** A name, and a value without spaces around it: RFC 9110 §5.6.2, and of §5.5 what is ASCII. */
const HEADER = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([!-~](?:[\t -~]*[!-~])?)?[ \t]*$/;
/** Those that say something about the connection, or about a body. */
const SPECIAL = new RegExp(
  "^(?:connection|content-length|expect|http2-settings|keep-alive|proxy-.*|te|trailer|" +
    "transfer-encoding|upgrade)$",
);

/** @returns how long the head that begins here is, with its empty line; 0: it is not whole */
export function headEnd(bytes: Uint8Array): number {
  if (bytes[0] !== 0x47 && bytes[0] !== 0x48) return 0;
  const length = Math.min(bytes.length, HEAD_BYTES_MAX);
  for (let at = bytes.indexOf(LINE_FEED); at >= 0 && at < length; ) {
    if (bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) {
      return at + 3 <= length ? at + 3 : 0;
    }
    at = bytes.indexOf(LINE_FEED, at + 1);
  }
  return 0;
}

/** @param head with its empty line, a character a byte */
export function parseSimple(head: string): SimpleRequest | undefined {
  const [first = "", ...lines] = head.slice(0, -4).split("\r\n");
  const [, method, url] = FIRST_LINE.exec(first) ?? [];
  if (method === undefined || url === undefined || !head.endsWith("\r\n\r\n")) return undefined;
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const [, name, value = ""] = HEADER.exec(line) ?? [];
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    if (headers[key] !== undefined) return undefined;
    const keepsOpen = key === "connection" && value.toLowerCase() === "keep-alive";
    if (SPECIAL.test(key) && !keepsOpen) return undefined;
    headers[key] = value;
    rawHeaders.push(name, value);
  }
  // HTTP/1.1 wants one (RFC 9112 §3.2).
  if (headers["host"] === undefined) return undefined;
  return { httpVersion: "1.1", method, url, rawHeaders, headers };
}
