/**
 * What the servers of a region agree on, built from committed log entries only, so that it is the
 * same everywhere: cluster metadata and autopilot's settings, with Nomad's message types and fields
 * (wire/rpc-and-raft.md §9, §10).
 *
 * @module
 */
import {
  bool,
  decodeValue,
  encodeValue,
  int64,
  small,
  struct,
  structOf,
  text,
  uint64,
  type ValueOf,
} from "../wire/codec.ts";
import { MsgpackReader } from "../wire/msgpack-reader.ts";
import { MsgpackWriter } from "../wire/msgpack-writer.ts";

export const MessageType = { autopilot: 24, clusterMetadata: 32 } as const;
/** A message with this bit may be skipped by whoever does not know it. */
const IGNORABLE = 0x80;

/** Flat in every request that changes something. */
export const writeFields = {
  AuthToken: text,
  Forwarded: bool,
  IdempotencyToken: text,
  Namespace: text,
  Region: text,
};

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

export const clusterMetadata = struct({ ClusterID: text, CreateTime: int64 });
export type ClusterMetadata = ValueOf<typeof clusterMetadata>;

export type AutopilotRequest = ValueOf<typeof autopilotRequest>;

/** A command as an entry's data. */
export function autopilotCommand(fields: Partial<AutopilotRequest>): Uint8Array {
  const request = structOf(autopilotRequest, fields);
  return command(MessageType.autopilot, encodeValue(autopilotRequest, request));
}

export function clusterMetadataCommand(metadata: ClusterMetadata): Uint8Array {
  return command(MessageType.clusterMetadata, encodeValue(clusterMetadata, metadata));
}

function command(type: number, body: Uint8Array): Uint8Array {
  return new MsgpackWriter().byte(type).append(body).take();
}

/** Records of a snapshot. */
const Record = { index: 2, clusterMetadata: 14 } as const;
const indexRecord = struct({ Key: text, Value: uint64 });
const LAST_APPLIED = "last_applied";
/** In the header. */
const AUTOPILOT = "Autopilot";

export class StateMachine {
  #autopilot: AutopilotConfig | undefined;
  #cluster: ClusterMetadata | undefined;
  #index = 0;
  readonly #watchers = new Set<() => void>();
  /** Messages of types that are not for us: Nomad's own, if its servers share our log. */
  skipped = 0;

  get autopilot(): AutopilotConfig | undefined {
    return this.#autopilot;
  }

  get cluster(): ClusterMetadata | undefined {
    return this.#cluster;
  }

  /** Of the last entry that was applied. */
  get index(): number {
    return this.#index;
  }

  /** Of the last change of the node table: it is as it was at first. */
  get nodesIndex(): number {
    return 1;
  }

  /** Calls at every change until the result is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  /** Entries without a command (a new leader's, a configuration's) move the index only. */
  advance(index: number): void {
    this.#index = index;
  }

  /** What it cannot read it skips: the same on every server, and never a reason to stop. */
  apply(index: number, data: Uint8Array): void {
    this.#index = index;
    const type = (data[0] ?? 0) & ~IGNORABLE;
    const body = data.subarray(1);
    if (type === MessageType.autopilot) this.#applyAutopilot(body, BigInt(index));
    else if (type === MessageType.clusterMetadata) {
      this.#cluster = decodeValue(clusterMetadata, body) ?? this.#cluster;
    } else this.skipped += 1;
    for (const changed of [...this.#watchers]) changed();
  }

  /**
   * Nomad has no record for autopilot's settings and loses them with the log; a record of our own
   * it would refuse. Its header is a map of which it knows no field: there they travel unseen.
   */
  snapshot(): Uint8Array {
    const out = new MsgpackWriter().map(this.#autopilot === undefined ? 0 : 1);
    if (this.#autopilot !== undefined) autopilotConfig.write(out.text(AUTOPILOT), this.#autopilot);
    out.byte(Record.index);
    indexRecord.write(out, { Key: LAST_APPLIED, Value: BigInt(this.#index) });
    if (this.#cluster !== undefined) {
      clusterMetadata.write(out.byte(Record.clusterMetadata), this.#cluster);
    }
    return out.take();
  }

  /** @returns false: not a snapshot, and nothing has changed */
  restore(data: Uint8Array, index: number): boolean {
    const reader = new MsgpackReader(data);
    let autopilot: AutopilotConfig | undefined;
    for (let left = reader.map(); left > 0 && reader.ok; left--) {
      if (reader.text() === AUTOPILOT) autopilot = autopilotConfig.read(reader);
      else reader.skip();
    }
    let cluster: ClusterMetadata | undefined;
    while (reader.ok && reader.at < data.length) {
      const type = reader.byte();
      if (type === Record.clusterMetadata) cluster = clusterMetadata.read(reader);
      else reader.skip();
    }
    if (!reader.ok) return false;
    this.#autopilot = autopilot;
    this.#cluster = cluster;
    this.#index = index;
    for (const changed of [...this.#watchers]) changed();
    return true;
  }

  #applyAutopilot(body: Uint8Array, index: bigint): void {
    const request = decodeValue(autopilotRequest, body);
    if (request === undefined) return;
    const before = this.#autopilot;
    if (request.CAS && before?.ModifyIndex !== request.Config.ModifyIndex) return;
    const CreateIndex = before?.CreateIndex ?? index;
    this.#autopilot = { ...request.Config, CreateIndex, ModifyIndex: index };
  }
}
