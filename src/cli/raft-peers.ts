/** `nomad operator raft list-peers`: the Raft group, Nomad's columns. */
import { errorText } from "../host/error-text.ts";
import { ApiClient, type ApiFlags } from "./api-client.ts";
import { formatTable } from "./columns.ts";
import { field, listField, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

export async function listPeers(flags: ApiFlags): Promise<void> {
  const client = new ApiClient(flags, process.env);
  const answer = await client.get("/v1/operator/raft/configuration").catch((error: unknown) => {
    throw new CommandError(`Failed to retrieve raft configuration: ${errorText(error)}`);
  });
  const rows = listField(answer, "Servers").map((server) => [
    textField(server, "Node"),
    textField(server, "ID"),
    textField(server, "Address"),
    field(server, "Leader") === true ? "leader" : "follower",
    textField(server, "Voter"),
    textField(server, "RaftProtocol"),
  ]);
  print(formatTable([["Node", "ID", "Address", "State", "Voter", "RaftProtocol"], ...rows]));
}
