/** Bodies of the Node methods that are not in the log (wire/rpc-and-raft.md §5.4). */
import {
  any,
  bool,
  int32,
  int64,
  list,
  mapOf,
  pointer,
  struct,
  text,
  uint64,
  type ValueOf,
} from "./codec.ts";
import { queryFields, queryMeta, writeFields } from "./rpc-status.ts";

const nodeServer = struct({
  Datacenter: text,
  RPCAdvertiseAddr: text,
  RPCMajorVersion: int32,
  RPCMinorVersion: int32,
});
export type NodeServer = ValueOf<typeof nodeServer>;

export const nodeUpdateReply = struct({
  ...queryMeta,
  EvalCreateIndex: uint64,
  EvalIDs: list(text),
  Features: uint64,
  HeartbeatTTL: int64,
  LeaderRPCAddr: text,
  NodeModifyIndex: uint64,
  NumNodes: int32,
  SchedulingEligibility: text,
  Servers: list(nodeServer),
  SignedIdentity: pointer(text),
});

/** Of what changes a node, without its servers and its heartbeat. */
export const nodeChangeReply = struct({
  EvalCreateIndex: uint64,
  EvalIDs: list(text),
  Index: uint64,
  NodeModifyIndex: uint64,
});

export const indexReply = struct({ Index: uint64 });

export const nodeNamedWrite = struct({ ...writeFields, NodeID: text });

/** What a client says of its allocations; only whose they are is looked at. */
export const allocUpdateRequest = struct({
  ...writeFields,
  Alloc: list(pointer(struct({ NodeID: text }))),
});

export const nodeRequest = struct({ ...queryFields, NodeID: text, SecretID: text });

export const nodeListRequest = struct({
  ...queryFields,
  Fields: pointer(struct({ OS: bool, Resources: bool })),
});

export type NodeListRequest = ValueOf<typeof nodeListRequest>;

export const nodePoolRequest = struct({ ...queryFields, Name: text });

export const nodePoolNodesRequest = struct({
  ...queryFields,
  Fields: pointer(struct({ OS: bool, Resources: bool })),
  Name: text,
});

export const clientAllocsReply = struct({
  ...queryMeta,
  Allocs: mapOf(uint64),
  MigrateTokens: mapOf(text),
});

/** Of Node.GetAllocs: there are no jobs, so there is no allocation either. */
export const nodeAllocsReply = struct({ ...queryMeta, Allocs: list(any) });
