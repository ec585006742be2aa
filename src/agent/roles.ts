/** The roles of an agent: of one that it does not have nothing is loaded, which is megabytes. */
import type { Config } from "../config/config.ts";

export async function loadRoles({ server, client }: Config) {
  const [ofServer, ofClient] = await Promise.all([
    server.enabled ? import("./server-role.ts") : undefined,
    client.enabled ? import("./client-role.ts") : undefined,
  ]);
  return { ServerRole: ofServer?.ServerRole, ClientRole: ofClient?.ClientRole };
}

export type Roles = Awaited<ReturnType<typeof loadRoles>>;
