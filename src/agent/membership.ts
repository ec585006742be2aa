/**
 * Who comes into the Raft group and who goes (wire/rpc-and-raft.md §8.2). Gossip proposes: it
 * knows who is there first. It does not decide: whoever has its key can say anything about anybody,
 * so that the server itself is asked over its RPC port before it comes in, and before a server
 * that is said to be gone goes.
 *
 * @module
 */
import type { Clock, Log } from "../host/host.ts";
import type { Instant } from "../protocol/ports.ts";
import type { RaftServer } from "../protocol/raft/message.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import { ConsensusError } from "../service/raft/consensus-error.ts";
import type { StateMachine } from "../state/state-machine.ts";
import { byId, type Directory, type KnownServer } from "./directory.ts";
import { describePresence, isAt, type Presence } from "./presence.ts";

/** Gossip may come back later than Raft: a server it has not heard of for so long is no more. */
const UNKNOWN_MS = 60_000;
/** Somebody else's change may be under way when a server asks to leave. */
const LEAVE_TRIES = 10;
const LEAVE_AGAIN_MS = 200;
/** Members that are asked in one round whether they are who gossip says, all at once. */
const ASKED_MAX = 8;
/** Servers of which was told why they are, or are not, in the group. */
const TOLD_MAX = 1000;

interface MembershipInit {
  readonly consensus: Pick<Consensus, "servers" | "change">;
  readonly machine: Pick<StateMachine, "autopilot" | "format">;
  readonly selfId: string;
  /** Servers that are not ours may come in: only where the protocol is tested. */
  readonly mixes: boolean;
  readonly directory: Pick<Directory, "ownRegion">;
  /** Asks whoever is at that address who it is. */
  readonly whoIsAt: (raftAddress: string) => Promise<Presence>;
  /** Did it answer when it was asked last? We ourselves did. */
  readonly answers: (id: string) => boolean;
  /** How long it has not answered, as far as we have looked. */
  readonly unheardMs: (id: string) => number;
  readonly clock: Clock;
  readonly log: Log;
}

export class Membership {
  readonly #init: MembershipInit;
  /** When a voter was taken out because it was gone. */
  #removedAt: Instant = Number.NEGATIVE_INFINITY;
  /** Whose turn it is to be asked. */
  #turn = 0;
  /** What was said last about a server, so that it is said once. */
  readonly #told = new Map<string, string>();

  constructor(init: MembershipInit) {
    this.#init = init;
  }

  /** @throws ConsensusError when a change is under way: the next round goes on */
  async reconcile(): Promise<void> {
    const { consensus, directory, selfId } = this.#init;
    const members = directory.ownRegion();
    const known = byId(members);
    for (const server of consensus.servers) {
      const why = server.id === selfId ? undefined : this.#whyGone(server, known.get(server.id));
      if (why !== undefined) await this.#letGo(server, why);
    }
    const candidates = members.filter(
      ({ id, raftAddress, status }) =>
        status === "alive" &&
        id !== selfId &&
        !consensus.servers.some((one) => one.id === id && one.address === raftAddress),
    );
    await this.#letIn(candidates);
  }

  /**
   * A server asks to be let go; it is asked back whether that is so.
   *
   * @returns why it stays in the group although it goes; "" when it is out of it
   * @throws Error when it may not go by this way
   */
  async leave(id: string): Promise<string> {
    const { selfId, whoIsAt, consensus, log } = this.#init;
    const server = consensus.servers.find((one) => one.id === id);
    if (server === undefined) return "";
    if (id === selfId) throw new Error("the leader hands leadership over before it leaves");
    const found = await whoIsAt(server.address);
    if (found.kind !== "server" || found.self.ID !== id || !found.self.Leaving) {
      throw new Error(`cannot let ${id} go: ${describePresence(found, server.address)}`);
    }
    const kept = this.#quorumWithout(server);
    if (kept !== undefined) {
      log.error("a server leaves, and without it the group has no quorum: it stays a member", {
        ...{ id, address: server.address, found: kept },
        next: "bring back a server that has failed, or the one that left",
      });
      return kept;
    }
    await this.#patiently(() => consensus.change({ kind: "remove", id }));
    log.info("server removed", { id, why: "it leaves" });
    return "";
  }

