/** What no honest node says: names that are none, and incarnations far ahead. */
import { Headroom, type HeadroomLimits } from "../headroom.ts";
import type { Instant } from "../ports.ts";

const NAME_BYTES_MAX = 255;
/** memberlist's own limit for a sender. */
export const META_BYTES_MAX = 512;

/**
 * A refutation a second for half a year in one step, for whoever was away; sixteen a second for
 * ever. From there to 2^32, which nobody can refute, it takes eight years.
 */
const INCARNATIONS: HeadroomLimits = { max: 2 ** 24, perSecond: 16 };
/** Refutations and updates, one after another, need no book-keeping. */
const STEP_FREE = 4;
/** Members that have made large steps lately. */
const REMEMBERED_MAX = 4096;

export class Incarnations {
  readonly #headroom = new Map<string, Headroom>();

  /** @returns false if `said` is further from `known` (0: nobody) than a node can have got */
  plausible(node: string, known: number, said: number, now: Instant): boolean {
    const step = said - known;
    if (step <= STEP_FREE) return true;
    const headroom = this.#headroom.get(node) ?? new Headroom(INCARNATIONS, now);
    if (!headroom.take(step, now)) return false;
    this.#headroom.delete(node); // So that the order is that of the last use.
    if (this.#headroom.size >= REMEMBERED_MAX) this.#forget(now);
    this.#headroom.set(node, headroom);
    return true;
  }

  /** Those that would be the same anew; if there are none, the one that was used longest ago. */
  #forget(now: Instant): void {
    for (const [node, headroom] of this.#headroom) {
      if (headroom.isFull(now)) this.#headroom.delete(node);
    }
    const [oldest] = this.#headroom.keys();
    if (oldest !== undefined && this.#headroom.size >= REMEMBERED_MAX) {
      this.#headroom.delete(oldest);
    }
  }
}

/** At most 255 bytes of UTF-8, and no control characters: it stands in logs and on terminals. */
export function isNodeName(name: string): boolean {
  if (name === "" || name.length > NAME_BYTES_MAX) return false;
  if (CONTROL.test(name)) return false;
  return name.length * 3 <= NAME_BYTES_MAX || utf8Bytes(name) <= NAME_BYTES_MAX;
}

const CONTROL = /\p{Cc}/u;

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    // A lone surrogate stands for one byte that is not UTF-8 (wire/text.ts).
    const raw = code >= 0xdc80 && code <= 0xdcff;
    bytes += code < 0x80 || raw ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
