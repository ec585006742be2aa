/**
 * The composition root: a configuration becomes parts, started in order and stopped in reverse.
 *
 * @module
 */
import type { ApiContext, ReloadReport, VersionInfo } from "../api/context.ts";
import { type InClear, stillInClear } from "../api/status.ts";
import { changedSettings } from "../config/changes.ts";
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { systemClock } from "../host/clock.ts";
import { DESCRIPTORS_FEW, descriptors } from "../host/descriptors.ts";
import { systemEntropy } from "../host/entropy.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import { letGoOfCode } from "../host/let-go.ts";
import type { LogSink } from "../host/log.ts";
import { machineName } from "../host/machine.ts";
import { dialSocket, listenSockets } from "../host/network.ts";
import type { OwnIdentity } from "../http/access.ts";
import { HttpServer } from "../http/server.ts";
import { createPrng } from "../protocol/prng.ts";
import { nativeAead } from "../secret/native-aead.ts";
import { portableAead } from "../secret/portable-aead.ts";
import { compareProviders } from "../secret/self-test.ts";
import { EVENTS, EventMethod } from "../service/methods/event-method.ts";
import { Monitor } from "../service/methods/monitor.ts";
import { MONITOR, MonitorMethod } from "../service/methods/monitor-method.ts";
import { type StreamMethod, StreamMethods } from "../service/methods/stream-methods.ts";
import { RefusalLog } from "../service/refusals.ts";
import { RpcDialer, type RpcSecurity } from "../service/rpc/client/dial.ts";
import { inspectRpc } from "../service/rpc/client/inspect.ts";
import { RpcPool } from "../service/rpc/client/pool.ts";
import { createHandshakeCounters, createRpcCounters } from "../service/rpc/counters.ts";
import type { TlsMaterial } from "../tls/material.ts";
import { Auditing } from "./auditing.ts";
import { clientAcl } from "./client-acl.ts";
import { type ClientIdentity, loadClientIdentity } from "./client-identity.ts";
import type { ClientRole } from "./client-role.ts";
import { loadKeyring } from "./keyring-file.ts";
import { MetricsKeeper } from "./metrics-keeper.ts";
import { loadNodeId } from "./node-id.ts";
import { otherServers } from "./other-servers.ts";
import { tryReload } from "./reload-trial.ts";
import { loadRoles, type Roles } from "./roles.ts";
import { Security } from "./security.ts";
import { keyringPath, nodeIdPath } from "./server-files.ts";
import type { ServerRole } from "./server-role.ts";

/** What a reload takes; and autopilot's block, which is for a new cluster only. */
const RELOADED = ["tls", "log_level", "autopilot"];

interface AgentInit {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly version: VersionInfo;
  /** Checked; undefined when no TLS is on. */
  readonly material: TlsMaterial | undefined;
  readonly sink: LogSink;
  /** What lets its client node in where no server knows it yet, by flag or environment. */
  readonly introduction?: string | undefined;
  /** The agent cannot go on (retry_join is exhausted). */
  readonly onFatal: () => void;
  /** Reads the configuration again and passes it to `reload`. @throws Error: nothing has changed */
  readonly onReload: () => Promise<ReloadReport>;
}

export interface Agent {
  readonly nodeId: string;
  readonly context: ApiContext;
  /** What of the traffic is not encrypted, or need not be. */
  stillInClear(): readonly InClear[];
  /** The log level, and the tls block for new connections; those that live go on. */
  reload(config: Config, material: TlsMaterial | undefined): Promise<ReloadReport>;
  /** Files that somebody has moved away are written anew. */
  reopen(): void;
  /** Names of the living servers besides this one, fit to be printed. */
  otherServers(): Promise<readonly string[]>;
  /** Says goodbye to the cluster first. */
  leave(): Promise<void>;
  /** Drains and closes. */
  stop(): Promise<void>;
}

/** @throws Error with one sentence for the operator; nothing is left running */
export async function startAgent(init: AgentInit): Promise<Agent> {
  const { config, sink } = init;
  const difference = compareProviders(nativeAead, portableAead);
  if (difference !== undefined) {
    throw new Error(`the runtime's AES-GCM is broken: ${difference}; refusing to start`);
  }
  const identity = config.client.enabled
    ? loadClientIdentity(config, init.introduction)
    : undefined;
  const nodeId = config.server.enabled ? loadNodeId(nodeIdPath(config)) : (identity?.id ?? "");
  const audit = await Auditing.open(config, init.endpoints, sink.logger("agent.audit"));
  const parts = new Parts(init, nodeId, identity, audit, await loadRoles(config));
  try {
    await parts.start();
  } catch (error) {
    await parts.stop();
    throw error;
  }
  sink.logger("agent").debug("agent is up", { node_id: nodeId });
  return {
    nodeId,
    context: parts.context,
    stillInClear: () => stillInClear(parts.context),
    reload: (changed, material) => parts.reload(changed, material),
    otherServers: () => otherServers(parts.context),
    reopen: () => parts.reopen(),
    leave: () => parts.leave(),
    stop: () => parts.stop(),
  };
}

