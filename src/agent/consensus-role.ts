/**
 * Raft in this server: its first configuration, its connections, and what a leader does for the
 * group besides leading it (wire/rpc-and-raft.md §8.2).
 *
 * @module
 */
import { join } from "node:path";
import type { RaftView } from "../api/context.ts";
import type { AutopilotSettings, Config } from "../config/config.ts";
import { systemClock } from "../host/clock.ts";
import type { ByteStream, Log } from "../host/host.ts";
import { formatAddress, parseAddress } from "../host/ip.ts";
import type { LogSink } from "../host/log.ts";
import { RaftStore } from "../host/raft-store.ts";
import type { Prng } from "../protocol/ports.ts";
import type { Role } from "../protocol/raft/action.ts";
import { RAFT, scaled } from "../protocol/raft/config.ts";
import type { RaftServer, Sender } from "../protocol/raft/message.ts";
import { groupMethods } from "../service/methods/group-methods.ts";
import type { Method } from "../service/methods/methods.ts";
import { NamespaceMethods } from "../service/methods/namespace-methods.ts";
import { NodeMethods } from "../service/methods/node-methods.ts";
import { NodePoolMethods } from "../service/methods/node-pool-methods.ts";
import { operatorMethods } from "../service/methods/operator-methods.ts";
import { SearchMethods } from "../service/methods/search-methods.ts";
import { systemMethods } from "../service/methods/system-methods.ts";
import { Consensus } from "../service/raft/consensus.ts";
import { createDoor, type Door } from "../service/raft/door.ts";
import { type RaftHandler, serveRaft } from "../service/raft/serve.ts";
import { RaftTransport } from "../service/raft/transport.ts";
import { countRefusal, RefusalLog } from "../service/refusals.ts";
import type { RpcDialer } from "../service/rpc/client/dial.ts";
import type { PoolTarget, RpcPool } from "../service/rpc/client/pool.ts";
import type { RpcCounters } from "../service/rpc/counters.ts";
import type { Budget } from "../service/rpc/value-stream.ts";
import { type AutopilotConfig, autopilotConfig } from "../state/command.ts";
import { FIRST_FORMAT } from "../state/format.ts";
import { StateMachine } from "../state/state-machine.ts";
import { structOf } from "../wire/codec.ts";
import { nanosOf } from "../wire/duration.ts";
import type { NodeServer } from "../wire/rpc-node.ts";
import type { RaftStats } from "../wire/rpc-status.ts";
import { AclRole } from "./acl-role.ts";
import { Bootstrap } from "./bootstrap.ts";
import type { Directory, KnownServer } from "./directory.ts";
import { handOver, type LeaderCall, leaveGroup, sayWhatIsLeft } from "./farewell.ts";
import { IdentityRole } from "./identity-role.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { recoverGroup } from "./peers-file.ts";
import { refuseCopy } from "./presence.ts";

/** Who is refused calls again, ten times a second and for days: so often it is told. */
const REFUSED_MS = 60_000;

interface ConsensusRoleInit {
  readonly config: Config;
  readonly nodeId: string;
  /** What the others call it: the gossip address with the RPC port. */
  readonly address: string;
  readonly dialer: RpcDialer;
  readonly pool: RpcPool;
  readonly counters: RpcCounters;
  readonly prng: Prng;
  readonly sink: LogSink;
  readonly directory: Directory;
  /** A call as if it had come to our port. @throws Error */
  readonly call: (method: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
}

const MIXES_WARNING = "unsafe_raft_with_other_servers is on: for tests of the protocol only";

export class ConsensusRole {
  readonly machine = new StateMachine();
  readonly #init: ConsensusRoleInit;
  readonly #log: Log;
  readonly #self: Sender;
  readonly #transport: RaftTransport;
  readonly #duties: LeaderDuties;
  readonly #nodes: NodeMethods;
  readonly identities: IdentityRole;
  readonly consensus: Consensus;
  readonly acl: AclRole;
  readonly #refusals: RefusalLog;
  readonly #door: Door;
  readonly #bootstrap: Bootstrap;
  /** We ask to be let go: nobody may take us in again. */
  #leaving = false;