  /** Why it should go, as far as gossip knows; undefined: it should not. */
  #whyGone({ id }: RaftServer, known: KnownServer | undefined): string | undefined {
    const { machine, unheardMs } = this.#init;
    if (known?.status === "left") return "it has left";
    if (machine.autopilot?.CleanupDeadServers !== true) return undefined;
    if (known?.status === "failed") return "it has failed";
    const unknown = known === undefined && unheardMs(id) >= UNKNOWN_MS;
    return unknown ? "gossip does not know it" : undefined;
  }

  /** @returns is it out of the group? */
  async #letGo(server: RaftServer, why: string): Promise<boolean> {
    const { consensus, clock, log, whoIsAt } = this.#init;
    const { id, address } = server;
    const isVoter = server.suffrage === "voter";
    if (isVoter && this.#mustWait(server, why)) return false;
    const found = await whoIsAt(address);
    const leaves = found.kind === "server" && found.self.Leaving;
    if ((isAt(found, id, address) && !leaves) || found.kind === "stranger") {
      const said = describePresence(found, address);
      this.#tell(id, "a server stays in the group: gossip is wrong about it", { why, found: said });
      return false;
    }
    // Meanwhile the others may have gone, too.
    if (isVoter && this.#mustWait(server, why)) return false;
    await consensus.change({ kind: "remove", id });
    if (isVoter) this.#removedAt = clock.now();
    this.#told.delete(id);
    log.info("server removed", { id, address, why });
    return true;
  }

  /** One voter at a time, and only as long as those that are left can spare it. */
  #mustWait(server: RaftServer, why: string): boolean {
    const { machine, clock, consensus } = this.#init;
    const { MinQuorum = 0, ServerStabilizationTime = 0n } = machine.autopilot ?? {};
    const quietMs = Number(ServerStabilizationTime / 1_000_000n);
    if (clock.now() - this.#removedAt < quietMs) return true;
    const left = voters(consensus.servers).length - 1;
    const kept =
      why !== "it has left" && left < MinQuorum
        ? `min_quorum is ${MinQuorum}`
        : this.#quorumWithout(server);
    if (kept === undefined) return false;
    this.#tell(server.id, "a server that is gone stays a voter", { why, found: kept });
    return true;
  }

  /** Why it cannot be spared; undefined: those that answer are enough, with it and without. */
  #quorumWithout(server: RaftServer): string | undefined {
    const { consensus, answers } = this.#init;
    if (server.suffrage !== "voter") return undefined;
    const all = voters(consensus.servers);
    const rest = all.filter((one) => one.id !== server.id);
    for (const some of [all, rest]) {
      const there = some.filter((one) => answers(one.id)).length;
      if (there > some.length / 2) continue;
      return `${there} of ${some.length} voters answer${some === rest ? " without it" : ""}`;
    }
    return undefined;
  }

  /** A few at a time, in turn: whoever has the gossip key can make up as many as it likes. */
  async #letIn(candidates: readonly KnownServer[]): Promise<void> {
    const from = this.#turn % Math.max(1, candidates.length);
    this.#turn = from + ASKED_MAX;
    const some = [...candidates.slice(from), ...candidates.slice(0, from)].slice(0, ASKED_MAX);
    const asked = some.map(async (server) => {
      return [server, await this.#init.whoIsAt(server.raftAddress)] as const;
    });
    for (const [server, found] of await Promise.all(asked)) await this.#mayLetIn(server, found);
  }

  async #mayLetIn(server: KnownServer, found: Presence): Promise<void> {
    const { consensus, selfId, log, mixes } = this.#init;
    const { id, name, raftAddress: address } = server;
    const standing = consensus.servers.filter((one) => one.id === id || one.address === address);
    if (standing.some((one) => one.id === selfId)) {
      const said = `${name} says that it is at ${address}, where this leader is`;
      return this.#tell(name, "a member is not let into the group", { found: said });
    }
    const mayBe = isAt(found, id, address) || (mixes && found.kind === "stranger");
    if (!mayBe) {
      const said = describePresence(found, address);
      return this.#tell(name, "a member is not let into the group", { id, found: said });
    }
    if (found.kind === "server" && found.self.Leaving) return;
    if (this.#isTooOld(server)) return;
    // This server at another address, or another one at this address: the old entry goes first.
    for (const old of standing) {
      if (old.id === id && (await this.#isTwin(server, old))) return;
      if (!(await this.#letGo(old, "its address or id has changed"))) return;
    }
    await consensus.change({ kind: "add-nonvoter", id, address });
    this.#told.delete(name);
    log.info("server added, without a vote for now", { id, address });
  }

  /** It could not keep what the group has. */
  #isTooOld({ name, stateFormat }: KnownServer): boolean {
    const { machine, mixes } = this.#init;
    if (mixes || stateFormat >= machine.format) return false;
    this.#tell(name, "a server of an older release is not let into the group", {
      found: `it reads up to format ${stateFormat} of the state, which has format ${machine.format}`,
      next: "upgrade it",
    });
    return true;
  }

  /** The one that is in the group answers where it was: the newcomer is a copy of it. */
  async #isTwin({ id, name, raftAddress }: KnownServer, old: RaftServer): Promise<boolean> {
    if (!isAt(await this.#init.whoIsAt(old.address), id, old.address)) return false;
    this.#tell(name, "two servers have the same node id: the newcomer is not let into the group", {
      ...{ id, member: old.address, newcomer: raftAddress },
      next: "stop the newcomer, remove server/node-id and server/raft in its data_dir, start it",
    });
    return true;
  }

  async #patiently(change: () => Promise<number>): Promise<void> {
    const { clock } = this.#init;
    for (let tries = 1; ; tries++) {
      try {
        await change();
        return;
      } catch (error) {
        if (!(error instanceof ConsensusError) || tries === LEAVE_TRIES) throw error;
        await new Promise<void>((resolve) => {
          clock.schedule(clock.now() + LEAVE_AGAIN_MS, resolve);
        });
      }
    }
  }

  /** Once, until something else is to be said about it. */
  #tell(about: string, message: string, fields: Readonly<Record<string, string>>): void {
    const said = `${message} ${Object.values(fields).join(" ")}`;
    if (this.#told.get(about) === said) return;
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.set(about, said);
    this.#init.log.warn(message, { server: about, ...fields });
  }
}

function voters(servers: readonly RaftServer[]): readonly RaftServer[] {
  return servers.filter((one) => one.suffrage === "voter");
}
