/**
 * An idle group says the same again and again, byte for byte: each side remembers the last message
 * of a connection, and puts it into bytes, or reads it, only once.
 *
 * @module
 */

/** Longer ones have entries, and do not come twice. */
const BYTES_MAX = 1024;

/** What was read last. */
export class LastRead<Value> {
  #bytes: Uint8Array | undefined;
  #value: Value | undefined;

  /** @returns what `bytes` begin with, if that is what came last, and its length */
  again(bytes: Uint8Array): { readonly value: Value; readonly length: number } | undefined {
    const [last, value] = [this.#bytes, this.#value];
    if (last === undefined || value === undefined || bytes.length < last.length) return undefined;
    const same = Buffer.compare(bytes.subarray(0, last.length), last) === 0;
    return same ? { value, length: last.length } : undefined;
  }

  /** @param bytes of this message and no other; they are copied */
  keep(bytes: Uint8Array, value: Value): void {
    if (value === this.#value) return;
    const fits = bytes.length <= BYTES_MAX;
    this.#bytes = fits ? bytes.slice() : undefined;
    this.#value = fits ? value : undefined;
  }
}

/** What was written last; messages are flat, and equal if their fields are identical. */
export class LastWritten<Message extends object> {
  #message: Message | undefined;
  #bytes: Uint8Array = new Uint8Array(0);

  bytesOf(message: Message, encode: (message: Message) => Uint8Array): Uint8Array {
    if (this.#message !== undefined && isSame(this.#message, message)) return this.#bytes;
    const bytes = encode(message);
    const fits = bytes.length <= BYTES_MAX;
    this.#message = fits ? message : undefined;
    this.#bytes = fits ? bytes : new Uint8Array(0);
    return bytes;
  }
}

function isSame<Message extends object>(a: Message, b: Message): boolean {
  const names = Object.keys(a);
  const same = (name: string): boolean => Reflect.get(a, name) === Reflect.get(b, name);
  return names.every(same) && Object.keys(b).length === names.length;
}
