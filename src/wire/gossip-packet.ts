/**
 * The layers of a gossip packet: message(s) ▸ compound ▸ compress ▸ crc ▸ seal ▸ label
 * (wire/gossip.md §5). Sealing is passed in; this file knows no key.
 *
 * @module
 */
import { sameBytes } from "../protocol/bytes.ts";
import { compress, decompress } from "./compress.ts";
import { crc32 } from "./crc32.ts";
import { MessageType } from "./gossip-message.ts";
import { addLabel, splitLabel } from "./label.ts";

/** Parts of one compound: the count is one byte. */
const PARTS_MAX = 255;
const CRC_BYTES = 5;

/** How much one packet may open to, whatever it claims; real packets stay below 64 KiB. */
const OPENED_BYTES_MAX = 256 * 1024;
/** Compounds and compression in each other; real senders nest two levels. */
const DEPTH_MAX = 8;
const LEAVES_MAX = 8192;

export interface SealLayer {
  seal(plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
}

interface PacketEncoding {
  readonly label: Uint8Array;
  readonly compress: boolean;
  /** The target understands protocol 5. */
  readonly crc: boolean;
  /** Absent: no encryption. */
  readonly seal: SealLayer | undefined;
}

/** Packs encoded messages into as few packets as the count byte allows: one, up to 255 messages. */
export function encodePackets(
  messages: readonly Uint8Array[],
  how: PacketEncoding,
): readonly Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < messages.length; at += PARTS_MAX) {
    packets.push(encodePacket(messages.slice(at, at + PARTS_MAX), how));
  }
  return packets;
}

function encodePacket(messages: readonly Uint8Array[], how: PacketEncoding): Uint8Array {
  const [only] = messages;
  let bytes = messages.length === 1 && only !== undefined ? only : makeCompound(messages);
  if (how.compress) {
    const smaller = compress(bytes);
    if (smaller.length < bytes.length) bytes = smaller;
  }
  if (how.crc) bytes = addCrc(bytes);
  if (how.seal !== undefined) bytes = how.seal.seal(bytes, how.label);
  return addLabel(how.label, bytes);
}

/** `07 | count | lengths | parts`; at most 255 parts of at most 64 KiB. */
export function makeCompound(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = parts.reduce((sum, part) => sum + part.length + 2, 2);
  const out = new Uint8Array(bytes);
  out[0] = MessageType.compound;
  out[1] = parts.length;
  let at = 2 + parts.length * 2;
  parts.forEach((part, i) => {
    out[2 + i * 2] = part.length >> 8;
    out[3 + i * 2] = part.length & 0xff;
    out.set(part, at);
    at += part.length;
  });
  return out;
}

/** Splits a compound's body (behind the type byte); a part that runs past the end ends it. */
export function splitCompound(body: Uint8Array): {
  readonly parts: readonly Uint8Array[];
  readonly truncated: number;
} {
  const count = body[0];
  if (count === undefined || body.length < 1 + count * 2) return { parts: [], truncated: -1 };
  const parts: Uint8Array[] = [];
  let at = 1 + count * 2;
  for (let i = 0; i < count; i++) {
    const length = ((body[1 + i * 2] ?? 0) << 8) | (body[2 + i * 2] ?? 0);
    if (at + length > body.length) return { parts, truncated: count - i };
    parts.push(body.subarray(at, at + length));
    at += length;
  }
  return { parts, truncated: 0 };
}

function addCrc(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + CRC_BYTES);
  out[0] = MessageType.hasCrc;
  new DataView(out.buffer).setUint32(1, crc32(bytes));
  out.set(bytes, CRC_BYTES);
  return out;
}

/** Why a packet, or a part of it, was refused. Also the label of its counter. */
export type PacketRefusal =
  | "label"
  | "no-key-opens"
  | "plaintext"
  | "checksum"
  | "compound"
  | "compression"
  | "unknown-type"
  | "too-much";

interface PacketDecoding {
  readonly label: Uint8Array;
  /** Opens a sealed payload, or undefined; absent: this node has no key. */
  readonly open: ((payload: Uint8Array, aad: Uint8Array) => Uint8Array | undefined) | undefined;
  /** With keys: drop what does not open (true), or take it as plaintext (a pool in migration). */
  readonly verifyIncoming: boolean;
}

