/**
 * One message over TCP: plain, compressed (09) or in an encrypted frame (0a), and no length prefix
 * unless encrypted, so the reader has to find the end by itself (wire/gossip.md §7).
 *
 * @module
 */
import type { Ack, PeerState, Ping } from "../protocol/swim/message.ts";
import { compress, decompress } from "./compress.ts";
import {
  decodeMessage,
  decodePeerState,
  decodePushPullHeader,
  encodeMessage,
  encodePeerState,
  encodePushPullHeader,
  MessageType,
  type PushPullHeader,
} from "./gossip-message.ts";
import type { SealLayer } from "./gossip-packet.ts";
import { sameBytes, splitLabel } from "./label.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** Limits of the real library (wire/gossip.md §7.2, §7.4). */
const FRAME_BYTES_MAX = 20 * 1024 * 1024;
const OPENED_BYTES_MAX = 2 * FRAME_BYTES_MAX;
const NODES_MAX = 1_048_576;
const FRAME_HEADER_BYTES = 5;
/** One record (a node state, a ping): real ones stay below 2 KiB. Bounds re-reading on dribble. */
const RECORD_BYTES_MAX = 256 * 1024;
const USER_FIELDS = ["UserMsgLen"];
const ERR_FIELDS = ["Error"];

export type StreamMessage =
  | {
      readonly kind: "pushPull";
      readonly join: boolean;
      readonly states: readonly PeerState[];
      readonly userState: Uint8Array;
    }
  | { readonly kind: "ping"; readonly ping: Ping }
  | { readonly kind: "ack"; readonly ack: Ack }
  | { readonly kind: "user"; readonly body: Uint8Array }
  | { readonly kind: "err"; readonly error: string };

/** Type byte and body, before any layer. */
export function encodeStreamBody(message: StreamMessage): Uint8Array {
  const out = new MsgpackWriter(1024);
  switch (message.kind) {
    case "ping":
      return encodeMessage(message.ping);
    case "ack":
      return encodeMessage(message.ack);
    case "err":
      return out.byte(MessageType.err).map(1).key("Error").text(message.error).take();
    case "user":
      out.byte(MessageType.user).map(1).key("UserMsgLen").int(message.body.length);
      return out.append(message.body).take();
    case "pushPull": {
      const { states, userState, join } = message;
      out.byte(MessageType.pushPull);
      encodePushPullHeader(out, { nodes: states.length, userStateBytes: userState.length, join });
      for (const state of states) encodePeerState(out, state);
      return out.append(userState).take();
    }
  }
}

/**
 * Adds the layers. The dialler's label header is not among them: it goes out once, before the
 * first byte, while `label` counts as additional data in both directions.
 */
export function encodeStream(
  message: StreamMessage,
  how: { compress: boolean; seal: SealLayer | undefined; label: Uint8Array },
): Uint8Array {
  let bytes = encodeStreamBody(message);
  if (how.compress) bytes = compress(bytes);
  if (how.seal === undefined) return bytes;
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  header[0] = MessageType.encrypt;
  // The payload's length is known before sealing: version 1 adds a fixed overhead.
  new DataView(header.buffer).setUint32(1, bytes.length + SEALED_OVERHEAD_BYTES);
  const payload = how.seal.seal(bytes, concat(header, how.label));
  return concat(header, payload);
}

/** Version byte, nonce and tag of payload version 1, the only one we write on streams. */
const SEALED_OVERHEAD_BYTES = 29;

export type StreamRefusal =
  | "label"
  | "plaintext"
  | "unexpected-encryption"
  | "no-key-opens"
  | "compression"
  | "unknown-type"
  | "malformed"
  | "too-much";

export type StreamProgress =
  | { readonly kind: "more" }
  | { readonly kind: "message"; readonly message: StreamMessage; readonly sealed: boolean }
  | { readonly kind: "refused"; readonly reason: StreamRefusal };

export interface StreamDecoding {
  readonly label: Uint8Array;
  /** The acceptor reads a label header; the dialler's answer has none. */
  readonly expectLabelHeader: boolean;
  readonly open: ((payload: Uint8Array, aad: Uint8Array) => Uint8Array | undefined) | undefined;
  readonly verifyIncoming: boolean;
}

const MORE: StreamProgress = { kind: "more" };

/** Fed in pieces of any size; says once what came. Never throws. */
export class StreamParser {
  readonly #how: StreamDecoding;
  #pending: Uint8Array = new Uint8Array(0);
  #labelDone: boolean;
  #plain: PlainParser | undefined;

  constructor(how: StreamDecoding) {
    this.#how = how;
    this.#labelDone = !how.expectLabelHeader;
  }

