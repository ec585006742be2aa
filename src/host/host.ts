/** What a service needs from the machine it runs on: types only. Tests bring their own. */
import type { Address, Instant } from "../protocol/ports.ts";

export interface Clock {
  /** Monotonic milliseconds. */
  now(): Instant;
  /** Milliseconds since 1970, for people and certificates. */
  wallMs(): number;
  /** Calls `run` once at or after `at`; the result cancels it. */
  schedule(at: Instant, run: () => void): () => void;
}

/** Randomness for keys and nonces: the operating system's only. */
export interface Entropy {
  bytes(length: number): Uint8Array;
}

export interface DatagramSocket {
  send(bytes: Uint8Array, to: Address): void;
  close(): void;
}

export interface DatagramHandler {
  packet(bytes: Uint8Array, from: Address): void;
  problem(error: Error): void;
}

/** One connection; bytes both ways, in order. */
export interface ByteStream {
  readonly remote: Address;
  /** @returns false when the buffer is full; `drained` follows */
  write(bytes: Uint8Array): boolean;
  /** No more from us; what was written still goes out. */
  end(): void;
  /** Now, whatever is in flight. */
  destroy(): void;
  /** Who hears what comes; bytes that came before wait. */
  listen(handler: StreamHandler): void;
  /** The listener wants no more for now: bytes wait, and in the end the peer does. */
  pause(): void;
  resume(): void;
  /** The first byte, taken from what the next listener gets; 0 ms: wait for ever. */
  takeFirst(timeoutMs: number): Promise<number | "ended" | "timeout">;
}

export interface StreamHandler {
  data(bytes: Uint8Array): void;
  /** The other side will send no more. */
  ended(): void;
  /** Always last, once; the error if there was one. */
  closed(error: Error | undefined): void;
  drained?(): void;
}

export interface StreamServer {
  readonly local: Address;
  close(): Promise<void>;
}

export interface Network {
  datagrams(local: Address, handler: DatagramHandler): Promise<DatagramSocket>;
  listen(local: Address, accept: (stream: ByteStream) => void): Promise<StreamServer>;
  /** Rejects after `timeoutMs`. */
  dial(to: Address, timeoutMs: number): Promise<ByteStream>;
}

export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines carry this name behind ours: `nomad` and `raft` give `nomad.raft`. */
  named(name: string): Log;
}

export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;
