/**
 * The servers that gossip knows, by region, id and address: the one place that reads what their
 * tags say (wire/gossip.md §13).
 *
 * @module
 */
import { formatAddress, parseIp } from "../host/ip.ts";
import type { Address } from "../protocol/ports.ts";
import type { MemberStatus, SerfMember } from "../protocol/serf/message.ts";
import { FIRST_FORMAT } from "../state/format.ts";
import { FORMAT_TAG, KIND_TAG } from "./server-tags.ts";

export interface KnownServer {
  /** Gossip's: `<name>.<region>`. */
  readonly name: string;
  /** Its node id, by which Raft knows it. */
  readonly id: string;
  readonly region: string;
  readonly datacenter: string;
  readonly build: string;
  readonly status: MemberStatus;
  /** Where servers reach its RPC port: the gossip address with the port of the tag. */
  readonly address: Address;
  /** The same as text: what Raft calls it. */
  readonly raftAddress: string;
  /** Where clients reach it: the address that it advertises for RPC. */
  readonly clientAddress: Address;
  /** Its bootstrap_expect, as it says it; "" for none. */
  readonly expect: string;
  /** It makes a group of its own. */
  readonly alone: boolean;
  /** It may vote in a first configuration. */
  readonly mayVote: boolean;
  /** It says by its tag that it is a server of ours, and not one of Nomad's. */
  readonly isOurKind: boolean;
  /** Up to which format it reads what the group agrees on. */
  readonly stateFormat: number;
  /** Where gossip reaches it: ip:port. */
  readonly gossipAddress: string;
}

interface DirectoryInit {
  readonly members: () => Iterable<SerfMember>;
  readonly self: { readonly name: string; readonly id: string; readonly region: string };
  /** Servers of any kind count as ours in our region: for tests of the protocol. */
  readonly mixes?: boolean;
}

export class Directory {
  readonly #init: DirectoryInit;

  constructor(init: DirectoryInit) {
    this.#init = init;
  }

  /** Servers of our region and kind in any state, ourselves among them. */
  ownRegion(): readonly KnownServer[] {
    const { mixes = false, self } = this.#init;
    return this.#all().filter((one) => one.region === self.region && (mixes || one.isOurKind));
  }

  /** Of our region: who can be talked to, ourselves among them. */
  ownAlive(): readonly KnownServer[] {
    return this.ownRegion().filter((one) => one.status === "alive");
  }

  /** Living servers of every region, or of one, but not ourselves. */
  others(region?: string): readonly KnownServer[] {
    return this.#all().filter(
      ({ name, status, region: its }) =>
        status === "alive" && name !== this.#init.self.name && (region ?? its) === its,
    );
  }

  /**
   * Of our region, by node id. A server that was renamed has several entries: the one that lives
   * is meant.
   */
  byId(id: string): KnownServer | undefined {
    return byId(this.ownRegion()).get(id);
  }

  /** Of our region, by gossip's name, the node's or its id; undefined: nobody, or one elsewhere. */
  named(text: string): KnownServer | "self" | undefined {
    const { self } = this.#init;
    const isIt = ({ name, id }: { readonly name: string; readonly id: string }): boolean =>
      text === name || `${text}.${self.region}` === name || text === id;
    if (isIt(self)) return "self";
    return this.others(self.region).find(isIt);
  }

  /** Sorted; our own is always among them. */
  regions(): readonly string[] {
    const found = this.#all().map((one) => one.region);
    return [...new Set([this.#init.self.region, ...found])].filter((one) => one !== "").sort();
  }

  #all(): readonly KnownServer[] {
    return [...this.#init.members()].map(serverOf);
  }
}

/** The living one wins where several have an id, then whoever may come back. */
export function byId(servers: readonly KnownServer[]): ReadonlyMap<string, KnownServer> {
  const found = new Map<string, KnownServer>();
  for (const server of servers) {
    const known = found.get(server.id);
    if (server.id === "" || (known !== undefined && rank(known) <= rank(server))) continue;
    found.set(server.id, server);
  }
  return found;
}

const RANKS: readonly MemberStatus[] = ["alive", "leaving", "failed", "left", "none"];

function rank({ status }: KnownServer): number {
  return RANKS.indexOf(status);
}

/** What a member says about itself; whatever it leaves out is empty. */
export function serverOf(
  member: Pick<SerfMember, "name" | "ip" | "port" | "tags" | "status">,
): KnownServer {
  const { name, ip, tags, status } = member;
  const tag = (key: string): string => tags.get(key) ?? "";
  const address = { ip, port: Number(tag("port")) };
  return {
    name,
    id: tag("id"),
    region: tag("region"),
    datacenter: tag("dc"),
    build: tag("build"),
    status,
    address,
    raftAddress: formatAddress(address),
    clientAddress: { ip: parseIp(tag("rpc_addr")) ?? ip, port: address.port },
    expect: tag("expect"),
    alone: tags.has("bootstrap"),
    mayVote: !tags.has("nonvoter"),
    isOurKind: tag(KIND_TAG.name) === KIND_TAG.value,
    stateFormat: /^[1-9]\d{0,5}$/.test(tag(FORMAT_TAG)) ? Number(tag(FORMAT_TAG)) : FIRST_FORMAT,
    gossipAddress: formatAddress(member),
  };
}
