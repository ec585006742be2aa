/**
 * Who is alive: the rules for alive, suspect and dead messages (wire/gossip.md §8.2 to §8.5).
 *
 * @module
 */
import { sameBytes } from "../bytes.ts";
import type { Deadlines } from "../deadlines.ts";
import type { Instant } from "../ports.ts";
import type { SwimNote } from "./action.ts";
import type { Awareness } from "./awareness.ts";
import type { BroadcastHandle, Broadcasts } from "./broadcasts.ts";
import type { SwimConfig } from "./config.ts";
import { confirmationsWanted, suspicionTimeoutMs } from "./formulas.ts";
import { isGone, type Member, type MemberRow, type Members, NO_VERSIONS } from "./members.ts";
import type { Alive, Dead, Message, Suspect } from "./message.ts";
import { Incarnations, isNodeName, META_BYTES_MAX } from "./plausible.ts";
import { Suspicion } from "./suspicion.ts";

type MemberChange = "join" | "leave" | "update";

/** Why an input changed nothing. A value, not an exception: a peer may send anything. */
export type Refusal =
  | "stale"
  | "unknown-member"
  | "bad-version"
  | "conflict"
  | "not-allowed"
  | "table-full"
  | "bad-name"
  | "bad-meta"
  | "incarnation-jump"
  | "leaving"
  | "not-for-us"
  | "unexpected";

/** What the layer above decides and hears; Serf is one. */
export interface MembershipListener {
  /** A reason to ignore this alive message, or undefined. */
  refuseAlive(alive: Alive): string | undefined;
  changed(change: MemberChange, member: Member, now: Instant): void;
}

interface MembershipInit {
  readonly name: string;
  readonly port: number;
  readonly config: SwimConfig;
  readonly members: Members;
  readonly broadcasts: Broadcasts<Message>;
  readonly awareness: Awareness;
  readonly deadlines: Deadlines;
  readonly listener: MembershipListener;
  readonly note: (note: SwimNote) => void;
}

const SUSPECT_KEY = "suspect:";
const U32 = 0x1_0000_0000;

export class Membership {
  readonly #init: MembershipInit;
  readonly #suspicions = new Map<string, Suspicion>();
  readonly #incarnations = new Incarnations();
  #incarnation = 0;
  #leaving = false;
  #farewell: BroadcastHandle | undefined;

