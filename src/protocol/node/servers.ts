/**
 * The servers that a client node knows: those it was told of, in an order of its own, and behind
 * them those of its configuration, which never fall out.
 *
 * @module
 */
import type { Prng } from "../ports.ts";
import { shuffle } from "../prng.ts";
import type { ServerName } from "./action.ts";

export class KnownServers {
  readonly #prng: Prng;
  readonly #max: number;
  #configured: readonly ServerName[];
  #told: readonly ServerName[] = [];
  /** In the order in which they are tried; the first one is in use. */
  #order: ServerName[] = [];

  constructor(configured: readonly ServerName[], prng: Prng, max: number) {
    this.#configured = configured;
    this.#prng = prng;
    this.#max = max;
    this.#order = this.#shuffled(this.#configured);
  }

  /** undefined: none is known. */
  get first(): ServerName | undefined {
    return this.#order[0];
  }

  get all(): readonly ServerName[] {
    return this.#order;
  }

  /** The list that a server gave: the one in use stays in use if it is among them. */
  tell(servers: readonly ServerName[]): void {
    const told = [...new Set(servers)].slice(0, this.#max);
    if (told.length === 0 || isSame(told, this.#told)) return;
    this.#told = told;
    this.#arrange();
  }

  /** An operator's list, at start or later. */
  configure(servers: readonly ServerName[]): void {
    this.#configured = servers;
    this.#arrange();
  }

  /** The first one has failed: it is tried again after all others. */
  demote(): void {
    const first = this.#order.shift();
    if (first !== undefined) this.#order.push(first);
  }

  #arrange(): void {
    const current = this.first;
    const told = this.#shuffled(this.#told);
    const rest = this.#shuffled(this.#configured.filter((one) => !told.includes(one)));
    this.#order = [...told, ...rest];
    if (current === undefined || !this.#order.includes(current)) return;
    this.#order = [current, ...this.#order.filter((one) => one !== current)];
  }

  #shuffled(servers: readonly ServerName[]): ServerName[] {
    const copy = [...servers];
    shuffle(copy, this.#prng);
    return copy;
  }
}

function isSame(one: readonly ServerName[], other: readonly ServerName[]): boolean {
  return one.length === other.length && one.every((server) => other.includes(server));
}
