/**
 * The member table. Everybody keeps a row for everybody, so a simulation of n nodes holds n² rows:
 * rows are columns of numbers, and what seldom changes (address, meta, versions) is shared between
 * the tables of one process. Only this file knows that; elsewhere a row is a `MemberRow`.
 *
 * @module
 */
import { sameBytes } from "../bytes.ts";
import type { Instant, Prng } from "../ports.ts";
import { randomInt, shuffle } from "../prng.ts";
import type { NodeState, Peer, PeerState } from "./message.ts";

/** Protocol versions `pmin pmax pcur dmin dmax dcur`. */
type Versions = Uint8Array;

/** What a node says about itself; replaced as a whole. */
export interface Identity {
  readonly ip: Uint8Array;
  readonly port: number;
  readonly meta: Uint8Array | null;
  readonly versions: Versions;
}

export interface Member extends Peer, Identity {
  readonly incarnation: number;
  readonly state: NodeState;
  readonly stateChangedAt: Instant;
}

/** A view of one row: valid until the row is dropped, and it changes with it. */
export interface MemberRow extends Member {
  incarnation: number;
  state: NodeState;
  stateChangedAt: Instant;
  identify(identity: Identity): void;
}

export const NO_VERSIONS: Versions = new Uint8Array(6);
const NO_BYTES = new Uint8Array(0);
const STATES: readonly NodeState[] = ["alive", "suspect", "dead", "left"];
const NO_IDENTITY: Identity = { ip: NO_BYTES, port: 0, meta: null, versions: NO_VERSIONS };
const ROWS_INITIAL = 16;
const GROWTH = 1.3;

/** Nobody probes it, asks it to probe, or waits for it. */
export function isGone(member: Member): boolean {
  return member.state === "dead" || member.state === "left";
}

/** Largest memberlist protocol that the member understands. */
export function protocolMax(member: Member): number {
  return member.versions[1] ?? 0;
}

/** Numbers for names, and the latest identity of each: one for all tables of a simulation. */
export class NameTable {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #identities: Identity[] = [];
  /** Tables that have a row for it. */
  readonly #holders: number[] = [];
  readonly #free: number[] = [];

  /** The number of a name; it stays so until everybody who held it has released it. */
  hold(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) {
      this.#holders[known] = (this.#holders[known] ?? 0) + 1;
      return known;
    }
    const id = this.#free.pop() ?? this.#names.length;
    this.#ids.set(name, id);
    this.#names[id] = name;
    this.#identities[id] = NO_IDENTITY;
    this.#holders[id] = 1;
    return id;
  }

  /** Names come from peers: those that nobody holds must not stay. */
  release(id: number): void {
    const holders = (this.#holders[id] ?? 0) - 1;
    this.#holders[id] = holders;
    if (holders > 0) return;
    this.#ids.delete(this.name(id));
    this.#names[id] = "";
    this.#identities[id] = NO_IDENTITY;
    this.#free.push(id);
  }

  /** Numbers in use, or free again. */
  get count(): number {
    return this.#names.length;
  }

  find(name: string): number | undefined {
    return this.#ids.get(name);
  }

  name(id: number): string {
    return this.#names[id] ?? "";
  }

  /** The same identity as an object that others may hold already. */
  share(id: number, identity: Identity): Identity {
    const last = this.#identities[id] ?? NO_IDENTITY;
    if (sameIdentity(last, identity)) return last;
    this.#identities[id] = identity;
    return identity;
  }
}

export class Members {
  readonly #names: NameTable;
  readonly #prng: Prng;
  /** Row by name id, or -1. */
  #rowOf = new Int32Array(ROWS_INITIAL).fill(-1);
  #nameIds = new Uint32Array(ROWS_INITIAL);
  #incarnations = new Uint32Array(ROWS_INITIAL);
  #states = new Uint8Array(ROWS_INITIAL);
  #changedAt = new Float64Array(ROWS_INITIAL);
  #identities: Identity[] = [];
  /** Rows in probing order; also what random choices draw from. */
  #order = new Uint32Array(ROWS_INITIAL);
  #size = 0;
  readonly #free: number[] = [];
  #cursor = 0;

