/** Who has which token, at an agent that is a client only: its servers know. */
import type { AclAccess } from "../api/context.ts";
import type { Config } from "../config/config.ts";
import { systemClock } from "../host/clock.ts";
import type { RemoteResolver } from "../service/acl/remote-resolver.ts";
import { EVERYBODY } from "../service/acl/resolver.ts";
import type { ClientRole } from "./client-role.ts";

/** @param client undefined: it is none, and nobody else is there either */
export function clientAcl({ acl, region }: Config, client: ClientRole | undefined): AclAccess {
  if (!acl.enabled || client === undefined) return { enabled: false, resolve: () => EVERYBODY };
  const ask = (method: string, body: Uint8Array): Promise<Uint8Array> => client.call(method, body);
  const ttlMs = { token: acl.tokenTtlMs, policy: acl.policyTtlMs, role: acl.roleTtlMs };
  let made: Promise<RemoteResolver> | undefined;
  const make = async (): Promise<RemoteResolver> => {
    const { RemoteResolver } = await import("../service/acl/remote-resolver.ts");
    return new RemoteResolver({ region, ttlMs, ask, clock: systemClock });
  };
  return {
    enabled: true,
    resolve: async (token) => {
      made ??= make();
      return (await made).resolve(token);
    },
  };
}
