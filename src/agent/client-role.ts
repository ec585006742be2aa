/** What a client-only agent can do without gossip: ask its servers. */
import type { Config } from "../config/config.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import { splitHostPort } from "../host/ip.ts";
import { lookupHost } from "../host/machine.ts";
import type { RpcClient } from "../service/rpc-client.ts";
import { decodeServerMembers, encodeQueryOptions, type ServerMembers } from "../wire/rpc-status.ts";

const RPC_PORT = 4647;
const TIMEOUT_MS = 10_000;

export interface ClientRoleInit {
  readonly config: Config;
  readonly client: RpcClient;
  readonly log: Log;
}

export class ClientRole {
  readonly #init: ClientRoleInit;

  constructor(init: ClientRoleInit) {
    this.#init = init;
  }

  /** Members as the first server that answers sees them. @throws Error when none does */
  async members(): Promise<ServerMembers> {
    const { config, client, log } = this.#init;
    const body = encodeQueryOptions({ region: config.region, allowStale: true });
    const servers = [...config.client.servers, ...config.client.join.retryJoin];
    const errors: string[] = [];
    for (const server of servers) {
      const { host, port = RPC_PORT } = splitHostPort(server);
      const [ip] = await lookupHost(host);
      if (ip === undefined) {
        errors.push(`lookup ${host}: no such host`);
        continue;
      }
      try {
        const to = { ip, port };
        const reply = await client.call(to, config.region, "Status.Members", body, TIMEOUT_MS);
        const members = decodeServerMembers(reply.body);
        if (members !== undefined) return members;
        errors.push(`${server}: the reply cannot be decoded`);
      } catch (error) {
        errors.push(`${server}: ${errorText(error)}`);
      }
    }
    log.warn("no server answered", { errors });
    throw new Error(errors.length === 0 ? "no known servers" : `no servers: ${errors.join("; ")}`);
  }
}
