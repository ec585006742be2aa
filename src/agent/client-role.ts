/**
 * An agent as a client node: it tells servers of itself and that it lives, and passes on to them
 * what it is asked. It takes no part in gossip.
 *
 * @module
 */
import { tmpdir } from "node:os";
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { DEFAULT_PORTS } from "../config/ports.ts";
import { systemClock } from "../host/clock.ts";
import { systemEntropy } from "../host/entropy.ts";
import { errorText } from "../host/error-text.ts";
import { fingerprint } from "../host/fingerprint.ts";
import type { ByteStream, Log } from "../host/host.ts";
import { machineInterfaces } from "../host/interfaces.ts";
import { formatAddress, splitHostPort } from "../host/ip.ts";
import { lookupHost } from "../host/machine.ts";
import { streamPair } from "../host/stream-pair.ts";
import { CoreMeter } from "../host/usage.ts";
import type { Address } from "../protocol/ports.ts";
import { createPrng } from "../protocol/prng.ts";
import { queryHeldMs } from "../service/blocking-query.ts";
import type { StreamMethods } from "../service/methods/stream-methods.ts";
import { type NodeCall, NodeClient, type NodeReport } from "../service/node/client.ts";
import { ClientMethods } from "../service/node/client-methods.ts";
import { HeldIdentity } from "../service/node/held-identity.ts";
import { NodeMeta } from "../service/node/node-meta.ts";
import { interfaceOf, nodeRecord } from "../service/node/record.ts";
import { ReverseCalls } from "../service/node/reverse.ts";
import { RpcRemoteError } from "../service/rpc/call.ts";
import type { RpcPeer } from "../service/rpc/client/peer-health.ts";
import type { PoolTarget, RpcPool } from "../service/rpc/client/pool.ts";
import type { RpcCounters } from "../service/rpc/counters.ts";
import type { CallerLine } from "../service/rpc/method-error.ts";
import { BY_THE_NODE } from "../service/rpc/roles.ts";
import { type Node, node as nodeCodec } from "../state/node.ts";
import { daysLeft } from "../tls/certificate.ts";
import type { TlsMaterial } from "../tls/material.ts";
import { NOMAD_VERSION } from "../version.ts";
import { encodeValue } from "../wire/codec.ts";
import {
  decodeNodeNamed,
  decodeQueryOptions,
  decodeServerMembers,
  encodeQueryOptions,
  encodeText,
  type ServerMembers,
  withField,
} from "../wire/rpc-status.ts";
import type { ClientIdentity } from "./client-identity.ts";
import { keptMeta } from "./meta-file.ts";

const TIMEOUT_MS = 10_000;
/** Of a server that an operator names. */
const PING_MS = 5000;
/** How often it is looked whether the machine has changed: addresses, memory, certificates. */
const LOOK_MS = 60_000;
/** Then whatever a start needs has been done. */
const SETTLED_MS = 10_000;
/** Servers' names whose misses are counted. */
const NAMES_MAX = 256;

interface ClientRoleInit {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly identity: ClientIdentity;
  readonly material: () => TlsMaterial | undefined;
  readonly pool: RpcPool;
  /** A server in this process, which is asked instead of any other. */
  readonly own: NodeCall | undefined;
  readonly log: Log;
  readonly counters: RpcCounters;
  /** What servers may ask for as a stream. */
  readonly streams: StreamMethods;
}