interface OpenedPacket {
  /** Leaf messages with their type byte, in the order of the packet. */
  readonly messages: readonly Uint8Array[];
  /** What had to be left out, or why nothing came out at all. */
  readonly refusals: readonly PacketRefusal[];
  readonly sealed: boolean;
}

/** Opens whatever came in; refuses, never throws. */
export function decodePacket(packet: Uint8Array, how: PacketDecoding): OpenedPacket {
  const labelled = splitLabel(packet);
  if (labelled.kind !== "labelled" || !sameBytes(labelled.label, how.label))
    return refused("label");
  let bytes = labelled.rest;
  let sealed = false;
  if (how.open !== undefined) {
    const opened = how.open(bytes, how.label);
    if (opened !== undefined) {
      bytes = opened;
      sealed = true;
    } else if (how.verifyIncoming) {
      return refused(looksPlain(bytes) ? "plaintext" : "no-key-opens");
    }
  }
  if (bytes.length >= CRC_BYTES && bytes[0] === MessageType.hasCrc) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const claimed = view.getUint32(1);
    bytes = bytes.subarray(CRC_BYTES);
    if (crc32(bytes) !== claimed) return refused("checksum");
  }
  const flat = new Flattening();
  flat.add(bytes, 0);
  return { messages: flat.messages, refusals: flat.refusals, sealed };
}

function refused(reason: PacketRefusal): OpenedPacket {
  return { messages: [], refusals: [reason], sealed: false };
}

/**
 * Does an unopenable packet look like clear memberlist traffic? Only for the counter and the log:
 * an encrypted packet starts with version 0 or 1, which are also the types of the two pings.
 */
function looksPlain(bytes: Uint8Array): boolean {
  const [type, map, key] = bytes;
  if (type === undefined || map === undefined || key === undefined) return false;
  // A map whose first key is a word: not by chance, where one byte would be, in 1 of 16 nonces.
  const isMap =
    (map & 0xf0) === 0x80 &&
    (key & 0xe0) === 0xa0 &&
    isWord(bytes.subarray(3, 3 + Math.max(1, key & 0x1f)));
  if (type === MessageType.compound || type === MessageType.user) return true;
  if (type === MessageType.hasCrc) return true;
  return type <= MessageType.nack && type !== MessageType.encrypt && isMap;
}

function isWord(bytes: Uint8Array): boolean {
  return bytes.every((byte) => (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122));
}

class Flattening {
  readonly messages: Uint8Array[] = [];
  readonly refusals: PacketRefusal[] = [];
  #openedBytes = 0;

  add(bytes: Uint8Array, depth: number): void {
    if (depth > DEPTH_MAX || this.messages.length >= LEAVES_MAX) {
      this.refusals.push("too-much");
      return;
    }
    switch (bytes[0]) {
      case MessageType.compound:
        this.#addCompound(bytes, depth);
        return;
      case MessageType.compress:
        this.#addCompressed(bytes, depth);
        return;
      case MessageType.ping:
      case MessageType.indirectPing:
      case MessageType.ack:
      case MessageType.nack:
      case MessageType.suspect:
      case MessageType.alive:
      case MessageType.dead:
      case MessageType.user:
        this.messages.push(bytes);
        return;
      default:
        this.refusals.push("unknown-type");
    }
  }

  #addCompound(bytes: Uint8Array, depth: number): void {
    const { parts, truncated } = splitCompound(bytes.subarray(1));
    if (truncated !== 0) this.refusals.push("compound");
    for (const part of parts) this.add(part, depth + 1);
  }

  #addCompressed(bytes: Uint8Array, depth: number): void {
    const left = OPENED_BYTES_MAX - this.#openedBytes;
    const opened = left > 0 ? decompress(bytes.subarray(1), left) : "bad";
    if (typeof opened !== "object") {
      // It may have been opened far before it was found bad: many of them must not cost much more.
      this.#openedBytes += Math.ceil(left / 2);
      this.refusals.push("compression");
      return;
    }
    this.#openedBytes += opened.length;
    this.add(opened, depth + 1);
  }
}
