/**
 * Bodies of requests, read whole before they are answered; what all of them may take together is
 * limited, so that many callers cannot do what one may not.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { PATHS } from "../paths.ts";
import { ByteQueue } from "../service/byte-queue.ts";
import { ARCHIVE_BYTES_MAX } from "../service/methods/snapshot-archive.ts";
import { ByteBudget } from "../service/rpc/server/serve.ts";

const BODY_BYTES_MAX = 1024 * 1024;
/** Of whoever may change something: two snapshots at once, and whatever else. */
const TRUSTED_BYTES_MAX = 2 * ARCHIVE_BYTES_MAX + 16 * BODY_BYTES_MAX;
/** Of all others, who have nothing to say that is long. */
const STRANGERS_BYTES_MAX = 16 * BODY_BYTES_MAX;

/** What comes before the body. */
export type RequestHead = Pick<
  IncomingMessage,
  "headers" | "httpVersion" | "method" | "rawHeaders" | "url"
>;

export class RequestBodies {
  readonly #trusted = new ByteBudget(TRUSTED_BYTES_MAX);
  readonly #strangers = new ByteBudget(STRANGERS_BYTES_MAX);

  /** @param trusted may its caller change something? */
  reader(incoming: IncomingMessage, trusted: boolean): BodyReader {
    const bytesMax = trusted && isForArchive(incoming) ? ARCHIVE_BYTES_MAX : BODY_BYTES_MAX;
    return new BodyReader(incoming, bytesMax, trusted ? this.#trusted : this.#strangers);
  }
}

/** Is its body a snapshot? */
export function isForArchive(incoming: Pick<RequestHead, "url">): boolean {
  return pathOf(incoming).split("?")[0] === PATHS.snapshot;
}

class BodyReader {
  readonly #incoming: IncomingMessage;
  readonly #bytesMax: number;
  readonly #budget: ByteBudget;
  #held = 0;

  constructor(incoming: IncomingMessage, bytesMax: number, budget: ByteBudget) {
    this.#incoming = incoming;
    this.#bytesMax = bytesMax;
    this.#budget = budget;
  }

  /** @returns the body, or why there is none: more than one request, or all together, may have */
  async read(): Promise<Uint8Array<ArrayBuffer> | "too-large" | "too-many"> {
    const incoming = this.#incoming;
    if (isBodiless(incoming)) {
      incoming.resume(); // A body there may be, but it means nothing.
      return NONE;
    }
    // Joined as they come: a chunk of one byte, kept, would cost a hundred.
    const body = new ByteQueue();
    for await (const chunk of incoming) {
      if (!(chunk instanceof Uint8Array)) continue;
      this.#held += chunk.length;
      const fits = this.#budget.take(chunk.length);
      if (this.#held > this.#bytesMax) return "too-large";
      if (!fits) return "too-many";
      body.push(chunk);
    }
    return body.peek().slice();
  }

  /** The request is answered, or nobody waits for it. */
  release(): void {
    this.#budget.take(-this.#held);
    this.#held = 0;
  }
}

/** What the app gets: the body whole, and headers as they came. */
export function toRequest(
  incoming: RequestHead,
  bytes: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Request {
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
  }
  // The app finds the path by position and only needs some host; the real one stays a header.
  const target = `http://localhost${pathOf(incoming)}`;
  // The app answers HEAD as it would GET: the body, which is left out, says how long it is.
  if (isBodiless(incoming)) return new Request(target, { headers, signal });
  const body = bytes.length === 0 ? null : bytes;
  return new Request(target, { method: incoming.method ?? "GET", headers, body, signal });
}

const NONE = new Uint8Array(0);

function isBodiless({ method = "GET" }: RequestHead): boolean {
  return method === "GET" || method === "HEAD";
}

function pathOf({ url = "/" }: Pick<RequestHead, "url">): string {
  return url.startsWith("/") ? url : "/";
}
