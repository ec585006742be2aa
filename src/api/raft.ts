/** What Nomad says of its leader and its Raft group, with Nomad's fields and texts. */
import type { RaftServer } from "../protocol/raft/message.ts";
import type { ApiContext, RaftView } from "./context.ts";
import { ApiError } from "./errors.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** @throws ApiError where there is none */
export async function statusLeader(context: ApiContext, region: string): Promise<string> {
  const leader = await context.leader(region);
  if (leader === "") throw new ApiError(500, "No cluster leader");
  return leader;
}

export function statusPeers(context: ApiContext): readonly string[] {
  return viewOf(context)
    .servers()
    .map((one) => one.address);
}

export async function raftConfiguration(context: ApiContext): Promise<JsonObject> {
  const raft = viewOf(context);
  const { members } = await context.members();
  const nameOf = (server: RaftServer): string =>
    members.find((one) => one.tags.get("id") === server.id)?.name ?? "(unknown)";
  const leader = raft.leaderId();
  return {
    Index: 0,
    Servers: raft.servers().map((server) => ({
      Address: server.address,
      ID: server.id,
      Leader: server.id === leader,
      Node: nameOf(server),
      RaftProtocol: "3",
      Voter: server.suffrage === "voter",
    })),
  };
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

function viewOf(context: ApiContext): RaftView {
  if (context.raft === undefined) throw new ApiError(501, "Invalid method");
  return context.raft;
}
