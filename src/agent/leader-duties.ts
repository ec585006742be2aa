/**
 * What the leader does for the group: who gossip knows becomes a member, who is healthy long enough
 * votes, who has left or is dead goes, while a quorum is kept (Nomad's reconcile and autopilot).
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { errorText } from "../host/error-text.ts";
import type { Clock, Log } from "../host/host.ts";
import type { Instant } from "../protocol/ports.ts";
import type { RaftServer } from "../protocol/raft/message.ts";
import type { ServerState } from "../service/raft/autopilot-health.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import type { RpcPool } from "../service/rpc/client/pool.ts";
import {
  AUTOPILOT_DEFAULTS,
  type AutopilotConfig,
  autopilotCommand,
  clusterMetadataCommand,
} from "../state/command.ts";
import type { StateMachine } from "../state/state-machine.ts";
import { decodeRaftStats, encodeQueryOptions, type RaftStats } from "../wire/rpc-status.ts";
import { byId, type Directory, type KnownServer } from "./directory.ts";

const LOOK_MS = 2000;
/** Gossip may come back later than Raft: a server it has not heard of for so long is no more. */
const UNKNOWN_MS = 60_000;
/** Nomad's leader gives a server a second to answer. */
const STATS_TIMEOUT_MS = 1000;

export interface LeaderDutiesInit {
  readonly consensus: Pick<
    Consensus,
    "role" | "leader" | "servers" | "stats" | "barrier" | "apply" | "change"
  >;
  readonly machine: StateMachine;
  readonly region: string;
  readonly selfId: string;
  /** What we would tell another leader. */
  readonly ownStats: () => RaftStats;
  readonly pool: Pick<RpcPool, "call">;
  readonly clock: Clock;
  readonly log: Log;
  readonly directory: Pick<Directory, "ownRegion" | "byId">;
  /** Autopilot's settings where there are none yet. */
  readonly initial: AutopilotConfig;
  /** The state of all terms before ours is applied here. */
  readonly established: () => void;
}

interface Observed {
  /** undefined: it does not answer. */
  readonly stats: RaftStats | undefined;
  readonly healthy: boolean;
  /** Since when it has been so without a break. */
  readonly since: Instant;
}

export class LeaderDuties {
  readonly #init: LeaderDutiesInit;
  /** By id, from the last round. */
  #observed: ReadonlyMap<string, Observed> = new Map();
  #leading = 0;
  #busy = false;
  #again = false;
  #cancel: (() => void) | undefined;

  constructor(init: LeaderDutiesInit) {
    this.#init = init;
  }

  start(): void {
    this.#leading += 1;
    this.#observed = new Map();
    void this.#establish(this.#leading);
  }

  stop(): void {
    this.#leading += 1;
    this.#again = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Look at once, and not only when it is time. */
  wake(): void {
    if (this.#init.consensus.role === "leader") void this.#round(this.#leading);
  }

  /** Of the last round, for whoever asks how the group is. */
  health(): readonly ServerState[] {
    const { consensus, clock } = this.#init;
    return consensus.servers.flatMap(({ id, address, suffrage }) => {
      const observed = this.#observed.get(id);
      if (observed === undefined) return [];
      const { stats, healthy, since } = observed;
      const member = this.#init.directory.byId(id);
      return {
        id,
        name: member?.name ?? "(unknown)",
        address,
        status: member?.status ?? "none",
        version: member?.build ?? "",
        leader: id === consensus.leader?.id,
        voter: suffrage === "voter",
        healthy,
        lastContactMs: stats?.lastContactMs,
        lastTerm: stats?.lastTerm ?? 0n,
        lastIndex: stats?.lastIndex ?? 0n,
        stableSinceMs: clock.wallMs() - (clock.now() - since),
      };
    });
  }

  /** Asks every server of the group how far it is. */
  async #observe(): Promise<ReadonlyMap<string, Observed>> {
    const { consensus, clock, directory } = this.#init;
    const seen = consensus.servers.map(async ({ id }): Promise<[string, Observed]> => {
      const stats = await this.#statsOf(id, directory.byId(id));
      const healthy = this.#isHealthy(stats);
      const before = this.#observed.get(id);
      const since = before?.healthy === healthy ? before.since : clock.now();
      return [id, { stats, healthy, since }];
    });
    return new Map(await Promise.all(seen));
  }

  /** What a new leader finds missing in the state it writes, as Nomad's does. */
  async #establish(leading: number): Promise<void> {
    const { consensus, machine, region, clock, log, initial, established } = this.#init;
    try {
      await consensus.barrier();
      if (leading !== this.#leading) return;
      established();
      if (machine.autopilot === undefined) {
        const settings = { Config: initial, Region: region };
        await consensus.apply(autopilotCommand(settings));
      }
      if (machine.cluster === undefined) {
        const CreateTime = BigInt(Math.round(clock.wallMs())) * 1_000_000n;
        await consensus.apply(clusterMetadataCommand({ ClusterID: randomUUID(), CreateTime }));
      }
    } catch (error) {
      log.warn("cannot establish leadership", { error: errorText(error) });
    }
    await this.#round(leading);
  }

  async #round(leading: number): Promise<void> {
    if (leading !== this.#leading) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    try {
      const observed = await this.#observe();
      if (leading === this.#leading) {
        this.#observed = observed;
        await this.#reconcile();
        await this.#promote();
      }
    } catch (error) {
      this.#init.log.debug("a membership change has to wait", { error: errorText(error) });
    }
    this.#busy = false;
    if (leading !== this.#leading) {
      // Lost meanwhile, and perhaps won again: then the first round of now has waited for this one.
      if (this.#again) void this.#round(this.#leading);
      return;
    }
    this.#cancel?.();
    const { clock } = this.#init;
    const wait = this.#again ? 0 : LOOK_MS;
    this.#again = false;
    this.#cancel = clock.schedule(clock.now() + wait, () => void this.#round(leading));
  }

  /** @throws ConsensusError when a change is under way: the next round goes on */
  async #reconcile(): Promise<void> {
    const { consensus, directory, selfId } = this.#init;
    const known = [...byId(directory.ownRegion()).values()];
    for (const server of known) {
      if (server.id === selfId) continue;
      if (server.status === "alive") await this.#ensureMember(server);
      else if (server.status === "left") await this.#remove(server.id, "it has left");
    }
    for (const server of this.#dead(known)) {
      const heardOf = known.some((one) => one.id === server.id);
      await this.#remove(server.id, heardOf ? "it has failed" : "gossip does not know it");
    }
    if (consensus.role !== "leader") this.stop();
  }

