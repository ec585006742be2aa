/**
 * Leaving the Raft group, seen from the server that goes and from those who stay.
 *
 * @module
 */
import { systemClock } from "../host/clock.ts";
import { errorText } from "../host/error-text.ts";
import type { Clock, Log } from "../host/host.ts";
import type { RaftServer } from "../protocol/raft/message.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import { decodeValue } from "../wire/codec.ts";
import { encodeLeave, GROUP_LEAVE, leaveReply } from "../wire/rpc-group.ts";
import { printable } from "../wire/text.ts";
import type { Directory, KnownServer } from "./directory.ts";
import { withinMs } from "./presence.ts";

/** For somebody else to lead. */
const TRANSFER_MS = 2500;
const LOOK_MS = 50;
/** For the leader to let us go; a group that is without one has so long to find one. */
const LEAVE_MS = 4000;

/** Asks whoever leads, wherever that is. */
export type LeaderCall = (method: string, body: Uint8Array) => Promise<Uint8Array>;

interface LeaveInit {
  readonly consensus: Pick<Consensus, "role" | "servers" | "transfer">;
  readonly selfId: string;
  readonly region: string;
  readonly call: LeaderCall;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Never rejects: whoever leaves goes in the end, and the log says how. */
export async function leaveGroup(init: LeaveInit): Promise<void> {
  const { consensus, selfId, region, call, log, clock = systemClock } = init;
  const others = consensus.servers.filter((one) => one.id !== selfId);
  if (others.length === 0 || others.length === consensus.servers.length) return;
  try {
    if (consensus.role === "leader") {
      const to = consensus.transfer(undefined);
      log.info("handing leadership over before leaving", { to: to?.address ?? "" });
      await untilFollower(init, clock);
    }
    const answer = await withinMs(clock, call(GROUP_LEAVE, encodeLeave(region, selfId)), LEAVE_MS);
    if (answer === undefined) throw new Error("the leader does not answer");
    const kept = decodeValue(leaveReply, answer)?.Kept ?? "";
    if (kept === "") return log.info("the group has let this server go");
    log.warn("this server leaves, and without it the group has no quorum: it stays a member", {
      found: kept,
      next: "bring it back, or a server that has failed",
    });
  } catch (error) {
    log.warn("the group was not asked, and finds out by itself that this server leaves", {
      error: errorText(error),
    });
  }
}

/** A leader that ends: its group need not find out by a time-out. Never rejects. */
export async function handOver(
  init: Pick<LeaveInit, "consensus" | "selfId" | "log">,
): Promise<void> {
  const { consensus, selfId, log } = init;
  const voters = consensus.servers.filter((one) => one.suffrage === "voter");
  if (consensus.role !== "leader" || voters.every((one) => one.id === selfId)) return;
  try {
    const to = consensus.transfer(undefined);
    log.info("handing leadership over before the end", { to: to?.address ?? "" });
    await untilFollower(init, systemClock);
  } catch (error) {
    log.warn("leadership is not handed over: the others elect anew", { error: errorText(error) });
  }
}

async function untilFollower(
  { consensus }: Pick<LeaveInit, "consensus">,
  clock: Clock,
): Promise<void> {
  const until = clock.now() + TRANSFER_MS;
  while (consensus.role === "leader" && clock.now() < until) {
    await new Promise<void>((resolve) => void clock.schedule(clock.now() + LOOK_MS, resolve));
  }
}

interface WhatIsLeft {
  readonly servers: readonly RaftServer[];
  readonly directory: Pick<Directory, "byId">;
  readonly log: Log;
}

/** A server has left or failed: can the others do without the next one, or without this one? */
export function sayWhatIsLeft({ servers, directory, log }: WhatIsLeft, gone: KnownServer): void {
  const voters = servers.filter((one) => one.suffrage === "voter");
  const alive = voters.filter((one) => directory.byId(one.id)?.status === "alive").length;
  const quorum = Math.floor(voters.length / 2) + 1;
  const how = gone.status === "left" ? "has left" : "has failed";
  const what = `${printable(gone.name)} ${how}: ${alive} of ${voters.length} voters are there`;
  if (voters.length === 0 || alive > quorum) return;
  if (alive < quorum) {
    const next = "bring servers back; if they are lost for good see peers.json in the README";
    return log.error(`${what}, and ${quorum} are needed: there is no quorum`, { next });
  }
  const next = "start another server before one more goes";
  log.warn(`${what}, and all of them are needed: one more and there is no quorum`, { next });
}
