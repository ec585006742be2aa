/**
 * What the leader does for the group: who gossip knows becomes a member, who is healthy long enough
 * votes, who has left or is dead goes, while a quorum is kept (Nomad's reconcile and autopilot).
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { errorText } from "../host/error-text.ts";
import type { Clock, Log } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import type { Instant } from "../protocol/ports.ts";
import type { RaftServer } from "../protocol/raft/message.ts";
import type { SerfMember } from "../protocol/serf/action.ts";
import type { Consensus } from "../service/consensus.ts";
import type { RpcPool } from "../service/rpc-pool.ts";
import {
  AUTOPILOT_DEFAULTS,
  autopilotCommand,
  clusterMetadataCommand,
  type StateMachine,
} from "../state/state-machine.ts";
import { decodeRaftStats, encodeQueryOptions, type RaftStats } from "../wire/rpc-status.ts";
import { rpcAddress } from "./server-tags.ts";

const LOOK_MS = 2000;
/** Nomad's leader gives a server a second to answer. */
const STATS_TIMEOUT_MS = 1000;

export interface LeaderDutiesInit {
  readonly consensus: Consensus;
  readonly machine: StateMachine;
  readonly region: string;
  readonly selfId: string;
  readonly pool: Pick<RpcPool, "call">;
  readonly clock: Clock;
  readonly log: Log;
  /** Servers of the region, in any state, ourselves among them. */
  readonly members: () => Iterable<SerfMember>;
}

export class LeaderDuties {
  readonly #init: LeaderDutiesInit;
  /** Since when a server has been healthy without a break. */
  readonly #healthySince = new Map<string, Instant>();
  #leading = 0;
  #busy = false;
  #again = false;
  #cancel: (() => void) | undefined;

  constructor(init: LeaderDutiesInit) {
    this.#init = init;
  }

  start(): void {
    this.#leading += 1;
    this.#healthySince.clear();
    void this.#establish(this.#leading);
  }

  stop(): void {
    this.#leading += 1;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Look at once, and not only when it is time. */
  wake(): void {
    if (this.#init.consensus.role === "leader") void this.#round(this.#leading);
  }

  /** What a new leader finds missing in the state it writes, as Nomad's does. */
  async #establish(leading: number): Promise<void> {
    const { consensus, machine, region, clock, log } = this.#init;
    try {
      await consensus.barrier();
      if (machine.autopilot === undefined) {
        const settings = { Config: AUTOPILOT_DEFAULTS, Region: region };
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
      await this.#reconcile();
      await this.#promote();
    } catch (error) {
      this.#init.log.debug("a membership change has to wait", { error: errorText(error) });
    }
    this.#busy = false;
    if (leading !== this.#leading) return;
    this.#cancel?.();
    const { clock } = this.#init;
    const wait = this.#again ? 0 : LOOK_MS;
    this.#again = false;
    this.#cancel = clock.schedule(clock.now() + wait, () => void this.#round(leading));
  }

  /** @throws ConsensusError when a change is under way: the next round goes on */
  async #reconcile(): Promise<void> {
    const { consensus, members, selfId } = this.#init;
    const known = [...members()];
    for (const member of known) {
      const id = member.tags.get("id") ?? "";
      if (id === "" || id === selfId) continue;
      if (member.status === "alive") await this.#ensureMember(id, member);
      else if (member.status === "left") await this.#remove(id, "it has left");
    }
    for (const server of this.#dead(known)) await this.#remove(server.id, "it has failed");
    if (consensus.role !== "leader") this.stop();
  }

  async #ensureMember(id: string, member: SerfMember): Promise<void> {
    const { consensus, log } = this.#init;
    const address = formatAddress(rpcAddress(member));
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

  /** Failed members, as long as those that are left can spare them. */
  #dead(known: readonly SerfMember[]): readonly RaftServer[] {
    const { consensus, machine, selfId } = this.#init;
    if (machine.autopilot?.CleanupDeadServers !== true) return [];
    const failed = new Set(
      known.filter((one) => one.status === "failed").map((one) => one.tags.get("id")),
    );
    const { servers } = consensus;
    const dead = servers.filter((one) => one.id !== selfId && failed.has(one.id));
    const isVoter = (one: RaftServer): boolean => one.suffrage === "voter";
    const spare = Math.floor((servers.filter(isVoter).length - 1) / 2);
    return dead.filter(isVoter).length <= spare ? dead : dead.filter((one) => !isVoter(one));
  }

  async #promote(): Promise<void> {
    const { consensus, machine, members, clock, log } = this.#init;
    const stableMs = Number((machine.autopilot?.ServerStabilizationTime ?? 0n) / 1_000_000n);
    const byId = new Map([...members()].map((one) => [one.tags.get("id"), one]));
    for (const { id, address, suffrage } of consensus.servers) {
      if (suffrage === "voter") continue;
      const member = byId.get(id);
      const healthy = member?.status === "alive" && this.#isHealthy(await this.#statsOf(member));
      if (!healthy) {
        this.#healthySince.delete(id);
        continue;
      }
      const since = this.#healthySince.get(id) ?? clock.now();
      this.#healthySince.set(id, since);
      if (clock.now() - since < stableMs) continue;
      await consensus.change({ kind: "add-voter", id, address });
      log.info("server promoted to voter", { id, address });
    }
  }

  async #statsOf(member: SerfMember): Promise<RaftStats | undefined> {
    const { pool, region } = this.#init;
    const target = { address: rpcAddress(member), region };
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
