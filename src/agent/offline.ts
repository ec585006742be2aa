/**
 * What an operator asks of files while no agent runs: a server's Raft folder, a snapshot archive.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { isDirectory, isThere } from "../host/files.ts";
import { readRaft, type StoredRaft } from "../host/raft-store.ts";
import { EntryType } from "../protocol/raft/message.ts";
import { type ArchiveMeta, unpackArchive } from "../service/methods/snapshot-archive.ts";
import { AclMessage } from "../state/acl/acl-changes.ts";
import { policyJson, roleJson, tokenStubJson } from "../state/acl/acl-json.ts";
import { autopilotConfig, clusterMetadata, IGNORABLE, MessageType } from "../state/command.ts";
import { countRecords, type RecordCount, whyUnreadable } from "../state/image.ts";
import { node } from "../state/node.ts";
import { StateMachine } from "../state/state-machine.ts";
import { type Codec, encodeValue } from "../wire/codec.ts";
import { type JsonValue, jsonOf } from "../wire/msgpack-json.ts";
import { replay } from "./raft-replay.ts";

const DATABASE = "raft.db";

interface LogSummary {
  readonly path: string;
  readonly length: number;
  /** 0: the log is empty. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** 0: there is none. */
  readonly snapshotIndex: number;
}

/**
 * @param given the data_dir, or raft.db itself, or a folder between
 * @throws Error for the operator
 */
export function summariseLog(given: string): LogSummary {
  const { path, stored } = openLog(given);
  const { entries, snapshot } = stored;
  return {
    path,
    length: entries.length,
    firstIndex: entries[0]?.index ?? 0,
    lastIndex: entries.at(-1)?.index ?? 0,
    snapshotIndex: snapshot?.meta.index ?? 0,
  };
}

/** Every entry, with Nomad's names of what it is. @throws Error for the operator */
export function dumpLog(given: string): readonly JsonValue[] {
  const { stored } = openLog(given);
  return stored.entries.map(({ index, term, type, data, appendedAtMs }) => {
    const head = {
      AppendedAt: dateOf(appendedAtMs),
      Index: index,
      Term: term,
      LogType: LOG_TYPES[type] ?? `LogType(${type})`,
    };
    if (type !== EntryType.command || data.length === 0) return head;
    const kind = (data[0] ?? 0) & ~IGNORABLE;
    const CommandType = commandName(kind);
    if (kind === MessageType.restore) return { ...head, CommandType, Bytes: data.length };
    return { ...head, CommandType, Body: withoutSecrets(jsonOf(data.subarray(1)) ?? null) };
  });
}

const SECRETS: ReadonlySet<string> = new Set(["AuthToken", "BootstrapSecret", "SecretID"]);