  /** @throws Error with one sentence for the operator when the disk cannot be trusted */
  constructor(init: ConsensusRoleInit) {
    this.#init = init;
    const { config, nodeId, address, dialer, counters, sink } = init;
    this.#log = sink.logger("nomad.raft");
    this.#self = { id: nodeId, address };
    this.#refusals = new RefusalLog(systemClock, this.#log, REFUSED_MS);
    const { region, server } = config;
    const mixes = server.unsafeRaftWithOtherServers;
    if (mixes) this.#log.warn(MIXES_WARNING);
    this.#door = createDoor({
      ...{ self: this.#self, region, refusals: this.#refusals, unsafeWithoutGreeting: mixes },
      servers: () => this.consensus.servers,
      count: (reason) => countRefusal(counters.refused, reason),
    });
    this.#transport = new RaftTransport({
      ...{ self: this.#self, region, dialer, log: this.#log, unsafeWithoutGreeting: mixes },
      ...{ clock: systemClock, prng: init.prng },
      refused: (to, why) => this.#refused(to, why),
      malformed: () => countRefusal(counters.refused, "raft-malformed-answer"),
    });
    const directory = raftDirectory(config);
    const store = new RaftStore(directory);
    if (directory !== undefined) {
      recoverGroup(join(directory, "peers.json"), nodeId, store, this.#log);
    }
    this.consensus = new Consensus({
      self: this.#self,
      config: {
        ...scaled(RAFT, config.server.raftMultiplier),
        trailingEntries: config.server.raftTrailingLogs,
      },
      store,
      transport: this.#transport,
      machine: this.machine,
      clock: systemClock,
      prng: init.prng,
      log: this.#log,
      snapshotThreshold: config.server.raftSnapshotThreshold,
      onRole: (role) => this.#roleChanged(role),
      onLeader: (leader) => this.#leaderChanged(leader),
      ...(!mixes && { olderThan: (format: number) => this.#olderThan(format) }),
    });
    this.#duties = this.#createDuties();
    const { consensus, machine } = this;
    this.identities = new IdentityRole({ ...init, consensus, machine });
    this.#nodes = this.#createNodes();
    const { call, prng } = init;
    this.acl = new AclRole({
      nodeOf: (token) => this.identities.auth.nodeOf(token),
      ...{ config, consensus, machine, prng, call },
      log: sink.logger("nomad.acl"),
    });
    const { pool, directory: servers } = init;
    this.#bootstrap = new Bootstrap({
      ...{ self: this.#self, expect: config.server.bootstrapExpect, consensus },
      ...{ pool, directory: servers, clock: systemClock, log: this.#log },
    });
  }

  #createDuties(): LeaderDuties {
    const { config, pool, sink, directory } = this.#init;
    const { region, server } = config;
    return new LeaderDuties({
      consensus: this.consensus,
      machine: this.machine,
      region,
      self: this.#self,
      mixes: server.unsafeRaftWithOtherServers,
      ownStats: () => this.stats(),
      pool,
      clock: systemClock,
      log: sink.logger("nomad.autopilot"),
      directory,
      initial: autopilotOf(config.autopilot),
      established: () => this.#lead(),
    });
  }

  #createNodes(): NodeMethods {
    const { config, prng, sink } = this.#init;
    return new NodeMethods({
      config: config.server.heartbeat,
      consensus: this.consensus,
      machine: this.machine,
      auth: this.identities.auth,
      clock: systemClock,
      prng,
      log: sink.logger("nomad.heartbeat"),
      servers: () => this.#serversForClients(),
    });
  }

