/** What Nomad's agents have and this one has not, in Nomad's words where it has some. */

import { struct } from "../wire/codec.ts";
import { encodeQueryOptions, queryMeta } from "../wire/rpc-status.ts";
import { ask, askedOf, decode } from "./ask.ts";
import type { ApiContext } from "./context.ts";
import { ApiError } from "./errors.ts";
import { type IndexedAnswer, metaHeaders, readOptions } from "./nodes.ts";
import type { ReadQuery } from "./query.ts";

/** @throws ApiError */
export function enterpriseOnly(): never {
  throw new ApiError(501, "Nomad Enterprise only endpoint");
}

/** @throws ApiError */
export function noProfiles(): never {
  throw new ApiError(501, "this agent is not written in Go: it has no pprof profiles");
}

/** @throws ApiError */
export function noLogExport(): never {
  const where = "read log_file, the system's log or its journal, or /v1/agent/monitor";
  throw new ApiError(501, `this agent exports no stored logs: ${where}`);
}

/** No worker schedules anything. */
export function schedulers({ nodeId, gossip }: ApiContext): object {
  if (gossip === undefined) throw new ApiError(501, "Invalid method");
  return { schedulers: [], server_id: nodeId };
}

export function schedulerWorkers({ nodeId, gossip }: ApiContext): object {
  if (gossip === undefined) throw new ApiError(501, "Invalid method");
  return { enabled_schedulers: [], num_schedulers: 0, server_id: nodeId };
}

/** @throws ApiError as a server whose scheduler has not begun */
export function schedulerConfiguration(): never {
  throw new ApiError(404, "scheduler config not initialized yet");
}

const freshness = struct(queryMeta);

/** Of the one check that there is: what would not survive an upgrade of Nomad's. Nothing here. */
export async function upgradeCheck(
  context: ApiContext,
  query: ReadQuery,
  name: string,
): Promise<IndexedAnswer> {
  if (name !== "vault-workload-identity") throw new ApiError(404, `Path ${name} not found`);
  const { region, stale } = askedOf(context, query);
  const body = encodeQueryOptions(readOptions(context, { region, stale: String(stale) }));
  const meta = decode(freshness, await ask(context, "NodePool.List", body));
  const value = { JobsWithoutVaultIdentity: [], OutdatedNodes: [], VaultTokens: [] };
  return { value, headers: metaHeaders(meta) };
}
