/**
 * Events of the topic `Agent`: what happens to the servers of the gossip pool, to gossip keys and to
 * certificates, as this server sees it. Keys and certificates are named by their fingerprints.
 *
 * @module
 */
import type { MemberEventKind } from "../protocol/serf/action.ts";
import { AGENT_TOPIC } from "../service/methods/event-method.ts";
import type { Change } from "../state/change.ts";
import type { CertificateInfo } from "../tls/certificate.ts";
import { printable } from "../wire/text.ts";
import type { KnownServer } from "./directory.ts";
import type { KeyChange } from "./key-keeper.ts";

/** By which a subscriber asks for one kind of them: `Agent:members`, `Agent:encryption`. */
const [MEMBERS, ENCRYPTION] = ["members", "encryption"];
/** Of what these events show. */
const EVENT_BYTES = 1024;

const MEMBER_TYPES: Readonly<Record<MemberEventKind, string>> = {
  "member-join": "ServerJoined",
  "member-leave": "ServerLeft",
  "member-failed": "ServerFailed",
  "member-update": "ServerUpdated",
  "member-reap": "ServerReaped",
};

const KEY_TYPES: Readonly<Record<KeyChange, string>> = {
  install: "GossipKeyInstalled",
  use: "GossipKeyUsed",
  remove: "GossipKeyRemoved",
};

export function memberEvent(kind: MemberEventKind, server: KnownServer): Change {
  const { id, status } = server;
  const name = printable(server.name);
  const [region, datacenter] = [printable(server.region), printable(server.datacenter)];
  return {
    ...{ topic: AGENT_TOPIC, type: MEMBER_TYPES[kind], key: name, bytes: EVENT_BYTES },
    filterKeys: [MEMBERS, printable(id)].filter((one) => one !== ""),
    payload: () => ({
      Server: {
        ...{ Name: name, ID: printable(id), Region: region, Datacenter: datacenter },
        ...{ Address: server.gossipAddress, RPCAddress: server.raftAddress, Status: status },
      },
    }),
  };
}

/** @param ring fingerprints, the primary key's first */
export function keyEvent(
  self: string,
  operation: KeyChange,
  fingerprint: string,
  ring: readonly string[],
): Change {
  return {
    ...{ topic: AGENT_TOPIC, type: KEY_TYPES[operation], key: fingerprint, bytes: EVENT_BYTES },
    filterKeys: [ENCRYPTION, self],
    payload: () => ({
      GossipKey: { Server: self, Fingerprint: fingerprint, Primary: ring[0] ?? "", Keys: ring },
    }),
  };
}

export function certificateEvent(
  self: string,
  type: "CertificateReloaded" | "CertificateExpiring" | "CertificateExpired",
  info: CertificateInfo,
  nowMs: number,
): Change {
  const { fingerprint, subject, isCa, dnsNames } = info;
  const [NotBefore, NotAfter] = [info.notBeforeMs, info.notAfterMs].map(dateText);
  const SecondsLeft = Math.floor((info.notAfterMs - nowMs) / 1000);
  return {
    ...{ topic: AGENT_TOPIC, type, key: fingerprint, bytes: EVENT_BYTES },
    filterKeys: [ENCRYPTION, self],
    payload: () => ({
      Certificate: {
        ...{ Server: self, Subject: subject, DNSNames: dnsNames, IsCA: isCa },
        ...{ Fingerprint: fingerprint, NotBefore: NotBefore ?? "", NotAfter: NotAfter ?? "" },
        SecondsLeft,
      },
    }),
  };
}

function dateText(ms: number): string {
  return new Date(ms).toISOString();
}
