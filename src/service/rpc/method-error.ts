/** What a method says when it fails, and to whom. */
import type { ByteStream } from "../../host/host.ts";

/** An error for the caller; its text is part of the protocol. */
export class RpcMethodError extends Error {
  override readonly name = "RpcMethodError";
  readonly endsStream: boolean;

  constructor(message: string, endsStream: boolean) {
    super(message);
    this.endsStream = endsStream;
  }
}

/** Who calls: what its connection proved. */
export interface RpcCaller {
  /** Names of its certificate; undefined: no TLS, or names are not looked at. */
  readonly names: readonly string[] | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** Its connection, where that is multiplexed. */
  readonly line?: CallerLine;
  /** Where the connection comes from; undefined: the call is our own. */
  readonly from?: CallerOrigin;
}

/** What is written down of whoever changes something. */
interface CallerOrigin {
  /** host:port */
  readonly address: string;
  readonly names: readonly string[] | undefined;
  /** Of its certificate, SHA-256. */
  readonly fingerprint: string | undefined;
}

/** A connection on which its other end can be asked something, too. */
export interface CallerLine {
  readonly open: boolean;
  openStream(): ByteStream | undefined;
}

/** Nobody will hear it: the stream that asked is over. */
export function callerGone(): RpcMethodError {
  return new RpcMethodError("the caller has gone", false);
}
