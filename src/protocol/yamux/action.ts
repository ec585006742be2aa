/** What a yamux session wants done, in order. */
import type { FrameHeader } from "./frame.ts";

export type YamuxAction =
  /** Onto the connection, as it is. */
  | { readonly kind: "frame"; readonly header: FrameHeader; readonly payload: Uint8Array }
  /** The peer opened a stream; it has been acknowledged. */
  | { readonly kind: "opened"; readonly stream: number }
  /** Bytes of the peer; report them with `consumed` when they are used up. */
  | { readonly kind: "data"; readonly stream: number; readonly bytes: Uint8Array }
  /** The peer will send no more on it. */
  | { readonly kind: "ended"; readonly stream: number }
  /** What was written has left the queue of this stream. */
  | { readonly kind: "drained"; readonly stream: number }
  /** The stream is over; "" when both sides had ended it. */
  | { readonly kind: "closed"; readonly stream: number; readonly why: string }
  /** The peer wants no new streams. */
  | { readonly kind: "go-away" }
  /** The answer to a ping. */
  | { readonly kind: "pong"; readonly id: number; readonly rttMs: number }
  /** The session is over: close the connection when the frames before this one are out. */
  | { readonly kind: "failed"; readonly why: SessionFailure };

/** Why a session ended; the label of a counter. */
export type SessionFailure =
  | "bad-version"
  | "bad-type"
  | "duplicate-stream"
  | "window-exceeded"
  | "unexpected-fin"
  | "peer-protocol-error"
  | "peer-internal-error"
  | "keepalive-timeout"
  | "open-timeout"
  | "write-timeout"
  | "header-timeout";
