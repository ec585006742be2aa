/**
 * The first configuration of a Raft group: when as many servers as expected see each other, and
 * none of them has a group already, each writes the same one (wire/rpc-and-raft.md §8.2).
 *
 * @module
 */
import { errorText } from "../host/error-text.ts";
import type { Clock, Log } from "../host/host.ts";
import type { RaftServer, Sender } from "../protocol/raft/message.ts";
import type { Consensus } from "../service/raft/consensus.ts";
import type { RpcPool } from "../service/rpc/client/pool.ts";
import { decodeTexts, encodeQueryOptions } from "../wire/rpc-status.ts";
import { printable } from "../wire/text.ts";
import { byId, type Directory, type KnownServer } from "./directory.ts";

const PEERS_TIMEOUT_MS = 5000;
const AGAIN_MS = 1000;

interface BootstrapInit {
  readonly self: Sender;
  /** bootstrap_expect; 0: the group is none of ours to make. */
  readonly expect: number;
  readonly consensus: Pick<Consensus, "servers" | "bootstrap">;
  readonly pool: Pick<RpcPool, "call">;
  readonly directory: Pick<Directory, "ownAlive">;
  readonly clock: Clock;
  readonly log: Log;
}

export class Bootstrap {
  readonly #init: BootstrapInit;
  #busy = false;
  /** The group is there already, or is none of ours to make. */
  #over: boolean;
  #cancel: (() => void) | undefined;

  constructor(init: BootstrapInit) {
    this.#init = init;
    this.#over = init.expect === 0 || this.#isMember();
  }

  /** A group of one needs nobody. */
  start(): void {
    const { expect, self } = this.#init;
    if (!this.#over && expect === 1) this.#write([{ ...self, suffrage: "voter" }]);
  }

  stop(): void {
    this.#over = true;
    this.#cancel?.();
  }

  /** Somebody has come: are we enough? */
  async look(): Promise<void> {
    if (this.#over || this.#busy) return;
    this.#busy = true;
    try {
      if (this.#isMember()) this.#over = true;
      else await this.#ifComplete();
    } finally {
      this.#busy = false;
    }
  }

  #isMember(): boolean {
    return this.#init.consensus.servers.length > 0;
  }

  async #ifComplete(): Promise<void> {
    const { expect, directory, self, log } = this.#init;
    const servers = [...byId(directory.ownAlive()).values()];
    // Who expects nothing is taken in by the group, once there is one.
    const founders = servers.filter((one) => one.expect !== "");
    const other = founders.find((one) => one.expect !== String(expect));
    if (other !== undefined) {
      const problem = other.alone ? "is a group of its own" : `expects ${printable(other.expect)}`;
      log.error(`bootstrap_expect: member ${printable(other.name)} ${problem}: no group is made`, {
        next: `give all servers of the region the same bootstrap_expect (here: ${expect})`,
      });
      return;
    }
    if (founders.filter((one) => one.mayVote).length < expect) return;
    for (const server of servers) {
      if (server.id === self.id) continue;
      // Whoever has a group already will add us to it.
      const peers = await this.#peersOf(server);
      if (peers === undefined || this.#over) return;
      if (peers.length === 0) continue;
      log.info("an existing group was found, no new one is made", { member: server.name });
      this.#over = true;
      return;
    }
    this.#write(
      founders.map(({ id, raftAddress, mayVote }) => {
        return { id, address: raftAddress, suffrage: mayVote ? "voter" : "nonvoter" };
      }),
    );
  }

  /** undefined: it does not say, so that nothing may be concluded. */
  async #peersOf({ name, address, region }: KnownServer): Promise<readonly string[] | undefined> {
    const { pool, clock, log } = this.#init;
    try {
      const body = encodeQueryOptions({ AllowStale: true });
      const target = { address, region };
      const answer = await pool.call(target, "Status.Peers", body, PEERS_TIMEOUT_MS, true);
      const peers = decodeTexts(answer);
      if (peers === undefined) throw new Error("the answer is no list of peers");
      return peers;
    } catch (error) {
      log.debug("cannot ask for Raft peers", { member: name, error: errorText(error) });
      this.#cancel?.();
      this.#cancel = clock.schedule(clock.now() + AGAIN_MS, () => void this.look());
      return undefined;
    }
  }

  #write(servers: readonly RaftServer[]): void {
    const { consensus, log } = this.#init;
    this.#over = true;
    const sorted = [...servers].sort((a, b) => (a.id < b.id ? -1 : 1));
    const refused = consensus.bootstrap({ servers: sorted });
    const peers = sorted.map((one) => one.address);
    if (refused === undefined) log.info("found expected number of peers", { peers });
    else log.debug("not bootstrapped", { why: refused });
  }
}
