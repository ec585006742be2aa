/**
 * Who may be a member of gossip (wire/gossip.md §13): Nomad's servers, as its merge delegate has
 * it; in our own region only servers of our kind, and of each node id one.
 *
 * @module
 */
import { formatAddress } from "../host/ip.ts";
import type { Candidate, RefuseMember } from "../protocol/serf/admission.ts";
import { printable } from "../wire/text.ts";
import { type Directory, type KnownServer, serverOf } from "./directory.ts";

interface AdmissionInit {
  readonly self: { readonly name: string; readonly id: string; readonly region: string };
  /** Where gossip reaches us: ip:port. */
  readonly address: string;
  readonly directory: () => Pick<Directory, "ownAlive">;
  /** Servers of any kind may come into our region: for tests of the protocol. */
  readonly mixes: boolean;
}

interface Admission {
  readonly refuseMember: RefuseMember;
  /** Whom we do not even tell of ourselves: it would take us into its Raft group. */
  readonly refuseAtSight: RefuseMember;
}

type Rule = (init: AdmissionInit, server: KnownServer, candidate: Candidate) => string | undefined;

export function createAdmission(init: AdmissionInit): Admission {
  const refuse = (candidate: Candidate, rules: readonly Rule[]): string | undefined => {
    const { name, gone } = candidate;
    const basic = refuseOther(candidate);
    // What is said about ourselves is ours to answer, and whoever is gone is no danger.
    if (basic !== undefined || gone || name === init.self.name) return basic;
    const server = serverOf({ ...candidate, name: printable(name), status: "alive" });
    if (server.region !== init.self.region) return undefined;
    for (const rule of rules) {
      const why = rule(init, server, candidate);
      if (why !== undefined) return why;
    }
    return undefined;
  };
  return {
    refuseMember: (candidate) => refuse(candidate, [refuseKind, refuseTwin]),
    refuseAtSight: (candidate) => refuse(candidate, [refuseKind]),
  };
}

function refuseOther({ name, tags, ip }: Candidate): string | undefined {
  const isServer =
    tags.get("role") === "nomad" &&
    /^\d+$/.test(tags.get("port") ?? "") &&
    /^v?\d+\.\d+/.test(tags.get("build") ?? "") &&
    /^\d*$/.test(tags.get("expect") ?? "") &&
    /^\d*$/.test(tags.get("raft_vsn") ?? "");
  if (!isServer) return `member '${printable(name)}' is not a server`;
  if (ip.length !== 4 && ip.length !== 16) return `member '${printable(name)}' has no address`;
  return undefined;
}

function refuseKind(
  { mixes }: AdmissionInit,
  { name, region, isOurKind }: KnownServer,
  candidate: Candidate,
): string | undefined {
  if (mixes || isOurKind) return undefined;
  return (
    `server '${name}' at ${formatAddress(candidate)} is of another kind, and in the same region ` +
    `${JSON.stringify(region)}: servers of both kinds cannot be one Raft group; ` +
    "give this cluster a region of its own"
  );
}

/** Renamed on the same machine it is the same server, and one that has moved is gone elsewhere. */
function refuseTwin(
  { self, address, directory }: AdmissionInit,
  { id, name }: KnownServer,
  candidate: Candidate,
): string | undefined {
  const at = formatAddress(candidate);
  const others = directory()
    .ownAlive()
    .filter((one) => one.name !== self.name);
  const twin =
    id === self.id
      ? { name: self.name, gossipAddress: address }
      : others.find((one) => one.id === id && one.name !== name);
  if (twin === undefined || twin.gossipAddress === at) return undefined;
  return (
    `servers '${name}' at ${at} and '${twin.name}' at ${twin.gossipAddress} have the same node id ` +
    `${id}: one data_dir is a copy of the other; on the newcomer remove server/node-id and ` +
    "server/raft from it"
  );
}
