/**
 * What the servers of a region agree on, built from committed log entries only, so that it is the
 * same everywhere: cluster metadata, autopilot's settings, the client nodes and ACLs, with Nomad's
 * message types and fields (wire/rpc-and-raft.md §9, §10), and the keys that sign for these nodes.
 *
 * @module
 */
import { decodeValue } from "../wire/codec.ts";
import { changeAcls } from "./acl/acl-changes.ts";
import { AclTable } from "./acl/acl-table.ts";
import type { Change, ChangeListener } from "./change.ts";
import {
  type AutopilotConfig,
  autopilotRequest,
  type ClusterMetadata,
  clusterMetadata,
  IGNORABLE,
  MessageType,
  nodeEligibilityRequest,
  restoreRequest,
} from "./command.ts";
import { commandFormat } from "./command-format.ts";
import { FIRST_FORMAT, STATE_FORMAT } from "./format.ts";
import { formatOfImage, type ImageContent, readImage, writeImage } from "./image.ts";
import { NamespaceTable } from "./namespace.ts";
import { changeNodes } from "./node-changes.ts";
import { NodePoolTable } from "./node-pool.ts";
import { NodeTable } from "./node-table.ts";
import {
  SigningKeyTable,
  signingKeyDeleteRequest,
  signingKeyUpsertRequest,
} from "./signing-key.ts";

/**
 * What became of a command, the same on every server. Refused: what it was to replace has changed
 * meanwhile. Skipped: of Nomad's types, unreadable, or about no node. Later: skipped, too, and
 * written by a later release of ours, or by Nomad.
 */
export type Outcome = "applied" | "refused" | "skipped" | "later";

