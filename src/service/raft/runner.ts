/**
 * The Raft machine on its disk, its connections and its state machine: what it wants is done here,
 * strictly in order. If what it promises cannot be kept on the disk, it is over.
 *
 * @module
 */
import { errorText, isBug } from "../../host/error-text.ts";
import type { Instant, Prng } from "../../protocol/ports.ts";
import type { RaftAction, Role } from "../../protocol/raft/action.ts";
import type { RaftConfig } from "../../protocol/raft/config.ts";
import type { LogEntry, RaftAnswer, RaftCall, Sender } from "../../protocol/raft/message.ts";
import { Raft } from "../../protocol/raft/raft.ts";
import { whyUnreadable } from "../../state/image.ts";
import type { Outcome } from "../../state/state-machine.ts";
import { configurationCodec } from "../../wire/raft-codec.ts";
import { Driver } from "../drive.ts";
import { Bystander } from "./bystander.ts";
import { ConsensusError, SHUTDOWN } from "./consensus-error.ts";
import { applyEntry, checkCommands, laterEntry, restoreStored } from "./replicated-machine.ts";
import { checkStored, isPlausible } from "./sanity.ts";
import { Snapshots, type SnapshotsInit } from "./snapshots.ts";
import type { RaftTransport } from "./transport.ts";

const NONE = new Uint8Array(0);

export interface RunnerInit extends SnapshotsInit {
  readonly self: Sender;
  readonly config: RaftConfig;
  readonly transport: Pick<RaftTransport, "send" | "close">;
  readonly prng: Prng;
  readonly onRole: (role: Role, term: number) => void;
  readonly onLeader: (leader: Sender | undefined) => void;
  /**
   * Which server of the group does not read this format. Left out: servers of other kinds are in
   * the group, and what only they know is skipped.
   */
  readonly olderThan?: (format: number) => string | undefined;
}

/** What becomes of what was asked for. */
interface RunnerEvents {
  readonly applied: (entry: LogEntry, outcome: Outcome) => void;
  readonly verified: (token: number, index: number) => void;
  /** Others lead, or nobody does. */
  readonly followed: () => void;
  /** Whatever waits will not be answered here any more. */
  readonly lost: (why: string) => void;
}

/** A call of another server that has no answer yet. */
interface Incoming {
  readonly answer: (answer: RaftAnswer | string) => void;
  /** A snapshot's bytes, until the machine has decided whether they count. */
  readonly data: Uint8Array;
}

export class Runner {
  readonly #init: RunnerInit;
  readonly #events: RunnerEvents;
  readonly #raft: Raft;
  readonly #driver: Driver<RaftAction>;
  readonly #snapshots: Snapshots;
  readonly #incoming = new Map<number, Incoming>();
  #callIds = 0;
  /** What we are once Raft is over here. */
  #bystander: Bystander | undefined;

  /** @throws Error with one sentence for the operator when the disk cannot be trusted */
  constructor(init: RunnerInit, events: RunnerEvents) {
    this.#init = init;
    this.#events = events;
    const { store, machine, clock, self, config, prng } = init;
    const loaded = store.load();
    checkStored(loaded);
    const { state, entries, snapshot, warning } = loaded;
    if (init.olderThan !== undefined) checkCommands(entries);
    if (warning !== undefined) init.log.warn(warning);
    restoreStored(machine, snapshot);
    const stored = { state, entries, snapshot: snapshot?.meta };
    this.#raft = new Raft({ self, config, prng, codec: configurationCodec, stored }, clock.now());
    this.#driver = new Driver(this.#raft, clock, (action) => this.#perform(action));
    this.#snapshots = new Snapshots(init, (tell) => this.tell(tell));
  }

