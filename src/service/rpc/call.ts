/**
 * Calls on one stream, one after another: a request, then its answer (wire/rpc-and-raft.md §4).
 *
 * @module
 */

import { finish } from "../../host/finish.ts";
import type { ByteStream } from "../../host/host.ts";
import { after } from "../../host/timer.ts";
import { decodeResponse, encodeRequest } from "../../wire/rpc-frame.ts";
import { ValueQueue } from "../value-queue.ts";

const REPLY_BYTES_MAX = 16 * 1024 * 1024;
/** An answer up to this is tried as it comes: most are whole. */
const SHORT_BYTES_MAX = 4096;
const ABORTED = "rpc error: the caller has gone";

/** The server answered, and its answer is an error. */
export class RpcRemoteError extends Error {
  override readonly name = "RpcRemoteError";
}

/** The stream ended before the answer. */
export class RpcLostError extends Error {
  override readonly name = "RpcLostError";
}

interface Waiting {
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  /** Neither cancel nor caller have a say any more. */
  readonly settled: () => void;
}

/** Hung up on, perhaps with bytes of ours unread; a session has only the text of it. */
function isHangUp(error: Error | undefined): boolean {
  return error === undefined || /(?:^EOF|ECONNRESET|EPIPE)$/.test(error.message) || isReset(error);
}

function isReset(error: Error): boolean {
  return "code" in error && error.code === "ECONNRESET";
}

/** Go's callers count over all streams of a process; so do we. */
let seq = 0n;

export class CallStream {
  readonly #stream: ByteStream;
  readonly #gone: string;
  readonly #pending = new ValueQueue();
  #waiting: Waiting | undefined;
  #lost: string | undefined;

  /** @param secured only for the words of an error */
  constructor(stream: ByteStream, secured: boolean) {
    this.#stream = stream;
    this.#gone = secured
      ? "rpc error: EOF: the peer closed the connection: it may not accept the names of our certificate"
      : "rpc error: EOF: the peer closed the connection: it may require TLS (set tls { rpc = true })";
    stream.listen({
      data: (chunk) => this.#data(chunk),
      ended: () => this.#fail(this.#gone),
      closed: (error) => {
        this.#fail(isHangUp(error) ? this.#gone : `rpc error: ${error?.message}`);
      },
    });
  }

  /** Can it take another call? */
  get usable(): boolean {
    return this.#lost === undefined && this.#waiting === undefined;
  }

  /**
   * @param signal nobody waits any more: the stream is reset, so that the server hears of it
   * @throws RpcRemoteError, RpcLostError
   */
  call(
    method: string,
    body: Uint8Array,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    if (this.#lost !== undefined) return Promise.reject(new RpcLostError(this.#lost));
    if (signal?.aborted === true) return Promise.reject(new RpcLostError(ABORTED));
    seq += 1n;
    const request = encodeRequest({ seq, method, body });
    return new Promise((resolve, reject) => {
      const cancel = after(timeoutMs, () => this.#broken("rpc error: i/o timeout"));
      const gone = (): void => this.#broken(ABORTED);
      signal?.addEventListener("abort", gone);
      const settled = (): void => {
        cancel();
        signal?.removeEventListener("abort", gone);
      };
      this.#waiting = { resolve, reject, settled };
      this.#stream.write(request);
    });
  }

  close(): void {
    void finish(this.#stream);
  }

  #data(chunk: Uint8Array): void {
    this.#pending.push(chunk);
    const waiting = this.#waiting;
    if (waiting === undefined) return this.#broken("rpc error: an answer to nothing");
    const { length, isFresh } = this.#pending;
    if (isFresh && length <= SHORT_BYTES_MAX && this.#answered(waiting)) return;
    const end = this.#pending.end(2);
    const bytes = typeof end === "number" ? end : this.#pending.needed;
    if (bytes > REPLY_BYTES_MAX) return this.#broken("rpc error: reply too large");
    if (end === "more") return;
    if (end === "malformed" || !this.#answered(waiting)) {
      this.#broken("rpc error: malformed reply");
    }
  }

  /** @returns false: it is not whole, or no answer */
  #answered(waiting: Waiting): boolean {
    const progress = decodeResponse(this.#pending.peek());
    if (progress.kind !== "frame") return false;
    this.#pending.drop(progress.bytes);
    this.#waiting = undefined;
    waiting.settled();
    const { error, body } = progress.frame;
    if (error === "") waiting.resolve(body);
    else waiting.reject(new RpcRemoteError(error));
    return true;
  }

  #broken(why: string): void {
    this.#fail(why);
    this.#stream.destroy();
  }

  #fail(message: string): void {
    this.#lost ??= message;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    waiting.settled();
    waiting.reject(new RpcLostError(message));
  }
}
