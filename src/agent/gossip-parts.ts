/**
 * Gossip of a server: the machine with Nomad's settings, our tags, the keyring, and the file that
 * remembers the members.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import type { Endpoints } from "../config/endpoints.ts";
import { systemClock } from "../host/clock.ts";
import { systemEntropy } from "../host/entropy.ts";
import type { Log } from "../host/host.ts";
import { formatAddress, formatIp } from "../host/ip.ts";
import type { LogSink } from "../host/log.ts";
import { systemNetwork } from "../host/network.ts";
import type { MemberEventKind, SerfEvent } from "../protocol/serf/action.ts";
import { NOMAD_SERF } from "../protocol/serf/config.ts";
import { WAN } from "../protocol/swim/config.ts";
import { nativeAead } from "../secret/native-aead.ts";
import { Gossip } from "../service/gossip/gossip.ts";
import { KnownMembersFile } from "../service/gossip/known-members-file.ts";
import { Sealer } from "../service/gossip/sealer.ts";
import { printable } from "../wire/text.ts";
import { createAdmission } from "./admission.ts";
import type { Directory, KnownServer } from "./directory.ts";
import { createKeyKeeper, type KeyChanged } from "./key-keeper.ts";
import type { LoadedKeyring } from "./keyring-file.ts";
import { serverTags } from "./server-tags.ts";

/** memberlist's WAN timeout for a TCP exchange is 30 s; an operator waits for a join, so less. */
const STREAM_TIMEOUT_MS = 10_000;

interface GossipPartsInit {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly nodeId: string;
  readonly revision: string;
  readonly keyring: LoadedKeyring;
  readonly sink: LogSink;
  /** `<name>.<region>` */
  readonly name: string;
  readonly log: Log;
  /** Whoever is a member already; gossip is there before it is. */
  readonly directory: () => Directory;
  readonly onEvent: (event: SerfEvent) => void;
  readonly onKeys: KeyChanged;
}

export function createGossip(init: GossipPartsInit): Gossip {
  const { config, endpoints, nodeId, revision, keyring, sink, name, log, directory } = init;
  const { server, region } = config;
  return new Gossip({
    name,
    bind: endpoints.bind.serf,
    advertise: endpoints.advertise.serf,
    tags: serverTags(config, nodeId, endpoints.advertise.rpc, revision),
    swim: WAN,
    serf: NOMAD_SERF,
    label: new TextEncoder().encode(server.gossipLabel),
    streamTimeoutMs: STREAM_TIMEOUT_MS,
    sealer: new Sealer(keyring.keyring, nativeAead, systemEntropy, {
      verifyIncoming: server.encryptVerifyIncoming,
      verifyOutgoing: server.encryptVerifyOutgoing,
    }),
    keys: createKeyKeeper(keyring, log, init.onKeys),
    clock: systemClock,
    entropy: systemEntropy,
    network: systemNetwork,
    log: sink.logger("nomad"),
    ...createAdmission({
      self: { name, id: nodeId, region },
      address: formatAddress(endpoints.advertise.serf),
      directory,
      mixes: server.unsafeRaftWithOtherServers,
    }),
    knownMembers: openKnownMembers(config, log),
    onEvent: init.onEvent,
  });
}

function openKnownMembers({ dataDir, server }: Config, log: Log): KnownMembersFile | undefined {
  if (dataDir === "") return undefined;
  const directory = server.dataDir ?? join(dataDir, "server");
  return new KnownMembersFile(join(directory, "serf", "snapshot"), server.rejoinAfterLeave, log);
}

const EVENT_NAMES = {
  "member-join": "EventMemberJoin",
  "member-leave": "EventMemberLeave",
  "member-failed": "EventMemberFailed",
  "member-update": "EventMemberUpdate",
  "member-reap": "EventMemberReap",
} as const;

/** As Nomad and Serf say it. */
export function logEvent(log: Log, kind: MemberEventKind, server: KnownServer): void {
  const name = printable(server.name);
  log.info(`serf: ${EVENT_NAMES[kind]}: ${name} ${formatIp(server.address.ip)}`);
  const dc = printable(server.datacenter);
  log.debug("server event", { type: kind, name, addr: server.raftAddress, dc });
}
