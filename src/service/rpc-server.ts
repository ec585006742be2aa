/**
 * The server port: one byte chooses the protocol, TLS first where it is required
 * (wire/rpc-and-raft.md §1). Protocols that are not served are refused, never faked.
 *
 * @module
 */
import { errorText } from "../host/error-text.ts";
import type { Clock, Log, StreamServer } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import type { SocketStream } from "../host/network.ts";
import { certificateNames } from "../tls/certificate.ts";
import { acceptTls, type SecuredStream, TlsError, type TlsIdentity } from "../tls/handshake.ts";
import { decodeRequest, encodeResponse, type RpcRequest } from "../wire/rpc-frame.ts";
import { encodeEmpty } from "../wire/rpc-status.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { countRefusal } from "./gossip-counters.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { RpcCounters } from "./rpc-counters.ts";
import { RpcMethodError, type RpcMethods } from "./rpc-methods.ts";
import { mayDial, serverName } from "./rpc-roles.ts";

/** First bytes; see wire/rpc-and-raft.md §1. */
export const RpcMode = {
  nomad: 0x01,
  raft: 0x02,
  multiplex: 0x03,
  tls: 0x04,
  streaming: 0x05,
  multiplexV2: 0x06,
} as const;

const MODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RpcMode).map(([name, byte]) => [byte, name]),
);

/** One request; real ones of the methods served stay below 1 KiB. */
const REQUEST_BYTES_MAX = 1024 * 1024;

export interface RpcServerInit {
  readonly region: string;
  /** Undefined: this server has no TLS. */
  readonly identity: () => TlsIdentity | undefined;
  readonly verifyServerHostname: boolean;
  /** Accept plain connections although TLS is on: a cluster on its way to it. */
  readonly upgradeMode: boolean;
  readonly handshakeTimeoutMs: number;
  readonly connectionsPerClientMax: number;
  readonly methods: RpcMethods;
  readonly counters: RpcCounters;
  readonly clock: Clock;
  readonly log: Log;
  readonly listen: (accept: (stream: SocketStream) => void) => Promise<StreamServer>;
}

export class RpcServer {
  readonly #init: RpcServerInit;
  readonly #limit: ConnectionLimit;
  readonly #refusals: RefusalLog;
  readonly #open = new Set<SocketStream>();
  #server: StreamServer | undefined;

  constructor(init: RpcServerInit) {
    this.#init = init;
    this.#limit = new ConnectionLimit(init.connectionsPerClientMax);
    this.#refusals = new RefusalLog(init.clock, init.log);
  }

  async start(): Promise<void> {
    this.#server = await this.#init.listen((stream) => this.#accept(stream));
  }

  async close(): Promise<void> {
    for (const stream of this.#open) stream.destroy();
    await this.#server?.close();
  }

  #accept(stream: SocketStream): void {
    const { ip } = stream.remote;
    if (!this.#limit.take(ip)) {
      const limit = this.#init.connectionsPerClientMax;
      const message = "rejecting client for exceeding maximum RPC connections";
      this.#refuse(stream, "too-many-connections", message, { limit });
      return;
    }
    this.#open.add(stream);
    stream.socket.once("close", () => {
      this.#open.delete(stream);
      this.#limit.release(ip);
    });
    void this.#plain(stream);
  }

