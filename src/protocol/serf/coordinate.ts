/**
 * Network coordinates (Vivaldi with height and adjustment; wire/gossip.md §10.11): each ack carries
 * the sender's, and each round trip moves ours a little. Nothing in Nomad depends on them, but
 * real nodes send them and expect them.
 *
 * @module
 */
import type { Prng } from "../ports.ts";

/** Seconds throughout. */
export interface Coordinate {
  readonly vec: readonly number[];
  readonly error: number;
  readonly adjustment: number;
  readonly height: number;
}

const DIMENSIONS = 8;
const ERROR_MAX = 1.5;
const CE = 0.25;
const CC = 0.25;
const ADJUSTMENT_WINDOW = 20;
const HEIGHT_MIN = 1e-5;
const LATENCY_FILTER = 3;
const GRAVITY_RHO = 150;
const ZERO = 1e-6;
const RTT_MAX = 10;
/** Nodes whose latest round trips and place are remembered. */
const REMEMBERED_NODES_MAX = 4096;

/** A node that knows nothing yet; also the origin that gravity pulls to. */
export const ORIGIN: Coordinate = {
  vec: new Array<number>(DIMENSIONS).fill(0),
  error: ERROR_MAX,
  adjustment: 0,
  height: HEIGHT_MIN,
};

export class Coordinates {
  readonly #prng: Prng;
  readonly #latencies = new Map<string, number[]>();
  readonly #others = new Map<string, Coordinate>();
  readonly #samples = new Array<number>(ADJUSTMENT_WINDOW).fill(0);
  #sampleAt = 0;
  #own: Coordinate;
  #resets = 0;

  constructor(prng: Prng, start: Coordinate = ORIGIN) {
    this.#prng = prng;
    this.#own = start;
  }

  get own(): Coordinate {
    return this.#own;
  }

  /** Times that a result was not finite and we started over. */
  get resets(): number {
    return this.#resets;
  }

  /**
   * One measured round trip.
   *
   * @returns false if it or the peer's coordinate cannot be used
   */
  update(node: string, other: Coordinate, rttSeconds: number): boolean {
    if (!isUsable(other) || !(rttSeconds >= 0 && rttSeconds <= RTT_MAX)) return false;
    const rtt = this.#filtered(node, rttSeconds);
    this.#others.set(node, other);
    let own = this.#vivaldi(this.#own, other, rtt);
    own = this.#adjust(own, other, rtt);
    own = this.#gravity(own);
    if (isUsable(own)) {
      this.#own = own;
      return true;
    }
    this.#own = ORIGIN;
    this.#resets += 1;
    return true;
  }

  /** Estimated, in seconds; undefined: the node was not measured. */
  roundTripSeconds(node: string): number | undefined {
    const other = this.#others.get(node);
    return other === undefined ? undefined : distanceSeconds(this.#own, other);
  }

  forget(node: string): void {
    this.#latencies.delete(node);
    this.#others.delete(node);
  }

  /** Upper median of the last few, so that one slow packet moves nothing. */
  #filtered(node: string, rtt: number): number {
    let known = this.#latencies.get(node);
    if (known === undefined) {
      if (this.#latencies.size >= REMEMBERED_NODES_MAX) {
        this.#latencies.clear();
        this.#others.clear();
      }
      known = [];
      this.#latencies.set(node, known);
    }
    known.push(rtt);
    if (known.length > LATENCY_FILTER) known.shift();
    const sorted = [...known].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? rtt;
  }

  #vivaldi(own: Coordinate, other: Coordinate, measured: number): Coordinate {
    const rtt = Math.max(measured, ZERO);
    const distance = distanceSeconds(own, other);
    const wrongness = Math.abs(distance - rtt) / rtt;
    const weight = own.error / Math.max(own.error + other.error, ZERO);
    const error = Math.min(ERROR_MAX, CE * weight * wrongness + own.error * (1 - CE * weight));
    return this.#force({ ...own, error }, CC * weight * (rtt - distance), other);
  }

  #adjust(own: Coordinate, other: Coordinate, rtt: number): Coordinate {
    this.#samples[this.#sampleAt] = rtt - rawDistance(own, other);
    this.#sampleAt = (this.#sampleAt + 1) % ADJUSTMENT_WINDOW;
    const sum = this.#samples.reduce((total, sample) => total + sample, 0);
    return { ...own, adjustment: sum / (2 * ADJUSTMENT_WINDOW) };
  }

  #gravity(own: Coordinate): Coordinate {
    const distance = distanceSeconds(ORIGIN, own);
    return this.#force(own, -1 * (distance / GRAVITY_RHO) ** 2, ORIGIN);
  }

  /** Pushes `own` away from `from` by `seconds` (towards it, if negative). */
  #force(own: Coordinate, seconds: number, from: Coordinate): Coordinate {
    const { unit, magnitude } = this.#direction(own.vec, from.vec);
    const vec = own.vec.map((value, i) => value + (unit[i] ?? 0) * seconds);
    if (magnitude <= ZERO) return { ...own, vec };
    const height = ((own.height + from.height) * seconds) / magnitude + own.height;
    return { ...own, vec, height: Math.max(HEIGHT_MIN, height) };
  }

  #direction(
    to: readonly number[],
    from: readonly number[],
  ): { readonly unit: readonly number[]; readonly magnitude: number } {
    const difference = to.map((value, i) => value - (from[i] ?? 0));
    const magnitude = norm(difference);
    if (magnitude > ZERO) return { unit: difference.map((one) => one / magnitude), magnitude };
    // The same place: any way out will do.
    const chance = to.map(() => this.#prng.next() - 0.5);
    const length = norm(chance);
    if (length > ZERO) return { unit: chance.map((one) => one / length), magnitude: 0 };
    return { unit: to.map((_, i) => (i === 0 ? 1 : 0)), magnitude: 0 };
  }
}

/** Estimated round trip in seconds, truncated to nanoseconds as Go's durations are. */
export function distanceSeconds(a: Coordinate, b: Coordinate): number {
  const raw = rawDistance(a, b);
  const adjusted = raw + a.adjustment + b.adjustment;
  return Math.trunc((adjusted > 0 ? adjusted : raw) * 1e9) / 1e9;
}

function rawDistance(a: Coordinate, b: Coordinate): number {
  const difference = a.vec.map((value, i) => value - (b.vec[i] ?? 0));
  return norm(difference) + a.height + b.height;
}

function norm(vec: readonly number[]): number {
  return Math.sqrt(vec.reduce((sum, one) => sum + one * one, 0));
}

function isUsable(one: Coordinate): boolean {
  if (one.vec.length !== DIMENSIONS) return false;
  return [...one.vec, one.error, one.adjustment, one.height].every(Number.isFinite);
}
