/**
 * An image of the state machine, which a snapshot holds, in Nomad's form: a header map, then
 * records to the end, each a type and a value (wire/rpc-and-raft.md §10).
 *
 * Nomad has no record for autopilot's settings and loses them with the log; a record of our own it
 * would refuse. Its header is a map of which it knows no field: there they travel unseen, and with
 * them the keys that sign identities.
 *
 * @module
 */
import { type Codec, list, struct, text, uint64 } from "../wire/codec.ts";
import { MsgpackReader } from "../wire/msgpack-reader.ts";
import { MsgpackWriter } from "../wire/msgpack-writer.ts";
import {
  type AclPolicy,
  type AclRole,
  type AclToken,
  aclPolicy,
  aclRole,
  aclToken,
} from "./acl/acl.ts";
import type { AclContent } from "./acl/acl-table.ts";
import {
  type AutopilotConfig,
  autopilotConfig,
  type ClusterMetadata,
  clusterMetadata,
} from "./command.ts";
import {
  FIRST_FORMAT,
  formatOfRecord,
  laterFormat,
  SIGNING_FORMAT,
  STATE_FORMAT,
} from "./format.ts";
import { type Namespace, type NamespaceContent, namespace } from "./namespace.ts";
import { type Node, node } from "./node.ts";
import { type NodePool, nodePool } from "./node-pool.ts";
import { type SigningKey, signingKey } from "./signing-key.ts";

/** Nomad's names for what a record is. */
const RECORD_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "Node"],
  [1, "Job"],
  [2, "Index"],
  [3, "Eval"],
  [4, "Alloc"],
  [5, "TimeTable"],
  [6, "PeriodicLaunch"],
  [7, "JobSummary"],
  [8, "VaultAccessor"],
  [9, "JobVersion"],
  [10, "Deployment"],
  [11, "ACLPolicy"],
  [12, "ACLToken"],
  [13, "SchedulerConfig"],
  [14, "ClusterMetadata"],
  [15, "ServiceIdentityTokenAccessor"],
  [16, "ScalingPolicy"],
  [17, "CSIPlugin"],
  [18, "CSIVolume"],
  [19, "ScalingEvents"],
  [20, "EventSink"],
  [21, "ServiceRegistration"],
  [22, "Variable"],
  [23, "VariablesQuota"],
  [24, "RootKeyMeta"],
  [25, "ACLRole"],
  [26, "ACLAuthMethod"],
  [27, "ACLBindingRule"],
  [28, "NodePool"],
  [29, "JobSubmission"],
  [30, "RootKey"],
  [31, "HostVolume"],
  [64, "Namespace"],
]);
const Record = {
  node: 0,
  index: 2,
  aclPolicy: 11,
  aclToken: 12,
  clusterMetadata: 14,
  aclRole: 25,
  nodePool: 28,
  namespace: 64,
} as const;

const indexRecord = struct({ Key: text, Value: uint64 });
const LAST_APPLIED = "last_applied";
const NODES = "nodes";
const POOLS = "node_pools";
const NAMESPACES = "namespaces";
/** Of ACLs; written where there is anything to say. */
const ACL_INDEXES = {
  tokensIndex: "acl_token",
  policiesIndex: "acl_policy",
  rolesIndex: "acl_roles",
  bootstrapIndex: "acl_token_bootstrap",
} as const;
/** In the header; the version is the format of the latest thing in the image (format.ts). */
const [AUTOPILOT, SIGNING_KEYS, VERSION] = ["Autopilot", "SigningKeys", "Version"];

const signingKeys = struct({ Index: uint64, Keys: list(signingKey) });

/** What is kept here; the rest of an image of Nomad's is not. */
export interface ImageContent {
  readonly acl: AclContent;
  readonly autopilot: AutopilotConfig | undefined;
  readonly cluster: ClusterMetadata | undefined;
  readonly namespaces: NamespaceContent;
  readonly nodes: readonly Node[];
  readonly nodesIndex: bigint;
  readonly pools: readonly NodePool[];
  readonly poolsIndex: bigint;
  readonly signingKeys: readonly SigningKey[];
  readonly signingKeysIndex: bigint;
}

