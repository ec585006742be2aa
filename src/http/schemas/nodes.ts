/** Answers and bodies of what is about client nodes, their pools, and what is not here. */
import { t } from "elysia";
import {
  anything,
  atLeast,
  duration,
  exactly,
  flag,
  mapOf,
  number,
  orNull,
  text,
  whole,
} from "./shapes.ts";

const drainMetadata = exactly({
  AccessorID: text,
  Meta: orNull(mapOf(text)),
  StartedAt: text,
  Status: text,
  UpdatedAt: text,
});

const shared = {
  CreateIndex: whole,
  Datacenter: text,
  Drivers: anything,
  HostVolumes: anything,
  ID: text,
  LastDrain: orNull(drainMetadata),
  ModifyIndex: whole,
  Name: text,
  NodeClass: text,
  NodePool: text,
  SchedulingEligibility: text,
  Status: text,
  StatusDescription: text,
};

const stub = atLeast({
  ...shared,
  Address: text,
  Attributes: t.Optional(mapOf(text)),
  Drain: flag,
  NodeResources: t.Optional(anything),
  ReservedResources: t.Optional(anything),
  Version: text,
});

const node = atLeast({
  ...shared,
  Attributes: orNull(mapOf(text)),
  DrainStrategy: orNull(anything),
  Events: orNull(t.Array(anything)),
  HTTPAddr: text,
  Meta: orNull(mapOf(text)),
  SecretID: t.Literal(""),
  StatusUpdatedAt: whole,
  TLSEnabled: flag,
});

const pool = {
  CreateIndex: whole,
  Description: text,
  Meta: orNull(mapOf(text)),
  ModifyIndex: whole,
  Name: text,
};

const disk = exactly({
  Available: whole,
  Device: text,
  InodesUsedPercent: number,
  Mountpoint: text,
  Size: whole,
  Used: whole,
  UsedPercent: number,
});

const hostStats = exactly({
  AllocDirStats: orNull(disk),
  CPU: orNull(t.Array(mapOf(anything))),
  CPUTicksConsumed: number,
  DeviceStats: t.Null(),
  DiskStats: orNull(t.Array(disk)),
  Memory: orNull(exactly({ Available: whole, Free: whole, Total: whole, Used: whole })),
  Timestamp: whole,
  Uptime: whole,
});

export const nodeSchemas = {
  DrainRequest: atLeast({
    DrainSpec: t.Optional(
      orNull(atLeast({ Deadline: t.Optional(whole), IgnoreSystemJobs: t.Optional(flag) })),
    ),
    MarkEligible: t.Optional(flag),
    Meta: t.Optional(orNull(mapOf(text))),
  }),
  EligibilityRequest: atLeast({
    Eligibility: t.Union([t.Literal("eligible"), t.Literal("ineligible")]),
    NodeID: t.Optional(text),
  }),
  HostStats: orNull(hostStats),
  JobStatusesRequest: atLeast({
    IncludeChildren: t.Optional(flag),
    Jobs: t.Array(atLeast({ ID: text, Namespace: t.Optional(text) }), { minItems: 1 }),
  }),
  Node: node,
  NodeChange: exactly({
    EvalCreateIndex: whole,
    EvalIDs: orNull(t.Array(text)),
    Index: whole,
    NodeModifyIndex: whole,
  }),
  NodeIdentity: exactly({ Claims: orNull(mapOf(anything)) }),
  NodeList: t.Array(stub),
  NodeMeta: exactly({
    Dynamic: orNull(mapOf(orNull(text))),
    Meta: orNull(mapOf(text)),
    Static: orNull(mapOf(text)),
  }),
  NodeMetaRequest: atLeast({
    Meta: mapOf(orNull(text)),
    NodeID: t.Optional(text),
  }),
  NodeNamed: atLeast({ NodeID: t.Optional(text) }),
  NodePool: atLeast(pool),
  NodePoolList: t.Array(atLeast(pool)),
  NodePoolRequest: atLeast({
    Description: t.Optional(text),
    Meta: t.Optional(orNull(mapOf(text))),
    Name: text,
    NodeIdentityTTL: t.Optional(duration),
    SchedulerConfiguration: t.Optional(
      orNull(
        atLeast({
          MemoryOversubscriptionEnabled: t.Optional(orNull(flag)),
          SchedulerAlgorithm: t.Optional(text),
        }),
      ),
    ),
  }),
  NodePurge: exactly({
    EvalCreateIndex: whole,
    EvalIDs: orNull(t.Array(text)),
    NodeModifyIndex: whole,
  }),
};
