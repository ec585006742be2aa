/** `nomad status`: the jobs, of which there are none, or whatever an id is the beginning of. */
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { CommandError } from "./output.ts";
import { findOne } from "./search.ts";

interface StatusFlags extends ApiFlags {
  readonly verbose?: boolean;
}

export async function status(id: string | undefined, flags: StatusFlags): Promise<void> {
  if (id === undefined) return (await import("./job-status.ts")).jobStatus(undefined, flags);
  const found = await findOne(new ApiClient(flags, process.env), id);
  switch (found.context) {
    case "nodes":
      return (await import("./node-status.ts")).nodeStatus(found.id, flags);
    case "node_pools":
      return (await import("./node-pool.ts")).poolInfo(found.id, flags);
    case "namespaces":
      return (await import("./namespace.ts")).namespaceStatus(found.id, flags);
    case "jobs":
      return (await import("./job-status.ts")).jobStatus(found.id, flags);
    default:
      throw new CommandError(
        `Unable to resolve ID: ${JSON.stringify(id)}: ` +
          `it is one of the ${found.context}, which this command does not show`,
      );
  }
}
