/** What servers ask of a client node, and its answers (wire/rpc-and-raft.md §6.5). */
import {
  float64,
  int64,
  list,
  mapOf,
  pointer,
  struct,
  text,
  uint64,
  type ValueOf,
} from "./codec.ts";
import { queryFields, queryMeta } from "./rpc-status.ts";

const diskStats = struct({
  Available: uint64,
  Device: text,
  InodesUsedPercent: float64,
  Mountpoint: text,
  Size: uint64,
  Used: uint64,
  UsedPercent: float64,
});

const cpuStats = struct({
  CPU: text,
  Idle: float64,
  System: float64,
  TotalPercent: float64,
  TotalTicks: float64,
  User: float64,
});

const hostStats = struct({
  AllocDirStats: pointer(diskStats),
  CPU: list(cpuStats),
  CPUTicksConsumed: float64,
  /** There are none: always nil. */
  DeviceStats: list(text),
  DiskStats: list(diskStats),
  Memory: pointer(struct({ Available: uint64, Free: uint64, Total: uint64, Used: uint64 })),
  /** Unix time in nanoseconds. */
  Timestamp: int64,
  /** Seconds. */
  Uptime: uint64,
});
export type HostStats = ValueOf<typeof hostStats>;

/** Of ClientStats.Stats. */
export const clientStatsReply = struct({ ...queryMeta, HostStats: pointer(hostStats) });

/** Nil for a key is for one that shall not be there. */
export const nodeMetaRequest = struct({
  ...queryFields,
  Meta: mapOf(pointer(text)),
  NodeID: text,
});

export const nodeMetaReply = struct({
  Dynamic: mapOf(pointer(text)),
  Meta: mapOf(text),
  Static: mapOf(text),
});
export type NodeMetaReply = ValueOf<typeof nodeMetaReply>;

export const hostDataReply = struct({
  AgentID: text,
  HostData: pointer(
    struct({
      Disk: mapOf(struct({ DiskMB: int64, UsedMB: int64 })),
      Environment: mapOf(text),
      Hosts: text,
      Network: list(mapOf(text)),
      OS: text,
      ResolvConf: text,
    }),
  ),
});
