/**
 * The server's parts: RPC listener, gossip, joiner, and a look at the other servers' RPC ports.
 *
 * @module
 */
import type { GossipView } from "../api/context.ts";
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { systemClock } from "../host/clock.ts";
import { systemEntropy } from "../host/entropy.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import { formatAddress, formatIp } from "../host/ip.ts";
import type { LogSink } from "../host/log.ts";
import { lookupHost } from "../host/machine.ts";
import { describeErrno, listenSockets } from "../host/network.ts";
import { createPrng } from "../protocol/prng.ts";
import type { SerfEvent } from "../protocol/serf/action.ts";
import { type Bearer, bearerOf } from "../service/acl/bearer.ts";
import type { AuditLog } from "../service/audit/audit-log.ts";
import type { Gossip } from "../service/gossip/gossip.ts";
import { auditedCalls, auditedStreams } from "../service/methods/audited.ts";
import { EVENTS } from "../service/methods/event-method.ts";
import { RpcMethods } from "../service/methods/methods.ts";
import { Monitor } from "../service/methods/monitor.ts";
import { MONITOR, MonitorMethod } from "../service/methods/monitor-method.ts";
import { nodeRelayMethods } from "../service/methods/node-relay-methods.ts";
import { snapshotMethods } from "../service/methods/snapshot-methods.ts";
import { type StreamMethod, StreamMethods } from "../service/methods/stream-methods.ts";
import { RefusalLog } from "../service/refusals.ts";
import type { RpcDialer, RpcSecurity } from "../service/rpc/client/dial.ts";
import { RpcForwarder } from "../service/rpc/client/forward.ts";
import { PeerHealth, type PeerReport, type RpcPeer } from "../service/rpc/client/peer-health.ts";
import type { PoolTarget, RpcPool } from "../service/rpc/client/pool.ts";
import type { RpcCounters } from "../service/rpc/counters.ts";
import type { CallerLine } from "../service/rpc/method-error.ts";
import { NodeLines } from "../service/rpc/node-lines.ts";
import { RpcServer } from "../service/rpc/server/server.ts";
import type { TlsMaterial } from "../tls/material.ts";
import type { ServerMembers } from "../wire/rpc-status.ts";
import { ConsensusRole } from "./consensus-role.ts";
import { Directory, serverOf } from "./directory.ts";
import { createGossip, logEvent } from "./gossip-parts.ts";
import { Joiner } from "./joiner.ts";
import type { LoadedKeyring } from "./keyring-file.ts";
import { ServerEvents } from "./server-events.ts";

/** For calls that others have made here to be answered at the end; blocking queries take longer. */
const LAST_CALLS_MS = 2000;

interface ServerRoleInit {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly nodeId: string;
  readonly revision: string;
  readonly keyring: LoadedKeyring;
  readonly security: () => RpcSecurity;
  readonly material: () => TlsMaterial | undefined;
  readonly rpc: RpcCounters;
  readonly dialer: RpcDialer;
  readonly pool: RpcPool;
  readonly sink: LogSink;
  readonly onFatal: () => void;
  /** The id of the client node that the agent is, too. */
  readonly clientId: string | undefined;
  readonly audit: AuditLog | undefined;
}

