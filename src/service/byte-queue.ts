/** Bytes of a stream that wait until a whole message is there. */
export class ByteQueue {
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;
  /** The one chunk that is all there is: most messages come whole, and are not copied. */
  #single: Uint8Array | undefined;

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#single = chunk;
      this.#length = chunk.length;
      return;
    }
    this.#room(chunk.length);
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  /** Everything, as a view that is good until the next `push`. */
  peek(): Uint8Array {
    return this.#single ?? this.#bytes.subarray(0, this.#length);
  }

  drop(bytes: number): void {
    const rest = this.peek().subarray(bytes);
    this.#length = rest.length;
    if (this.#single !== undefined) {
      this.#single = rest.length === 0 ? undefined : rest;
      return;
    }
    this.#bytes.copyWithin(0, bytes, bytes + rest.length);
    if (this.#length === 0 && this.#bytes.length > KEEP_BYTES_MAX) this.#bytes = new Uint8Array(0);
  }

  #room(more: number): void {
    const wanted = this.#length + more;
    if (this.#single === undefined && wanted <= this.#bytes.length) return;
    const before = this.peek();
    const grown =
      wanted <= this.#bytes.length ? this.#bytes : new Uint8Array(Math.max(1024, wanted * 2));
    grown.set(before);
    this.#bytes = grown;
    this.#single = undefined;
  }
}

/** A larger buffer is given back when it is empty. */
const KEEP_BYTES_MAX = 64 * 1024;
