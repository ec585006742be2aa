/** Where an answer goes: through the HTTP library, or straight to the connection. */
import { type ServerResponse, STATUS_CODES } from "node:http";

export type HeaderList = readonly (readonly [string, string])[];

export interface Reply {
  readonly hasBegun: boolean;
  /** Nobody is there any more. */
  readonly isOver: boolean;
  /** All of it at once; `body`, which is ASCII if it is a text, is only measured for HEAD. */
  whole(status: number, headers: HeaderList, body: Uint8Array | string): void;
  /** The last answer of this connection: what was not read of the request goes with it. */
  last(status: number, headers: HeaderList, body: Uint8Array): void;
  /** An answer whose end is not known yet. */
  begin(status: number, headers: HeaderList): void;
  /** Resolves when there is room for more. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  end(): void;
  onClose(run: () => void): void;
}

/** For requests that the library has parsed. */
export class ParsedReply implements Reply {
  readonly #response: ServerResponse;
  readonly #isHead: boolean;

  constructor(response: ServerResponse, isHead: boolean) {
    this.#response = response;
    this.#isHead = isHead;
  }

  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  get isOver(): boolean {
    return this.#response.destroyed;
  }

  whole(status: number, headers: HeaderList, body: Uint8Array | string): void {
    this.#head(status, [...headers, ["Content-Length", String(body.length)]]);
    this.#response.end(this.#isHead ? undefined : body);
  }

  last(status: number, headers: HeaderList, body: Uint8Array): void {
    this.whole(status, [...headers, ["Connection", "close"]], body);
  }

  begin(status: number, headers: HeaderList): void {
    this.#head(status, headers);
    this.#response.flushHeaders();
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    const response = this.#response;
    if (response.write(chunk)) return undefined;
    // What waited for the one does not stay behind for the other.
    return new Promise((resolve) => {
      const done = (): void => {
        response.off("drain", done);
        response.off("close", done);
        resolve();
      };
      response.once("drain", done);
      response.once("close", done);
    });
  }

  end(): void {
    this.#response.end();
  }

  onClose(run: () => void): void {
    this.#response.once("close", run);
  }

  #head(status: number, headers: HeaderList): void {
    for (const [name, value] of headers) this.#response.setHeader(name, value);
    this.#response.writeHead(status);
  }
}

/** What a reply needs of its connection. */
interface ReplyLine {
  readonly destroyed: boolean;
  /** Resolves when there is room for more, or nobody is there; undefined: there is. */
  put(bytes: Uint8Array): Promise<void> | undefined;
  once(event: "close", run: () => void): unknown;
  off(event: "close", run: () => void): unknown;
}

/** Bodies up to this size go out in one piece with their headers. */
const JOINED_BYTES_MAX = 64 * 1024;
const END = new TextEncoder().encode("0\r\n\r\n");

/** HTTP/1.1 by hand, for requests that needed no parser. */
export class DirectReply implements Reply {
  readonly #line: ReplyLine;
  readonly #isHead: boolean;
  #onClose: (() => void) | undefined;
  hasBegun = false;
  isLast = false;
  /** Until the connection has taken it all. */
  taken: Promise<void> | undefined;

  constructor(line: ReplyLine, isHead: boolean) {
    this.#line = line;
    this.#isHead = isHead;
  }

  get isOver(): boolean {
    return this.#line.destroyed;
  }

  whole(status: number, headers: HeaderList, body: Uint8Array | string): void {
    const head = headOf(status, headers, `Content-Length: ${body.length}`, this.isLast);
    this.hasBegun = true;
    if (this.#isHead) return this.#put(Buffer.from(head, "latin1"));
    if (typeof body === "string") return this.#put(Buffer.from(head + body, "latin1"));
    if (body.length > JOINED_BYTES_MAX) {
      this.#put(Buffer.from(head, "latin1"));
      return this.#put(body);
    }
    const all = Buffer.allocUnsafe(head.length + body.length);
    all.write(head, "latin1");
    all.set(body, head.length);
    this.#put(all);
  }

  last(status: number, headers: HeaderList, body: Uint8Array): void {
    this.isLast = true;
    this.whole(status, headers, body);
  }

  begin(status: number, headers: HeaderList): void {
    this.hasBegun = true;
    this.#put(Buffer.from(headOf(status, headers, "Transfer-Encoding: chunked", false), "latin1"));
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    // Nothing would be the end.
    if (this.#isHead || chunk.length === 0) return undefined;
    const size = Buffer.from(`${chunk.length.toString(16)}\r\n`, "latin1");
    const end = Buffer.from("\r\n", "latin1");
    return this.#line.put(Buffer.concat([size, chunk, end]));
  }

  end(): void {
    if (!this.#isHead) this.#put(END);
    if (this.#onClose !== undefined) this.#line.off("close", this.#onClose);
  }

  onClose(run: () => void): void {
    this.#onClose = run;
    this.#line.once("close", run);
  }

  /** One after another. */
  #put(bytes: Uint8Array): void {
    const before = this.taken;
    this.taken =
      before === undefined ? this.#line.put(bytes) : before.then(() => this.#line.put(bytes));
  }
}

function headOf(status: number, headers: HeaderList, length: string, isLast: boolean): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  const connection = isLast ? "close" : "keep-alive";
  return `${head}${length}\r\nDate: ${dateNow()}\r\nConnection: ${connection}\r\n\r\n`;
}

let dateText = "";
let dateSecond = 0;

/** RFC 9110 §5.6.7; written anew once a second. */
function dateNow(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