  /** @throws Error when this data_dir is a copy of another server's, and that one is alive */
  async start(): Promise<void> {
    const { pool, config } = this.#init;
    const where = { pool, clock: systemClock, region: config.region };
    await refuseCopy(where, this.#self, this.consensus.servers);
    this.consensus.start();
    this.identities.start();
    this.#bootstrap.start();
  }

  stop(): void {
    this.#bootstrap.stop();
    this.identities.stop();
    this.#nodes.stop();
    this.acl.stop();
    this.#duties.stop();
    this.consensus.stop();
  }

  /**
   * Out of the group: somebody else leads first, and then lets us go.
   *
   * @param call asks whoever leads
   */
  async leave(call: LeaderCall): Promise<void> {
    this.#leaving = true;
    const { consensus } = this;
    await leaveGroup({
      consensus,
      selfId: this.#self.id,
      region: this.#init.config.region,
      call,
      log: this.#log,
    });
  }

  /** Before the end: somebody else leads. */
  async handOver(): Promise<void> {
    await handOver({ consensus: this.consensus, selfId: this.#self.id, log: this.#log });
  }

  /** A connection of another server's Raft. */
  serve(stream: ByteStream, malformed: () => void, budget: Budget): void {
    const handle: RaftHandler = (call, data) => {
      // Whoever reaches us may be reached again.
      this.#transport.forgive(call.from.address);
      return this.consensus.receive(call, data);
    };
    serveRaft(stream, { self: this.#self, door: this.#door, handle, malformed, budget });
  }

  /** New connections use the new TLS settings. */
  reloaded(): void {
    this.#transport.reset();
  }

  /** Gossip has news of the server there. */
  forgive(address: string): void {
    this.#transport.forgive(address);
  }

  membersChanged(): void {
    void this.#bootstrap.look();
    this.#duties.wake();
    this.identities.wake();
  }

  /** Gossip has lost a server: those who stay say what that means. */
  memberGone(server: KnownServer): void {
    if (this.#leaving) return;
    const { consensus } = this;
    sayWhatIsLeft(
      { servers: consensus.servers, directory: this.#init.directory, log: this.#log },
      server,
    );
  }

  /** Another state than before: its clients have to be heard, too. */
  restored(): void {
    if (this.consensus.role === "leader") this.#lead();
  }

  view(): RaftView {
    const { consensus, machine } = this;
    return {
      role: () => consensus.role,
      heartbeats: () => this.#nodes.heartbeats,
      leaderId: () => consensus.leader?.id,
      servers: () => consensus.servers,
      stats: () => consensus.stats(),
      clusterId: () => machine.cluster?.ClusterID ?? "",
      problem: () => consensus.broken ?? "",
      identities: () => this.identities.view(),
      health: () => (consensus.role === "leader" ? this.#duties.health() : []),
    };
  }

  /** What can be asked of the group and its state. */
  methods(): ReadonlyMap<string, Method> {
    const { consensus, machine } = this;
    const operator = operatorMethods({
      consensus,
      machine,
      nameOf: (id) => this.#init.directory.byId(id)?.name,
      health: () => this.#duties.health(),
    });
    const group = groupMethods({
      self: () => ({ Address: this.#self.address, ID: this.#self.id, Leaving: this.#leaving }),
      leave: (id) => this.#duties.leave(id),
    });
    const { config, prng } = this.#init;
    const reads = { consensus, machine, clock: systemClock, prng, guard: this.acl.guard };
    const nodes = this.#nodes.methods();
    const deregister: Method["run"] = (...call) =>
      nodes.get("Node.BatchDeregister")?.run(...call) ?? new Uint8Array(0);
    const others = [
      new NodePoolMethods({ ...reads, region: config.region }),
      new NamespaceMethods({ ...reads, authoritativeRegion: this.acl.authoritativeRegion }),
      new SearchMethods({ ...reads, search: config.server.search }),
      this.acl,
      this.identities,
    ].flatMap((one) => [...one.methods()]);
    const system = systemMethods({ machine, deregister });
    return new Map([...operator, ...group, ...nodes, ...system, ...others]);
  }

  /** What a leader asks to know whether we keep up. */
  stats(): RaftStats {
    const { lastContactMs, lastIndex, lastTerm } = this.consensus.stats();
    return { lastContactMs, lastIndex: BigInt(lastIndex), lastTerm: BigInt(lastTerm) };
  }

  /** Where requests for the leader go; undefined while there is none. */
  leaderTarget(): PoolTarget | "self" | undefined {
    const { role, leader } = this.consensus;
    if (role === "leader") return "self";
    if (leader === undefined) return undefined;
    // As Raft has it, whatever gossip says: it has to prove the name of its region.
    const address = parseAddress(leader.address);
    return address === undefined ? undefined : { address, region: this.#init.config.region };
  }

  #refused({ id, address }: RaftServer, why: string): void {
    const fields = { id, address, why };
    this.#refusals.note("raft-refused", "a server refuses our Raft calls", () => fields);
  }

  #roleChanged(role: Role): void {
    if (role === "leader") return this.#duties.start();
    this.#duties.stop();
    this.identities.follow();
    this.#nodes.stop();
    this.acl.stop();
  }

  /** We lead, and the state of all terms before ours is applied here. */
  #lead(): void {
    this.identities.lead();
    this.#nodes.lead();
    this.acl.lead();
  }

  #leaderChanged(leader: Sender | undefined): void {
    if (leader === undefined) return this.#log.warn("there is no leader");
    const own = leader.id === this.#self.id;
    this.#log.info(own ? "this server leads" : "a leader is known", { leader: leader.address });
  }

  /** Of the group; one that gossip has never heard of will find out when it comes back. */
  #olderThan(format: number): string | undefined {
    if (format <= FIRST_FORMAT) return undefined;
    const { directory } = this.#init;
    const known = this.consensus.servers.map(({ id }) => directory.byId(id));
    return known.find((one) => one !== undefined && one.stateFormat < format)?.name;
  }

  #serversForClients(): readonly NodeServer[] {
    return this.#init.directory.ownAlive().map((one) => ({
      Datacenter: one.datacenter,
      RPCAdvertiseAddr: formatAddress(one.clientAddress),
      RPCMajorVersion: 0,
      RPCMinorVersion: 0,
    }));
  }
}

function autopilotOf(settings: AutopilotSettings): AutopilotConfig {
  return structOf(autopilotConfig, {
    CleanupDeadServers: settings.cleanupDeadServers,
    DisableUpgradeMigration: settings.disableUpgradeMigration,
    EnableCustomUpgrades: settings.enableCustomUpgrades,
    EnableRedundancyZones: settings.enableRedundancyZones,
    LastContactThreshold: nanosOf(settings.lastContactThresholdMs),
    MaxTrailingLogs: BigInt(settings.maxTrailingLogs),
    MinQuorum: settings.minQuorum,
    ServerStabilizationTime: nanosOf(settings.serverStabilizationTimeMs),
  });
}

/** In memory only in dev mode. */
function raftDirectory(config: Config): string | undefined {
  if (config.dataDir === "") return undefined;
  return join(config.server.dataDir ?? join(config.dataDir, "server"), "raft");
}