  constructor(prng: Prng, names = new NameTable()) {
    this.#prng = prng;
    this.#names = names;
  }

  get size(): number {
    return this.#size;
  }

  get(name: string): MemberRow | undefined {
    const id = this.#names.find(name);
    const row = id === undefined ? -1 : (this.#rowOf[id] ?? -1);
    return row < 0 ? undefined : this.#view(row);
  }

  *all(): IterableIterator<Member> {
    for (let at = 0; at < this.#size; at++) yield this.#view(this.#order[at] ?? 0);
  }

  /** A new row at a random place of the probing order (SWIM §4.3): dead, at incarnation 0. */
  insert(name: string, identity: Identity, now: Instant): MemberRow {
    const row = this.#add(name, identity, now);
    const at = randomInt(this.#prng, this.#size + 1);
    this.#order[this.#size] = this.#order[at] ?? row;
    this.#order[at] = row;
    this.#size += 1;
    return this.#view(row);
  }

  /** Members known from before, all at once, in random order. */
  restore(known: readonly PeerState[], now: Instant): void {
    this.#reserve(this.#size + known.length);
    for (const { name, addr, port, meta, vsn, incarnation, state } of known) {
      if (state === "unknown" || this.get(name) !== undefined) continue;
      const identity = { ip: addr ?? NO_BYTES, port, meta, versions: vsn ?? NO_VERSIONS };
      const row = this.#add(name, identity, now);
      this.#incarnations[row] = incarnation;
      this.#states[row] = STATES.indexOf(state);
      this.#order[this.#size++] = row;
    }
    this.#shuffleOrder();
  }

  /** Next member of the probing round that `wanted` accepts; a new round shuffles. */
  nextToProbe(wanted: (member: Member) => boolean, onRound: () => void): Member | undefined {
    for (let checked = 0; checked <= this.#size; checked++) {
      if (this.#cursor >= this.#size) {
        onRound();
        this.#shuffleOrder();
        this.#cursor = 0;
      }
      if (this.#size === 0) return undefined;
      const row = this.#order[this.#cursor] ?? 0;
      this.#cursor += 1;
      const member = this.#view(row);
      if (wanted(member)) return member;
    }
    return undefined;
  }

  /** Forgets every member that `useless` names. */
  drop(useless: (member: Member) => boolean): void {
    let kept = 0;
    for (let at = 0; at < this.#size; at++) {
      const row = this.#order[at] ?? 0;
      if (useless(this.#view(row))) {
        const id = this.#nameIds[row] ?? 0;
        this.#rowOf[id] = -1;
        this.#names.release(id);
        this.#identities[row] = NO_IDENTITY;
        this.#free.push(row);
      } else {
        this.#order[kept++] = row;
      }
    }
    this.#size = kept;
  }

  /** Up to `count` different members that `wanted` accepts, in random order. */
  random(count: number, wanted: (member: Member) => boolean): Member[] {
    const size = this.#size;
    if (size < 3 * count) {
      const fitting = [...this.all()].filter(wanted);
      return shuffle(fitting, this.#prng).slice(0, count);
    }
    const chosen: Member[] = [];
    const rows: number[] = [];
    for (let draws = 0; draws < 3 * size && chosen.length < count; draws++) {
      const row = this.#order[randomInt(this.#prng, size)] ?? 0;
      if (rows.includes(row)) continue;
      const member = this.#view(row);
      if (!wanted(member)) continue;
      rows.push(row);
      chosen.push(member);
    }
    return chosen;
  }

  #add(name: string, identity: Identity, now: Instant): number {
    const id = this.#names.hold(name);
    const row = this.#free.pop() ?? this.#size;
    this.#grow(row, id);
    this.#rowOf[id] = row;
    this.#nameIds[row] = id;
    this.#incarnations[row] = 0;
    this.#states[row] = STATES.indexOf("dead");
    this.#changedAt[row] = now;
    this.#identities[row] = this.#names.share(id, identity);
    return row;
  }

  #grow(row: number, id: number): void {
    if (id >= this.#rowOf.length) {
      const grown = new Int32Array(this.#names.count + ROWS_INITIAL).fill(-1);
      grown.set(this.#rowOf);
      this.#rowOf = grown;
    }
    if (row >= this.#states.length) this.#reserve(Math.ceil((row + 1) * GROWTH));
  }

  #reserve(length: number): void {
    if (length <= this.#states.length) return;
    this.#order = longer(this.#order, new Uint32Array(length));
    this.#nameIds = longer(this.#nameIds, new Uint32Array(length));
    this.#incarnations = longer(this.#incarnations, new Uint32Array(length));
    this.#states = longer(this.#states, new Uint8Array(length));
    this.#changedAt = longer(this.#changedAt, new Float64Array(length));
  }

  /** Fisher-Yates. */
  #shuffleOrder(): void {
    for (let i = this.#size - 1; i > 0; i--) {
      const j = randomInt(this.#prng, i + 1);
      const row = this.#order[i] ?? 0;
      this.#order[i] = this.#order[j] ?? 0;
      this.#order[j] = row;
    }
  }

  #view(row: number): MemberRow {
    return new Row(this, row);
  }

  // What a Row reads and writes

  nameAt(row: number): string {
    return this.#names.name(this.#nameIds[row] ?? 0);
  }

  identityAt(row: number): Identity {
    return this.#identities[row] ?? NO_IDENTITY;
  }

  identifyAt(row: number, identity: Identity): void {
    this.#identities[row] = this.#names.share(this.#nameIds[row] ?? 0, identity);
  }

  incarnationAt(row: number, set?: number): number {
    if (set !== undefined) this.#incarnations[row] = set;
    return this.#incarnations[row] ?? 0;
  }

  stateAt(row: number, set?: NodeState): NodeState {
    if (set !== undefined) this.#states[row] = STATES.indexOf(set);
    return STATES[this.#states[row] ?? 2] ?? "dead";
  }

  changedAt(row: number, set?: Instant): Instant {
    if (set !== undefined) this.#changedAt[row] = set;
    return this.#changedAt[row] ?? 0;
  }
}

class Row implements MemberRow {
  readonly #table: Members;
  readonly #row: number;

  constructor(table: Members, row: number) {
    this.#table = table;
    this.#row = row;
  }

  get name(): string {
    return this.#table.nameAt(this.#row);
  }
  get ip(): Uint8Array {
    return this.#table.identityAt(this.#row).ip;
  }
  get port(): number {
    return this.#table.identityAt(this.#row).port;
  }
  get meta(): Uint8Array | null {
    return this.#table.identityAt(this.#row).meta;
  }
  get versions(): Versions {
    return this.#table.identityAt(this.#row).versions;
  }
  get incarnation(): number {
    return this.#table.incarnationAt(this.#row);
  }
  set incarnation(value: number) {
    this.#table.incarnationAt(this.#row, value);
  }
  get state(): NodeState {
    return this.#table.stateAt(this.#row);
  }
  set state(value: NodeState) {
    this.#table.stateAt(this.#row, value);
  }
  get stateChangedAt(): Instant {
    return this.#table.changedAt(this.#row);
  }
  set stateChangedAt(value: Instant) {
    this.#table.changedAt(this.#row, value);
  }
  identify(identity: Identity): void {
    this.#table.identifyAt(this.#row, identity);
  }
}

function longer<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function sameIdentity(a: Identity, b: Identity): boolean {
  if (a.port !== b.port || (a.meta === null) !== (b.meta === null)) return false;
  const sameMeta = a.meta === b.meta || sameBytes(a.meta ?? NO_BYTES, b.meta ?? NO_BYTES);
  return sameMeta && sameBytes(a.ip, b.ip) && sameBytes(a.versions, b.versions);
}
