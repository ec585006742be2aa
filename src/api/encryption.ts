/**
 * GET /v1/operator/encryption: for every server that gossip knows, looked at from this machine, how
 * its RPC port can be reached and which gossip keys it has, and what it takes until everything is
 * encrypted. Nomad has none.
 *
 * @module
 */

import { formatAddress } from "../host/ip.ts";
import type { Address } from "../protocol/ports.ts";
import type { InspectedTls, RpcInspection } from "../service/rpc/client/inspect.ts";
import { serverName } from "../service/rpc/roles.ts";
import { certificateNames, daysLeft } from "../tls/certificate.ts";
import { isNameOf } from "../tls/x509/host-name.ts";
import type { ServerMember } from "../wire/rpc-status.ts";
import { printable } from "../wire/text.ts";
import type { AgentFacts, ApiContext, Connections } from "./context.ts";
import { cutOff, gossipKeys } from "./gossip-keys.ts";
import type { JsonObject } from "./json.ts";
import { EXPIRY_WARNING_DAYS, gossipEncryption, stillInClear } from "./status.ts";

/** Servers looked at at once. */
const PARALLEL_MAX = 8;

interface PeerView {
  readonly member: ServerMember;
  readonly address: Address;
  readonly region: string;
  readonly found: RpcInspection;
  readonly problems: readonly Problem[];
}

interface Problem {
  readonly what: string;
  readonly fix: string;
}

export async function encryptionReport(context: ApiContext): Promise<JsonObject> {
  const { members } = await context.members();
  const present = members.filter(
    (one) => one.status !== "left" && one.tags.get("role") === "nomad",
  );
  const asked = gossipKeys(context);
  const views: PeerView[] = [];
  for (let at = 0; at < present.length; at += PARALLEL_MAX) {
    const some = present.slice(at, at + PARALLEL_MAX);
    views.push(...(await Promise.all(some.map((member) => look(context, member)))));
  }
  const { holders, findings } = await asked;
  const answering = new Set(views.flatMap((one) => (one.found.reachable ? [one.member] : [])));
  const primary = context.gossip?.keyring.primary?.fingerprint;
  const raft = context.raft?.servers() ?? [];
  const reachable = (member: ServerMember): boolean => answering.has(member);
  const lost = primary === undefined ? [] : cutOff({ primary, members, raft, reachable });
  views.sort((a, b) => (a.member.name < b.member.name ? -1 : 1));
  const own = stillInClear(context);
  const { name, region } = context.config;
  // A client is no member, and has no region in its name.
  const ownName = context.gossip === undefined ? name : `${name}.${region}`;
  // What we say of ourselves we need not see from outside.
  const rpcInClear = own.some(({ what }) => what === "rpc");
  const said = ({ member, found }: PeerView): boolean => {
    return rpcInClear && member.name === ownName && found.tls === undefined;
  };
  const now = context.nowMs();
  const days = views.flatMap(({ found }) => {
    const certificate = found.tls?.certificate;
    return certificate === undefined ? [] : [daysLeft(certificate, now)];
  });
  const ownDays = context.tls();
  if (ownDays !== undefined) days.push(daysLeft(ownDays.certificate, now));
  const todo = [
    ...own.map(({ what, why, fix }) => `${ownName}: ${what}: ${why}: ${fix}`),
    ...views
      .filter((view) => !said(view))
      .flatMap(({ member, problems }) =>
        problems.map(({ what, fix }) => `${printable(member.name)}: ${what}: ${fix}`),
      ),
    ...[...lost, ...findings].map(({ who, what, fix }) => `${who}: ${what}: ${fix}`),
  ];
  const soonest = days.length === 0 ? null : Math.min(...days);
  return {
    healthy: todo.length === 0,
    encrypted: own.length === 0 && views.every((view) => isEncrypted(view.found)),
    soonest_expiry_days: soonest,
    gossip: { ...gossipEncryption(context), members: holders },
    in_clear: own,
    peers: views.map((view) => peerReport(view, now)),
    todo,
  };
}

async function look(context: ApiContext, member: ServerMember): Promise<PeerView> {
  const region = member.tags.get("region") ?? "";
  const address = { ip: member.addr, port: Number(member.tags.get("port") ?? 0) };
  const found = await context.inspect(address, region);
  return { member, address, region, found, problems: problemsOf(context, region, found) };
}

function problemsOf(
  context: AgentFacts & Connections,
  region: string,
  found: RpcInspection,
): readonly Problem[] {
  const problems: Problem[] = [];
  const add = (what: string, fix: string): void => void problems.push({ what, fix });
  if (!found.reachable) {
    add(`its RPC port cannot be reached: ${found.error}`, "start it, or open the port");
    return problems;
  }
  if (found.tls === undefined) add(found.error, "set tls { rpc = true } there");
  else problems.push(...tlsProblems(context, region, found.tls, found.error));
  if (found.acceptsClear && found.tls !== undefined) {
    add("it still takes calls in the clear", "set rpc_upgrade_mode = false there and reload");
  }
  return problems;
}

function tlsProblems(
  context: AgentFacts & Connections,
  region: string,
  tls: InspectedTls,
  error: string,
): readonly Problem[] {
  const problems: Problem[] = [];
  const add = (what: string, fix: string): void => void problems.push({ what, fix });
  const { certificate } = tls;
  if (tls.verified === false) {
    add(`its certificate does not verify: ${tls.verifyError}`, "let both have the same CA");
  }
  if (certificate !== undefined) {
    const names = certificateNames(certificate);
    const wanted = serverName(region);
    if (!names.some((name) => isNameOf(name, wanted))) {
      const fix = `make one with nomad tls cert create -server -region ${region}`;
      add(`its certificate is for ${names.join(", ")}, not for ${wanted}`, fix);
    }
    const days = daysLeft(certificate, context.nowMs());
    const ends = days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`;
    if (days < EXPIRY_WARNING_DAYS) {
      add(`its certificate ${ends}`, "put a new one in its place and reload");
    }
  }
  if (!tls.acceptsUs && context.tls() !== undefined && context.config.tls.rpc) {
    add(
      `it does not accept our certificate: ${error}`,
      "compare the CAs, and verify_server_hostname",
    );
  }
  return problems;
}

function isEncrypted(found: RpcInspection): boolean {
  return found.tls !== undefined && !found.acceptsClear;
}

function peerReport(view: PeerView, nowMs: number): JsonObject {
  const { member, address, region, found, problems } = view;
  const { tls } = found;
  const certificate = tls?.certificate;
  return {
    name: printable(member.name),
    address: formatAddress(address),
    region,
    gossip_status: member.status,
    reachable: found.reachable,
    encrypted: isEncrypted(found),
    accepts_clear: found.acceptsClear,
    tls_version: tls?.version ?? "",
    cipher: tls?.cipher ?? "",
    verified: tls?.verified ?? null,
    verify_error: tls?.verifyError ?? "",
    accepts_us: tls?.acceptsUs ?? null,
    expected_name: serverName(region),
    names: certificate === undefined ? [] : certificateNames(certificate),
    issuer: certificate?.issuer ?? "",
    not_after: certificate === undefined ? "" : new Date(certificate.notAfterMs).toISOString(),
    days_left: certificate === undefined ? null : daysLeft(certificate, nowMs),
    problems: problems.map(({ what }) => what),
  };
}