export interface RecordCount {
  readonly name: string;
  readonly count: number;
  /** Bytes of all of them. */
  readonly size: number;
  /** Are they kept when the image is restored here? */
  readonly kept: boolean;
}

export function writeImage(content: ImageContent, lastApplied: bigint): Uint8Array {
  const { autopilot, cluster, namespaces, nodes, nodesIndex, pools, poolsIndex } = content;
  const out = new RecordWriter();
  out.write(Record.index, indexRecord, { Key: LAST_APPLIED, Value: lastApplied });
  out.write(Record.index, indexRecord, { Key: NODES, Value: nodesIndex });
  out.write(Record.index, indexRecord, { Key: POOLS, Value: poolsIndex });
  writeAcls(out, content.acl);
  const { index: Value } = namespaces;
  if (Value > 1n) out.write(Record.index, indexRecord, { Key: NAMESPACES, Value });
  for (const one of namespaces.all) out.write(Record.namespace, namespace, one);
  for (const one of nodes) out.write(Record.node, node, one);
  for (const one of pools) out.write(Record.nodePool, nodePool, one);
  if (cluster !== undefined) out.write(Record.clusterMetadata, clusterMetadata, cluster);
  const { signingKeys: Keys, signingKeysIndex: Index } = content;
  return out.image(autopilot, Keys.length === 0 ? undefined : { Index, Keys });
}

function writeAcls(out: RecordWriter, acl: AclContent): void {
  const { tokensIndex, policiesIndex, rolesIndex, bootstrapIndex } = acl;
  const indexes = { tokensIndex, policiesIndex, rolesIndex, bootstrapIndex };
  for (const [name, Value] of Object.entries(indexes)) {
    const Key = new Map(Object.entries(ACL_INDEXES)).get(name) ?? "";
    if (Value > 0n) out.write(Record.index, indexRecord, { Key, Value });
  }
  for (const one of acl.policies) out.write(Record.aclPolicy, aclPolicy, one);
  for (const one of acl.tokens) out.write(Record.aclToken, aclToken, one);
  for (const one of acl.roles) out.write(Record.aclRole, aclRole, one);
}

/** Records one after the other, and the format that whoever reads them must know. */
class RecordWriter {
  readonly #records = new MsgpackWriter();
  #format = FIRST_FORMAT;

