/** What Nomad says of its leader and its Raft group, with Nomad's fields and texts. */

import {
  peerRequest,
  raftConfiguration as raftConfigurationReply,
  transferReply,
} from "../service/methods/operator-methods.ts";
import { encodeValue, structOf } from "../wire/codec.ts";
import { decodeText, decodeTexts } from "../wire/rpc-status.ts";
import { type Asked, ask, decode, readBody } from "./ask.ts";
import type { ApiContext, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import type { JsonObject } from "./json.ts";

/** Which server is meant. */
interface PeerQuery {
  readonly id?: string;
  readonly address?: string;
}

/** @throws ApiError where there is none */
export async function statusLeader(context: ApiContext, asked: Asked): Promise<string> {
  const { raft } = context;
  // Nobody is waited for who asks who leads: there is no leader now.
  if (raft?.leaderId() === undefined && asked.region === context.config.region && raft) {
    throw new ApiError(500, "No cluster leader");
  }
  // A client asks any server, which need not wait for a leader either.
  const body = readBody({ ...asked, stale: asked.stale || raft === undefined });
  const leader = decodeText(await ask(context, "Status.Leader", body)) ?? "";
  if (leader === "") throw new ApiError(500, "No cluster leader");
  return leader;
}

export async function statusPeers(context: Servers, asked: Asked): Promise<readonly string[]> {
  return decodeTexts(await ask(context, "Status.Peers", readBody(asked))) ?? [];
}

export async function raftConfiguration(context: Servers, asked: Asked) {
  const answer = await ask(context, "Operator.RaftGetConfiguration", readBody(asked));
  const read = decode(raftConfigurationReply, answer);
  return { Index: Number(read.Index), Servers: read.Servers };
}

export async function removePeer(
  context: Servers,
  asked: Asked,
  { address, id }: PeerQuery,
): Promise<void> {
  if (address !== undefined) {
    const message =
      "Removing a peer by address is not supported in the current raft protocol version";
    throw new ApiError(400, message);
  }
  const ID = id ?? "";
  if (ID === "") throw new ApiError(400, "Must specify the peer's ID to remove");
  const request = structOf(peerRequest, { ID, Region: asked.region });
  await ask(context, "Operator.RaftRemovePeerByID", encodeValue(peerRequest, request));
}

export async function transferLeadership(
  context: Servers,
  asked: Asked,
  { address: Address = "", id: ID = "" }: PeerQuery,
) {
  if (ID === "" && Address === "") {
    throw new ApiError(400, "must specify id or address");
  }
  if (ID !== "" && Address !== "") {
    throw new ApiError(400, "must specify either id or address");
  }
  const request = structOf(peerRequest, { ID, Address, Region: asked.region });
  const body = encodeValue(peerRequest, request);
  const { From, Noop, To } = decode(
    transferReply,
    await ask(context, "Operator.TransferLeadershipToPeer", body),
  );
  return { Err: null, From, Noop, To };
}

/** For /v1/status: where this server stands. */
export function raftReport(context: ApiContext): JsonObject {
  const { raft } = context;
  if (raft === undefined) return { enabled: false };
  const { term, lastIndex, commitIndex, appliedIndex, lastContactMs } = raft.stats();
  const servers = raft.servers();
  const leader = servers.find((one) => one.id === raft.leaderId());
  return {
    enabled: true,
    role: raft.role(),
    leader: leader?.address ?? "",
    term,
    last_index: lastIndex,
    commit_index: commitIndex,
    applied_index: appliedIndex,
    last_contact_ms: lastContactMs === undefined ? null : Math.round(lastContactMs),
    cluster_id: raft.clusterId(),
    voters: servers.filter((one) => one.suffrage === "voter").length,
    non_voters: servers.filter((one) => one.suffrage === "nonvoter").length,
    problem: raft.problem(),
  };
}
