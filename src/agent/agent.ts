/**
 * The composition root: a configuration becomes parts, started in order and stopped in reverse.
 *
 * @module
 */
import { join } from "node:path";
import type { ApiContext, VersionInfo } from "../api/context.ts";
import { type InClear, stillInClear } from "../api/status.ts";
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { systemClock } from "../host/clock.ts";
import { makeDirectory } from "../host/disk.ts";
import { errorText } from "../host/error-text.ts";
import type { Log, LogFields } from "../host/host.ts";
import type { LogSink } from "../host/log.ts";
import { dialSocket, listenSockets } from "../host/network.ts";
import { HttpServer } from "../http/server.ts";
import { nativeAead } from "../secret/native-aead.ts";
import { portableAead } from "../secret/portable-aead.ts";
import { compareProviders } from "../secret/self-test.ts";
import { RpcClient } from "../service/rpc-client.ts";
import { createHandshakeCounters, createRpcCounters } from "../service/rpc-counters.ts";
import type { CertificateInfo } from "../tls/certificate.ts";
import { createIdentity, type TlsIdentity } from "../tls/handshake.ts";
import type { TlsMaterial } from "../tls/material.ts";
import { ClientRole } from "./client-role.ts";
import { loadKeyring } from "./keyring-file.ts";
import { loadNodeId } from "./node-id.ts";
import { ServerRole } from "./server-role.ts";

export interface AgentInit {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly version: VersionInfo;
  /** Checked; undefined when no TLS is on. */
  readonly material: TlsMaterial | undefined;
  readonly sink: LogSink;
  /** The agent cannot go on (retry_join is exhausted). */
  readonly onFatal: () => void;
}

export interface Agent {
  readonly nodeId: string;
  readonly context: ApiContext;
  /** What of the traffic is not encrypted, or need not be. */
  stillInClear(): readonly InClear[];
  /** New certificates for new connections; those that live go on. */
  reload(material: TlsMaterial | undefined): void;
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
  const nodeId = loadNodeId(nodeIdPath(config));
  const parts = new Parts(init, nodeId);
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
    reload: (material) => parts.reload(material),
    leave: () => parts.leave(),
    stop: () => parts.stop(),
  };
}

class Parts {
  readonly #init: AgentInit;
  readonly #log: Log;
  readonly #http: HttpServer;
  readonly #server: ServerRole | undefined;
  readonly #ownNames: () => readonly string[];
  readonly context: ApiContext;
  #identity: TlsIdentity | undefined;

  constructor(init: AgentInit, nodeId: string) {
    this.#init = init;
    const { config, endpoints, material, sink, version } = init;
    this.#log = sink.logger("agent");
    const { tls } = config;
    this.#identity = this.#identityOf(material);
    const rpcIdentity = (): TlsIdentity | undefined => (tls.rpc ? this.#identity : undefined);
    const rpc = createRpcCounters();
    const client = new RpcClient({
      identity: rpcIdentity,
      verifyServerHostname: tls.verifyServerHostname,
      counters: rpc,
      log: sink.logger("nomad.rpc"),
      dial: dialSocket,
    });
    const loaded = loadKeyring(keyringPath(config), config.server.encrypt);
    if (loaded.divergence !== undefined) this.#log.warn(loaded.divergence);
    this.#server = config.server.enabled
      ? new ServerRole({
          config,
          endpoints,
          nodeId,
          revision: version.revision,
          keyring: loaded,
          identity: rpcIdentity,
          rpc,
          client,
          sink,
          onFatal: init.onFatal,
        })
      : undefined;
    const server = this.#server;
    const reader = new ClientRole({ config, client, log: sink.logger("client") });
    const http = createHandshakeCounters();
    this.context = {
      config,
      endpoints,
      version,
      nodeId,
      startedAtMs: systemClock.wallMs(),
      nowMs: () => systemClock.wallMs(),
      gossip: server?.view(),
      rpc,
      http,
      tls: () => this.#identity?.material,
      peers: () => server?.peerReports() ?? [],
      warnings: loaded.divergence === undefined ? [] : [loaded.divergence],
      members: async () => server?.members() ?? reader.members(),
    };
    this.#http = this.#createHttp(http);
    this.#ownNames = () => [config.name, ...(this.#identity?.material.certificate.dnsNames ?? [])];
  }

  async start(): Promise<void> {
    await this.#server?.start();
    const { createHttpApp } = await import("../http/app.ts");
    const app = createHttpApp({
      context: this.context,
      log: this.#init.sink.logger("http"),
      callerOf: (request) => this.#http.callerOf(request),
      ownNames: this.#ownNames,
    });
    await this.#http.start(app).catch((error: unknown) => {
      const text = errorText(error);
      throw new Error(`Error starting http server: failed to start HTTP listener: ${text}`);
    });
    await this.#server?.joinOthers();
  }

  reload(material: TlsMaterial | undefined): void {
    const before = this.#identity?.material.certificate.fingerprint;
    this.#identity = this.#identityOf(material);
    const after = this.#identity?.material.certificate;
    if (before === after?.fingerprint) this.#log.info("reloaded: the certificate is the same");
    else this.#log.info("reloaded: new connections use the new certificate", certFields(after));
  }

  #identityOf(material: TlsMaterial | undefined): TlsIdentity | undefined {
    const { minVersion, cipherSuites } = this.#init.config.tls;
    return material === undefined ? undefined : createIdentity(material, minVersion, cipherSuites);
  }

  async leave(): Promise<void> {
    await this.#server?.leave();
  }

  async stop(): Promise<void> {
    await this.#http.close();
    await this.#server?.stop();
  }

  #createHttp(counters: ApiContext["http"]): HttpServer {
    const { config, endpoints, sink } = this.#init;
    const { tls, limits } = config;
    return new HttpServer({
      addresses: endpoints.bind.http,
      identity: () => (tls.http ? this.#identity : undefined),
      verifyClient: tls.verifyHttpsClient,
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

function certFields(info: CertificateInfo | undefined): LogFields {
  if (info === undefined) return {};
  return { subject: info.subject, not_after: new Date(info.notAfterMs).toISOString() };
}

/** The server's `node-id`, the client's `client-id`; nowhere in dev mode. */
function nodeIdPath(config: Config): string | undefined {
  if (config.dataDir === "") return undefined;
  const { server } = config;
  const directory = server.enabled
    ? (server.dataDir ?? join(config.dataDir, "server"))
    : join(config.dataDir, "client");
  makeDirectory(directory);
  return join(directory, server.enabled ? "node-id" : "client-id");
}

/** Always below data_dir, also when server.data_dir is set; nowhere in dev mode. */
function keyringPath(config: Config): string | undefined {
  if (config.dataDir === "" || !config.server.enabled) return undefined;
  makeDirectory(join(config.dataDir, "server"));
  return join(config.dataDir, "server", "serf.keyring");
}
