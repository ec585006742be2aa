/**
 * What the leader does for the group: who gossip knows becomes a member, who is healthy long enough
 * votes, who has left or is dead goes, while a quorum is kept (Nomad's reconcile and autopilot).
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { errorText } from "../host/error-text.ts";
import type { Clock, Log } from "../host/host.ts";
import { parseAddress } from "../host/ip.ts";
import type { Instant } from "../protocol/ports.ts";
import type { RaftServer, Sender } from "../protocol/raft/message.ts";
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
import type { Directory } from "./directory.ts";
import { Membership } from "./membership.ts";
import { whoIsAt, withinMs } from "./presence.ts";

const LOOK_MS = 2000;
/** Nomad's leader gives a server a second to answer. */
const STATS_TIMEOUT_MS = 1000;

interface LeaderDutiesInit {
  readonly consensus: Pick<
    Consensus,
    "role" | "leader" | "servers" | "stats" | "barrier" | "apply" | "change"
  >;
  readonly machine: StateMachine;
  readonly region: string;
  readonly self: Sender;
  /** Servers that are not ours may come in: only where the protocol is tested. */
  readonly mixes: boolean;
  /** What we would tell another leader. */
  readonly ownStats: () => RaftStats;
  readonly pool: Pick<RpcPool, "call" | "forgive">;
  readonly clock: Clock;
  readonly log: Log;
  readonly directory: Pick<Directory, "ownRegion" | "byId">;
  /** Autopilot's settings where there are none yet. */
  readonly initial: AutopilotConfig;
  /** The state of all terms before ours is applied here. */
  readonly established: () => void;
}

interface Observed {
  /** Its last answer; undefined: it has never answered. */
  readonly stats: RaftStats | undefined;
  readonly answers: boolean;
  /** When it answered last, or when it was first asked. */
  readonly heardAt: Instant;
  readonly healthy: boolean;
  /** Since when it has been healthy, or not, without a break. */
  readonly since: Instant;
}

export class LeaderDuties {
  readonly #init: LeaderDutiesInit;
  readonly #membership: Membership;
  /** By id, from the last round. */
  #observed: ReadonlyMap<string, Observed> = new Map();
  #leading = 0;
  #busy = false;
  #again = false;
  #cancel: (() => void) | undefined;

  constructor(init: LeaderDutiesInit) {
    this.#init = init;
    const { consensus, machine, self, directory, clock, log, pool, region, mixes } = init;
    this.#membership = new Membership({
      ...{ consensus, machine, selfId: self.id, directory, clock, log, mixes },
      whoIsAt: (raftAddress) => whoIsAt({ pool, clock, region }, raftAddress),
      answers: (id) => this.#observed.get(id)?.answers === true,
      unheardMs: (id) => {
        const observed = this.#observed.get(id);
        return observed === undefined || observed.answers ? 0 : clock.now() - observed.heardAt;
      },
    });
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
    const { consensus, clock, directory } = this.#init;
    const now = clock.now();
    return consensus.servers.map(({ id, address, suffrage }) => {
      const observed = this.#observed.get(id);
      const { stats, heardAt = now, since = now } = observed ?? {};
      const known = directory.byId(id);
      // Who does not answer any more has not heard of us for longer and longer.
      const silentMs = observed?.answers === true ? 0 : now - heardAt;
      const contact = stats?.lastContactMs;
      return {
        id,
        name: known?.name ?? "(unknown)",
        address,
        status: known?.status ?? "none",
        version: known?.build ?? "",
        leader: id === consensus.leader?.id,
        voter: suffrage === "voter",
        healthy: observed?.healthy === true,
        lastContactMs: contact === undefined ? undefined : contact + silentMs,
        lastTerm: stats?.lastTerm ?? 0n,
        lastIndex: stats?.lastIndex ?? 0n,
        stableSinceMs: clock.wallMs() - (now - since),
      };
    });
  }

  /**
   * A server asks to be let go.
   *
   * @returns why it stays in the group although it goes; "" when it is out of it
   * @throws Error when it may not go by this way
   */
  async leave(id: string): Promise<string> {
    const leading = this.#leading;
    const observed = await this.#observe();
    if (leading === this.#leading) this.#observed = observed;
    return this.#membership.leave(id);
  }

  /** Asks every server of the group how far it is. */
  async #observe(): Promise<ReadonlyMap<string, Observed>> {
    const { consensus, clock, directory } = this.#init;
    const seen = consensus.servers.map(async (server): Promise<[string, Observed]> => {
      const { id } = server;
      const answer = await this.#statsOf(server);
      const now = clock.now();
      const healthy = directory.byId(id)?.status === "alive" && this.#isHealthy(answer);
      const before = this.#observed.get(id);
      return [
        id,
        {
          stats: answer ?? before?.stats,
          answers: answer !== undefined,
          heardAt: answer === undefined ? (before?.heardAt ?? now) : now,
          healthy,
          since: before?.healthy === healthy ? before.since : now,
        },
      ];
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
      await this.#ownAddress();
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

  /** This server has moved, and leads all the same: the others must know where it is now. */
  async #ownAddress(): Promise<void> {
    const { consensus, self, log } = this.#init;
    const own = consensus.servers.find((one) => one.id === self.id);
    if (own === undefined || own.address === self.address) return;
    await consensus.change({ kind: "add-voter", ...self });
    log.info("this leader has moved", { from: own.address, to: self.address });
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
        await this.#membership.reconcile();
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

  /** At the address that Raft has: what gossip says may be wrong. */
  async #statsOf({ id, address: text }: RaftServer): Promise<RaftStats | undefined> {
    const { pool, region, self, ownStats, clock } = this.#init;
    if (id === self.id) return ownStats();
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    const body = encodeQueryOptions({ AllowStale: true });
    const target = { address, region };
    const asked = pool.call(target, "Status.RaftStats", body, STATS_TIMEOUT_MS, true);
    try {
      const answer = await withinMs(clock, asked, STATS_TIMEOUT_MS);
      return answer === undefined ? undefined : decodeRaftStats(answer);
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
