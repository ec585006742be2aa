/** What a client node has and keeps for itself (wire/rpc-and-raft.md §6.2). */
import {
  bool,
  int32,
  int64,
  list,
  mapOf,
  pointer,
  raw,
  small,
  struct,
  text,
  uint64,
  type ValueOf,
} from "./codec.ts";

const core = struct({
  BaseSpeed: uint64,
  Disable: bool,
  /** True: one for performance. */
  Grade: bool,
  GuessSpeed: uint64,
  ID: small,
  MaxSpeed: uint64,
  NodeID: small,
  SocketID: small,
});

const topology = struct({
  BusAssociativity: mapOf(small),
  Cores: list(core),
  Distances: list(raw),
  /** One byte for each NUMA node. */
  Nodes: raw,
  OverrideTotalCompute: uint64,
  OverrideWitholdCompute: uint64,
});

const network = struct(
  { CIDR: text, Device: text, IP: text, MBits: int32, Mode: text },
  { omitEmpty: ["CIDR", "Device", "IP", "MBits", "Mode"] },
);

const nodeNetwork = struct({
  Addresses: list(
    struct({ Address: text, Alias: text, Family: text, Gateway: text, ReservedPorts: text }),
  ),
  Device: text,
  MacAddress: text,
  Mode: text,
  Speed: int32,
});

export const nodeResources = struct({
  Cpu: struct({ CpuShares: int64, ReservableCpuCores: list(small), TotalCpuCores: small }),
  /** There are none: always nil. */
  Devices: list(text),
  Disk: struct({ DiskMB: int64 }),
  MaxDynamicPort: int32,
  Memory: struct({ MemoryMB: int64 }),
  MinDynamicPort: int32,
  Networks: list(network),
  NodeNetworks: list(nodeNetwork),
  Processors: struct({ Topology: pointer(topology) }),
});
export type NodeResources = ValueOf<typeof nodeResources>;

export const reservedResources = struct({
  Cpu: struct({ CpuShares: int64, ReservedCpuCores: list(small) }),
  Disk: struct({ DiskMB: int64 }),
  Memory: struct({ MemoryMB: int64 }),
  Networks: struct({ ReservedHostPorts: text }),
});

export const hostVolumes = mapOf(struct({ ID: text, Name: text, Path: text, ReadOnly: bool }));
