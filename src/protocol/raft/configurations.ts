/** Who is in the group: the latest configuration, which is in force, and the committed one. */
import type { RaftRefusal } from "./action.ts";
import type { Configuration, RaftServer } from "./message.ts";

const NOBODY: Configuration = { servers: [] };

/** One change at a time, of one server (Raft, §4.1 of the dissertation). */
export type ConfigurationChange =
  | { readonly kind: "add-voter"; readonly id: string; readonly address: string }
  | { readonly kind: "add-nonvoter"; readonly id: string; readonly address: string }
  | { readonly kind: "demote-voter"; readonly id: string }
  | { readonly kind: "remove"; readonly id: string };

export class Configurations {
  latest: Configuration = NOBODY;
  latestIndex = 0;
  committed: Configuration = NOBODY;
  committedIndex = 0;

  /** An entry with a configuration was appended: it is in force at once. */
  appended(configuration: Configuration, index: number): void {
    this.latest = configuration;
    this.latestIndex = index;
  }

  /** Entries from `index` on are gone: back to the one that is committed. */
  truncated(index: number): void {
    if (this.latestIndex < index) return;
    this.latest = this.committed;
    this.latestIndex = this.committedIndex;
  }

  commit(commitIndex: number): void {
    if (this.latestIndex > commitIndex || this.committedIndex === this.latestIndex) return;
    this.committed = this.latest;
    this.committedIndex = this.latestIndex;
  }

  /** @param keepsLog an entry behind the snapshot may hold the one in force */
  restored(configuration: Configuration, index: number, keepsLog = false): void {
    if (!keepsLog || this.latestIndex <= index) this.appended(configuration, index);
    this.committed = configuration;
    this.committedIndex = index;
  }

  get voters(): readonly RaftServer[] {
    return this.latest.servers.filter((one) => one.suffrage === "voter");
  }

  get quorum(): number {
    return Math.floor(this.voters.length / 2) + 1;
  }

  isVoter(id: string): boolean {
    return this.latest.servers.some((one) => one.id === id && one.suffrage === "voter");
  }

  has(id: string): boolean {
    return this.latest.servers.some((one) => one.id === id);
  }

  /** What the latest becomes by `change`, or why it cannot. */
  next(change: ConfigurationChange): Configuration | RaftRefusal {
    const { servers } = this.latest;
    const known = servers.find((one) => one.id === change.id);
    if ((change.kind === "remove" || change.kind === "demote-voter") && known === undefined) {
      return "unknown-server";
    }
    const others = servers.filter((one) => one.id !== change.id);
    const next = { servers: placed(servers, others, known, change) };
    const left = next.servers.some((one) => one.suffrage === "voter");
    return left ? next : "no-voter-left";
  }
}

/** A server keeps its place in the list. */
function placed(
  servers: readonly RaftServer[],
  others: readonly RaftServer[],
  known: RaftServer | undefined,
  change: ConfigurationChange,
): readonly RaftServer[] {
  if (change.kind === "remove") return others;
  const changed = changedServer(known, change);
  if (known === undefined) return [...servers, changed];
  return servers.map((one) => (one.id === change.id ? changed : one));
}

function changedServer(
  known: RaftServer | undefined,
  change: Exclude<ConfigurationChange, { kind: "remove" }>,
): RaftServer {
  if (change.kind === "demote-voter") {
    return { id: change.id, address: known?.address ?? "", suffrage: "nonvoter" };
  }
  const { id, address } = change;
  // A voter that is added as a non-voter keeps its vote: only its address may change.
  const votes = change.kind === "add-voter" || known?.suffrage === "voter";
  return { id, address, suffrage: votes ? "voter" : "nonvoter" };
}
