/** `nomad monitor`: the log of an agent as it is written. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { findNode } from "./node-find.ts";
import { CommandError, printRaw } from "./output.ts";

interface MonitorFlags extends ApiFlags {
  readonly logLevel?: string;
  readonly logIncludeLocation?: boolean;
  readonly nodeId?: string;
  readonly serverId?: string;
  readonly json?: boolean;
}

/** Until the agent ends it, or Ctrl-C does. */
export async function monitor(flags: MonitorFlags): Promise<void> {
  const query = new URLSearchParams({ plain: "true", log_level: flags.logLevel ?? "INFO" });
  if (flags.json === true) query.set("log_json", "true");
  if (flags.logIncludeLocation === true) query.set("log_include_location", "true");
  const client = new ApiClient(flags, process.env);
  if (flags.nodeId !== undefined) {
    query.set("node_id", await findNode(client, flags.nodeId, { verbose: true }));
  }
  if (flags.serverId !== undefined) query.set("server_id", flags.serverId);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const asking = { piece: printRaw, stop: stop.signal };
  await client.ok("GET", `${PATHS.agentMonitor}?${query}`, asking).catch((error: unknown) => {
    if (stop.signal.aborted) return;
    if (error instanceof CommandError && error.code === 0) throw error;
    throw new CommandError(`Error starting monitor: ${errorText(error)}`);
  });
}
