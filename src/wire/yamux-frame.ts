/**
 * yamux frames to bytes and back: 12 bytes of header, big-endian, then payload for data only
 * (wire/rpc-and-raft.md §2).
 *
 * @module
 */
import { type FrameHeader, FrameType } from "../protocol/yamux/frame.ts";

export const HEADER_BYTES = 12;

/** Of what a writer begins with: all of a turn's control frames, or a short answer. */
const BEGIN_BYTES = 4096;
/** Above this the buffer of a burst is given back. */
const KEEP_BYTES_MAX = 256 * 1024;

/** Bytes to write to. */
class Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** Sessions write one after another, and thousands are silent: they share what they write to. */
let spare: Block | undefined;

/** Frames one after another in one string of bytes. */
export class FrameWriter {
  #block: Block | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(header: FrameHeader, payload: Uint8Array): void {
    const { bytes, view } = this.#room(HEADER_BYTES + payload.length);
    const at = this.#length;
    view.setUint8(at, 0);
    view.setUint8(at + 1, header.type);
    view.setUint16(at + 2, header.flags);
    view.setUint32(at + 4, header.stream);
    view.setUint32(at + 8, header.length);
    bytes.set(payload, at + HEADER_BYTES);
    this.#length += HEADER_BYTES + payload.length;
  }

  /** What was added, as bytes of their own. */
  take(): Uint8Array {
    const block = this.#block;
    if (block === undefined) return NONE;
    const taken = block.bytes.slice(0, this.#length);
    this.#length = 0;
    this.#block = undefined;
    if (block.bytes.length <= KEEP_BYTES_MAX) spare = block;
    return taken;
  }

  #room(bytes: number): Block {
    let block = this.#block ?? spare ?? new Block(BEGIN_BYTES);
    if (block === spare) spare = undefined;
    const needed = this.#length + bytes;
    if (needed > block.bytes.length) {
      const grown = new Block(Math.max(block.bytes.length * 2, needed));
      grown.bytes.set(block.bytes.subarray(0, this.#length));
      block = grown;
    }
    this.#block = block;
    return block;
  }
}

const NONE = new Uint8Array(0);

/** Who hears of frames. */
interface FrameSink {
  header(header: FrameHeader): void;
  /** A piece of the last data frame's payload. */
  payload(bytes: Uint8Array): void;
  /** No frame: nothing that follows can be read. */
  garbled(why: "bad-version" | "bad-type"): void;
}

/** Cuts a connection's bytes into headers and pieces of payload; keeps at most 11 bytes. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** Of a header that did not come whole. */
  #head: Uint8Array | undefined;
  #have = 0;
  #payload = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Does part of a header wait for its rest? */
  get partial(): boolean {
    return this.#have > 0;
  }

  read(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#payload > 0) {
        const end = Math.min(bytes.length, at + this.#payload);
        this.#payload -= end - at;
        // Often a chunk is one frame's payload and nothing else.
        this.#sink.payload(end - at === bytes.length ? bytes : bytes.subarray(at, end));
        at = end;
        continue;
      }
      if (this.#have === 0 && bytes.length - at >= HEADER_BYTES) {
        this.#header(bytes, at);
        at += HEADER_BYTES;
      } else at = this.#piece(bytes, at);
    }
  }

  /** @returns where the piece of the header ends */
  #piece(bytes: Uint8Array, from: number): number {
    const head = this.#head ?? new Uint8Array(HEADER_BYTES);
    this.#head = head;
    let at = from;
    while (at < bytes.length && this.#have < HEADER_BYTES) head[this.#have++] = bytes[at++] ?? 0;
    if (this.#have < HEADER_BYTES) return at;
    this.#have = 0;
    this.#head = undefined;
    this.#header(head, 0);
    return at;
  }

  #header(bytes: Uint8Array, at: number): void {
    const type = frameType(bytes[at + 1] ?? 0);
    if (bytes[at] !== 0) return this.#sink.garbled("bad-version");
    if (type === undefined) return this.#sink.garbled("bad-type");
    const header = {
      type,
      flags: ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0),
      stream: uint32(bytes, at + 4),
      length: uint32(bytes, at + 8),
    };
    this.#payload = type === FrameType.data ? header.length : 0;
    this.#sink.header(header);
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return ((high << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}

function frameType(byte: number): FrameType | undefined {
  if (byte === 0 || byte === 1 || byte === 2 || byte === 3) return byte;
  return undefined;
}
