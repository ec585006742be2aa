/**
 * How well the group is, as the leader sees it: Operator.ServerHealth (wire/rpc-and-raft.md §5.2).
 *
 * @module
 */
import {
  any,
  bool,
  int32,
  int64,
  list,
  mapOf,
  pointer,
  struct,
  structOf,
  text,
  time,
  uint64,
  unixTime,
  type ValueOf,
  YEAR_1970,
} from "../../wire/codec.ts";
import { nanosOf } from "../../wire/duration.ts";

const serverHealth = struct({
  Address: text,
  Healthy: bool,
  ID: text,
  LastContact: int64,
  LastIndex: uint64,
  LastTerm: uint64,
  Leader: bool,
  Name: text,
  SerfStatus: int32,
  StableSince: time,
  Version: text,
  Voter: bool,
});

export const healthReply = struct({
  FailureTolerance: int32,
  Healthy: bool,
  Leader: text,
  OptimisticFailureTolerance: int32,
  ReadReplicas: list(text),
  RedundancyZones: mapOf(any),
  Servers: list(serverHealth),
  Upgrade: pointer(any),
  Voters: list(text),
});
type HealthReply = ValueOf<typeof healthReply>;

/** As a LastContact: it has never answered. Nomad's field has no other word for it. */
export const NEVER = -1n;

/** Serf's numbers for these. */
export const SERF_STATUSES = ["none", "alive", "leaving", "left", "failed"] as const;

export interface ServerState {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly status: (typeof SERF_STATUSES)[number];
  readonly version: string;
  readonly leader: boolean;
  readonly voter: boolean;
  readonly healthy: boolean;
  /** Since it heard of a leader, as far as is known; undefined: it has never answered. */
  readonly lastContactMs: number | undefined;
  readonly lastTerm: bigint;
  readonly lastIndex: bigint;
  /** Unix time in milliseconds since which it has been as healthy or unhealthy as now. */
  readonly stableSinceMs: number;
}

export function healthOf(servers: readonly ServerState[]): HealthReply {
  const voters = servers.filter((one) => one.voter);
  const quorum = Math.floor(voters.length / 2) + 1;
  const spare = Math.max(0, voters.filter((one) => one.healthy).length - quorum);
  return structOf(healthReply, {
    FailureTolerance: spare,
    Healthy: servers.length > 0 && servers.every((one) => one.healthy),
    Leader: servers.find((one) => one.leader)?.id ?? "",
    OptimisticFailureTolerance: spare,
    Servers: servers.map((one) => ({
      Address: one.address,
      Healthy: one.healthy,
      ID: one.id,
      LastContact: one.lastContactMs === undefined ? NEVER : nanosOf(one.lastContactMs),
      LastIndex: one.lastIndex,
      LastTerm: one.lastTerm,
      Leader: one.leader,
      Name: one.name,
      SerfStatus: SERF_STATUSES.indexOf(one.status),
      StableSince: unixTime(BigInt(Math.floor(one.stableSinceMs / 1000))),
      Version: one.version,
      Voter: one.voter,
    })),
    Voters: voters.map((one) => one.id),
  });
}

/** Unix time in milliseconds of a time in an answer. */
export function unixMs({ seconds, nanos }: ValueOf<typeof time>): number {
  return Number(seconds - YEAR_1970) * 1000 + Math.floor(nanos / 1e6);
}