  constructor(init: MembershipInit) {
    this.#init = init;
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  /** Our own dead message, once we leave. */
  get farewell(): BroadcastHandle | undefined {
    return this.#farewell;
  }

  nextIncarnation(): number {
    this.#incarnation = (this.#incarnation + 1) % U32;
    return this.#incarnation;
  }

  /** @param own from our own start or update: not to be refuted */
  alive(said: Alive, now: Instant, own = false): Refusal | undefined {
    const { name, listener, members, port } = this.#init;
    const alive = said.port === 0 ? { ...said, port } : said;
    const aboutSelf = alive.node === name;
    if (aboutSelf && this.#leaving) return "leaving";
    if (!versionsFit(alive.vsn)) return "bad-version";
    const known = members.get(alive.node);
    if (known === undefined && !isNodeName(alive.node)) return this.#refuse("bad-name", alive.node);
    if ((alive.meta?.length ?? 0) > META_BYTES_MAX) return this.#refuse("bad-meta", alive.node);
    const reason = listener.refuseAlive(alive);
    if (reason !== undefined) {
      this.#init.note({ what: "not-allowed", node: alive.node, reason });
      return "not-allowed";
    }
    if (!own && this.#jumps(alive, known, now)) return this.#refuse("incarnation-jump", alive.node);
    const row = known ?? this.#insert(alive, now);
    if (row === undefined) return "table-full";
    const moved = !sameAddress(row, alive);
    if (moved && !this.#mayMove(row, now)) {
      const claimed = { ip: alive.addr ?? new Uint8Array(0), port: alive.port };
      this.#init.note({ what: "conflict", node: alive.node, known: row, claimed });
      return "conflict";
    }
    if (!aboutSelf && !moved && alive.incarnation <= row.incarnation) return "stale";
    if (aboutSelf && !own && alive.incarnation < row.incarnation) return "stale";
    this.#endSuspicion(row.name);
    if (aboutSelf && !own) return this.#aliveAboutSelf(alive, row);
    this.#accept(alive, row, now);
    return undefined;
  }

  suspect(suspect: Suspect, now: Instant): Refusal | undefined {
    const { name, members, broadcasts, config } = this.#init;
    const row = members.get(suspect.node);
    if (row === undefined) return "unknown-member";
    if (suspect.incarnation < row.incarnation) return "stale";
    if (this.#jumps(suspect, row, now)) return this.#refuse("incarnation-jump", suspect.node);
    const running = this.#suspicions.get(suspect.node);
    if (running !== undefined) {
      if (!running.confirm(suspect.from)) return "stale";
      this.#init.deadlines.set(SUSPECT_KEY + suspect.node, running.deadline);
      broadcasts.queue(suspect, suspect.node);
      return undefined;
    }
    if (row.state !== "alive") return "stale";
    if (suspect.node === name) {
      this.#init.note({ what: "refuting", accusation: "suspect", from: suspect.from });
      this.#refute(row, suspect.incarnation);
      return undefined;
    }
    broadcasts.queue(suspect, suspect.node);
    row.incarnation = suspect.incarnation;
    row.state = "suspect";
    row.stateChangedAt = now;
    const minMs = suspicionTimeoutMs(config.suspicionMult, members.size, config.probeIntervalMs);
    const k = confirmationsWanted(config.suspicionMult, members.size);
    const bounds = { k, minMs, maxMs: minMs * config.suspicionMaxTimeoutMult };
    const suspicion = new Suspicion(suspect.from, bounds, now);
    this.#suspicions.set(suspect.node, suspicion);
    this.#init.deadlines.set(SUSPECT_KEY + suspect.node, suspicion.deadline);
    this.#init.note({ what: "suspecting", node: suspect.node, from: suspect.from });
    return undefined;
  }

  dead(dead: Dead, now: Instant): Refusal | undefined {
    const { name, members, broadcasts, listener } = this.#init;
    const row = members.get(dead.node);
    if (row === undefined) return "unknown-member";
    if (dead.incarnation < row.incarnation) return "stale";
    if (this.#jumps(dead, row, now)) return this.#refuse("incarnation-jump", dead.node);
    this.#endSuspicion(dead.node);
    if (isGone(row)) return "stale";
    if (dead.node === name && !this.#leaving) {
      this.#init.note({ what: "refuting", accusation: "dead", from: dead.from });
      this.#refute(row, dead.incarnation);
      return undefined;
    }
    const handle = broadcasts.queue(dead, dead.node);
    if (dead.node === name) this.#farewell = handle;
    row.incarnation = dead.incarnation;
    row.state = dead.node === dead.from ? "left" : "dead";
    row.stateChangedAt = now;
    listener.changed("leave", row, now);
    return undefined;
  }

  /** Declares our own departure. */
  leave(now: Instant): void {
    const { name, members } = this.#init;
    if (this.#leaving) return;
    this.#leaving = true;
    const self = members.get(name);
    if (self === undefined) return;
    const { incarnation } = self;
    this.dead({ kind: "dead", incarnation, node: name, from: name }, now);
  }

  /** A deadline fired; true if it was a suspicion's. */
  expired(key: string, now: Instant): boolean {
    if (!key.startsWith(SUSPECT_KEY)) return false;
    const node = key.slice(SUSPECT_KEY.length);
    const suspicion = this.#suspicions.get(node);
    const row = this.#init.members.get(node);
    if (suspicion === undefined || row?.state !== "suspect") return true;
    const { confirmations } = suspicion;
    this.#init.note({ what: "failed", node, confirmations });
    const { name } = this.#init;
    this.dead({ kind: "dead", incarnation: row.incarnation, node, from: name }, now);
    return true;
  }

  #insert(alive: Alive, now: Instant): MemberRow | undefined {
    const { members, config } = this.#init;
    if (members.size >= config.membersMax) return undefined;
    const { vsn } = alive;
    const versions = vsn !== null && vsn.length > 5 ? vsn.subarray(0, 6) : NO_VERSIONS;
    const ip = alive.addr ?? new Uint8Array(0);
    const { port, meta } = alive;
    return members.insert(alive.node, { ip, port, meta, versions }, now);
  }

  /** Does the message claim an incarnation that the member cannot have reached? */
  #jumps(said: Alive | Suspect | Dead, known: Member | undefined, now: Instant): boolean {
    const before = known?.incarnation ?? 0;
    return !this.#incarnations.plausible(said.node, before, said.incarnation, now);
  }

  #refuse(reason: "bad-name" | "bad-meta" | "incarnation-jump", node: string): Refusal {
    this.#init.note({ what: "implausible", reason, node });
    return reason;
  }

  #mayMove(row: MemberRow, now: Instant): boolean {
    if (row.state === "left") return true;
    const { deadNodeReclaimMs } = this.#init.config;
    const idleMs = now - row.stateChangedAt;
    return row.state === "dead" && deadNodeReclaimMs > 0 && idleMs > deadNodeReclaimMs;
  }

  #aliveAboutSelf(alive: Alive, row: MemberRow): Refusal | undefined {
    const sameVersions = alive.vsn !== null && sameBytes(alive.vsn, row.versions);
    const same = alive.incarnation === row.incarnation && sameOrNone(alive.meta, row.meta);
    if (same && sameVersions) return "stale";
    this.#init.note({ what: "refuting", accusation: "alive", from: alive.node });
    this.#refute(row, alive.incarnation);
    return undefined;
  }

  #accept(alive: Alive, row: MemberRow, now: Instant): void {
    const { broadcasts, listener } = this.#init;
    broadcasts.queue(alive, alive.node);
    const { vsn, meta, port } = alive;
    const versions = vsn !== null && vsn.length > 5 ? vsn.subarray(0, 6) : row.versions;
    const wasGone = isGone(row);
    const metaChanged = !sameOrNone(row.meta, meta);
    row.incarnation = alive.incarnation;
    row.identify({ ip: alive.addr ?? new Uint8Array(0), port, meta, versions });
    if (row.state !== "alive") {
      row.state = "alive";
      row.stateChangedAt = now;
    }
    if (wasGone) listener.changed("join", row, now);
    else if (metaChanged) listener.changed("update", row, now);
  }

