/**
 * One message over TCP: plain, compressed (09) or in an encrypted frame (0a), and no length prefix
 * unless encrypted, so the reader has to find the end by itself (wire/gossip.md §7).
 *
 * @module
 */
import { sameBytes } from "../protocol/bytes.ts";
import type { Ack, PeerState, Ping } from "../protocol/swim/message.ts";
import { ByteBlocks } from "./byte-blocks.ts";
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
import { splitLabel } from "./label.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/** Limits of the real library (wire/gossip.md §7.2, §7.4). */
const FRAME_BYTES_MAX = 20 * 1024 * 1024;
const OPENED_BYTES_MAX = 2 * FRAME_BYTES_MAX;
const NODES_MAX = 1_048_576;
const FRAME_HEADER_BYTES = 5;
/** One record (a node state, a ping): real ones stay below 2 KiB. Bounds re-reading on dribble. */
const RECORD_BYTES_MAX = 16 * 1024;
/** What a node state takes in memory, beside its bytes: it may come in ten. */
const STATE_BYTES = 300;
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
  | "too-much"
  | "no-room";

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

/** Fed in pieces of any size; says once what came. Never throws; its work is linear in bytes. */
export class StreamParser {
  readonly #how: StreamDecoding;
  readonly #pending = new ByteBlocks();
  /** With fewer bytes there is nothing to be found out. */
  #wanted = 1;
  #labelDone: boolean;
  #plain: PlainParser | undefined;

  constructor(how: StreamDecoding) {
    this.#how = how;
    this.#labelDone = !how.expectLabelHeader;
  }

  /** Memory that waits for the rest of the message. */
  get heldBytes(): number {
    return this.#pending.heldBytes + (this.#plain?.heldBytes ?? 0);
  }

