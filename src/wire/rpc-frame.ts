/**
 * net-rpc over msgpack: two values a message, back to back, no length prefix
 * (wire/rpc-and-raft.md §4). The body stays bytes: its method knows what it is.
 *
 * @module
 */
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

const REQUEST_FIELDS = ["ServiceMethod", "Seq"];
const RESPONSE_FIELDS = ["ServiceMethod", "Seq", "Error"];

export interface RpcRequest {
  readonly seq: bigint;
  readonly method: string;
  readonly body: Uint8Array;
}

interface RpcResponse {
  readonly seq: bigint;
  readonly method: string;
  /** "" for success. */
  readonly error: string;
  readonly body: Uint8Array;
}

type FrameProgress<Frame> =
  | { readonly kind: "more" }
  | { readonly kind: "frame"; readonly frame: Frame; readonly bytes: number }
  | { readonly kind: "malformed" };

export function encodeRequest(request: RpcRequest): Uint8Array {
  const out = new MsgpackWriter().map(2).key("Seq").uint(request.seq);
  return out.key("ServiceMethod").text(request.method).append(request.body).take();
}

export function encodeResponse(response: RpcResponse): Uint8Array {
  const out = new MsgpackWriter().map(3).key("Error").text(response.error);
  out.key("Seq").uint(response.seq).key("ServiceMethod").text(response.method);
  return out.append(response.body).take();
}

/** Which method the first of a request's two values names; undefined: it is no request's. */
export function requestMethod(head: Uint8Array): string | undefined {
  const reader = new MsgpackReader(head);
  const { method } = readHead(reader);
  return reader.ok ? method : undefined;
}

/** Reads one request off the start of `bytes`. */
export function decodeRequest(bytes: Uint8Array): FrameProgress<RpcRequest> {
  const reader = new MsgpackReader(bytes);
  const head = readHead(reader);
  return frame(reader, bytes, (body) => ({ ...head, body }));
}

function readHead(reader: MsgpackReader): Omit<RpcRequest, "body"> {
  let seq = 0n;
  let method = "";
  reader.struct(REQUEST_FIELDS, (name) => {
    if (name === "Seq") seq = reader.uint64();
    else method = reader.text();
  });
  return { seq, method };
}

export function decodeResponse(bytes: Uint8Array): FrameProgress<RpcResponse> {
  const reader = new MsgpackReader(bytes);
  let seq = 0n;
  let [method, error] = ["", ""];
  reader.struct(RESPONSE_FIELDS, (name) => {
    if (name === "Seq") seq = reader.uint64();
    else if (name === "Error") error = reader.text();
    else method = reader.text();
  });
  return frame(reader, bytes, (body) => ({ seq, method, error, body }));
}

function frame<Frame>(
  reader: MsgpackReader,
  bytes: Uint8Array,
  make: (body: Uint8Array) => Frame,
): FrameProgress<Frame> {
  const start = reader.at;
  if (reader.ok) reader.skip();
  if (reader.state === "short") return { kind: "more" };
  if (!reader.ok) return { kind: "malformed" };
  return { kind: "frame", frame: make(bytes.slice(start, reader.at)), bytes: reader.at };
}