  async #plain(stream: SocketStream): Promise<void> {
    const { handshakeTimeoutMs, identity, upgradeMode, counters } = this.#init;
    const mode = await stream.takeFirst(handshakeTimeoutMs);
    if (mode === "ended") return stream.destroy();
    if (mode === "timeout") {
      return this.#refuse(stream, "timeout", "failed to read first RPC byte: i/o timeout");
    }
    const tls = identity();
    if (mode === RpcMode.tls) {
      if (tls !== undefined) return this.#secure(stream, tls);
      const message =
        "TLS connection attempted, server not configured for TLS: set tls { rpc = true }";
      return this.#refuse(stream, "tls-not-configured", message);
    }
    if (tls !== undefined && !upgradeMode) {
      const message =
        mode === TLS_RECORD
          ? "a TLS connection without Nomad's leading byte: the RPC port speaks TLS only to agents"
          : "non-TLS connection attempted with RequireTLS set: set tls { rpc = true } on the dialler";
      return this.#refuse(stream, "plaintext", message);
    }
    counters.plainConnections += 1;
    this.#serve(stream, mode);
  }

  async #secure(stream: SocketStream, tls: TlsIdentity): Promise<void> {
    const { handshakeTimeoutMs: timeoutMs, counters, verifyServerHostname, region } = this.#init;
    let secured: SecuredStream;
    try {
      secured = await acceptTls(stream, tls, { requireClient: true, timeoutMs });
    } catch (error) {
      this.#refusedHandshake(stream, tls, error);
      return;
    }
    const names = secured.peer === undefined ? [] : certificateNames(secured.peer);
    if (verifyServerHostname && !mayDial(names, region)) {
      countRefusal(counters.inbound.refused, "wrong-role");
      const message =
        "failed TLS handshake: invalid role or region for certificate: " +
        `it must name server.<region>.nomad or client.${region}.nomad`;
      return this.#refuse(secured.stream, "wrong-role", message, { names });
    }
    counters.inbound.accepted += 1;
    const inner = await secured.stream.takeFirst(0);
    if (typeof inner !== "number") return secured.stream.destroy();
    if (inner === RpcMode.tls) {
      const message = "TLS connection attempting to establish inner TLS connection";
      return this.#refuse(secured.stream, "inner-tls", message);
    }
    this.#serve(secured.stream, inner);
  }

  #refusedHandshake(stream: SocketStream, tls: TlsIdentity, error: unknown): void {
    const reason = error instanceof TlsError ? error.reason : "other";
    const detail = errorText(error);
    countRefusal(this.#init.counters.inbound.refused, reason);
    const authorities = tls.material.authorities.map((one) => one.commonName);
    const fields = { our_ca: authorities, our_cert: tls.material.certificate.commonName };
    this.#refuse(stream, reason, `failed TLS handshake: ${detail}: ${nextStep(reason)}`, fields);
  }

  #serve(stream: SocketStream, mode: number): void {
    const { counters, region } = this.#init;
    const name = MODE_NAMES.get(mode);
    if (name === undefined) {
      const message = "unrecognized RPC byte";
      return this.#refuse(stream, "unknown-byte", message, { byte: mode });
    }
    if (mode !== RpcMode.nomad) {
      const message = `the RPC protocol "${name}" is not served by this agent (region ${region})`;
      return this.#refuse(stream, `not-served-${name}`, message, { byte: mode });
    }
    countRefusal(counters.connections, name);
    this.#netRpc(stream);
  }

  /** Requests one after another; the next is read when the reply is out. */
  #netRpc(stream: SocketStream): void {
    let pending: Uint8Array = new Uint8Array(0);
    let busy = false;
    const next = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      for (;;) {
        const progress = decodeRequest(pending);
        if (progress.kind === "more") break;
        if (progress.kind === "malformed") {
          this.#refuse(stream, "malformed", "rpc: a request that cannot be decoded");
          break;
        }
        pending = pending.subarray(progress.bytes);
        if (!(await this.#answer(stream, progress.frame))) break;
      }
      busy = false;
    };
    stream.listen({
      data: (chunk) => {
        const joined = new Uint8Array(pending.length + chunk.length);
        joined.set(pending);
        joined.set(chunk, pending.length);
        pending = joined;
        if (pending.length > REQUEST_BYTES_MAX) {
          this.#refuse(stream, "too-much", "rpc: a request of more than 1 MiB");
          return;
        }
        void next();
      },
      ended: () => stream.end(),
      closed: () => undefined,
    });
  }

  /** @returns false when the stream is over, as net/rpc has it after an unknown method */
  async #answer(stream: SocketStream, request: RpcRequest): Promise<boolean> {
    const { methods, counters } = this.#init;
    const { seq, method } = request;
    counters.requests += 1;
    try {
      const body = await methods.call(method, request.body);
      stream.write(encodeResponse({ seq, method, error: "", body }));
      return true;
    } catch (error) {
      counters.requestErrors += 1;
      const text = errorText(error);
      stream.write(encodeResponse({ seq, method, error: text, body: encodeEmpty() }));
      const survives = error instanceof RpcMethodError && !error.endsStream;
      if (!survives) stream.end();
      return survives;
    }
  }

  #refuse(
    stream: SocketStream,
    reason: string,
    message: string,
    fields: Readonly<Record<string, string | number | readonly string[]>> = {},
  ): void {
    countRefusal(this.#init.counters.refused, reason);
    const remote = formatAddress(stream.remote);
    this.#refusals.note(reason, message, () => ({ remote_addr: remote, ...fields }));
    stream.destroy();
  }
}

/** First byte of a TLS record: somebody speaks TLS without Nomad's byte in front. */
const TLS_RECORD = 0x16;

/** What the operator of either side may do about it. */
function nextStep(reason: string): string {
  switch (reason) {
    case "no-certificate":
      return "the dialler must have cert_file and key_file";
    case "unknown-authority":
      return "the dialler's certificate is not of our CA: compare rpc.tls.authorities in /v1/status";
    case "expired":
      return "renew the dialler's certificate";
    case "refused-by-peer":
      return `the dialler does not accept our certificate: its CA, or the name ${serverName("<region>")}`;
    case "protocol-version":
      return "compare tls_min_version on both sides";
    case "no-shared-cipher":
      return "compare tls_cipher_suites on both sides";
    default:
      return "see the dialler's log";
  }
}
