/** `nomad operator raft`: the group, Nomad's columns and texts. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

interface ListPeersFlags extends ApiFlags {
  readonly stale?: boolean;
}

export async function listPeers(flags: ListPeersFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const path = `${PATHS.raftConfiguration}${flags.stale === true ? "?stale" : ""}`;
  const answer = await client.get(path).catch((error: unknown) => {
    throw new CommandError(`Failed to retrieve raft configuration: ${errorText(error)}`);
  });
  const servers = [...listField(answer, "Servers")].sort((a, b) => {
    return textField(a, "Node") < textField(b, "Node") ? -1 : 1;
  });
  const rows = servers.map((server) => [
    textField(server, "Node"),
    textField(server, "ID"),
    textField(server, "Address"),
    field(server, "Leader") === true ? "leader" : "follower",
    textField(server, "Voter"),
    textField(server, "RaftProtocol"),
  ]);
  print(formatTable([["Node", "ID", "Address", "State", "Voter", "RaftProtocol"], ...rows]));
}

interface PeerFlags extends ApiFlags {
  readonly peerId?: string;
  readonly peerAddress?: string;
}

export async function removePeer(flags: PeerFlags): Promise<void> {
  const { peerId = "" } = flags;
  if (peerId === "") throw new CommandError("Missing peer id required");
  const path = `${PATHS.raftPeer}?id=${encodeURIComponent(peerId)}`;
  await change(flags, "DELETE", path, "Error removing peer");
  print(`Removed peer with id ${JSON.stringify(peerId)}`);
}

export async function transferLeadership(flags: PeerFlags): Promise<void> {
  const { peerId = "", peerAddress = "" } = flags;
  const what = "Error transferring leadership to peer";
  if (peerId === "" && peerAddress === "") {
    throw new CommandError(`${what}: an address or id is required for the destination peer`);
  }
  if (peerId !== "" && peerAddress !== "") {
    throw new CommandError(`${what}: cannot give both an address and id`);
  }
  const [name, value] = peerId === "" ? ["address", peerAddress] : ["id", peerId];
  const query = `${name}=${encodeURIComponent(value ?? "")}`;
  await change(flags, "PUT", `${PATHS.raftTransfer}?${query}`, what);
  print(`Transferred leadership to peer with ${name} ${JSON.stringify(value)}`);
}

async function change(flags: ApiFlags, method: string, path: string, what: string): Promise<void> {
  await new ApiClient(flags, process.env).ok(method, path).catch((error: unknown) => {
    throw new CommandError(`${what}: ${errorText(error)}`);
  });
}