export class StateMachine {
  readonly nodes = new NodeTable((change) => this.#announced(change));
  readonly pools = new NodePoolTable((change) => this.#announced(change));
  readonly signingKeys = new SigningKeyTable();
  readonly acl = new AclTable((change) => this.#announced(change));
  readonly namespaces = new NamespaceTable();
  #autopilot: AutopilotConfig | undefined;
  #cluster: ClusterMetadata | undefined;
  #index = 0;
  #format = FIRST_FORMAT;
  readonly #watchers = new Set<() => void>();
  #listener: ChangeListener | undefined;
  /** Of the entry that is applied just now. */
  #changes: Change[] = [];
  /** Messages that changed nothing: of Nomad's types, unreadable, or about no node. */
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

  /** What a server has to read that shall be in the group (format.ts). */
  get format(): number {
    return this.#format;
  }

  /** Calls at every change until the result is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  /** Says what each entry has changed; one may listen. */
  tell(listener: ChangeListener): void {
    this.#listener = listener;
  }

  /** Entries without a command (a new leader's, a configuration's) move the index only. */
  advance(index: number): void {
    this.#index = index;
  }

  /** What it cannot read it skips: the same on every server, and never a reason to stop. */
  apply(index: number, data: Uint8Array): Outcome {
    this.#index = index;
    const outcome = this.#outcome(data, BigInt(index));
    if (outcome === "skipped" || outcome === "later") this.skipped += 1;
    this.#tellChanges();
    this.#changed();
    return outcome;
  }

  snapshot(): Uint8Array {
    const content: ImageContent = {
      acl: this.acl.content(),
      autopilot: this.#autopilot,
      cluster: this.#cluster,
      namespaces: this.namespaces.content(),
      nodes: this.nodes.all(),
      nodesIndex: BigInt(this.nodes.index),
      pools: this.pools.all(),
      poolsIndex: BigInt(this.pools.index),
      signingKeys: this.signingKeys.all(),
      signingKeysIndex: BigInt(this.signingKeys.index),
    };
    return writeImage(content, BigInt(this.#index));
  }

  /** Is it an image of this release, or of an earlier one? */
  canRestore(data: Uint8Array): boolean {
    return readImage(data) !== undefined;
  }

  /** @returns false: no image, and nothing has changed */
  restore(data: Uint8Array, index: number): boolean {
    const content = readImage(data);
    if (content === undefined) return false;
    this.#replace(content, BigInt(index));
    this.#format = formatOfImage(data);
    const { signingKeys, signingKeysIndex } = content;
    this.signingKeys.replace(signingKeys, signingKeysIndex, BigInt(index));
    this.#autopilot = content.autopilot;
    this.#index = index;
    this.#listener?.replaced(index);
    this.#changed();
    return true;
  }

  #announced(change: Change): void {
    if (this.#listener !== undefined) this.#changes.push(change);
  }

  #tellChanges(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    this.#listener?.applied(this.#index, changes);
  }

  #changed(): void {
    for (const changed of [...this.#watchers]) changed();
  }

  #outcome(data: Uint8Array, index: bigint): Outcome {
    if (data.length === 0) return "skipped";
    const format = commandFormat(data);
    if (format === undefined || format > STATE_FORMAT) return "later";
    this.#format = Math.max(this.#format, format);
    return this.#apply((data[0] ?? 0) & ~IGNORABLE, data.subarray(1), index);
  }

  #apply(type: number, body: Uint8Array, index: bigint): Outcome {
    if (type === MessageType.autopilot) return this.#applyAutopilot(body, index);
    if (type === MessageType.nodeUpdateEligibility) {
      const request = decodeValue(nodeEligibilityRequest, body);
      return request === undefined ? "skipped" : this.nodes.updateEligibility(index, request);
    }
    const outcome = changeAcls(this.acl, type, body, index);
    if (outcome !== undefined) return outcome;
    return this.#change(type, body, index) ? "applied" : "skipped";
  }

  /** @returns false: not for us */
  #change(type: number, body: Uint8Array, index: bigint): boolean {
    switch (type) {
      case MessageType.clusterMetadata: {
        const given = decodeValue(clusterMetadata, body);
        this.#cluster = given ?? this.#cluster;
        return given !== undefined;
      }
      case MessageType.signingKeyUpsert: {
        const { Key, Now } = decodeValue(signingKeyUpsertRequest, body) ?? { Key: null, Now: 0n };
        return Key !== null && this.signingKeys.upsert(index, Key, Now);
      }
      case MessageType.signingKeyDelete: {
        const ids = decodeValue(signingKeyDeleteRequest, body)?.KeyIDs ?? [];
        return this.signingKeys.delete(index, ids);
      }
      case MessageType.restore:
        return this.#applyRestore(body, index);
      default:
        return this.namespaces.change(type, body, index) || changeNodes(this, type, body, index);
    }
  }

  #applyAutopilot(body: Uint8Array, index: bigint): Outcome {
    const request = decodeValue(autopilotRequest, body);
    if (request === undefined) return "skipped";
    const before = this.#autopilot;
    if (request.CAS && before?.ModifyIndex !== request.Config.ModifyIndex) return "refused";
    const CreateIndex = before?.CreateIndex ?? index;
    this.#autopilot = { ...request.Config, CreateIndex, ModifyIndex: index };
    return "applied";
  }

  /** Settings that the archive does not have (Nomad's never do) stay as they are. */
  #applyRestore(body: Uint8Array, index: bigint): boolean {
    const content = readImage(decodeValue(restoreRequest, body)?.Snapshot ?? new Uint8Array(0));
    if (content === undefined) return false;
    const { autopilot, cluster = this.#cluster } = content;
    const acl = {
      ...content.acl,
      ...{ tokensIndex: index, policiesIndex: index, rolesIndex: index },
    };
    const namespaces = { ...content.namespaces, index };
    const indexes = { nodesIndex: index, poolsIndex: index };
    this.#replace({ ...content, ...indexes, acl, cluster, namespaces }, index);
    this.signingKeys.merge(content.signingKeys, index);
    if (autopilot !== undefined) this.#autopilot = { ...autopilot, ModifyIndex: index };
    this.#listener?.replaced(Number(index));
    return true;
  }

  #replace(content: ImageContent, index: bigint): void {
    this.#cluster = content.cluster;
    this.acl.replace(content.acl, index);
    this.namespaces.replace(content.namespaces, index);
    this.nodes.replace(content.nodes, content.nodesIndex, index);
    this.pools.replace(content.pools, content.poolsIndex, index);
    // An image of before there were pools has none: they come with the nodes.
    for (const one of this.nodes.all()) this.pools.use(one.CreateIndex, one.NodePool);
    // Whoever listens hears that all of it is new.
    this.#changes = [];
  }
}
