/**
 * The server port: one byte chooses the protocol, TLS first where it is required
 * (wire/rpc-and-raft.md §1). What a peer may cost is limited at each stage.
 *
 * @module
 */
import { errorText } from "../../../host/error-text.ts";
import { FAREWELL_MS, finish } from "../../../host/finish.ts";
import type { ByteStream, Clock, Log, StreamServer } from "../../../host/host.ts";
import { formatAddress, formatIp } from "../../../host/ip.ts";
import type { SocketStream } from "../../../host/network.ts";
import { certificateNames } from "../../../tls/certificate.ts";
import { acceptTls, type SecuredStream, type TlsIdentity } from "../../../tls/handshake.ts";
import { TlsError } from "../../../tls/refusal.ts";
import { ConnectionLimit } from "../../connection-limit.ts";
import type { RpcMethods } from "../../methods/methods.ts";
import type { StreamMethods } from "../../methods/stream-methods.ts";
import { Pace } from "../../pace.ts";
import { PacedStream } from "../../paced-stream.ts";
import { countRefusal, RefusalLog } from "../../refusals.ts";
import type { RpcSecurity } from "../client/dial.ts";
import type { RpcCounters } from "../counters.ts";
import { KeptBytes, type Share } from "../kept-bytes.ts";
import type { RpcCaller } from "../method-error.ts";
import { MODE_NAMES, RpcMode } from "../mode.ts";
import { Mux } from "../mux.ts";
import { isServer, mayDial, serverName } from "../roles.ts";
import type { Budget } from "../value-stream.ts";
import { RpcConnections } from "./connections.ts";
import { ByteBudget, serveCalls } from "./serve.ts";

/** Nomad waits for ever for the byte inside TLS; anybody with a certificate could hold us up. */
const INNER_BYTE_MS = 30_000;
/** On a connection without multiplexing: for the first request, and for the next. */
const FIRST_REQUEST_MS = 30_000;
const NEXT_REQUEST_MS = 10 * 60_000;
/** Requests that are not whole yet, of all streams of a connection. */
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
/**
 * All that peers have us keep (kept-bytes.ts). What a client asks in a storm of registrations is a
 * few dozen KiB, so that thousands of them fit, and the longest answers to some servers, too.
 */
const ALL_KEPT_BYTES_MAX = 256 * 1024 * 1024;
/** The same of Raft's calls: a whole snapshot comes in one of them. */
const ALL_RAFT_BYTES_MAX = 512 * 1024 * 1024;
/** Connections of one address that streaming must leave for calls (Nomad's number). */
const STREAMING_RESERVED = 20;
/** First byte of a TLS record: somebody speaks TLS without Nomad's byte in front. */
const TLS_RECORD = 0x16;

interface RpcServerInit {
  readonly region: string;
  readonly security: () => RpcSecurity;
  readonly handshakeTimeoutMs: number;
  readonly connectionsPerClientMax: number;
  readonly methods: Pick<RpcMethods, "call" | "bodyBytesMax">;
  readonly streams: StreamMethods;
  /** Serves a Raft connection behind its mode byte. */
  readonly raft: (stream: ByteStream, malformed: () => void, budget: Budget) => void;
  readonly counters: RpcCounters;
  readonly clock: Clock;
  readonly log: Log;
  readonly listen: (accept: (stream: SocketStream) => void) => Promise<StreamServer>;
}

/** A connection whose protocol may be chosen now. */
interface Chosen {
  readonly stream: SocketStream;
  readonly secured: boolean;
  readonly caller: RpcCaller;
}

/** Of a connection, for each of its streams. */
interface Budgets {
  readonly budget: Budget;
  readonly unanswered: Budget;
}

export class RpcServer {
  readonly #init: RpcServerInit;
  readonly #limit: ConnectionLimit;
  readonly #streamingLimit: ConnectionLimit;
  readonly #refusals: RefusalLog;
  readonly #connections: RpcConnections;
  readonly #kept = new KeptBytes(ALL_KEPT_BYTES_MAX);
  readonly #keptOfRaft = new KeptBytes(ALL_RAFT_BYTES_MAX);
  /** Of all connections but Raft's, which must not wait for them. */
  readonly #pace: Pace;
  #server: StreamServer | undefined;