/** Whoever reads the disk could find them: nobody has to have them on the screen. */
function withoutSecrets(value: JsonValue): JsonValue {
  if (value === null || typeof value !== "object") return value;
  if (isList(value)) return value.map(withoutSecrets);
  const shown = Object.entries(value).map(([name, one]) => {
    const isSecret = SECRETS.has(name) && one !== "" && one !== null;
    return [name, isSecret ? "<redacted>" : withoutSecrets(one)] as const;
  });
  return Object.fromEntries(shown);
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** A leader may claim any time. */
function dateOf(ms: number | undefined): string | null {
  const date = new Date(ms ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/**
 * The state as of an index.
 *
 * @param lastIndex from 0 downwards: so many entries before the end of the log
 * @throws Error for the operator
 */
export function dumpState(given: string, lastIndex: number): JsonValue {
  const { stored } = openLog(given);
  const { index = 0 } = stored.snapshot?.meta ?? {};
  const end = Math.max(stored.entries.at(-1)?.index ?? 0, index);
  const upTo = lastIndex > 0 ? lastIndex : end + lastIndex;
  if (upTo < index) {
    throw new Error(`the state at ${upTo} is gone: the log was compacted up to ${index}`);
  }
  return showState(replay(stored, upTo));
}

function showState(machine: StateMachine): JsonValue {
  const { autopilot, cluster, nodes, acl } = machine;
  return {
    ACLPolicies: acl.policies().map(policyJson),
    ACLRoles: acl.roles().map(roleJson),
    ACLTokens: [...acl.tokens()].map(tokenStubJson),
    LastAppliedIndex: machine.index,
    AutopilotConfig: autopilot === undefined ? null : show(autopilotConfig, autopilot),
    ClusterMetadata: cluster === undefined ? null : show(clusterMetadata, cluster),
    Nodes: nodes.all().map((one) => withoutSecrets(show(node, one))),
  };
}

interface ArchiveSummary {
  readonly meta: ArchiveMeta;
  readonly records: readonly RecordCount[];
}

/** @throws Error for the operator: it is none, or it is damaged */
export async function inspectArchive(bytes: Uint8Array): Promise<ArchiveSummary> {
  const { meta, state } = await unpackArchive(bytes);
  const records = countRecords(state);
  if (records === undefined) throw new Error(`state.bin: ${whyUnreadable(state)}`);
  return { meta, records };
}

/** What of an archive would be kept here. @throws Error for the operator */
export async function dumpArchive(bytes: Uint8Array): Promise<JsonValue> {
  const { meta, state } = await unpackArchive(bytes);
  const machine = new StateMachine();
  if (machine.restore(state, meta.index)) return showState(machine);
  throw new Error(`state.bin: ${whyUnreadable(state)}`);
}

const LOG_TYPES: Readonly<Record<number, string>> = {
  [EntryType.command]: "LogCommand",
  [EntryType.noop]: "LogNoop",
  [EntryType.barrier]: "LogBarrier",
  [EntryType.configuration]: "LogConfiguration",
};

const COMMAND_NAMES: Readonly<Record<number, string>> = {
  [MessageType.nodeRegister]: "NodeRegisterRequestType",
  [MessageType.nodeDeregister]: "NodeDeregisterRequestType",
  [MessageType.nodeUpdateStatus]: "NodeUpdateStatusRequestType",
  [MessageType.autopilot]: "AutopilotRequestType",
  [MessageType.nodeUpdateEligibility]: "NodeUpdateEligibilityRequestType",
  [MessageType.nodeBatchDeregister]: "NodeBatchDeregisterRequestType",
  [MessageType.clusterMetadata]: "ClusterMetadataRequestType",
  [MessageType.restore]: "RestoreRequestType",
  [AclMessage.policyUpsert]: "ACLPolicyUpsertRequestType",
  [AclMessage.policyDelete]: "ACLPolicyDeleteRequestType",
  [AclMessage.tokenUpsert]: "ACLTokenUpsertRequestType",
  [AclMessage.tokenDelete]: "ACLTokenDeleteRequestType",
  [AclMessage.tokenBootstrap]: "ACLTokenBootstrapRequestType",
  [AclMessage.rolesUpsert]: "ACLRolesUpsertRequestType",
  [AclMessage.rolesDelete]: "ACLRolesDeleteByIDRequestType",
  [MessageType.signingKeyUpsert]: "SigningKeyUpsertRequestType",
  [MessageType.signingKeyDelete]: "SigningKeyDeleteRequestType",
};

function commandName(type: number): string {
  return COMMAND_NAMES[type] ?? `MessageType(${type})`;
}

function show<T>(codec: Codec<T>, value: T): JsonValue {
  return jsonOf(encodeValue(codec, value)) ?? null;
}

function openLog(given: string): { path: string; stored: StoredRaft } {
  const path = databaseOf(given);
  if (path === undefined) {
    throw new Error(`failed to find raft.db in ${given}: name a server's data_dir, or the file`);
  }
  return { path, stored: readRaft(dirname(path)) };
}

function databaseOf(given: string): string | undefined {
  if (!isThere(given)) return undefined;
  if (!isDirectory(given)) return basename(given) === DATABASE ? given : undefined;
  const folders = [given, join(given, "raft"), join(given, "server", "raft")];
  return folders.map((folder) => join(folder, DATABASE)).find((path) => isThere(path));
}
