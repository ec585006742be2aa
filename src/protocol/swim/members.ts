/**
 * The member table. Everybody keeps a row for everybody, so a simulation of n nodes holds n² rows:
 * only this file knows how a row is stored.
 *
 * @module
 */
import type { Instant, Prng } from "../ports.ts";
import { randomInt, shuffle } from "../prng.ts";
import type { NodeState, Peer } from "./message.ts";

/** Protocol versions `pmin pmax pcur dmin dmax dcur`. */
export type Versions = Uint8Array;

export interface Member extends Peer {
  readonly meta: Uint8Array | null;
  readonly incarnation: number;
  readonly state: NodeState;
  readonly stateChangedAt: Instant;
  readonly versions: Versions;
}

export interface MemberRow extends Member {
  ip: Uint8Array;
  port: number;
  meta: Uint8Array | null;
  incarnation: number;
  state: NodeState;
  stateChangedAt: Instant;
  versions: Versions;
}

export const NO_VERSIONS: Versions = new Uint8Array(6);

/** Dead and left members are no target and no witness. */
export function isGone(member: Member): boolean {
  return member.state === "dead" || member.state === "left";
}

/** Largest memberlist protocol that the member understands. */
export function protocolMax(member: Member): number {
  return member.versions[1] ?? 0;
}

export class Members {
  readonly #byName = new Map<string, MemberRow>();
  /** Probing order; also what random choices draw from. */
  readonly #order: MemberRow[] = [];
  readonly #prng: Prng;
  #cursor = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  get size(): number {
    return this.#order.length;
  }

  get(name: string): MemberRow | undefined {
    return this.#byName.get(name);
  }

  all(): readonly Member[] {
    return this.#order;
  }

  /** Inserts at a random place of the probing order (SWIM §4.3). */
  insert(row: MemberRow): void {
    this.#byName.set(row.name, row);
    const at = randomInt(this.#prng, this.#order.length + 1);
    const displaced = this.#order[at];
    if (displaced === undefined) {
      this.#order.push(row);
      return;
    }
    this.#order[at] = row;
    this.#order.push(displaced);
  }

  /** Next member of the probing round that `wanted` accepts; a new round shuffles. */
  nextToProbe(wanted: (member: Member) => boolean, onRound: () => void): Member | undefined {
    for (let checked = 0; checked <= this.#order.length; checked++) {
      if (this.#cursor >= this.#order.length) {
        onRound();
        shuffle(this.#order, this.#prng);
        this.#cursor = 0;
      }
      const member = this.#order[this.#cursor];
      this.#cursor += 1;
      if (member !== undefined && wanted(member)) return member;
    }
    return undefined;
  }

  /** Forgets every member that `useless` names. */
  drop(useless: (member: Member) => boolean): void {
    let kept = 0;
    for (const row of this.#order) {
      if (useless(row)) this.#byName.delete(row.name);
      else this.#order[kept++] = row;
    }
    this.#order.length = kept;
  }

  /** Up to `count` different members that `wanted` accepts, in random order. */
  random(count: number, wanted: (member: Member) => boolean): Member[] {
    const size = this.#order.length;
    if (size < 3 * count) {
      return shuffle(this.#order.filter(wanted), this.#prng).slice(0, count);
    }
    const chosen: Member[] = [];
    for (let draws = 0; draws < 3 * size && chosen.length < count; draws++) {
      const member = this.#order[randomInt(this.#prng, size)];
      if (member !== undefined && wanted(member) && !chosen.includes(member)) chosen.push(member);
    }
    return chosen;
  }
}
