/**
 * Serf's members and what moves their status (wire/gossip.md §10.4, §10.5).
 *
 * @module
 */
import type { Instant, Prng } from "../ports.ts";
import { randomInt } from "../prng.ts";
import type { Member } from "../swim/members.ts";
import { isNodeName } from "../swim/plausible.ts";
import type { MemberEventKind } from "./action.ts";
import type { SerfConfig } from "./config.ts";
import type { JoinIntent, LeaveIntent, LTime, MemberStatus, SerfMember, Tags } from "./message.ts";

interface Row extends SerfMember {
  ip: Uint8Array;
  port: number;
  tags: Tags;
  status: MemberStatus;
  statusLTime: LTime;
  versions: Uint8Array;
  goneAt: Instant | undefined;
  /** Since when it says that it leaves. */
  leavingAt: Instant;
}

interface Intent {
  readonly kind: "join" | "leave";
  readonly lTime: LTime;
  readonly at: Instant;
}

interface RosterInit {
  readonly config: SerfConfig;
  readonly prng: Prng;
  readonly decodeTags: (meta: Uint8Array | null) => Tags;
  readonly emit: (kind: MemberEventKind, member: SerfMember) => void;
  /** Erase `node` at that time. */
  readonly pruneLater: (node: string, delayMs: number) => void;
}

export class Roster {
  readonly #init: RosterInit;
  readonly #rows = new Map<string, Row>();
  readonly #intents = new Map<string, Intent>();

  constructor(init: RosterInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(name: string): SerfMember | undefined {
    return this.#rows.get(name);
  }

  all(): Iterable<SerfMember> {
    return this.#rows.values();
  }

  count(status: MemberStatus): number {
    let count = 0;
    for (const row of this.#rows.values()) if (row.status === status) count += 1;
    return count;
  }

  counts(): { readonly members: number; readonly failed: number; readonly left: number } {
    return { members: this.size, failed: this.count("failed"), left: this.count("left") };
  }

  othersAlive(self: string): boolean {
    for (const row of this.#rows.values()) {
      if (row.name !== self && row.status === "alive") return true;
    }
    return false;
  }

  // What memberlist saw

  joined(member: Member): void {
    const known = this.#rows.get(member.name);
    if (known !== undefined) {
      known.status = "alive";
      known.goneAt = undefined;
      this.#copy(member, known);
      this.#init.emit("member-join", { ...known });
      return;
    }
    const intent = this.#intents.get(member.name);
    const row: Row = {
      name: member.name,
      ip: member.ip,
      port: member.port,
      tags: new Map(),
      status: intent?.kind === "leave" ? "leaving" : "alive",
      statusLTime: intent?.lTime ?? 0n,
      versions: member.versions,
      goneAt: undefined,
      leavingAt: intent?.at ?? 0,
    };
    this.#copy(member, row);
    this.#rows.set(member.name, row);
    this.#init.emit("member-join", { ...row });
  }

  /** Left or failed is decided by whether a leave intent came before, not by memberlist. */
  gone(name: string, now: Instant): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    if (row.status === "leaving") {
      row.status = "left";
      row.goneAt = now;
      this.#init.emit("member-leave", { ...row });
    } else if (row.status === "alive") {
      row.status = "failed";
      row.goneAt = now;
      this.#init.emit("member-failed", { ...row });
    }
  }

  updated(member: Member): void {
    const row = this.#rows.get(member.name);
    if (row === undefined) return;
    this.#copy(member, row);
    this.#init.emit("member-update", { ...row });
  }

  // What members say; true: news, tell the others

  joinIntent(intent: JoinIntent, now: Instant): boolean {
    const row = this.#rows.get(intent.node);
    if (row === undefined) return this.#remember(intent, now);
    if (intent.lTime <= row.statusLTime) return false;
    row.statusLTime = intent.lTime;
    if (row.status === "leaving") row.status = "alive";
    return true;
  }

  leaveIntent(intent: LeaveIntent, now: Instant): boolean {
    const row = this.#rows.get(intent.node);
    if (row === undefined) return this.#remember(intent, now);
    if (intent.lTime <= row.statusLTime) return false;
    row.statusLTime = intent.lTime;
    if (row.status === "alive") {
      row.status = "leaving";
      row.leavingAt = now;
    }
    if (row.status === "failed") {
      // Force-leave: it keeps the time it failed, so that it is forgotten when it should be.
      row.status = "left";
      this.#init.emit("member-leave", { ...row });
    }
    if (!intent.prune) return true;
    const { broadcastTimeoutMs, leavePropagateDelayMs } = this.#init.config;
    if (row.status === "leaving") {
      this.#init.pruneLater(row.name, broadcastTimeoutMs + leavePropagateDelayMs);
    } else {
      this.erase(row.name);
    }
    return true;
  }

  erase(name: string): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    this.#rows.delete(name);
    this.#init.emit("member-reap", { ...row });
  }

  /** Forgets who has been gone for long, and intents that nobody came for. */
  reap(now: Instant): void {
    const { config } = this.#init;
    const { reconnectTimeoutMs, tombstoneTimeoutMs, recentIntentTimeoutMs } = config;
    for (const row of [...this.#rows.values()]) {
      // A leave takes seconds. An intent of the same time as the join after a restart cannot be
      // outdone by it, and real Serf shows the member as leaving for ever.
      const overdue = row.status === "leaving" && now - row.leavingAt > config.leavingTimeoutMs;
      if (overdue) row.status = "alive";
      if (row.goneAt === undefined) continue;
      const timeoutMs = row.status === "failed" ? reconnectTimeoutMs : tombstoneTimeoutMs;
      if (now - row.goneAt > timeoutMs) this.erase(row.name);
    }
    for (const [node, intent] of this.#intents) {
      if (now - intent.at > recentIntentTimeoutMs) this.#intents.delete(node);
    }
  }

  /** A failed member to try again: the fewer there are among the living, the rarer. */
  reconnectTarget(): SerfMember | undefined {
    const failed = [...this.#rows.values()].filter((row) => row.status === "failed");
    const alive = Math.max(1, this.count("alive"));
    if (failed.length === 0 || this.#init.prng.next() >= failed.length / alive) return undefined;
    return failed[randomInt(this.#init.prng, failed.length)];
  }

  #copy(member: Member, row: Row): void {
    row.ip = member.ip;
    row.port = member.port;
    row.tags = this.#init.decodeTags(member.meta);
    row.versions = member.versions;
  }

  #remember(intent: JoinIntent | LeaveIntent, now: Instant): boolean {
    const known = this.#intents.get(intent.node);
    if (known !== undefined && known.lTime >= intent.lTime) return false;
    if (known === undefined) {
      const full = this.#intents.size >= this.#init.config.intentsMax;
      if (full || !isNodeName(intent.node)) return false;
    }
    this.#intents.set(intent.node, { kind: intent.kind, lTime: intent.lTime, at: now });
    return true;
  }
}
