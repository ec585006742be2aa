/**
 * Looks at another server's RPC port from this machine: is there TLS, which, with what certificate,
 * and does the port still take calls in the clear. For `operator encryption doctor`.
 *
 * @module
 */
import { errorText } from "../../../host/error-text.ts";
import type { SocketStream } from "../../../host/network.ts";
import type { Address } from "../../../protocol/ports.ts";
import type { CertificateInfo } from "../../../tls/certificate.ts";
import { inspectTls } from "../../../tls/handshake.ts";
import { TlsError } from "../../../tls/refusal.ts";
import { encodeQueryOptions } from "../../../wire/rpc-status.ts";
import { CallStream } from "../call.ts";
import { RpcMode } from "../mode.ts";
import { serverName } from "../roles.ts";
import type { RpcSecurity } from "./dial.ts";

const TIMEOUT_MS = 5000;

interface RpcInspectInit {
  readonly security: () => RpcSecurity;
  readonly dial: (to: Address, timeoutMs: number) => Promise<SocketStream>;
}

export interface RpcInspection {
  readonly reachable: boolean;
  /** Undefined: no TLS there. */
  readonly tls: InspectedTls | undefined;
  /** It answers without TLS. */
  readonly acceptsClear: boolean;
  /** Why it cannot be reached, or not by TLS; "" if it can. */
  readonly error: string;
}

export interface InspectedTls {
  readonly version: string;
  readonly cipher: string;
  readonly certificate: CertificateInfo | undefined;
  /** Undefined: we have no CA to verify with. */
  readonly verified: boolean | undefined;
  readonly verifyError: string;
  /** It served us over TLS: it accepts our certificate. */
  readonly acceptsUs: boolean;
}

export async function inspectRpc(
  init: RpcInspectInit,
  to: Address,
  region: string,
): Promise<RpcInspection> {
  let plain: SocketStream;
  try {
    plain = await init.dial(to, TIMEOUT_MS);
  } catch (error) {
    return { reachable: false, tls: undefined, acceptsClear: false, error: errorText(error) };
  }
  const found = await lookAtTls(init, plain, region);
  const acceptsClear = await answersInClear(init, to, region);
  return { reachable: true, ...found, acceptsClear };
}

async function lookAtTls(
  init: RpcInspectInit,
  plain: SocketStream,
  region: string,
): Promise<Pick<RpcInspection, "tls" | "error">> {
  const { identity } = init.security();
  plain.write(Uint8Array.of(RpcMode.tls));
  try {
    const how = { serverName: serverName(region), timeoutMs: TIMEOUT_MS };
    const { secured, verifyError } = await inspectTls(plain, identity, how);
    const { version, cipher, peer: certificate, stream } = secured;
    const refusal = await ping(stream, region);
    const tls = {
      version,
      cipher,
      certificate,
      verified: identity === undefined ? undefined : verifyError === undefined,
      verifyError: verifyError ?? "",
      acceptsUs: refusal === undefined,
    };
    return { tls, error: refusal ?? "" };
  } catch (error) {
    const none = error instanceof TlsError && error.reason === "refused-by-peer";
    const text = none ? "no TLS on its RPC port" : errorText(error);
    return { tls: undefined, error: text };
  } finally {
    plain.destroy();
  }
}

async function answersInClear(init: RpcInspectInit, to: Address, region: string): Promise<boolean> {
  try {
    return (await ping(await init.dial(to, TIMEOUT_MS), region)) === undefined;
  } catch {
    return false;
  }
}

/** @returns why there is no answer; the stream is over */
async function ping(stream: SocketStream, region: string): Promise<string | undefined> {
  try {
    stream.write(Uint8Array.of(RpcMode.nomad));
    const body = encodeQueryOptions({ Region: region, AllowStale: true });
    await new CallStream(stream, true).call("Status.Ping", body, TIMEOUT_MS);
    return undefined;
  } catch (error) {
    return errorText(error);
  } finally {
    stream.destroy();
  }
}
