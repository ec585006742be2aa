/** `nomad node config`: which servers a client agent knows. */
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { CommandError, print } from "./output.ts";

export interface NodeConfigFlags extends ApiFlags {
  readonly servers?: boolean;
  readonly updateServers?: boolean;
}

const PATH = PATHS.agentServers;

export async function nodeConfig(
  addresses: readonly string[],
  flags: NodeConfigFlags,
): Promise<void> {
  const { servers = false, updateServers = false } = flags;
  if (!servers && !updateServers) {
    throw new CommandError("The '-servers' or '-update-servers' flag(s) must be set");
  }
  if (updateServers && addresses.length === 0) {
    throw new CommandError(
      "If the '-update-servers' flag is set, at least one server argument must be provided",
    );
  }
  const client = new ApiClient(flags, process.env);
  if (updateServers) {
    const query = addresses.map((one) => `address=${encodeURIComponent(one)}`).join("&");
    await client.ok("PUT", `${PATH}?${query}`).catch((error: unknown) => {
      throw new CommandError(`Error updating server list: ${errorText(error)}`);
    });
    return print("Updated server list");
  }
  const known = await client.get(PATH).catch((error: unknown) => {
    throw new CommandError(`Error querying server list: ${errorText(error)}`);
  });
  if (Array.isArray(known)) for (const one of known) print(String(one));
}
