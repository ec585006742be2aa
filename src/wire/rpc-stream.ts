/** Streaming RPC: values without framing behind a method's name (wire/rpc-and-raft.md §7). */
import {
  bool,
  type Codec,
  encodeValue,
  int64,
  pointer,
  raw,
  struct,
  text,
  type ValueOf,
} from "./codec.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { queryFields } from "./rpc-status.ts";

export const streamHeader = struct({ Method: text });
/** "" is yes. */
export const streamAck = struct({ Error: text });

export const monitorRequest = struct({
  ...queryFields,
  LogIncludeLocation: bool,
  LogJSON: bool,
  LogLevel: text,
  NodeID: text,
  PlainText: bool,
  ServerID: text,
});
export type MonitorRequest = ValueOf<typeof monitorRequest>;

export const streamFrame = struct({
  Error: pointer(struct({ Code: pointer(int64), Message: text })),
  Payload: raw,
});
export type StreamFrame = ValueOf<typeof streamFrame>;

export function encodeFrame(payload: Uint8Array): Uint8Array {
  return encodeValue(streamFrame, { Error: null, Payload: payload });
}

export function encodeFrameError(code: number | undefined, message: string): Uint8Array {
  const Code = code === undefined ? null : BigInt(code);
  return encodeValue(streamFrame, { Error: { Code, Message: message }, Payload: null });
}

type ValueRead<T> =
  | { readonly kind: "more" }
  | { readonly kind: "value"; readonly value: T; readonly bytes: number }
  | { readonly kind: "malformed" };

/** Reads one value off the start of `bytes`. */
export function readValue<T>(codec: Codec<T>, bytes: Uint8Array): ValueRead<T> {
  const reader = new MsgpackReader(bytes);
  const value = codec.read(reader);
  if (reader.state === "short") return { kind: "more" };
  return reader.ok ? { kind: "value", value, bytes: reader.at } : { kind: "malformed" };
}
