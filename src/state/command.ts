/**
 * What a leader may write into the log: Nomad's message types and fields, as an entry's data
 * (wire/rpc-and-raft.md §9).
 *
 * @module
 */
import {
  bool,
  type Codec,
  encodeValue,
  int64,
  list,
  mapOf,
  pointer,
  raw,
  small,
  struct,
  structOf,
  text,
  uint64,
  type ValueOf,
} from "../wire/codec.ts";
import { MsgpackWriter } from "../wire/msgpack-writer.ts";
import { writeFields } from "../wire/rpc-status.ts";
import { drainStrategy, node, nodeEvent } from "./node.ts";

export const MessageType = {
  nodeRegister: 0,
  nodeDeregister: 1,
  nodeUpdateStatus: 2,
  nodeUpdateDrain: 3,
  autopilot: 24,
  nodeEvents: 25,
  nodeUpdateEligibility: 28,
  nodeBatchUpdateDrain: 29,
  nodeBatchDeregister: 31,
  clusterMetadata: 32,
  nodePoolUpsert: 59,
  nodePoolDelete: 60,
  namespaceUpsert: 64,
  namespaceDelete: 65,
  /** Ours, as the next two; Nomad's servers skip them by their bit. */
  signingKeyDelete: 123,
  signingKeyUpsert: 124,
  /** The whole state, out of an operator's archive. */
  restore: 125,
} as const;

/** A message with this bit may be skipped by whoever does not know it. */
export const IGNORABLE = 0x80;

export const autopilotConfig = struct({
  CleanupDeadServers: bool,
  CreateIndex: uint64,
  DisableUpgradeMigration: bool,
  EnableCustomUpgrades: bool,
  EnableRedundancyZones: bool,
  LastContactThreshold: int64,
  MaxTrailingLogs: uint64,
  MinQuorum: small,
  ModifyIndex: uint64,
  ServerStabilizationTime: int64,
});
export type AutopilotConfig = ValueOf<typeof autopilotConfig>;

export const AUTOPILOT_DEFAULTS: AutopilotConfig = structOf(autopilotConfig, {
  CleanupDeadServers: true,
  LastContactThreshold: 200_000_000n,
  MaxTrailingLogs: 250n,
  ServerStabilizationTime: 10_000_000_000n,
});

export const autopilotRequest = struct({
  ...writeFields,
  CAS: bool,
  Config: autopilotConfig,
  Datacenter: text,
});
type AutopilotRequest = ValueOf<typeof autopilotRequest>;

export const clusterMetadata = struct({ ClusterID: text, CreateTime: int64 });
export type ClusterMetadata = ValueOf<typeof clusterMetadata>;

export const nodeRegisterRequest = struct({
  ...writeFields,
  CreateNodePool: bool,
  Node: pointer(node),
  NodeEvent: pointer(nodeEvent),
});

export const nodeStatusRequest = struct({
  ...writeFields,
  ForceIdentityRenewal: bool,
  IdentitySigningKeyID: text,
  NodeEvent: pointer(nodeEvent),
  NodeID: text,
  Status: text,
  UpdatedAt: int64,
});

export const nodeEligibilityRequest = struct({
  ...writeFields,
  Eligibility: text,
  NodeEvent: pointer(nodeEvent),
  NodeID: text,
  UpdatedAt: int64,
});

export const nodeDrainRequest = struct({
  ...writeFields,
  DrainStrategy: pointer(drainStrategy),
  MarkEligible: bool,
  Meta: mapOf(text),
  NodeEvent: pointer(nodeEvent),
  NodeID: text,
  UpdatedAt: int64,
  UpdatedBy: text,
});

/** By which a leader ends drains: nothing is left on the nodes. */
export const nodeBatchDrainRequest = struct({
  ...writeFields,
  NodeEvents: mapOf(pointer(nodeEvent)),
  UpdatedAt: int64,
  Updates: mapOf(pointer(struct({ DrainStrategy: pointer(drainStrategy), MarkEligible: bool }))),
});

export const nodeEventsRequest = struct({
  ...writeFields,
  NodeEvents: mapOf(list(pointer(nodeEvent))),
});

export const nodeDeregisterRequest = struct({ ...writeFields, NodeID: text });
export const nodeBatchDeregisterRequest = struct({ ...writeFields, NodeIDs: list(text) });

export const restoreRequest = struct({ Snapshot: raw });

export function autopilotCommand(fields: Partial<AutopilotRequest>): Uint8Array {
  return command(MessageType.autopilot, autopilotRequest, structOf(autopilotRequest, fields));
}

export function clusterMetadataCommand(metadata: ClusterMetadata): Uint8Array {
  return command(MessageType.clusterMetadata, clusterMetadata, metadata);
}

/** @param snapshot as `StateMachine.snapshot` makes it, or Nomad */
export function restoreCommand(snapshot: Uint8Array): Uint8Array {
  return command(MessageType.restore | IGNORABLE, restoreRequest, { Snapshot: snapshot });
}

/** A command as an entry's data. */
export function command<T>(type: number, codec: Codec<T>, value: T): Uint8Array {
  return new MsgpackWriter().byte(type).append(encodeValue(codec, value)).take();
}