export class ServerRole {
  readonly #init: ServerRoleInit;
  readonly #log: Log;
  readonly #rpc: RpcServer;
  readonly #forwarder: RpcForwarder;
  readonly #lines = new NodeLines(() => systemClock.wallMs());
  readonly #nodeAccess = {
    isKnown: (id: string): boolean => this.raft.machine.nodes.get(id) !== undefined,
    lines: this.#lines,
  };
  readonly #methods: RpcMethods;
  readonly streams: StreamMethods;
  readonly raft: ConsensusRole;
  readonly #gossip: Gossip;
  readonly #joiner: Joiner;
  readonly #health: PeerHealth;
  readonly #events: ServerEvents;
  readonly #directory: Directory;
  readonly #name: string;
  readonly #prng = createPrng(new DataView(systemEntropy.bytes(4).buffer).getUint32(0));

  constructor(init: ServerRoleInit) {
    this.#init = init;
    const { config, sink } = init;
    this.#log = sink.logger("nomad");
    this.#name = `${config.name}.${config.region}`;
    this.#gossip = createGossip({
      ...init,
      name: this.#name,
      log: this.#log,
      directory: () => this.#directory,
      onEvent: (event) => this.#event(event),
      onKeys: (...change) => this.#events.keysChanged(...change),
    });
    const { endpoints, nodeId, dialer, pool } = init;
    this.#directory = new Directory({
      members: () => this.#gossip.members(),
      self: { name: this.#name, id: nodeId, region: config.region },
      mixes: config.server.unsafeRaftWithOtherServers,
    });
    const { ip } = endpoints.advertise.serf;
    this.raft = new ConsensusRole({
      config,
      nodeId,
      address: formatAddress({ ip, port: endpoints.advertise.rpc.port }),
      dialer,
      pool,
      counters: init.rpc,
      prng: this.#prng,
      sink,
      directory: this.#directory,
      call: (method, body, signal) => this.call(method, body, signal),
    });
    this.#forwarder = new RpcForwarder({
      pool: init.pool,
      counters: init.rpc,
      clock: systemClock,
      prng: this.#prng,
      servers: (region) => this.#directory.others(region),
      leader: () => this.raft.leaderTarget(),
    });
    this.#events = new ServerEvents({
      ...{ config, self: this.#name, machine: this.raft.machine, material: init.material },
      guard: this.raft.acl.guard,
      ...{ clock: systemClock, log: sink.logger("agent") },
      streamTo: (region) => this.#forwarder.streamTo(region),
    });
    this.streams = this.#createStreams();
    this.#methods = this.#createMethods();
    this.#rpc = this.#createRpc();
    this.#joiner = new Joiner({
      gossip: this.#gossip,
      lookup: lookupHost,
      clock: systemClock,
      log: sink.logger("agent.joiner"),
    });
    this.#health = new PeerHealth({
      dialer: init.dialer,
      clock: systemClock,
      log: sink.logger("nomad.rpc"),
      region: config.region,
      peers: () => this.#directory.others(),
    });
  }

  async start(): Promise<void> {
    const { endpoints } = this.#init;
    await this.#rpc.start().catch((error: unknown) => {
      throw new Error(
        `Error starting agent: server setup failed: Failed to start RPC layer: ` +
          `listen tcp ${formatAddress(endpoints.bind.rpc)}: ${describeErrno(error)}`,
      );
    });
    await this.#gossip.start().catch((error: unknown) => {
      throw new Error(
        "Error starting agent: server setup failed: Failed to start serf: could not set up " +
          `network transport on ${formatAddress(endpoints.bind.serf)}: ${describeErrno(error)}`,
      );
    });
    await this.raft.start().catch((error: unknown) => {
      throw new Error(`Error starting agent: server setup failed: ${errorText(error)}`);
    });
    this.#events.start();
  }

  /** start_join must work, retry_join goes on in the background. */
  async joinOthers(): Promise<void> {
    void this.#rejoin();
    const { startJoin, retryJoin, retryIntervalMs, retryMax } = this.#init.config.server.join;
    if (startJoin.length > 0) {
      this.#log.info("Joining cluster...", { servers: startJoin });
      const { joined, errors } = await this.#joiner.joinAtStart(startJoin);
      if (joined === 0) throw new Error(`cannot join the cluster: ${errors.join("; ")}`);
      this.#log.info(`Join completed. Synced with ${joined} initial agents`);
    }
    if (retryJoin.length > 0) {
      this.#joiner.retry(retryJoin, retryIntervalMs, retryMax, this.#init.onFatal);
    }
  }

  /** Back to where a snapshot says we were; nothing is lost if nobody is there any more. */
  async #rejoin(): Promise<void> {
    const found = await this.#gossip.rejoin();
    if (found !== undefined) this.#log.info(`serf: Re-joined to previously known node: ${found}`);
  }

  async leave(): Promise<void> {
    this.#joiner.stop();
    this.#log.info("server starting leave");
    await this.raft.leave((method, body) => this.call(method, body));
    await this.#gossip.leave();
  }

  /** Before the end, while everything still works. */
  async handOver(): Promise<void> {
    await this.raft.handOver();
    await this.#rpc.drain(LAST_CALLS_MS);
  }

  async stop(): Promise<void> {
    this.#joiner.stop();
    this.#health.stop();
    this.#events.stop();
    await this.#gossip.close();
    this.raft.stop();
    await this.#rpc.close();
  }

  /** The TLS settings changed. */
  reloaded(): void {
    this.#rpc.reloaded();
    this.raft.reloaded();
    this.#events.reloaded();
    this.#health.again();
  }

  /** Living servers of every region besides this one. */
  peers(): readonly RpcPeer[] {
    return this.#directory.others();
  }

  peerReports(): readonly PeerReport[] {
    return this.#health.reports();
  }

  members(): ServerMembers {
    const { config } = this.#init;
    const members = [...this.#gossip.members()].map((member) => ({
      name: member.name,
      addr: member.ip,
      port: member.port,
      tags: member.tags,
      status: member.status,
      versions: member.versions,
    }));
    return {
      serverName: config.name,
      serverRegion: config.region,
      serverDc: config.datacenter,
      members,
    };
  }

  view(): GossipView {
    const { keyring, path } = this.#init.keyring;
    return {
      keyring,
      keyringPath: path,
      counters: this.#gossip.counters,
      stats: () => this.#gossip.stats(),
      roundTripSeconds: (name) => this.#gossip.tell((serf) => serf.roundTripSeconds(name)),
      joinState: () => this.#joiner.state,
      join: (addresses) => this.#joiner.join(addresses),
      forceLeave: (node, prune) => this.#gossip.forceLeave(node, prune),
      askKeys: (operation, key) => this.#gossip.askKeys(operation, key),
    };
  }

  /** Has a living member of the cluster this address? */
  isPeer(ip: Uint8Array): boolean {
    const members = [...this.#gossip.members()];
    return members.some((one) => one.status === "alive" && formatIp(one.ip) === formatIp(ip));
  }

  /** A call as if it had come to our port. @throws RpcMethodError */
  async call(
    method: string,
    body: Uint8Array,
    signal?: AbortSignal,
    line?: CallerLine,
  ): Promise<Uint8Array> {
    return this.#methods.call(method, body, { names: undefined, signal, ...(line && { line }) });
  }

  /** Whose token it is, for what is written down. */
  bearerOf(secret: string): Bearer | undefined {
    return bearerOf(this.raft.acl.resolver, secret);
  }

  #audited(audit: AuditLog): ReturnType<typeof auditedCalls> {
    return auditedCalls(this.#methods, audit, (secret) => this.bearerOf(secret));
  }

  #createRpc(): RpcServer {
    const { config, endpoints, security, rpc, sink } = this.#init;
    const { limits, region } = config;
    const { audit } = this.#init;
    return new RpcServer({
      region,
      security,
      handshakeTimeoutMs: limits.rpcHandshakeTimeoutMs,
      connectionsPerClientMax: limits.rpcMaxConnsPerClient,
      methods: audit === undefined ? this.#methods : this.#audited(audit),
      streams: this.streams,
      raft: (stream, malformed, budget) => this.raft.serve(stream, malformed, budget),
      counters: rpc,
      clock: systemClock,
      log: sink.logger("nomad.rpc"),
      listen: (accept) => listenSockets(endpoints.bind.rpc, accept),
    });
  }

  #createStreams(): StreamMethods {
    const { config, sink, rpc } = this.#init;
    const { region } = config;
    const monitor = new MonitorMethod({
      region,
      monitor: new Monitor({ sink, clock: systemClock }),
      forwarder: this.#forwarder,
      server: (id) => this.#serverNamed(id),
      nodes: this.#nodeAccess,
      ownNode: this.#init.clientId,
      guard: this.raft.acl.guard,
    });
    const snapshots = snapshotMethods({
      region,
      guard: this.raft.acl.guard,
      consensus: this.raft.consensus,
      forwarder: this.#forwarder,
      leader: () => this.raft.leaderTarget(),
      nowMs: () => systemClock.wallMs(),
      log: sink.logger("nomad.snapshot"),
      restored: () => this.raft.restored(),
    });
    const methods = new Map<string, StreamMethod>([
      [MONITOR, monitor],
      [EVENTS, this.#events.method],
      ...snapshots,
    ]);
    const { audit } = this.#init;
    return new StreamMethods({
      methods: audit === undefined ? methods : auditedStreams(methods, audit),
      counters: rpc,
    });
  }

  #createMethods(): RpcMethods {
    const { consensus } = this.raft;
    const { region } = this.#init.config;
    const relay = { region, nodes: this.#nodeAccess, forwarder: this.#forwarder };
    const refusals = new RefusalLog(systemClock, this.#init.sink.logger("nomad.rpc"));
    return new RpcMethods({
      refused: (why) => refusals.note("certificate", "a call is refused", () => ({ why })),
      region,
      members: () => this.members(),
      regions: () => this.#directory.regions(),
      raftPeers: () => consensus.servers.map((one) => one.address),
      leader: () => consensus.leader?.address ?? "",
      raftStats: () => this.raft.stats(),
      verify: () => consensus.verify(),
      lines: this.#lines,
      isNode: (id, token) => this.raft.identities.auth.isNode(id, token),
      others: new Map([...this.raft.methods(), ...nodeRelayMethods(relay)]),
      forwarder: this.#forwarder,
      guard: this.raft.acl.guard,
    });
  }

  /** "leader" is whoever leads. */
  #serverNamed(id: string): PoolTarget | "self" | undefined {
    return id === "leader" ? this.raft.leaderTarget() : this.#directory.named(id);
  }

  #event(event: SerfEvent): void {
    if (event.kind === "user" || event.kind === "query") return; // Nomad ignores both.
    const server = serverOf(event.member);
    logEvent(this.#log, event.kind, server);
    this.#events.member(event.kind, server);
    this.#init.pool.forgive(server.address);
    this.raft.forgive(server.raftAddress);
    // Not on the spot: the machine that raised it is still at work.
    queueMicrotask(() => {
      this.#health.wake();
      this.raft.membersChanged();
      const gone = event.kind === "member-leave" || event.kind === "member-failed";
      if (gone) this.raft.memberGone(server);
    });
  }
}
