/**
 * Who is at the RPC port of a server, asked there and then: over TLS it must prove a server's name
 * before its answer counts. What gossip says about a server anybody with the key can say.
 *
 * @module
 */
import type { Clock } from "../host/host.ts";
import { parseAddress } from "../host/ip.ts";
import type { RaftServer, Sender } from "../protocol/raft/message.ts";
import { RpcRemoteError } from "../service/rpc/call.ts";
import type { RpcPool } from "../service/rpc/client/pool.ts";
import { decodeSelf, encodeSelfRequest, GROUP_SELF, type GroupSelf } from "../wire/rpc-group.ts";

/** A server on another continent that is alive answers in a small part of this. */
const TIMEOUT_MS = 2000;

export type Presence =
  /** Nobody answers, or nobody who proves to be a server of the region. */
  | { readonly kind: "silent" }
  /** A server, but none of ours: it does not know the question. */
  | { readonly kind: "stranger" }
  | { readonly kind: "server"; readonly self: GroupSelf };

interface PresenceInit {
  readonly pool: Pick<RpcPool, "call" | "forgive">;
  readonly clock: Clock;
  readonly region: string;
}

/** @param raftAddress what Raft calls it: ip:port */
export async function whoIsAt(init: PresenceInit, raftAddress: string): Promise<Presence> {
  const { pool, clock, region } = init;
  const address = parseAddress(raftAddress);
  if (address === undefined) return { kind: "silent" };
  // That it did not answer a while ago is no answer.
  pool.forgive(address);
  const body = encodeSelfRequest(region);
  const asked = pool.call({ address, region }, GROUP_SELF, body, TIMEOUT_MS, true);
  try {
    const answer = await withinMs(clock, asked, TIMEOUT_MS);
    const self = answer === undefined ? undefined : decodeSelf(answer);
    return self === undefined ? { kind: "silent" } : { kind: "server", self };
  } catch (error) {
    return { kind: error instanceof RpcRemoteError ? "stranger" : "silent" };
  }
}

/** That very server, at the address that it calls its own? */
export function isAt(found: Presence, id: string, raftAddress: string): boolean {
  return found.kind === "server" && found.self.ID === id && found.self.Address === raftAddress;
}

/** For a log: what was found there. */
export function describePresence(found: Presence, raftAddress: string): string {
  switch (found.kind) {
    case "silent":
      return `nobody who proves to be a server of the region answers at ${raftAddress}`;
    case "stranger":
      return `a server that is none of this kind answers at ${raftAddress}`;
    case "server":
      return (
        `the server with node id ${found.self.ID}, which calls itself ${found.self.Address}, ` +
        `answers at ${raftAddress}`
      );
  }
}

/**
 * A data_dir that was copied to another machine brings the node id along, and two servers with one
 * id would vote twice: the copy must not start while the first one is there.
 *
 * @throws Error with what to do
 */
export async function refuseCopy(
  init: PresenceInit,
  self: Sender,
  servers: readonly RaftServer[],
): Promise<void> {
  const own = servers.find((one) => one.id === self.id);
  if (own === undefined || own.address === self.address) return;
  if (!isAt(await whoIsAt(init, own.address), self.id, own.address)) return;
  throw new Error(
    `the server with node id ${self.id} runs at ${own.address}, and this one would be at ` +
      `${self.address}: this data_dir is a copy of its; remove server/node-id and server/raft from ` +
      "this one to make it a server of its own",
  );
}

/** undefined: it has not come in time. */
export function withinMs<T>(
  clock: Clock,
  work: Promise<T>,
  timeoutMs: number,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(clock.now() + timeoutMs, () => resolve(undefined));
    work.then(resolve, reject).finally(cancel);
  });
}
