/** What a machine needs from outside: types only, since production and simulation differ. */

/** Milliseconds on a clock that never goes back; its zero means nothing. */
export type Instant = number;

/**
 * A seeded source of chance for order, jitter and choice. Never for keys or nonces: those come
 * from the host's Entropy, a type of its own so that the two cannot be confused.
 */
export interface Prng {
  /** Uniform in [0, 1). */
  next(): number;
}

/** A transport address as the wire carries it. */
export interface Address {
  /** 4 or 16 raw bytes; the two forms of one IPv4 address are different addresses. */
  readonly ip: Uint8Array;
  readonly port: number;
}
