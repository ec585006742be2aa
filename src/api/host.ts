/** GET /v1/agent/host: the machine of this agent, or of a client node. */
import { hostData } from "../service/node/host-data.ts";
import { exactJsonOf } from "../wire/msgpack-json.ts";
import { encodeNodeNamed } from "../wire/rpc-status.ts";
import { ask, askedOf } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";

interface HostQuery {
  readonly region?: string;
  readonly node_id?: string;
  readonly server_id?: string;
}

/** @throws ApiError with Nomad's texts: without ACLs it takes enable_debug */
export async function agentHost(
  context: ApiContext,
  query: HostQuery,
  signal?: AbortSignal,
): Promise<unknown> {
  const { config, acl, client, nodeId } = context;
  if (!config.enableDebug && !acl.enabled) throw new ApiError(403, "Permission denied");
  const { node_id: node = "", server_id: server = "" } = query;
  if (node !== "" && server !== "") {
    throw new ApiError(400, "Can only query one of Client ID or Server ID");
  }
  if (node !== "" && node !== client?.id) {
    const { region } = askedOf(context, query);
    return exactJsonOf(await ask(context, "Agent.Host", encodeNodeNamed(node, region), signal));
  }
  const own = [config.name, `${config.name}.${config.region}`, nodeId];
  if (server !== "" && !own.includes(server)) {
    throw new ApiError(
      501,
      "an agent tells of its own machine and of client nodes: ask that server",
    );
  }
  return exactJsonOf(hostData(nodeId, config.dataDir || "/"));
}
