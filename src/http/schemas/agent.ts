/** Answers of /v1/agent and its like. */
import { t } from "elysia";
import {
  anything,
  atLeast,
  counts,
  exactly,
  flag,
  mapOf,
  number,
  orNull,
  text,
  texts,
  whole,
} from "./shapes.ts";

const health = exactly({ message: text, ok: flag });

const member = exactly({
  Addr: text,
  DelegateCur: whole,
  DelegateMax: whole,
  DelegateMin: whole,
  Name: text,
  Port: whole,
  ProtocolCur: whole,
  ProtocolMax: whole,
  ProtocolMin: whole,
  Status: text,
  Tags: mapOf(text),
});

const named = exactly({ Labels: mapOf(text), Name: text, Value: number });
const sampled = exactly({
  Count: number,
  Labels: mapOf(text),
  Max: number,
  Mean: number,
  Min: number,
  Name: text,
  Rate: number,
  Stddev: number,
  Sum: number,
});

/** Which the gossip keys are: by themselves, or by their fingerprints. */
const keyring = t.Union([
  exactly({ Keys: counts, Messages: mapOf(text), NumNodes: whole }),
  exactly({
    Keys: t.Array(exactly({ Bits: whole, Fingerprint: text, Nodes: whole, PrimaryOn: whole })),
    Members: t.Array(exactly({ Keys: texts, Name: text, Primary: text })),
    Messages: mapOf(text),
    NumNodes: whole,
  }),
]);

const hostData = exactly({
  Disk: mapOf(exactly({ DiskMB: whole, UsedMB: whole })),
  Environment: mapOf(text),
  Hosts: text,
  Network: t.Array(mapOf(text)),
  OS: text,
  ResolvConf: text,
});

export const agentSchemas = {
  AgentHealth: exactly({ client: t.Optional(health), server: t.Optional(health) }),
  AgentSelf: exactly({
    config: atLeast({ Datacenter: text, Region: text, Server: anything, Version: anything }),
    member,
    stats: mapOf(mapOf(text)),
  }),
  HostData: exactly({ AgentID: text, HostData: orNull(hostData) }),
  JoinResult: exactly({ error: text, num_joined: whole, warning: text }),
  Keyring: keyring,
  KeyringRequest: t.Union([
    atLeast({ Key: t.String({ minLength: 1 }) }),
    atLeast({ Fingerprint: t.String({ pattern: "^[0-9a-f]{16}$" }) }),
  ]),
  Members: exactly({
    Members: t.Array(member),
    ServerDC: text,
    ServerName: text,
    ServerRegion: text,
  }),
  Metrics: exactly({
    Counters: t.Array(sampled),
    Gauges: t.Array(named),
    Points: t.Array(anything),
    PrecisionGauges: t.Array(anything),
    Samples: t.Array(sampled),
    Timestamp: text,
  }),
  MonitorFrame: exactly({ Data: t.Optional(text) }),
  Permissions: exactly({ Refused: mapOf(text) }),
  ReloadReport: exactly({ changes: texts, restart_needed: texts }),
  SchedulerWorkers: exactly({ enabled_schedulers: texts, num_schedulers: whole, server_id: text }),
  Schedulers: exactly({ schedulers: t.Array(anything), server_id: text }),
};