  /** Says something to Raft, and does what comes of it. @throws ConsensusError: it is over */
  tell<Result>(tell: (raft: Raft, now: Instant) => Result): Result {
    if (this.#bystander !== undefined) throw new ConsensusError(SHUTDOWN);
    return this.#driver.tell((now) => tell(this.#raft, now));
  }

  /** As it was last, where Raft is over. */
  get raft(): Omit<Raft, "role" | "leader" | "lastContact"> {
    return this.#raft;
  }

  get role(): Role {
    return this.#bystander === undefined ? this.#raft.role : "follower";
  }

  get leader(): Sender | undefined {
    const bystander = this.#bystander;
    return bystander === undefined ? this.#raft.leader : bystander.leader(this.#init.clock.now());
  }

  /** Since a leader's last word that was followed; 0 on the leader itself, undefined: never. */
  get lastContactMs(): number | undefined {
    if (this.role === "leader") return 0;
    const { lastContact } = this.#bystander ?? this.#raft;
    const ago = this.#init.clock.now() - lastContact;
    return Number.isFinite(ago) ? ago : undefined;
  }

  /** Why Raft has stopped on this server; undefined: it runs. */
  get broken(): string | undefined {
    return this.#bystander?.why;
  }

  /** All that is applied here, on the disk. @throws ConsensusError */
  snapshot(): ReturnType<Snapshots["takeNow"]> {
    return this.#snapshots.takeNow();
  }

  /**
   * A call of another server; a snapshot's bytes with it.
   *
   * @returns undefined: no honest server sends it
   */
  receive(call: RaftCall, data: Uint8Array): Promise<RaftAnswer | string | undefined> {
    if ("term" in call && !this.#isPlausible(call.term)) return Promise.resolve(undefined);
    if (this.#bystander !== undefined) {
      const isNew = this.#bystander.heard(call, this.#init.clock.now());
      if (isNew) this.#init.onLeader(call.from);
      return Promise.resolve(SHUTDOWN);
    }
    return new Promise((answer) => {
      this.#callIds += 1;
      const id = this.#callIds;
      this.#incoming.set(id, { answer, data });
      this.tell((raft, now) => raft.receive(call, id, now));
    });
  }

  stop(): void {
    this.#end("stopped", "raft is already shutdown");
    this.#init.transport.close();
    this.#init.store.close();
  }

  #perform(action: RaftAction): void {
    const { store, log, onLeader } = this.#init;
    if (this.#bystander !== undefined) return;
    switch (action.kind) {
      case "persist":
        this.#durably(() => store.persist(action.state, action.truncateFrom, action.entries));
        return;
      case "send":
        return this.#send(action);
      case "answer":
        this.#incoming.get(action.callId)?.answer(action.answer);
        this.#incoming.delete(action.callId);
        return;
      case "apply":
        return this.#apply(action.entries);
      case "restore":
        return this.#restore(action, this.#incoming.get(action.callId)?.data ?? NONE);
      case "compact":
        return this.#snapshots.forget(action.upTo);
      case "role":
        if (action.role !== "leader") this.#events.followed();
        return this.#enter(action.role, action.term);
      case "leader":
        return onLeader(action.leader);
      case "verified":
        return this.#events.verified(action.token, action.index);
      case "transfer-failed":
        log.warn("leadership transfer failed", { why: action.why });
    }
  }

  /** An entry that this release would lose is not passed: the next one finds all as it was. */
  #apply(entries: readonly LogEntry[]): void {
    const { machine, olderThan } = this.#init;
    for (const one of entries) {
      const outcome = applyEntry(machine, one);
      if (outcome === "later" && olderThan !== undefined) return this.#tooOld(laterEntry(one));
      this.#events.applied(one, outcome);
    }
    this.#snapshots.takeIfDue();
  }

  /** What cannot be read replaces nothing. */
  #restore(action: Extract<RaftAction, { kind: "restore" }>, data: Uint8Array): void {
    const { machine } = this.#init;
    if (!machine.canRestore(data)) {
      return this.#tooOld(`a leader's snapshot cannot be read: ${whyUnreadable(data)}`);
    }
    if (!this.#durably(() => this.#snapshots.save(action, data))) return;
    machine.restore(data, action.meta.index);
  }

  #isPlausible(term: number): boolean {
    return isPlausible(term, this.#raft.lastIndex === 0 ? 0 : this.#raft.term);
  }

  #send({ ticket, call, to, lane }: Extract<RaftAction, { kind: "send" }>): void {
    const { store, transport } = this.#init;
    const settle = (answer: RaftAnswer | undefined): void => {
      if (this.#bystander !== undefined) return;
      this.tell((raft, now) => {
        const honest =
          answer !== undefined && (!("term" in answer) || this.#isPlausible(answer.term));
        if (!honest) raft.failed(ticket, now);
        else raft.answered(ticket, answer, now);
      });
    };
    const { snapshot } = store;
    if (call.kind !== "install-snapshot" || snapshot === undefined) {
      return transport.send(to, lane, call, NONE, settle);
    }
    // A later one may have been taken since Raft asked: bytes and description belong together.
    transport.send(to, lane, { ...call, meta: snapshot.meta }, snapshot.data, settle);
  }

  #enter(role: Role, term: number): void {
    this.#init.log.info(`entering ${role} state`, { term });
    this.#init.onRole(role, term);
  }

  /** A barrier. @returns false: the disk has failed, and Raft is over here */
  #durably(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (isBug(error)) throw error;
      const next = "make room or mend the disk, then restart: nothing that was promised is lost";
      this.#giveUp("its log cannot be written", errorText(error), next);
      return false;
    }
  }

  #tooOld(why: string): void {
    const next = "upgrade this server, then restart it: nothing that was promised is lost";
    this.#giveUp("it is too old for its group", why, next);
  }

  /** Raft is ahead of what is kept here: nothing of what it wants may be done any more. */
  #giveUp(what: string, why: string, next: string): void {
    this.#init.log.error(`Raft has stopped on this server: ${what}`, { error: why, next });
    const { role, leader } = this;
    this.#end(why, SHUTDOWN);
    if (role !== "follower") this.#enter("follower", this.#raft.term);
    if (leader !== this.leader) this.#init.onLeader(this.leader);
  }

  /** A follower to everybody from here on, and one that does not keep up. */
  #end(why: string, toCallers: string): void {
    if (this.#bystander !== undefined) return;
    const { clock, config, self } = this.#init;
    const [now, { leader: last, role }] = [clock.now(), this.#raft];
    const leader = last?.id === self.id ? undefined : last;
    const lastContact = role === "leader" ? now : this.#raft.lastContact;
    const silenceMs = 2 * config.heartbeatTimeoutMs;
    this.#bystander = new Bystander({ why, leader, lastContact, silenceMs }, now);
    this.#driver.stop();
    this.#snapshots.stop();
    this.#events.lost(toCallers);
    for (const { answer } of this.#incoming.values()) answer(SHUTDOWN);
    this.#incoming.clear();
  }
}