  write<T>(type: number, codec: Codec<T>, value: T): void {
    this.#format = Math.max(this.#format, formatOfRecord(type));
    codec.write(this.#records.byte(type), value);
  }

  /** With the header in front. */
  image(
    autopilot: AutopilotConfig | undefined,
    signing: typeof signingKeys.zero | undefined,
  ): Uint8Array {
    const fields = [autopilot, signing].filter((one) => one !== undefined).length;
    const header = new MsgpackWriter().map(fields + 1);
    if (autopilot !== undefined) autopilotConfig.write(header.text(AUTOPILOT), autopilot);
    if (signing !== undefined) signingKeys.write(header.text(SIGNING_KEYS), signing);
    const format = signing === undefined ? this.#format : Math.max(this.#format, SIGNING_FORMAT);
    return header.text(VERSION).uint(format).append(this.#records.take()).take();
  }
}

/** Of an image, by its header; what is none has the first. */
export function formatOfImage(data: Uint8Array): number {
  let format = FIRST_FORMAT;
  const reader = new MsgpackReader(data);
  for (let left = reader.map(); left > 0 && reader.ok; left--) {
    if (reader.text() === VERSION) format = reader.uint(0xffff_ffff);
    else reader.skip();
  }
  return reader.ok ? format : FIRST_FORMAT;
}

/** One that `readImage` does not read: why, for an operator. */
export function whyUnreadable(data: Uint8Array): string {
  const format = formatOfImage(data);
  return format > STATE_FORMAT ? laterFormat(format) : "it is not the state of a Nomad server";
}

/** undefined: no image, or one of a later release. */
export function readImage(data: Uint8Array): ImageContent | undefined {
  let [autopilot, cluster]: [AutopilotConfig?, ClusterMetadata?] = [];
  let signing = signingKeys.zero;
  const indexes = new Map<string, bigint>();
  const nodes: Node[] = [];
  const pools: NodePool[] = [];
  const acls = new AclReader();
  const all: Namespace[] = [];
  const whole = eachRecord(
    data,
    (name, reader) => {
      if (name === AUTOPILOT) autopilot = autopilotConfig.read(reader);
      else if (name === SIGNING_KEYS) signing = signingKeys.read(reader);
      else if (name !== VERSION) reader.skip();
      else if (reader.uint(0xffff_ffff) > STATE_FORMAT) reader.refuse();
    },
    (type, reader) => {
      if (type === Record.clusterMetadata) cluster = clusterMetadata.read(reader);
      else if (type === Record.node) nodes.push(node.read(reader));
      else if (type === Record.nodePool) pools.push(nodePool.read(reader));
      else if (type === Record.namespace) all.push(namespace.read(reader));
      else if (type === Record.index) {
        const { Key, Value } = indexRecord.read(reader);
        indexes.set(Key, Value);
      } else acls.read(type, reader);
    },
  );
  const keys = [NODES, POOLS, NAMESPACES];
  const [nodesIndex = 1n, poolsIndex = 1n, index = 1n] = keys.map((key) => indexes.get(key));
  if (!whole) return undefined;
  return {
    acl: acls.content(indexes),
    namespaces: { all, index },
    ...{ autopilot, cluster, nodes, nodesIndex, pools, poolsIndex },
    signingKeys: signing.Keys ?? [],
    signingKeysIndex: signing.Index,
  };
}

/** The records of ACLs. */
class AclReader {
  readonly #tokens: AclToken[] = [];
  readonly #policies: AclPolicy[] = [];
  readonly #roles: AclRole[] = [];

  read(type: number, reader: MsgpackReader): void {
    if (type === Record.aclPolicy) this.#policies.push(aclPolicy.read(reader));
    else if (type === Record.aclToken) this.#tokens.push(aclToken.read(reader));
    else if (type === Record.aclRole) this.#roles.push(aclRole.read(reader));
    else reader.skip();
  }

  content(indexes: ReadonlyMap<string, bigint>): AclContent {
    const index = (key: keyof typeof ACL_INDEXES): bigint => indexes.get(ACL_INDEXES[key]) ?? 0n;
    return {
      tokens: this.#tokens,
      policies: this.#policies,
      roles: this.#roles,
      tokensIndex: index("tokensIndex"),
      policiesIndex: index("policiesIndex"),
      rolesIndex: index("rolesIndex"),
      bootstrapIndex: index("bootstrapIndex"),
    };
  }
}

/** What is in it, the largest first; undefined: no image. */
export function countRecords(data: Uint8Array): readonly RecordCount[] | undefined {
  const found = new Map<string, Omit<RecordCount, "name">>();
  const keptTypes: readonly number[] = Object.values(Record);
  const whole = eachRecord(
    data,
    (_name, reader) => reader.skip(),
    (type, reader) => {
      const start = reader.at;
      reader.skip();
      const name = RECORD_NAMES.get(type) ?? `Unknown (${type})`;
      const { count, size } = found.get(name) ?? { count: 0, size: 0 };
      const kept = keptTypes.includes(type);
      found.set(name, { count: count + 1, size: size + 1 + reader.at - start, kept });
    },
  );
  if (!whole) return undefined;
  const counts = [...found].map(([name, sums]) => ({ name, ...sums }));
  return counts.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
}

/** @returns false: the bytes are no image */
function eachRecord(
  data: Uint8Array,
  header: (name: string, reader: MsgpackReader) => void,
  body: (type: number, reader: MsgpackReader) => void,
): boolean {
  const reader = new MsgpackReader(data);
  for (let left = reader.map(); left > 0 && reader.ok; left--) header(reader.text(), reader);
  while (reader.ok && reader.at < data.length) body(reader.byte(), reader);
  return reader.ok;
}
