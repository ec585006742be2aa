/**
 * Would the other servers and we still talk with a new `tls` block? Tried on each of them before the
 * block is taken: a reload must not cut what works.
 *
 * @module
 */
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import { formatAddress } from "../host/ip.ts";
import { dialSocket } from "../host/network.ts";
import { type ConnectionTls, RpcDialer, type RpcSecurity } from "../service/rpc/client/dial.ts";
import type { RpcPeer } from "../service/rpc/client/peer-health.ts";
import { createRpcCounters } from "../service/rpc/counters.ts";
import { mayDial } from "../service/rpc/roles.ts";
import { certificateNames } from "../tls/certificate.ts";
import { encodeQueryOptions } from "../wire/rpc-status.ts";

interface ReloadTrial {
  readonly region: string;
  readonly before: RpcSecurity;
  readonly after: RpcSecurity;
  /** Living servers besides ourselves. */
  readonly peers: readonly RpcPeer[];
  readonly log: Log;
}

const TIMEOUT_MS = 5000;
/** Peers tried at once. */
const PARALLEL_MAX = 16;

/** @throws Error that names the servers which would be cut off, and why */
export async function tryReload(trial: ReloadTrial): Promise<void> {
  const cut: string[] = [];
  for (let at = 0; at < trial.peers.length; at += PARALLEL_MAX) {
    const some = trial.peers.slice(at, at + PARALLEL_MAX);
    const found = await Promise.all(some.map((peer) => whyCut(trial, peer)));
    cut.push(...found.filter((why) => why !== undefined));
  }
  if (cut.length === 0) return;
  throw new Error(
    `the new tls block would cut this server's RPC with ${cut.length} of ${trial.peers.length} ` +
      `other servers:\n${cut.map((why) => `  ${why}\n`).join("")}` +
      "  help: for a new CA, put both CAs into ca_file everywhere first, then change the " +
      "certificates; from clear to TLS, set rpc_upgrade_mode everywhere first; " +
      "a restart takes the block as it is",
  );
}

/** What does not work before and after is not the new block's fault. */
async function whyCut(trial: ReloadTrial, peer: RpcPeer): Promise<string | undefined> {
  const after = await whyNot(trial, trial.after, peer);
  if (after === undefined) return undefined;
  const before = await whyNot(trial, trial.before, peer);
  return before === undefined
    ? `${peer.name} (${formatAddress(peer.address)}): ${after}`
    : undefined;
}

async function whyNot(
  { region, log }: ReloadTrial,
  security: RpcSecurity,
  { address, region: theirs }: RpcPeer,
): Promise<string | undefined> {
  const counters = createRpcCounters();
  const dialer = new RpcDialer({ security: () => security, counters, log, dial: dialSocket });
  const body = encodeQueryOptions({ Region: region, AllowStale: true });
  try {
    const { tls } = await dialer.probe(address, theirs, "Status.Ping", body, TIMEOUT_MS);
    return roleFault(security, tls, region);
  } catch (error) {
    return errorText(error);
  }
}

/** It will dial us, too, by the same certificate. */
function roleFault(
  { verifyServerHostname }: RpcSecurity,
  tls: ConnectionTls | undefined,
  region: string,
): string | undefined {
  if (!verifyServerHostname || tls?.peer === undefined) return undefined;
  const names = certificateNames(tls.peer);
  if (mayDial(names, region)) return undefined;
  return `its certificate names no server that we would let dial us: ${names.join(", ")}`;
}
