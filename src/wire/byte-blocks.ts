/**
 * Bytes that come in pieces of any size until enough are there: each is copied once as it comes,
 * and once more when they are looked at. A single piece, as most messages are, is not copied.
 */
const BLOCK_BYTES_MIN = 1024;
const BLOCK_BYTES_MAX = 64 * 1024;
const NONE = new Uint8Array(0);

export class ByteBlocks {
  #blocks: Uint8Array[] = [];
  /** Of the last block. */
  #free = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What it takes in memory: a block that is begun counts whole. */
  get heldBytes(): number {
    return this.#length + this.#free;
  }

  push(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#only(chunk);
      return;
    }
    for (let at = 0; at < chunk.length; ) {
      if (this.#free === 0) this.#addBlock();
      const block = this.#blocks.at(-1) ?? NONE;
      const some = chunk.subarray(at, at + this.#free);
      block.set(some, block.length - this.#free);
      this.#free -= some.length;
      this.#length += some.length;
      at += some.length;
    }
  }

  /** Everything in one piece, as a view that is good until the next call. */
  peek(): Uint8Array {
    const [first = NONE] = this.#blocks;
    if (this.#blocks.length <= 1) return first.subarray(0, this.#length);
    const joined = new Uint8Array(this.#length);
    let at = 0;
    for (const block of this.#blocks) {
      const some = block.subarray(0, this.#length - at);
      joined.set(some, at);
      at += some.length;
    }
    this.#only(joined);
    return joined;
  }

  /** Forgets the first `bytes`. */
  drop(bytes: number): void {
    const rest = this.peek().subarray(bytes);
    // A large buffer is not held for the sake of a few bytes at its end.
    this.#only(rest.length * 4 < this.#length ? rest.slice() : rest);
  }

  #only(bytes: Uint8Array): void {
    this.#blocks = bytes.length === 0 ? [] : [bytes];
    this.#length = bytes.length;
    this.#free = 0;
  }

  #addBlock(): void {
    const bytes = Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, this.#length));
    this.#blocks.push(new Uint8Array(bytes));
    this.#free = bytes;
  }
}
