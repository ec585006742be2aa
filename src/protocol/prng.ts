/** Chance for order and jitter, repeatable from one seed (sfc32 of PractRand). */
import type { Prng } from "./ports.ts";

/** @param seed any 32-bit number; the same seed gives the same sequence on every machine. */
export function createPrng(seed: number): Prng {
  let a = seed >>> 0;
  let b = (seed ^ 0x9e37_79b9) >>> 0;
  let c = (seed ^ 0x85eb_ca6b) >>> 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum / 0x1_0000_0000;
  };
  for (let i = 0; i < 12; i++) next();
  return { next };
}

/** Uniform integer in [0, below). */
export function randomInt(prng: Prng, below: number): number {
  return Math.floor(prng.next() * below);
}

/** Fisher-Yates, in place. */
export function shuffle<T>(items: T[], prng: Prng): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(prng, i + 1);
    const a = items[i];
    const b = items[j];
    if (a === undefined || b === undefined) continue;
    items[i] = b;
    items[j] = a;
  }
  return items;
}
