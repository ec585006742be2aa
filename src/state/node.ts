/**
 * A client node as its servers keep it: Nomad's fields, those that nobody here looks into as the
 * bytes they came in (wire/rpc-and-raft.md §6.2).
 *
 * @module
 */
import {
  any,
  bool,
  encodeValue,
  type GoTime,
  int64,
  list,
  mapOf,
  pointer,
  struct,
  text,
  time,
  uint64,
  unixTime,
  type ValueOf,
} from "../wire/codec.ts";
import { MsgpackReader } from "../wire/msgpack-reader.ts";

export const nodeEvent = struct({
  CreateIndex: uint64,
  Details: mapOf(text),
  Message: text,
  Subsystem: text,
  Timestamp: time,
});
export type NodeEvent = ValueOf<typeof nodeEvent>;

/** Something that the servers themselves noticed. */
export function clusterEvent(message: string, unixSeconds: bigint): NodeEvent {
  return nodeEventNow("Cluster", message, unixSeconds);
}

/** @param Subsystem Cluster, Drain */
export function nodeEventNow(Subsystem: string, Message: string, unixSeconds: bigint): NodeEvent {
  const Timestamp = greenwich(unixSeconds);
  return { CreateIndex: 0n, Details: null, Message, Subsystem, Timestamp };
}

/** As a Nomad server writes it whose clock is set to Greenwich. */
export function greenwich(unixSeconds: bigint): GoTime {
  return { ...unixTime(unixSeconds), zoneMinutes: 0 };
}

/** How a node is emptied. */
export const drainStrategy = struct({
  /** Negative: at once; 0: there is none. */
  Deadline: int64,
  ForceDeadline: time,
  IgnoreSystemJobs: bool,
  StartedAt: time,
});
export type DrainStrategy = ValueOf<typeof drainStrategy>;

const drainMetadata = struct({
  AccessorID: text,
  Meta: mapOf(text),
  StartedAt: time,
  /** draining, complete or canceled */
  Status: text,
  UpdatedAt: time,
});
export type DrainMetadata = ValueOf<typeof drainMetadata>;

/** What a list shows of a node as it is. */
const shared = {
  Attributes: any,
  CreateIndex: uint64,
  Datacenter: text,
  Drivers: any,
  HostVolumes: any,
  ID: text,
  LastDrain: pointer(drainMetadata),
  ModifyIndex: uint64,
  Name: text,
  NodeClass: text,
  NodePool: text,
  NodeResources: any,
  ReservedResources: any,
  SchedulingEligibility: text,
  Status: text,
  StatusDescription: text,
};

export const node = struct({
  ...shared,
  CSIControllerPlugins: any,
  CSINodePlugins: any,
  CgroupParent: text,
  ComputedClass: text,
  DrainStrategy: pointer(drainStrategy),
  Events: list(nodeEvent),
  GCVolumesOnNodeGC: bool,
  HTTPAddr: text,
  HostNetworks: any,
  IdentitySigningKeyID: text,
  LastAllocUpdateIndex: uint64,
  LastMissedHeartbeatIndex: uint64,
  Links: any,
  Meta: any,
  NodeMaxAllocs: int64,
  SecretID: text,
  StatusUpdatedAt: int64,
  TLSEnabled: bool,
});
export type Node = ValueOf<typeof node>;

export const nodeListStub = struct({ ...shared, Address: text, Drain: bool, Version: text });
export type NodeListStub = ValueOf<typeof nodeListStub>;

/** One value of a map of texts; undefined: it is not there. */
export function textIn(map: Uint8Array, name: string): string | undefined {
  const reader = new MsgpackReader(map);
  const wanted = new TextEncoder().encode(name);
  for (let left = reader.map(); left > 0 && reader.ok; left--) {
    // As bytes: of ten thousand nodes with a hundred attributes each, most keys are others.
    const key = reader.raw();
    if (key?.length === wanted.length && wanted.every((byte, i) => byte === key[i])) {
      return reader.text();
    }
    reader.skip();
  }
  return undefined;
}

/** Entries of a map; 0 for nil. */
export function countIn(map: Uint8Array): number {
  return Math.max(0, new MsgpackReader(map).map());
}

/** A map of texts, as it is kept in a node. */
export function mapBytes(values: ReadonlyMap<string, string>): Uint8Array {
  return encodeValue(mapOf(text), values);
}

/** May something be placed on it? Nothing is here; other regions and tools look at it. */
export const ELIGIBILITIES = ["eligible", "ineligible"] as const;

export const NODE_STATUSES = ["initializing", "ready", "down", "disconnected"] as const;
