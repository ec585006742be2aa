/**
 * Connections to other servers' RPC ports: TLS if ours is on, then the byte of a protocol.
 *
 * @module
 */
import type { ByteStream, Log } from "../../../host/host.ts";
import { formatAddress } from "../../../host/ip.ts";
import type { SocketStream } from "../../../host/network.ts";
import type { Address } from "../../../protocol/ports.ts";
import type { CertificateInfo } from "../../../tls/certificate.ts";
import { dialTls, type TlsIdentity } from "../../../tls/handshake.ts";
import { TlsError } from "../../../tls/refusal.ts";
import { countRefusal } from "../../refusals.ts";
import { CallStream } from "../call.ts";
import type { RpcCounters } from "../counters.ts";
import { RpcMode } from "../mode.ts";
import { serverName } from "../roles.ts";

/** The `tls` block as it is now: a reload may change all of it. */
export interface RpcSecurity {
  /** Undefined: no TLS. */
  readonly identity: TlsIdentity | undefined;
  readonly verifyServerHostname: boolean;
  /** A cluster on its way to TLS: clear connections are taken, and made to peers without TLS. */
  readonly upgradeMode: boolean;
}

interface RpcDialerInit {
  readonly security: () => RpcSecurity;
  readonly counters: RpcCounters;
  readonly log: Log;
  readonly dial: (to: Address, timeoutMs: number) => Promise<SocketStream>;
}

export interface ConnectionTls {
  readonly version: string;
  readonly cipher: string;
  readonly peer: CertificateInfo | undefined;
}

export interface Dialled {
  readonly stream: ByteStream;
  /** Undefined: in the clear. */
  readonly tls: ConnectionTls | undefined;
}

const NO_TLS_THERE =
  "the peer closed the connection before any TLS: it has none on its RPC port " +
  "(set tls { rpc = true } there)";

export class RpcDialer {
  readonly #init: RpcDialerInit;

  constructor(init: RpcDialerInit) {
    this.#init = init;
  }

  /**
   * @param region of the server: its certificate must name it if verify_server_hostname is on
   * @throws TlsError, or Error with what the network said
   */
  async connect(to: Address, region: string, mode: RpcMode, timeoutMs: number): Promise<Dialled> {
    const { dial, security, counters } = this.#init;
    const { identity, verifyServerHostname, upgradeMode } = security();
    const plain = await dial(to, timeoutMs);
    if (identity === undefined) return this.#plain(plain, mode);
    try {
      const name = verifyServerHostname ? serverName(region) : undefined;
      const secured = await this.#secure(plain, identity, name, timeoutMs);
      secured.stream.write(Uint8Array.of(mode));
      return secured;
    } catch (error) {
      plain.destroy();
      // A server without TLS hangs up on the byte for it, before any word of TLS.
      const silent = error instanceof TlsError && error.reason === "refused-by-peer";
      if (!silent || plain.socket.bytesRead > 0) throw error;
      if (!upgradeMode) throw new TlsError("refused-by-peer", NO_TLS_THERE);
      counters.fallbacksToPlain += 1;
      return this.#plain(await dial(to, timeoutMs), mode);
    }
  }

  /** One call on a connection of its own: what a new connection meets now. */
  async probe(
    to: Address,
    region: string,
    method: string,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<{ readonly body: Uint8Array; readonly tls: ConnectionTls | undefined }> {
    const { stream, tls } = await this.connect(to, region, RpcMode.nomad, timeoutMs);
    try {
      const calls = new CallStream(stream, tls !== undefined);
      return { body: await calls.call(method, body, timeoutMs), tls };
    } finally {
      stream.destroy();
    }
  }

  #plain(stream: SocketStream, mode: RpcMode): Dialled {
    stream.write(Uint8Array.of(mode));
    return { stream, tls: undefined };
  }

  async #secure(
    plain: SocketStream,
    identity: TlsIdentity,
    name: string | undefined,
    timeoutMs: number,
  ): Promise<Dialled> {
    const { counters, log } = this.#init;
    plain.write(Uint8Array.of(RpcMode.tls));
    try {
      const { stream, version, cipher, peer } = await dialTls(plain, identity, {
        serverName: name,
        timeoutMs,
      });
      counters.outbound.accepted += 1;
      return { stream, tls: { version, cipher, peer } };
    } catch (error) {
      const reason = error instanceof TlsError ? error.reason : "other";
      countRefusal(counters.outbound.refused, reason);
      log.debug("outgoing TLS handshake failed", {
        remote_addr: formatAddress(plain.remote),
        reason,
        our_ca: identity.material.authorities.map((one) => one.commonName),
      });
      throw error;
    }
  }
}
