/** Bytes of a stream that wait until a whole message is there. */

const NONE = new Uint8Array(0);
const LEAST_BYTES = 1024;

export class ByteQueue {
  #bytes: Uint8Array = NONE;
  #start = 0;
  #end = 0;
  /** One chunk as it came is all there is: most messages come whole, and are not copied. */
  #borrowed = false;

  get length(): number {
    return this.#end - this.#start;
  }

  push(chunk: Uint8Array): void {
    if (this.length === 0) {
      this.#bytes = chunk;
      this.#borrowed = true;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    this.#room(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Everything, as a view that is good until the next `push`. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  drop(bytes: number): void {
    this.#start += Math.min(bytes, this.length);
    if (this.length > 0) return;
    this.#bytes = NONE;
    this.#start = 0;
    this.#end = 0;
  }

  /** Every byte is moved a few times at most, however small the chunks and the messages are. */
  #room(more: number): void {
    const wanted = this.length + more;
    if (!this.#borrowed && this.#end + more <= this.#bytes.length) return;
    if (!this.#borrowed && wanted <= this.#bytes.length / 2) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    } else {
      const grown = new Uint8Array(Math.max(LEAST_BYTES, wanted * 2));
      grown.set(this.peek());
      this.#bytes = grown;
      this.#borrowed = false;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}