  constructor(init: RpcServerInit) {
    this.#init = init;
    this.#pace = new Pace(init.clock);
    const max = init.connectionsPerClientMax;
    this.#limit = new ConnectionLimit(max);
    this.#streamingLimit = new ConnectionLimit(max === 0 ? 0 : max - STREAMING_RESERVED);
    this.#refusals = new RefusalLog(init.clock, init.log);
    this.#connections = new RpcConnections(init.counters, init.clock);
  }

  async start(): Promise<void> {
    this.#server = await this.#init.listen((stream) => this.#accept(stream));
  }

  /** Before the end: nobody new, and answers for whoever has asked, for so long. */
  async drain(withinMs: number): Promise<void> {
    void this.#server?.close(); // It listens no more; what is open stays so for now.
    await this.#connections.drainAll(withinMs);
  }

  async close(): Promise<void> {
    this.#connections.close();
    await this.#server?.close();
  }

  /** The security settings changed: connections in the clear end with their calls, if they must. */
  reloaded(): void {
    const { identity, upgradeMode } = this.#init.security();
    if (identity !== undefined && !upgradeMode) this.#connections.drainPlain();
  }

  #accept(stream: SocketStream): void {
    const { ip } = stream.remote;
    if (!this.#limit.take(ip)) {
      const limit = this.#init.connectionsPerClientMax;
      const message = "rejecting client for exceeding maximum RPC connections";
      return this.#refuse(stream, "too-many-connections", message, { limit });
    }
    this.#connections.add(stream);
    stream.socket.once("close", () => {
      this.#connections.remove(stream);
      this.#limit.release(ip);
    });
    void this.#plain(stream);
  }

  async #plain(stream: SocketStream): Promise<void> {
    const { handshakeTimeoutMs, security, counters } = this.#init;
    const mode = await stream.takeFirst(handshakeTimeoutMs);
    if (mode === "ended") return stream.destroy();
    if (mode === "timeout") {
      return this.#refuse(stream, "timeout", "failed to read first RPC byte: i/o timeout");
    }
    const { identity, upgradeMode } = security();
    if (mode === RpcMode.tls) {
      if (identity !== undefined) return this.#secure(stream, identity);
      const message =
        "TLS connection attempted, server not configured for TLS: set tls { rpc = true }";
      return this.#refuse(stream, "tls-not-configured", message);
    }
    if (identity !== undefined && !upgradeMode) {
      const message =
        mode === TLS_RECORD
          ? "a TLS connection without Nomad's leading byte: the RPC port speaks TLS only to agents"
          : "non-TLS connection attempted with RequireTLS set: set tls { rpc = true } on the dialler";
      return this.#refuse(stream, "plaintext", message);
    }
    counters.plainConnections += 1;
    this.#connections.isPlain(stream);
    const from = {
      address: formatAddress(stream.remote),
      names: undefined,
      fingerprint: undefined,
    };
    this.#serve({ stream, secured: false, caller: { names: undefined, from } }, mode);
  }

  async #secure(plain: SocketStream, identity: TlsIdentity): Promise<void> {
    const { handshakeTimeoutMs: timeoutMs, counters, security, region } = this.#init;
    let accepted: SecuredStream;
    try {
      accepted = await acceptTls(plain, identity, { requireClient: true, timeoutMs });
    } catch (error) {
      return this.#refusedHandshake(plain, identity, error);
    }
    const { stream, peer } = accepted;
    this.#connections.isSecured(plain, stream);
    const names = peer === undefined ? [] : certificateNames(peer);
    const { verifyServerHostname } = security();
    if (verifyServerHostname && !mayDial(names, region)) {
      countRefusal(counters.inbound.refused, "wrong-role");
      const message =
        "failed TLS handshake: invalid role or region for certificate: " +
        `it must name server.<region>.nomad or client.${region}.nomad`;
      return this.#refuse(stream, "wrong-role", message, { names });
    }
    counters.inbound.accepted += 1;
    const inner = await stream.takeFirst(INNER_BYTE_MS);
    if (inner === "timeout") {
      return this.#refuse(stream, "timeout", "failed to read inner RPC byte: i/o timeout");
    }
    if (inner === "ended") return stream.destroy();
    if (inner === RpcMode.tls) {
      const message = "TLS connection attempting to establish inner TLS connection";
      return this.#refuse(stream, "inner-tls", message);
    }
    const { fingerprint } = peer ?? {};
    const from = { address: formatAddress(stream.remote), names, fingerprint };
    const caller = { names: verifyServerHostname ? names : undefined, from };
    this.#serve({ stream, secured: true, caller }, inner);
  }

  #refusedHandshake(stream: SocketStream, tls: TlsIdentity, error: unknown): void {
    const reason = error instanceof TlsError ? error.reason : "other";
    const detail = errorText(error);
    countRefusal(this.#init.counters.inbound.refused, reason);
    const authorities = tls.material.authorities.map((one) => one.commonName);
    const fields = { our_ca: authorities, our_cert: tls.material.certificate.commonName };
    this.#refuse(
      stream,
      reason,
      `failed TLS handshake: ${detail}: ${nextStep(reason, this.#init.region)}`,
      fields,
    );
  }

  #serve(chosen: Chosen, mode: number): void {
    const { stream } = chosen;
    const name = MODE_NAMES.get(mode);
    if (name === undefined) {
      const message = "unrecognized RPC byte";
      return this.#refuse(stream, "unknown-byte", message, { byte: mode });
    }
    countRefusal(this.#init.counters.connections, name);
    this.#connections.hasBegun(stream);
    switch (mode) {
      case RpcMode.nomad:
        return this.#calls(chosen);
      case RpcMode.raft:
        return this.#raft(chosen);
      case RpcMode.streaming:
        return this.#streaming(chosen);
      default:
        return this.#multiplex(chosen, mode === RpcMode.multiplexV2);
    }
  }

  /** A part of what all may have us keep; whoever has the most is cut off when it is too much. */
  #share({ stream, caller }: Chosen, all = this.#kept): Share {
    const share = all.share(caller.from?.fingerprint ?? formatIp(stream.remote.ip), () => {
      this.#refuse(stream, "too-much-kept", "rpc: all connections together have us keep too much");
    });
    stream.socket.once("close", () => share.close());
    return share;
  }

  #calls(chosen: Chosen): void {
    const { methods, counters, clock } = this.#init;
    const { stream, caller } = chosen;
    const share = this.#share(chosen);
    serveCalls(new PacedStream(stream, this.#pace), {
      methods,
      counters,
      clock,
      caller,
      refuse: (reason, message) => this.#refuse(stream, reason, message),
      firstMs: FIRST_REQUEST_MS,
      idleMs: NEXT_REQUEST_MS,
      budget: new ByteBudget(PENDING_BYTES_MAX, share),
      unanswered: share,
      untaken: share,
    });
  }

  /** Raft between servers of one region only; a cluster on its way to TLS has to let it pass. */
  #raft(chosen: Chosen): void {
    const { security, region, raft } = this.#init;
    const { stream, secured, caller } = chosen;
    const mustProve = secured && caller.names !== undefined && !security().upgradeMode;
    if (mustProve && !isServer(caller.names ?? [], region)) {
      const message = `a Raft connection must prove the name ${serverName(region)}`;
      return this.#refuse(stream, "raft-not-a-server", message, { names: caller.names ?? [] });
    }
    const malformed = (): void => {
      this.#refuse(stream, "raft-malformed", "a Raft call that no server of the region sends");
    };
    raft(stream, malformed, this.#share(chosen, this.#keptOfRaft));
  }

  #streaming(chosen: Chosen): void {
    const { stream, caller } = chosen;
    const { ip } = stream.remote;
    if (!this.#streamingLimit.take(ip)) {
      const message = "rejecting client for exceeding maximum streaming RPC connections";
      return this.#refuse(stream, "too-many-streaming", message);
    }
    stream.socket.once("close", () => this.#streamingLimit.release(ip));
    const budget = new ByteBudget(PENDING_BYTES_MAX, this.#share(chosen));
    void this.#init.streams.serve(new PacedStream(stream, this.#pace), caller, budget);
  }

  #multiplex(accepted: Chosen, withByte: boolean): void {
    const { clock, counters } = this.#init;
    const { stream } = accepted;
    const share = this.#share(accepted);
    const budgets = { budget: new ByteBudget(PENDING_BYTES_MAX, share), unanswered: share };
    const mux: Mux = new Mux({
      stream: new PacedStream(stream, this.#pace),
      dialer: false,
      clock,
      budget: share,
      onStream: (one) => {
        if (withByte) void this.#choose(one, mux, chosen, budgets);
        else this.#streamCalls(one, chosen, budgets);
      },
      onClosed: (why) => {
        if (why !== "") countRefusal(counters.sessionFailures, why);
      },
    });
    // Without the byte of its own a stream cannot be said to be a streaming call.
    const caller = withByte ? { ...accepted.caller, line: mux } : accepted.caller;
    const chosen = { ...accepted, caller };
    this.#connections.isMultiplexed(stream, mux);
    mux.start();
  }

  /** The first byte of a stream; a wrong one costs the whole session, as in Nomad. */
  async #choose(one: ByteStream, mux: Mux, chosen: Chosen, budgets: Budgets): Promise<void> {
    const byte = await one.takeFirst(this.#init.handshakeTimeoutMs);
    if (byte === RpcMode.nomad) return this.#streamCalls(one, chosen, budgets);
    if (byte === RpcMode.streaming) {
      return this.#init.streams.serve(one, chosen.caller, budgets.budget);
    }
    if (byte === "ended") return void finish(one, FAREWELL_MS, this.#init.clock);
    if (byte === "timeout") return one.destroy();
    mux.close();
    this.#refuse(chosen.stream, "bad-stream-byte", "unrecognized RPC byte of a stream", { byte });
  }

  #streamCalls(one: ByteStream, { stream, caller }: Chosen, budgets: Budgets): void {
    const { methods, counters, clock } = this.#init;
    serveCalls(one, {
      methods,
      counters,
      clock,
      caller,
      refuse: (reason, message) => {
        this.#note(stream, reason, message, {});
        one.destroy();
      },
      firstMs: 0,
      idleMs: 0,
      ...budgets,
    });
  }

  #refuse(stream: SocketStream, reason: string, message: string, fields: RefusalFields = {}): void {
    this.#note(stream, reason, message, fields);
    stream.destroy();
  }

  #note(stream: SocketStream, reason: string, message: string, fields: RefusalFields): void {
    countRefusal(this.#init.counters.refused, reason);
    const remote = formatAddress(stream.remote);
    this.#refusals.note(reason, message, () => ({ remote_addr: remote, ...fields }));
  }
}

type RefusalFields = Readonly<Record<string, string | number | readonly string[]>>;

/** What the operator of either side may do about it. */
function nextStep(reason: string, region: string): string {
  switch (reason) {
    case "no-certificate":
      return "the dialler must have cert_file and key_file";
    case "unknown-authority":
      return "the dialler's certificate is not of our CA: compare rpc.tls.authorities in /v1/status";
    case "expired":
      return "renew the dialler's certificate";
    case "refused-by-peer":
      return `the dialler does not accept our certificate: its CA, or the name ${serverName(region)}`;
    case "protocol-version":
      return "compare tls_min_version on both sides";
    case "no-shared-cipher":
      return "compare tls_cipher_suites on both sides";
    default:
      return "see the dialler's log";
  }
}
