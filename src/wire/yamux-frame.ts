/**
 * yamux frames to bytes and back: 12 bytes of header, big-endian, then payload for data only
 * (wire/rpc-and-raft.md §2).
 *
 * @module
 */
import { type FrameHeader, FrameType } from "../protocol/yamux/frame.ts";

export const HEADER_BYTES = 12;

/** Frames one after another in one string of bytes. */
export class FrameWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(header: FrameHeader, payload: Uint8Array): void {
    this.#room(HEADER_BYTES + payload.length);
    const at = this.#length;
    this.#view.setUint8(at, 0);
    this.#view.setUint8(at + 1, header.type);
    this.#view.setUint16(at + 2, header.flags);
    this.#view.setUint32(at + 4, header.stream);
    this.#view.setUint32(at + 8, header.length);
    this.#bytes.set(payload, at + HEADER_BYTES);
    this.#length += HEADER_BYTES + payload.length;
  }

  /** What was added, as bytes of their own. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > KEEP_BYTES_MAX) {
      this.#bytes = new Uint8Array(4096);
      this.#view = new DataView(this.#bytes.buffer);
    }
    return taken;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Above this the buffer of a burst is given back. */
const KEEP_BYTES_MAX = 256 * 1024;

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
  readonly #head = new Uint8Array(HEADER_BYTES);
  readonly #view = new DataView(this.#head.buffer);
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
      while (at < bytes.length && this.#have < HEADER_BYTES) {
        this.#head[this.#have++] = bytes[at++] ?? 0;
      }
      if (this.#have === HEADER_BYTES) this.#header();
    }
  }

  #header(): void {
    this.#have = 0;
    const type = frameType(this.#view.getUint8(1));
    if (this.#view.getUint8(0) !== 0) return this.#sink.garbled("bad-version");
    if (type === undefined) return this.#sink.garbled("bad-type");
    const header = {
      type,
      flags: this.#view.getUint16(2),
      stream: this.#view.getUint32(4),
      length: this.#view.getUint32(8),
    };
    this.#payload = type === FrameType.data ? header.length : 0;
    this.#sink.header(header);
  }
}

function frameType(byte: number): FrameType | undefined {
  if (byte === 0 || byte === 1 || byte === 2 || byte === 3) return byte;
  return undefined;
}
