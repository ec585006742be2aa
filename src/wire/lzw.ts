/**
 * LZW as Go's compress/lzw writes it: least significant bit first, 8-bit literals, codes of 9 to 12
 * bits, clear code 256, end code 257 (wire/gossip.md §5.3). TIFF and PDF widen one code earlier, so
 * their decoders fail on this stream.
 *
 * @module
 */
const CLEAR = 256;
const END = 257;
const WIDTH_FIRST = 9;
const WIDTH_LAST = 12;
const CODE_LAST = 4095;

/** Byte for byte what Go's writer produces. */
export function lzwCompress(input: Uint8Array): Uint8Array {
  const bits = new BitWriter(input.length);
  const table = new Map<number, number>();
  let width = WIDTH_FIRST;
  let high = END;
  let overflow = 1 << WIDTH_FIRST;
  /** Counts one emitted code; true if the table was full and started over. */
  const advance = (): boolean => {
    high += 1;
    if (high === overflow) {
      width += 1;
      overflow *= 2;
    }
    if (high !== CODE_LAST) return false;
    bits.put(CLEAR, width);
    width = WIDTH_FIRST;
    high = END;
    overflow = 1 << WIDTH_FIRST;
    table.clear();
    return true;
  };
  bits.put(CLEAR, width);
  if (input.length > 0) {
    let code = input[0] ?? 0;
    for (let i = 1; i < input.length; i++) {
      const byte = input[i] ?? 0;
      const pair = (code << 8) | byte;
      const known = table.get(pair);
      if (known !== undefined) {
        code = known;
        continue;
      }
      bits.put(code, width);
      code = byte;
      if (!advance()) table.set(pair, high);
    }
    bits.put(code, width);
    advance();
  }
  bits.put(END, width);
  return bits.finish();
}

/**
 * Opens an LZW stream from an untrusted peer.
 *
 * @param bytesMax output limit: a few bytes can ask for gigabytes
 * @returns undefined if the stream is broken, cut short or opens to more than `bytesMax`
 */
export function lzwDecompress(input: Uint8Array, bytesMax: number): Uint8Array | undefined {
  const prefix = new Uint16Array(CODE_LAST + 1);
  const suffix = new Uint8Array(CODE_LAST + 1);
  const stack = new Uint8Array(CODE_LAST + 2);
  const out = new ByteSink(Math.min(bytesMax, input.length * 4 + 64), bytesMax);
  let width = WIDTH_FIRST;
  let high = END;
  let overflow = 1 << WIDTH_FIRST;
  let last = -1;
  let at = 0;
  let buffer = 0;
  let held = 0;
  for (;;) {
    while (held < width) {
      const byte = input[at++];
      if (byte === undefined) return undefined;
      buffer |= byte << held;
      held += 8;
    }
    const code = buffer & ((1 << width) - 1);
    buffer >>>= width;
    held -= width;
    if (code === END) return out.take();
    if (code === CLEAR) {
      width = WIDTH_FIRST;
      high = END;
      overflow = 1 << WIDTH_FIRST;
      last = -1;
      continue;
    }
    if (code > high) return undefined;
    let depth = stack.length;
    let walk = code;
    if (code === high && last >= 0 && code > END) {
      walk = last;
      while (walk > END) walk = prefix[walk] ?? 0;
      stack[--depth] = walk;
      walk = last;
    }
    while (walk > END) {
      stack[--depth] = suffix[walk] ?? 0;
      walk = prefix[walk] ?? 0;
    }
    stack[--depth] = walk;
    if (!out.put(stack.subarray(depth))) return undefined;
    if (last >= 0) {
      prefix[high] = last;
      suffix[high] = walk;
    }
    last = code;
    high += 1;
    if (high < overflow) continue;
    if (width === WIDTH_LAST) {
      last = -1;
      high -= 1;
    } else {
      width += 1;
      overflow *= 2;
    }
  }
}

class BitWriter {
  #bytes: Uint8Array;
  #length = 0;
  #buffer = 0;
  #held = 0;

  constructor(bytesExpected: number) {
    this.#bytes = new Uint8Array(bytesExpected + 16);
  }

  put(code: number, width: number): void {
    this.#buffer |= code << this.#held;
    this.#held += width;
    while (this.#held >= 8) {
      this.#push(this.#buffer & 0xff);
      this.#buffer >>>= 8;
      this.#held -= 8;
    }
  }

  finish(): Uint8Array {
    if (this.#held > 0) this.#push(this.#buffer & 0xff);
    return this.#bytes.subarray(0, this.#length);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }
}

/** Grows by doubling up to a limit that the caller set, never one that the input named. */
class ByteSink {
  #bytes: Uint8Array;
  #length = 0;
  readonly #bytesMax: number;

  constructor(bytesInitial: number, bytesMax: number) {
    this.#bytes = new Uint8Array(bytesInitial);
    this.#bytesMax = bytesMax;
  }

  put(chunk: Uint8Array): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#bytesMax) return false;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#bytesMax, Math.max(length, length * 2)));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
    return true;
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
