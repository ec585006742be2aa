/** What a client-only agent can do without gossip: ask its servers. */

import type { Config } from "../config/config.ts";
import { DEFAULT_PORTS } from "../config/ports.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import { splitHostPort } from "../host/ip.ts";
import { lookupHost } from "../host/machine.ts";
import type { Address } from "../protocol/ports.ts";
import { queryHeldMs } from "../service/blocking-query.ts";
import type { RpcPeer } from "../service/rpc/client/peer-health.ts";
import type { RpcPool } from "../service/rpc/client/pool.ts";
import {
  decodeQueryOptions,
  decodeServerMembers,
  encodeQueryOptions,
  type ServerMembers,
} from "../wire/rpc-status.ts";

const TIMEOUT_MS = 10_000;

interface ClientRoleInit {
  readonly config: Config;
  readonly pool: RpcPool;
  readonly log: Log;
}

export class ClientRole {
  readonly #init: ClientRoleInit;
  /** Index of the server that answered last. */
  #preferred = 0;

  constructor(init: ClientRoleInit) {
    this.#init = init;
  }

  /** Members as a server sees them. @throws Error when none answers */
  async members(): Promise<ServerMembers> {
    const body = encodeQueryOptions({ Region: this.#init.config.region, AllowStale: true });
    const members = decodeServerMembers(await this.call("Status.Members", body));
    if (members === undefined) throw new Error("the reply cannot be decoded");
    return members;
  }

  /** The servers of the configuration that have an address. */
  async peers(): Promise<readonly RpcPeer[]> {
    const { region, client } = this.#init.config;
    const servers = [...new Set([...client.servers, ...client.join.retryJoin])];
    const found = servers.map(async (name) => {
      const address = await addressOf(name).catch(() => undefined);
      return address === undefined ? [] : [{ name, region, address }];
    });
    return (await Promise.all(found)).flat();
  }

  /** Asks the server that answered last, and the others in turn when it does not. */
  async call(method: string, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const { config, pool, log } = this.#init;
    const servers = [...config.client.servers, ...config.client.join.retryJoin];
    const errors: string[] = [];
    const options = decodeQueryOptions(body);
    const withinMs = TIMEOUT_MS + (options === undefined ? 0 : queryHeldMs(options));
    for (let tries = 0; tries < servers.length; tries++) {
      const server = servers[(this.#preferred + tries) % servers.length] ?? "";
      try {
        const target = { address: await addressOf(server), region: config.region };
        const answer = await pool.call(target, method, body, withinMs, true, signal);
        this.#preferred = (this.#preferred + tries) % servers.length;
        return answer;
      } catch (error) {
        errors.push(`${server}: ${errorText(error)}`);
      }
    }
    log.warn("no server answered", { errors });
    throw new Error(errors.length === 0 ? "no known servers" : `no servers: ${errors.join("; ")}`);
  }
}

async function addressOf(server: string): Promise<Address> {
  const { host, port = DEFAULT_PORTS.rpc } = splitHostPort(server);
  const [ip] = await lookupHost(host);
  if (ip === undefined) throw new Error(`lookup ${host}: no such host`);
  return { ip, port };
}