export class ClientRole {
  readonly #init: ClientRoleInit;
  readonly #node: NodeClient;
  readonly #meta: NodeMeta;
  readonly #held: HeldIdentity;
  readonly #reverse: ReverseCalls;
  #record: Node;
  readonly #line: CallerLine = {
    open: true,
    openStream: () => {
      const [near, far] = streamPair();
      this.serve(far);
      return near;
    },
  };
  #stopLooking: (() => void) | undefined;
  /** How often each name has not led to a server: another of its addresses is tried then. */
  readonly #misses = new Map<string, number>();

  /** @throws Error with one sentence for the operator */
  constructor(init: ClientRoleInit) {
    this.#init = init;
    const { config, endpoints, identity, own, log } = init;
    checkInterface(config);
    this.#meta = new NodeMeta({
      configured: config.client.meta,
      ...keptMeta(identity.directory),
    });
    this.#held = new HeldIdentity({
      ...{ secret: identity.secret, identity: identity.signed },
      ...{ introduction: identity.introduction, save: identity.saveSigned },
    });
    this.#reverse = this.#createReverse();
    this.#record = this.#look();
    const configured = [...config.client.servers, ...config.client.join.retryJoin];
    this.#node = new NodeClient({
      region: config.region,
      id: identity.id,
      secret: identity.secret,
      identity: this.#held,
      servers:
        own === undefined ? configured.map(withPort) : [formatAddress(endpoints.advertise.rpc)],
      inProcess: own !== undefined,
      record: () => this.#record,
      call: own ?? ((...call) => this.#callAt(...call)),
      clock: systemClock,
      prng: createPrng(new DataView(systemEntropy.bytes(4).buffer).getUint32(0)),
      log,
    });
  }

  get id(): string {
    return this.#init.identity.id;
  }

  /** On which a server in this process asks, too. */
  get line(): CallerLine {
    return this.#line;
  }

  /** A stream that a server has opened towards us. */
  serve(stream: ByteStream): void {
    void this.#reverse.serve(stream);
  }

  start(): void {
    this.#node.start();
    this.#schedule(SETTLED_MS);
  }

  leave(): Promise<void> {
    return this.#node.leave();
  }

  stop(): void {
    this.#stopLooking?.();
    this.#node.stop();
  }

  /** The TLS settings have changed: the next calls use the new ones. */
  reloaded(): void {
    this.#lookAgain();
    this.#node.reconnect();
  }

  report(): NodeReport {
    return this.#node.report();
  }

  /** An operator's list until the agent ends: those of it that answer. @throws Error: none does */
  async setServers(servers: readonly string[]): Promise<void> {
    const names = servers.map(withPort);
    const body = encodeQueryOptions({ Region: this.#init.config.region });
    const pings = names.map(async (name): Promise<string> => {
      const target = await this.#target(name);
      await this.#init.pool.call(target, "Status.Ping", body, PING_MS, true);
      return name;
    });
    const ended = await Promise.allSettled(pings);
    const answered = ended.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const errors = ended.flatMap((one, i) => {
      return one.status === "rejected" ? [`${names[i]}: ${errorText(one.reason)}`] : [];
    });
    if (answered.length === 0) throw new Error(`no server answers: ${errors.join("; ")}`);
    if (errors.length > 0)
      this.#init.log.warn("servers do not answer, and are left out", { errors });
    this.#node.configure(answered);
  }

  /** Members as a server sees them. @throws Error when none answers */
  async members(): Promise<ServerMembers> {
    const { config, identity } = this.#init;
    // Asked as the node: whoever asks the agent has been judged by it.
    const AuthToken = identity.secret;
    const body = encodeQueryOptions({ AuthToken, Region: config.region, AllowStale: true });
    const members = decodeServerMembers(await this.call("Status.Members", body));
    if (members === undefined) throw new Error("the reply cannot be decoded");
    return members;
  }

  /** The servers that it knows and that have an address. */
  async peers(): Promise<readonly RpcPeer[]> {
    const { region } = this.#init.config;
    const found = this.#node.servers.map(async (name) => {
      const address = await addressOf(name).catch(() => undefined);
      return address === undefined ? [] : [{ name, region, address }];
    });
    return (await Promise.all(found)).flat();
  }

  /** Asks the server that the node talks to, and the others in turn when it does not answer. */
  async call(method: string, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const { pool, log } = this.#init;
    const errors: string[] = [];
    const options = decodeQueryOptions(body);
    const withinMs = TIMEOUT_MS + (options === undefined ? 0 : queryHeldMs(options));
    const signed = this.#signed(method, body);
    for (const server of this.#node.servers) {
      try {
        return await pool.call(await this.#target(server), method, signed, withinMs, true, signal);
      } catch (error) {
        // That is the answer: another server has no better one.
        if (error instanceof RpcRemoteError) throw error;
        errors.push(`${server}: ${errorText(error)}`);
      }
    }
    log.warn("no server answered", { errors });
    throw new Error(errors.length === 0 ? "no known servers" : `no servers: ${errors.join("; ")}`);
  }

  /** A streaming call's other half, at a server that answers. @throws Error when none does */
  async stream(): Promise<ByteStream> {
    const errors: string[] = [];
    for (const server of this.#node.servers) {
      try {
        return await this.#init.pool.stream(await this.#target(server));
      } catch (error) {
        errors.push(`${server}: ${errorText(error)}`);
      }
    }
    throw new Error(errors.length === 0 ? "no known servers" : `no servers: ${errors.join("; ")}`);
  }

  /** An operator at this agent changes its own node: to the servers its secret says so. */
  #signed(method: string, body: Uint8Array): Uint8Array {
    const { id, secret } = this.#init.identity;
    // Where there are tokens, the operator's own decides.
    if (this.#init.config.acl.enabled) return body;
    const isOwn = BY_THE_NODE.has(method) && decodeNodeNamed(body) === id;
    return isOwn ? withField(body, "AuthToken", encodeText(secret)) : body;
  }

  /** The node's own calls: its machine says when, so that nothing else holds them back. */
  async #callAt(...[server, method, body, how]: Parameters<NodeCall>): Promise<Uint8Array> {
    const { pool } = this.#init;
    const target = await this.#target(server);
    pool.forgive(target.address);
    try {
      return await pool.call(target, method, body, how.timeoutMs, how.repeat, how.signal);
    } catch (error) {
      if (this.#misses.size > NAMES_MAX) this.#misses.clear();
      this.#misses.set(server, (this.#misses.get(server) ?? 0) + 1);
      throw this.#explained(error);
    }
  }

  /** A server that does not take our certificate hangs up, and its alert may be lost. */
  #explained(error: unknown): unknown {
    const { certificate } = (this.#init.config.tls.rpc ? this.#init.material() : undefined) ?? {};
    const isOver = certificate !== undefined && certificate.notAfterMs < systemClock.wallMs();
    if (!isOver || error instanceof RpcRemoteError) return error;
    return new Error(`${errorText(error)} (our own has expired: renew it)`);
  }

  async #target(server: string): Promise<PoolTarget> {
    const address = await addressOf(server, this.#misses.get(server) ?? 0);
    return { address, region: this.#init.config.region };
  }

  get #directory(): string {
    return this.#init.identity.directory ?? tmpdir();
  }

  #createReverse(): ReverseCalls {
    const { identity, config, counters, streams } = this.#init;
    const methods = new ClientMethods({
      ...{ id: identity.id, directory: this.#directory, meta: this.#meta, identity: this.#held },
      ...{ meter: new CoreMeter(), debug: config.enableDebug, clock: systemClock },
      changed: () => this.#lookAgain(),
    });
    return new ReverseCalls({ methods, streams, counters, clock: systemClock });
  }

  #look(): Node {
    const { config, endpoints, identity, material } = this.#init;
    const certificate = config.tls.rpc ? material()?.certificate : undefined;
    return nodeRecord({
      ...{ config, id: identity.id, secret: identity.secret, version: NOMAD_VERSION },
      fingerprint: fingerprint(this.#directory),
      meta: this.#meta.all,
      httpAddress: formatAddress(endpoints.advertise.http),
      certificateDaysLeft:
        certificate === undefined ? undefined : daysLeft(certificate, systemClock.wallMs()),
    });
  }

  /** Registers again if there is something new to tell. */
  #lookAgain(): void {
    let found: Node;
    try {
      found = this.#look();
    } catch (error) {
      return this.#init.log.warn("cannot look at this machine", { error: errorText(error) });
    }
    const [before, now] = [this.#record, found].map((one) => encodeValue(nodeCodec, one));
    if (before !== undefined && now !== undefined && isSame(before, now)) return;
    this.#record = found;
    this.#node.changed();
  }

  #schedule(waitMs: number): void {
    this.#stopLooking = systemClock.schedule(systemClock.now() + waitMs, () => {
      this.#lookAgain();
      this.#schedule(LOOK_MS);
    });
  }
}

/** @throws Error when there is none of that name */
function checkInterface({ client }: Config): void {
  const { networkInterface } = client;
  if (networkInterface === "") return;
  const wanted = interfaceOf(networkInterface);
  const names = [...new Set(machineInterfaces().map(({ name }) => name))];
  if (names.includes(wanted)) return;
  throw new Error(
    `client.network_interface: this machine has no interface "${wanted}": ` +
      `it has ${names.join(", ")}`,
  );
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** As servers write each other's addresses, so that one and the same is not known twice. */
function withPort(server: string): string {
  const { host, port = DEFAULT_PORTS.rpc } = splitHostPort(server);
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @param misses how often it was no use: a name may have several addresses */
async function addressOf(server: string, misses = 0): Promise<Address> {
  const { host, port = DEFAULT_PORTS.rpc } = splitHostPort(server);
  const all = await lookupHost(host);
  const ip = all[misses % Math.max(1, all.length)];
  if (ip === undefined) throw new Error(`lookup ${host}: no such host`);
  return { ip, port };
}