  async #ensureMember({ id, raftAddress: address }: KnownServer): Promise<void> {
    const { consensus, log } = this.#init;
    const same = consensus.servers.find((one) => one.id === id && one.address === address);
    if (same !== undefined) return;
    // Another server at that address, or this one at another: the old entry goes first.
    const old = consensus.servers.find((one) => one.id === id || one.address === address);
    if (old !== undefined) await this.#remove(old.id, "its address or id has changed");
    await consensus.change({ kind: "add-nonvoter", id, address });
    log.info("server added, without a vote for now", { id, address });
  }

  async #remove(id: string, why: string): Promise<void> {
    const { consensus, log } = this.#init;
    if (!consensus.servers.some((one) => one.id === id)) return;
    await consensus.change({ kind: "remove", id });
    log.info("server removed", { id, why });
  }

  /** Failed members and unknown ones, as long as those that are left can spare them. */
  #dead(known: readonly KnownServer[]): readonly RaftServer[] {
    const { consensus, machine, selfId } = this.#init;
    if (machine.autopilot?.CleanupDeadServers !== true) return [];
    const statuses = new Map(known.map((one) => [one.id, one.status]));
    const { servers } = consensus;
    const dead = servers.filter(({ id }) => {
      const status = statuses.get(id);
      if (id === selfId) return false;
      return status === undefined ? this.#unheardMs(id) >= UNKNOWN_MS : status === "failed";
    });
    const isVoter = (one: RaftServer): boolean => one.suffrage === "voter";
    const [lost, all] = [dead.filter(isVoter).length, servers.filter(isVoter).length];
    const spare = Math.floor((all - 1) / 2);
    const mayGo = lost <= spare && all - lost >= machine.autopilot.MinQuorum;
    return mayGo ? dead : dead.filter((one) => !isVoter(one));
  }

  /** How long it has not answered, as far as we have looked. */
  #unheardMs(id: string): number {
    const observed = this.#observed.get(id);
    if (observed === undefined || observed.stats !== undefined) return 0;
    return this.#init.clock.now() - observed.since;
  }

  async #promote(): Promise<void> {
    const { consensus, machine, clock, log } = this.#init;
    const stableMs = Number((machine.autopilot?.ServerStabilizationTime ?? 0n) / 1_000_000n);
    for (const { id, address, suffrage } of consensus.servers) {
      const observed = this.#observed.get(id);
      if (suffrage === "voter" || observed?.healthy !== true) continue;
      if (clock.now() - observed.since < stableMs) continue;
      await consensus.change({ kind: "add-voter", id, address });
      log.info("server promoted to voter", { id, address });
    }
  }

  async #statsOf(id: string, member: KnownServer | undefined): Promise<RaftStats | undefined> {
    const { pool, region, selfId, ownStats } = this.#init;
    if (id === selfId) return ownStats();
    if (member?.status !== "alive") return undefined;
    const target = { address: member.address, region };
    try {
      const body = encodeQueryOptions({ AllowStale: true });
      const answer = await pool.call(target, "Status.RaftStats", body, STATS_TIMEOUT_MS, true);
      return decodeRaftStats(answer);
    } catch {
      return undefined;
    }
  }

  #isHealthy(stats: RaftStats | undefined): boolean {
    const { consensus, machine } = this.#init;
    if (stats === undefined || stats.lastContactMs === undefined) return false;
    const own = consensus.stats();
    const { LastContactThreshold, MaxTrailingLogs } = machine.autopilot ?? AUTOPILOT_DEFAULTS;
    return (
      stats.lastContactMs <= Number(LastContactThreshold / 1_000_000n) &&
      Number(stats.lastTerm) === own.lastTerm &&
      own.lastIndex - Number(stats.lastIndex) <= Number(MaxTrailingLogs)
    );
  }
}