  #refute(self: MemberRow, accusedIncarnation: number): void {
    let incarnation = this.nextIncarnation();
    if (accusedIncarnation >= incarnation) {
      incarnation = (accusedIncarnation + 1) % U32;
      this.#incarnation = incarnation;
    }
    self.incarnation = incarnation;
    this.#init.awareness.apply(1);
    this.#init.broadcasts.queue(aliveOf(self), self.name);
  }

  #endSuspicion(node: string): void {
    if (this.#suspicions.delete(node)) this.#init.deadlines.clear(SUSPECT_KEY + node);
  }
}

/** The alive message that says what the table says. */
function aliveOf(member: Member): Alive {
  const { name, ip, port, meta, incarnation, versions } = member;
  return { kind: "alive", node: name, addr: ip, port, meta, incarnation, vsn: versions };
}

/** Too few versions are fine (nothing is learnt); contradictory ones are not. */
function versionsFit(vsn: Uint8Array | null): boolean {
  if (vsn === null || vsn.length < 3) return true;
  const [min = 0, max = 0] = vsn;
  return min !== 0 && max !== 0 && min <= max;
}

function sameAddress(row: MemberRow, alive: Alive): boolean {
  return alive.port === row.port && sameOrNone(row.ip, alive.addr);
}

/** nil and empty are the same here. */
function sameOrNone(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return sameBytes(a ?? NO_BYTES, b ?? NO_BYTES);
}

const NO_BYTES = new Uint8Array(0);