  push(chunk: Uint8Array): StreamProgress {
    if (this.#plain !== undefined) return this.#plain.push(chunk);
    this.#pending.push(chunk);
    if (this.#pending.length > OPENED_BYTES_MAX) return refuse("too-much");
    if (this.#pending.length < this.#wanted) return MORE;
    return this.#label(this.#pending.peek());
  }

  #label(bytes: Uint8Array): StreamProgress {
    if (this.#labelDone) return this.#layers(bytes);
    const split = splitLabel(bytes);
    if (split.kind === "short") return this.#more(bytes.length < 2 ? 2 : 2 + (bytes[1] ?? 0));
    if (split.kind === "bad" || !sameBytes(split.label, this.#how.label)) return refuse("label");
    this.#labelDone = true;
    this.#pending.drop(bytes.length - split.rest.length);
    this.#wanted = 1;
    return this.#layers(split.rest);
  }

  #layers(bytes: Uint8Array): StreamProgress {
    const type = bytes[0];
    if (type === undefined) return MORE;
    if (type === MessageType.encrypt) return this.#sealed(bytes);
    if (this.#how.open !== undefined && this.#how.verifyIncoming) return refuse("plaintext");
    if (type === MessageType.compress) return this.#compressed(bytes, false);
    this.#plain = new PlainParser(false);
    this.#pending.drop(bytes.length);
    return this.#plain.push(bytes);
  }

  #sealed(bytes: Uint8Array): StreamProgress {
    if (this.#how.open === undefined) return refuse("unexpected-encryption");
    if (bytes.length < FRAME_HEADER_BYTES) return this.#more(FRAME_HEADER_BYTES);
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    if (length > FRAME_BYTES_MAX) return refuse("too-much");
    const end = FRAME_HEADER_BYTES + length;
    if (bytes.length < end) return this.#more(end);
    const aad = concat(bytes.subarray(0, FRAME_HEADER_BYTES), this.#how.label);
    const opened = this.#how.open(bytes.subarray(FRAME_HEADER_BYTES, end), aad);
    if (opened === undefined) return refuse("no-key-opens");
    if (opened[0] === MessageType.compress) return this.#compressed(opened, true);
    return finish(new PlainParser(true).push(opened));
  }

  #compressed(bytes: Uint8Array, sealed: boolean): StreamProgress {
    const opened = decompress(bytes.subarray(1), OPENED_BYTES_MAX);
    if (typeof opened === "number" && !sealed) return this.#more(1 + opened);
    if (typeof opened !== "object") return refuse("compression");
    return finish(new PlainParser(sealed).push(opened));
  }

  #more(wanted: number): StreamProgress {
    this.#wanted = wanted;
    return MORE;
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
  readonly #pending = new ByteBlocks();
  #wanted = 1;
  #header: PushPullHeader | undefined;
  #states: PeerState[] = [];
  #stateBytes = 0;
  #userBytes: number | undefined;

  constructor(sealed: boolean) {
    this.#sealed = sealed;
  }

  get heldBytes(): number {
    return this.#pending.heldBytes + this.#stateBytes;
  }

  push(chunk: Uint8Array): StreamProgress {
    this.#pending.push(chunk);
    if (this.#pending.length < this.#wanted) return MORE;
    const bytes = this.#pending.peek();
    if (this.#header !== undefined) return this.#nodeStates(this.#header, bytes);
    if (this.#userBytes !== undefined) return this.#userBody(this.#userBytes, bytes);
    switch (bytes[0]) {
      case undefined:
        return MORE;
      case MessageType.pushPull:
        return this.#pushPull(bytes);
      case MessageType.user:
        return this.#user(bytes);
      case MessageType.ping:
      case MessageType.ack:
        return this.#leaf(bytes);
      case MessageType.err:
        return this.#err(bytes);
      default:
        return refuse("unknown-type");
    }
  }

  #pushPull(bytes: Uint8Array): StreamProgress {
    const reader = new MsgpackReader(bytes, 1);
    const header = decodePushPullHeader(reader);
    const problem = this.#check(reader, bytes);
    if (problem !== undefined) return problem;
    if (header.nodes < 0 || header.nodes > NODES_MAX) return refuse("too-much");
    if (header.userStateBytes < 0 || header.userStateBytes > FRAME_BYTES_MAX) {
      return refuse("too-much");
    }
    this.#header = header;
    return this.#nodeStates(header, this.#rest(reader.at));
  }

  #nodeStates(header: PushPullHeader, bytes: Uint8Array): StreamProgress {
    let at = 0;
    while (this.#states.length < header.nodes) {
      const reader = new MsgpackReader(bytes, at);
      const state = decodePeerState(reader);
      if (!reader.ok) {
        const refusal = this.#check(reader, bytes.subarray(at));
        this.#rest(at);
        this.#wanted = reader.wanted - at;
        return refusal ?? MORE;
      }
      this.#states.push(state);
      this.#stateBytes += reader.at - at + STATE_BYTES;
      at = reader.at;
    }
    const rest = this.#rest(at);
    if (rest.length < header.userStateBytes) return this.#more(header.userStateBytes);
    const userState = rest.slice(0, header.userStateBytes);
    return this.#done({ kind: "pushPull", join: header.join, states: this.#states, userState });
  }

  #user(bytes: Uint8Array): StreamProgress {
    let length = 0;
    const reader = new MsgpackReader(bytes, 1);
    reader.struct(USER_FIELDS, () => {
      length = reader.int(-FRAME_BYTES_MAX, Number.MAX_SAFE_INTEGER);
    });
    const problem = this.#check(reader, bytes);
    if (problem !== undefined) return problem;
    if (length > FRAME_BYTES_MAX) return refuse("too-much");
    this.#userBytes = Math.max(0, length);
    return this.#userBody(this.#userBytes, this.#rest(reader.at));
  }

  #userBody(length: number, bytes: Uint8Array): StreamProgress {
    if (bytes.length < length) return this.#more(length);
    return this.#done({ kind: "user", body: bytes.slice(0, length) });
  }

  #leaf(bytes: Uint8Array): StreamProgress {
    const reader = new MsgpackReader(bytes, 1);
    reader.skip();
    const problem = this.#check(reader, bytes);
    if (problem !== undefined) return problem;
    const message = decodeMessage(bytes.subarray(0, reader.at));
    if (message?.kind === "ping") return this.#done({ kind: "ping", ping: message });
    if (message?.kind === "ack") return this.#done({ kind: "ack", ack: message });
    return refuse("malformed");
  }

  #err(bytes: Uint8Array): StreamProgress {
    let error = "";
    const reader = new MsgpackReader(bytes, 1);
    reader.struct(ERR_FIELDS, () => {
      error = reader.text();
    });
    return this.#check(reader, bytes) ?? this.#done({ kind: "err", error });
  }

  /** undefined: the record was read whole. */
  #check(reader: MsgpackReader, record: Uint8Array): StreamProgress | undefined {
    if (reader.ok) return undefined;
    if (reader.state === "bad") return refuse("malformed");
    return record.length > RECORD_BYTES_MAX ? refuse("too-much") : this.#more(reader.wanted);
  }

  /** What is behind the first `bytes`. */
  #rest(bytes: number): Uint8Array {
    this.#wanted = 0;
    this.#pending.drop(bytes);
    return this.#pending.peek();
  }

  #more(wanted: number): StreamProgress {
    this.#wanted = wanted;
    return MORE;
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
