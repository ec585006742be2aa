/**
 * Calls to other servers' RPC ports: dial, TLS if ours is on, one call, close.
 *
 * @module
 */

import type { Log } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import type { SocketStream } from "../host/network.ts";
import type { Address } from "../protocol/ports.ts";
import type { CertificateInfo } from "../tls/certificate.ts";
import { dialTls, TlsError, type TlsIdentity } from "../tls/handshake.ts";
import { decodeResponse, encodeRequest } from "../wire/rpc-frame.ts";
import { countRefusal } from "./gossip-counters.ts";
import type { RpcCounters } from "./rpc-counters.ts";
import { serverName } from "./rpc-roles.ts";
import { RpcMode } from "./rpc-server.ts";

const REPLY_BYTES_MAX = 16 * 1024 * 1024;

export interface RpcClientInit {
  readonly identity: () => TlsIdentity | undefined;
  readonly verifyServerHostname: boolean;
  readonly counters: RpcCounters;
  readonly log: Log;
  readonly dial: (to: Address, timeoutMs: number) => Promise<SocketStream>;
}

export interface RpcReply {
  readonly body: Uint8Array;
  /** Undefined: the call went in the clear. */
  readonly tls: ReplyTls | undefined;
}

export interface ReplyTls {
  readonly version: string;
  readonly cipher: string;
  readonly peer: CertificateInfo | undefined;
}

export class RpcClient {
  readonly #init: RpcClientInit;
  #seq = 0n;

  constructor(init: RpcClientInit) {
    this.#init = init;
  }

  /**
   * One call.
   *
   * @param region of the server: its certificate must name it if verify_server_hostname is on
   * @throws TlsError, or Error with the text of the refusal
   */
  async call(
    to: Address,
    region: string,
    method: string,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<RpcReply> {
    const plain = await this.#init.dial(to, timeoutMs);
    const identity = this.#init.identity();
    let stream = plain;
    let tls: ReplyTls | undefined;
    try {
      if (identity !== undefined) {
        const secured = await this.#secure(plain, identity, region, timeoutMs);
        stream = secured.stream;
        tls = { version: secured.version, cipher: secured.cipher, peer: secured.peer };
      }
      stream.write(Uint8Array.of(RpcMode.nomad));
      this.#seq += 1n;
      stream.write(encodeRequest({ seq: this.#seq, method, body }));
      return { body: await readReply(stream, timeoutMs, tls !== undefined), tls };
    } finally {
      stream.destroy();
    }
  }

  async #secure(
    plain: SocketStream,
    identity: TlsIdentity,
    region: string,
    timeoutMs: number,
  ): ReturnType<typeof dialTls> {
    const { verifyServerHostname, counters, log } = this.#init;
    plain.write(Uint8Array.of(RpcMode.tls));
    const expected = verifyServerHostname ? serverName(region) : undefined;
    try {
      const secured = await dialTls(plain, identity, {
        serverName: expected,
        timeoutMs,
      });
      counters.outbound.accepted += 1;
      return secured;
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

function readReply(stream: SocketStream, timeoutMs: number, secured: boolean): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let pending: Uint8Array = new Uint8Array(0);
    const timer = setTimeout(() => reject(new Error("rpc error: i/o timeout")), timeoutMs);
    const fail = (message: string): void => {
      clearTimeout(timer);
      reject(new Error(message));
    };
    const gone = secured
      ? "rpc error: EOF: the peer closed the connection: it may not accept the names of our certificate"
      : "rpc error: EOF: the peer closed the connection: it may require TLS (set tls { rpc = true })";
    stream.listen({
      data(chunk) {
        const joined = new Uint8Array(pending.length + chunk.length);
        joined.set(pending);
        joined.set(chunk, pending.length);
        pending = joined;
        if (pending.length > REPLY_BYTES_MAX) return fail("rpc error: reply too large");
        const progress = decodeResponse(pending);
        if (progress.kind === "malformed") return fail("rpc error: malformed reply");
        if (progress.kind === "more") return;
        clearTimeout(timer);
        const { error, body } = progress.frame;
        if (error === "") resolve(body);
        else reject(new Error(`rpc error: ${error}`));
      },
      ended: () => fail(gone),
      closed: (error) => fail(error === undefined ? gone : `rpc error: ${error.message}`),
    });
  });
}