class Parts {
  readonly #init: AgentInit;
  readonly #log: Log;
  readonly #http: HttpServer;
  readonly #server: ServerRole | undefined;
  readonly #client: ClientRole | undefined;
  readonly #streams: StreamMethods;
  readonly #pool: RpcPool;
  readonly #security: Security;
  readonly #metrics: MetricsKeeper;
  readonly #audit: Auditing;
  /** Asked once: each request is compared with it. */
  readonly #machineName = machineName();
  readonly context: ApiContext;
  /** As it is in force. */
  #config: Config;
  #stopSettling: (() => void) | undefined;

  constructor(
    init: AgentInit,
    nodeId: string,
    identity: ClientIdentity | undefined,
    audit: Auditing,
    roles: Roles,
  ) {
    this.#init = init;
    this.#audit = audit;
    const { config, endpoints, sink, version } = init;
    this.#config = config;
    this.#log = sink.logger("agent");
    const security = new Security(config.tls, init.material);
    this.#security = security;
    this.#metrics = new MetricsKeeper(config, audit.log);
    const rpc = createRpcCounters();
    const dialer = new RpcDialer({
      security: () => security.rpc(),
      counters: rpc,
      log: sink.logger("nomad.rpc"),
      dial: dialSocket,
    });
    this.#pool = new RpcPool({
      ...{ dialer, clock: systemClock, log: sink.logger("nomad.rpc") },
      prng: createPrng(new DataView(systemEntropy.bytes(4).buffer).getUint32(0)),
      // A server in this process asks the client without a connection.
      onStream: (stream) => {
        if (this.#server !== undefined || this.#client === undefined) stream.destroy();
        else this.#client.serve(stream);
      },
    });
    this.#watchDescriptors();
    const loaded = loadKeyring(keyringPath(config), config.server.encrypt);
    if (loaded.divergence !== undefined) this.#log.warn(loaded.divergence);
    this.#server =
      roles.ServerRole &&
      new roles.ServerRole({
        config,
        endpoints,
        nodeId,
        revision: version.revision,
        keyring: loaded,
        security: () => security.rpc(),
        material: () => security.material,
        rpc,
        dialer,
        pool: this.#pool,
        sink,
        onFatal: init.onFatal,
        clientId: identity?.id,
        audit: audit.log,
      });
    this.#streams = this.#server?.streams ?? this.#ownLog(rpc, identity?.id);
    this.#client = identity && this.#createClient(identity, rpc, roles);
    const warnings = loaded.divergence === undefined ? [] : [loaded.divergence];
    this.context = this.#createContext(nodeId, rpc, warnings);
    this.#http = this.#createHttp(this.context.http);
  }

  #createClient(identity: ClientIdentity, counters: ApiContext["rpc"], roles: Roles) {
    const { config, endpoints, sink } = this.#init;
    const server = this.#server;
    return (
      roles.ClientRole &&
      new roles.ClientRole({
        ...{ config, endpoints, identity, pool: this.#pool, log: sink.logger("client"), counters },
        material: () => this.#security.material,
        streams: this.#streams,
        own:
          server &&
          ((_, method, body, how) => server.call(method, body, how.signal, this.#client?.line)),
      })
    );
  }

  /** Each connection takes one, and so does every file. */
  #watchDescriptors(): void {
    const { limit } = descriptors;
    const how = "raise LimitNOFILE= in systemd, or ulimit -Hn";
    if (limit < DESCRIPTORS_FEW) {
      this.#log.warn("this process may have few descriptors", { limit, next: how });
    }
    const refusals = new RefusalLog(systemClock, this.#log);
    descriptors.watch({
      isPeer: (ip) => this.#server?.isPeer(ip) === true,
      refused: () =>
        refusals.note("descriptors", "too many open connections: a new one is closed", () => ({
          ...{ open: descriptors.connections, descriptors: limit, next: how },
        })),
    });
  }

  #createContext(nodeId: string, rpc: ApiContext["rpc"], warnings: readonly string[]): ApiContext {
    const { endpoints, version, onReload } = this.#init;
    const [server, client] = [this.#server, this.#client];
    const config = (): Config => this.#config;
    return {
      get config() {
        return config();
      },
      endpoints,
      version,
      nodeId,
      startedAtMs: systemClock.wallMs(),
      nowMs: () => systemClock.wallMs(),
      gossip: server?.view(),
      rpc,
      http: createHandshakeCounters(),
      tls: () => this.#security.material,
      peers: () => server?.peerReports() ?? [],
      sessions: () => this.#pool.reports(),
      warnings,
      members: async () => server?.members() ?? client?.members() ?? nobody(),
      inspect: (address, region) => {
        const security = (): RpcSecurity => this.#security.rpc();
        return inspectRpc({ security, dial: dialSocket }, address, region);
      },
      reload: onReload,
      raft: server?.raft.view(),
      client: client && {
        id: client.id,
        report: () => client.report(),
        setServers: (servers) => client.setServers(servers),
      },
      call: async (...asked) => (server ?? client)?.call(...asked) ?? nobody(),
      streams: this.#streams,
      metrics: this.#metrics.view,
      acl: server?.raft.acl.access ?? clientAcl(config(), client),
    };
  }

  /** A client has its own log to show, and servers to ask for events. */
  #ownLog(counters: ApiContext["rpc"], ownNode: string | undefined): StreamMethods {
    const { sink, config } = this.#init;
    const streamTo = async () => (await this.#client?.stream()) ?? nobody();
    const method = new MonitorMethod({
      ...{ region: config.region, streamTo, ownNode, nodes: undefined },
      monitor: new Monitor({ sink, clock: systemClock }),
      forwarder: undefined,
      server: () => undefined,
    });
    const events = new EventMethod({
      ...{ region: config.region, broker: undefined, clock: systemClock, isClient: true },
      streamTo,
    });
    const methods = new Map<string, StreamMethod>([
      [MONITOR, method],
      [EVENTS, events],
    ]);
    return new StreamMethods({ methods, counters });
  }

  #ownIdentity(): OwnIdentity {
    const { config } = this.#init;
    const { material } = this.#security;
    const names = [config.name, this.#machineName, ...(material?.certificate.dnsNames ?? [])];
    const secured = this.#security.http().identity !== undefined;
    return { region: config.region, names, secured, byToken: config.acl.enabled };
  }

  async start(): Promise<void> {
    await this.#server?.start();
    const { createHttpApp } = await import("../http/app.ts");
    const app = createHttpApp({
      context: this.context,
      log: this.#init.sink.logger("http"),
      callerOf: (request) => this.#http.callerOf(request),
      own: () => this.#ownIdentity(),
    });
    const callerOf: HttpServer["callerOf"] = (request) => this.#http.callerOf(request);
    const audited = await this.#audit.around(app, callerOf, (one) => this.#server?.bearerOf(one));
    await this.#http.start(audited).catch((error: unknown) => {
      const text = errorText(error);
      throw new Error(`Error starting http server: failed to start HTTP listener: ${text}`);
    });
    await this.#server?.joinOthers();
    this.#client?.start();
    await this.#metrics.start(this.context, this.#init.sink.logger("agent"));
    this.#stopSettling = letGoOfCode(systemClock, this.#server === undefined);
  }

  /** Files that somebody has moved away are written anew. */
  reopen(): void {
    this.#audit.log?.reopen();
  }

  /** All of it or, if something is wrong, nothing. @throws Error, and nothing has changed */
  async reload(changed: Config, material: TlsMaterial | undefined): Promise<ReloadReport> {
    const { sink, config: atStart } = this.#init;
    const { tls, logLevel } = changed;
    const next = this.#security.prepare(tls, material);
    const { changes } = next;
    if (changes.length > 0) {
      await tryReload({
        region: atStart.region,
        before: this.#security.rpc(),
        after: next.rpc,
        peers: this.#server?.peers() ?? (await this.#client?.peers()) ?? [],
        log: sink.logger("nomad.rpc"),
      });
    }
    this.#security.take(next);
    const before = this.#config.logLevel;
    this.#config = { ...this.#config, tls, logLevel };
    sink.setLevel(logLevel);
    const level = before === logLevel ? [] : [`log_level: ${before} -> ${logLevel}`];
    if (changes.length === 0) {
      const fields = level.length === 0 ? {} : { changes: level };
      this.#log.info("reloaded: the tls block is the same", fields);
    } else {
      this.#pool.retireAll();
      this.#server?.reloaded();
      this.#client?.reloaded();
      const all = [...changes, ...level];
      this.#log.info("reloaded: new connections use the new tls settings", { changes: all });
    }
    const restart = changedSettings(atStart, changed, RELOADED);
    if (restart.length > 0) {
      this.#log.warn("reloaded: these settings have changed, too, and need a restart", {
        settings: restart,
      });
    }
    return { changes: [...changes, ...level], restart_needed: restart };
  }

  async leave(): Promise<void> {
    await this.#client?.leave();
    await this.#server?.leave();
  }

  async stop(): Promise<void> {
    this.#stopSettling?.();
    this.#metrics.stop();
    if (this.#init.config.client.drainOnShutdown) await this.#client?.leave();
    this.#client?.stop();
    await this.#server?.handOver();
    await this.#http.close();
    this.#pool.close();
    await this.#server?.stop();
    this.#audit.log?.close();
  }

  #createHttp(counters: ApiContext["http"]): HttpServer {
    const { config, endpoints, sink } = this.#init;
    const { limits } = config;
    return new HttpServer({
      addresses: endpoints.bind.http,
      security: () => this.#security.http(),
      handshakeTimeoutMs: limits.httpsHandshakeTimeoutMs,
      connectionsPerClientMax: limits.httpMaxConnsPerClient,
      headers: config.httpApiResponseHeaders,
      counters,
      clock: systemClock,
      log: sink.logger("http"),
      listen: listenSockets,
    });
  }
}

/** The configuration wants a server, a client or both. */
function nobody(): never {
  throw new Error("neither a server nor a client");
}