  push(chunk: Uint8Array): StreamProgress {
    if (this.#plain !== undefined) return this.#plain.push(chunk);
    this.#pending = concat(this.#pending, chunk);
    if (this.#pending.length > OPENED_BYTES_MAX) return refuse("too-much");
    if (!this.#labelDone) {
      const split = splitLabel(this.#pending);
      if (this.#pending.length === 0 || split.kind === "short") return MORE;
      if (split.kind === "bad" || !sameBytes(split.label, this.#how.label)) return refuse("label");
      this.#pending = split.rest;
      this.#labelDone = true;
    }
    return this.#layers();
  }

  #layers(): StreamProgress {
    const type = this.#pending[0];
    if (type === undefined) return MORE;
    if (type === MessageType.encrypt) return this.#sealed();
    if (this.#how.open !== undefined && this.#how.verifyIncoming) return refuse("plaintext");
    if (type === MessageType.compress) return this.#compressed(this.#pending, false);
    this.#plain = new PlainParser(false);
    return this.#plain.push(this.#pending);
  }

  #sealed(): StreamProgress {
    if (this.#how.open === undefined) return refuse("unexpected-encryption");
    if (this.#pending.length < FRAME_HEADER_BYTES) return MORE;
    const length = new DataView(this.#pending.buffer, this.#pending.byteOffset).getUint32(1);
    if (length > FRAME_BYTES_MAX) return refuse("too-much");
    const end = FRAME_HEADER_BYTES + length;
    if (this.#pending.length < end) return MORE;
    const aad = concat(this.#pending.subarray(0, FRAME_HEADER_BYTES), this.#how.label);
    const opened = this.#how.open(this.#pending.subarray(FRAME_HEADER_BYTES, end), aad);
    if (opened === undefined) return refuse("no-key-opens");
    if (opened[0] === MessageType.compress) return this.#compressed(opened, true);
    return finish(new PlainParser(true).push(opened));
  }

  #compressed(bytes: Uint8Array, sealed: boolean): StreamProgress {
    const opened = decompress(bytes.subarray(1), OPENED_BYTES_MAX);
    if (opened === "short" && !sealed) return MORE;
    if (typeof opened === "string") return refuse("compression");
    return finish(new PlainParser(sealed).push(opened));
  }
}

/** Everything has been read, so "more" means that it was cut short. */
function finish(progress: StreamProgress): StreamProgress {
  return progress.kind === "more" ? refuse("malformed") : progress;
}

function refuse(reason: StreamRefusal): StreamProgress {
  return { kind: "refused", reason };
}

/** Reads one message record by record, so that bytes in drips cost no repeated work. */
class PlainParser {
  readonly #sealed: boolean;
  #pending: Uint8Array = new Uint8Array(0);
  #header: PushPullHeader | undefined;
  #states: PeerState[] = [];
  #userBytes: number | undefined;

  constructor(sealed: boolean) {
    this.#sealed = sealed;
  }

  push(chunk: Uint8Array): StreamProgress {
    this.#pending = concat(this.#pending, chunk);
    if (this.#header !== undefined) return this.#nodeStates(this.#header);
    const type = this.#pending[0];
    if (type === undefined) return MORE;
    switch (type) {
      case MessageType.pushPull:
        return this.#pushPull();
      case MessageType.user:
        return this.#user();
      case MessageType.ping:
      case MessageType.ack:
        return this.#leaf();
      case MessageType.err:
        return this.#err();
      default:
        return refuse("unknown-type");
    }
  }

  #pushPull(): StreamProgress {
    const reader = new MsgpackReader(this.#pending, 1);
    const header = decodePushPullHeader(reader);
    const problem = this.#check(reader);
    if (problem !== undefined) return problem;
    if (header.nodes < 0 || header.nodes > NODES_MAX) return refuse("too-much");
    if (header.userStateBytes < 0 || header.userStateBytes > FRAME_BYTES_MAX) {
      return refuse("too-much");
    }
    this.#header = header;
    this.#pending = this.#pending.subarray(reader.at);
    return this.#nodeStates(header);
  }

  #nodeStates(header: PushPullHeader): StreamProgress {
    let at = 0;
    while (this.#states.length < header.nodes) {
      const reader = new MsgpackReader(this.#pending, at);
      const state = decodePeerState(reader);
      if (!reader.ok) {
        this.#pending = this.#pending.subarray(at);
        return this.#check(reader) ?? MORE;
      }
      this.#states.push(state);
      at = reader.at;
    }
    this.#pending = this.#pending.subarray(at);
    if (this.#pending.length < header.userStateBytes) return MORE;
    const userState = this.#pending.slice(0, header.userStateBytes);
    return this.#done({ kind: "pushPull", join: header.join, states: this.#states, userState });
  }

  #user(): StreamProgress {
    if (this.#userBytes === undefined) {
      let length = 0;
      const reader = new MsgpackReader(this.#pending, 1);
      reader.struct(USER_FIELDS, () => {
        length = reader.int(-FRAME_BYTES_MAX, Number.MAX_SAFE_INTEGER);
      });
      const problem = this.#check(reader);
      if (problem !== undefined) return problem;
      if (length > FRAME_BYTES_MAX) return refuse("too-much");
      this.#userBytes = length;
      this.#pending = concat(this.#pending.subarray(0, 1), this.#pending.subarray(reader.at));
    }
    const end = 1 + Math.max(0, this.#userBytes);
    if (this.#pending.length < end) return MORE;
    return this.#done({ kind: "user", body: this.#pending.slice(1, end) });
  }

  #leaf(): StreamProgress {
    const reader = new MsgpackReader(this.#pending, 1);
    reader.skip();
    const problem = this.#check(reader);
    if (problem !== undefined) return problem;
    const message = decodeMessage(this.#pending.subarray(0, reader.at));
    if (message?.kind === "ping") return this.#done({ kind: "ping", ping: message });
    if (message?.kind === "ack") return this.#done({ kind: "ack", ack: message });
    return refuse("malformed");
  }

  #err(): StreamProgress {
    let error = "";
    const reader = new MsgpackReader(this.#pending, 1);
    reader.struct(ERR_FIELDS, () => {
      error = reader.text();
    });
    return this.#check(reader) ?? this.#done({ kind: "err", error });
  }

  /** undefined: the record was read whole. */
  #check(reader: MsgpackReader): StreamProgress | undefined {
    if (reader.ok) return undefined;
    if (reader.state === "bad") return refuse("malformed");
    return this.#pending.length > RECORD_BYTES_MAX ? refuse("too-much") : MORE;
  }

  #done(message: StreamMessage): StreamProgress {
    return { kind: "message", message, sealed: this.#sealed };
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
