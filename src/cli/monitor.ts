/** `nomad monitor`: the log of an agent as it is written. */
import { errorText } from "../host/error-text.ts";
import { ApiClient, type ApiFlags } from "./api-client.ts";
import { CommandError, printRaw } from "./output.ts";

export interface MonitorFlags extends ApiFlags {
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
  if (flags.nodeId !== undefined) query.set("node_id", flags.nodeId);
  if (flags.serverId !== undefined) query.set("server_id", flags.serverId);
  process.on("SIGINT", () => process.exit(0));
  const client = new ApiClient(flags, process.env);
  await client.stream(`/v1/agent/monitor?${query}`, printRaw).catch((error: unknown) => {
    throw new CommandError(`Error starting monitor: ${errorText(error)}`);
  });
}
