/**
 * Finds where a msgpack value ends while its bytes still come: each byte is looked at once, in
 * whatever pieces it comes, and nothing is kept. A peer that sends a value byte by byte costs no
 * more than one that sends it whole.
 *
 * @module
 */

export class ValueScanner {
  /** Values that have to begin yet: the one that is asked for, and what is in it. */
  #values = 1;
  /** Bytes to come of a value that has begun. */
  #skip = 0;
  /** Bytes to come of a length, and what is known of it. */
  #lengthBytes = 0;
  #length = 0;
  /** What the length counts: bytes (0), values (1) or pairs of them (2); and bytes on top of it. */
  #each: 0 | 1 | 2 = 0;
  #extra = 0;
  #bad = false;

  /** The value is whole: what was read last is its end. */
  get done(): boolean {
    return this.missing === 0 && !this.#bad;
  }

  /** No value begins or goes on like this. */
  get bad(): boolean {
    return this.#bad;
  }

  /** So many bytes have to come at least. */
  get missing(): number {
    return this.#skip + this.#lengthBytes + this.#values;
  }

  /** Begins with the next value. */
  reset(): void {
    this.#values = 1;
    this.#skip = 0;
    this.#lengthBytes = 0;
    this.#bad = false;
  }

  /** Reads on from `at`. @returns where it stopped: at the value's end, or with the bytes */
  read(bytes: Uint8Array, at: number): number {
    let next = at;
    while (this.missing > 0 && next < bytes.length && !this.#bad) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - next);
        this.#skip -= skipped;
        next += skipped;
      } else if (this.#lengthBytes > 0) {
        this.#length = this.#length * 256 + (bytes[next++] ?? 0);
        this.#lengthBytes -= 1;
        if (this.#lengthBytes === 0) this.#counted();
      } else {
        this.#values -= 1;
        this.#begin(bytes[next++] ?? 0);
      }
    }
    return next;
  }

  #counted(): void {
    if (this.#each === 0) this.#skip = this.#length + this.#extra;
    else this.#values += this.#length * this.#each;
  }

  #begin(head: number): void {
    if (head <= 0x7f || head >= 0xe0) return; // A small integer.
    if (head <= 0x8f) this.#values += (head & 0x0f) * 2;
    else if (head <= 0x9f) this.#values += head & 0x0f;
    else if (head <= 0xbf) this.#skip = head & 0x1f;
    else if (head <= 0xc3) this.#bad = head === 0xc1;
    else if (head <= 0xc6) this.#measure(1 << (head - 0xc4), 0, 0);
    else if (head <= 0xc9) this.#measure(1 << (head - 0xc7), 0, 1);
    else if (head <= 0xcb) this.#skip = head === 0xca ? 4 : 8;
    else if (head <= 0xd3) this.#skip = 1 << (head & 0x03);
    else if (head <= 0xd8) this.#skip = 1 + (1 << (head - 0xd4));
    else if (head <= 0xdb) this.#measure(1 << (head - 0xd9), 0, 0);
    else if (head <= 0xdd) this.#measure(head === 0xdc ? 2 : 4, 1, 0);
    else this.#measure(head === 0xde ? 2 : 4, 2, 0);
  }

  #measure(lengthBytes: number, each: 0 | 1 | 2, extra: number): void {
    this.#lengthBytes = lengthBytes;
    this.#length = 0;
    this.#each = each;
    this.#extra = extra;
  }
}
