/**
 * Who a request is from, at an agent without a state of its own: it asks its servers, with the
 * token itself, and believes what they say for as long as token_ttl, role_ttl and policy_ttl have
 * it. While no server answers, what was known goes on to hold; what a server denies does not.
 *
 * @module
 */
import { sha256 } from "../../host/digest.ts";
import type { Clock } from "../../host/host.ts";
import {
  type AclPolicy,
  type AclRole,
  type AclToken,
  ANONYMOUS_TOKEN,
  isExpired,
  MANAGEMENT_TOKEN,
  namesOf,
} from "../../state/acl/acl.ts";
import { ALL_GRANTS } from "../../state/acl/grants.ts";
import { type Codec, decodeValue, encodeValue, structOf, timeOf } from "../../wire/codec.ts";
import { policySetRequest, roleSetRequest } from "../../wire/rpc-acl.ts";
import { queryOptions } from "../../wire/rpc-status.ts";
import { RpcRemoteError } from "../rpc/call.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { PolicyCache } from "./policy-cache.ts";
import { policySetReply, roleSetReply, whoAmIReply } from "./replies.ts";
import { type Identity, NODE_GRANTS, TOKEN_EXPIRED, TOKEN_NOT_FOUND } from "./resolver.ts";

/** Of each: the ones that were kept last stay. */
const [TOKENS_MAX, OTHERS_MAX] = [128, 64];

interface RemoteResolverInit {
  readonly region: string;
  readonly ttlMs: { readonly token: number; readonly policy: number; readonly role: number };
  /** One call at a server of the region. @throws Error */
  readonly ask: (method: string, body: Uint8Array) => Promise<Uint8Array>;
  readonly clock: Clock;
}

export class RemoteResolver {
  readonly #init: RemoteResolverInit;
  readonly #parsed = new PolicyCache();
  readonly #tokens: TtlCache<Identity>;
  readonly #policies: TtlCache<AclPolicy | undefined>;
  readonly #roles: TtlCache<AclRole | undefined>;

  constructor(init: RemoteResolverInit) {
    this.#init = init;
    const { clock, ttlMs } = init;
    this.#tokens = new TtlCache(clock, ttlMs.token, TOKENS_MAX);
    this.#policies = new TtlCache(clock, ttlMs.policy, OTHERS_MAX);
    this.#roles = new TtlCache(clock, ttlMs.role, OTHERS_MAX);
  }

  /** @throws Error: not found, expired, or nobody knows at present */
  async resolve(secret: string): Promise<Identity> {
    const found = secret === "" ? this.#anonymous() : await this.#whoIs(secret);
    const { token } = found;
    if (token === undefined) return found;
    if (isExpired(token, timeOf(this.#init.clock.wallMs()))) {
      throw new RpcMethodError(TOKEN_EXPIRED, false);
    }
    if (token.Type === MANAGEMENT_TOKEN) return { grants: ALL_GRANTS, token };
    const policies = await this.#policiesOf(token, secret);
    return { grants: this.#parsed.grants(policies), token };
  }

  #anonymous(): Identity {
    return { grants: NODE_GRANTS, token: ANONYMOUS_TOKEN };
  }

  /** Kept under its digest, and without it: the secret itself stays nowhere. */
  async #whoIs(secret: string): Promise<Identity> {
    const key = sha256(new TextEncoder().encode(secret)).toBase64();
    const [found] = await this.#tokens.all([key], async () => {
      const body = encodeValue(queryOptions, structOf(queryOptions, this.#options(secret)));
      const { Identity } = await this.#ask("ACL.WhoAmI", body, whoAmIReply);
      const known = Identity?.ACLToken ?? undefined;
      const token = known === undefined ? undefined : { ...known, SecretID: "" };
      const nodeId = Identity?.ClientID ?? "";
      if (token === undefined && nodeId === "") throw new RpcMethodError(TOKEN_NOT_FOUND, false);
      const grants = NODE_GRANTS;
      return new Map([[key, token === undefined ? { grants, token, nodeId } : { grants, token }]]);
    });
    if (found === undefined) throw new RpcMethodError(TOKEN_NOT_FOUND, false);
    return found;
  }

  async #policiesOf(token: AclToken, secret: string): Promise<readonly AclPolicy[]> {
    const ids = (token.Roles ?? []).map((link) => link?.ID ?? "");
    const roles = await this.#roles.all(ids, async (ACLRoleIDs) => {
      const request = structOf(roleSetRequest, { ...this.#options(secret), ACLRoleIDs });
      const body = encodeValue(roleSetRequest, request);
      const { ACLRoles } = await this.#ask("ACL.GetRolesByID", body, roleSetReply);
      return new Map(ACLRoleIDs.map((id) => [id, ACLRoles?.get(id) ?? undefined]));
    });
    const linked = roles.flatMap((role) => namesOf(role?.Policies ?? null));
    const names = [...new Set([...(token.Policies ?? []), ...linked])];
    const policies = await this.#policies.all(names, async (Names) => {
      const request = structOf(policySetRequest, { ...this.#options(secret), Names });
      const body = encodeValue(policySetRequest, request);
      const { Policies } = await this.#ask("ACL.GetPolicies", body, policySetReply);
      return new Map(Names.map((name) => [name, Policies?.get(name) ?? undefined]));
    });
    return policies.filter((one) => one !== undefined);
  }

  #options(AuthToken: string): Partial<typeof queryOptions.zero> {
    return { AuthToken, Region: this.#init.region, AllowStale: true };
  }

  async #ask<T>(method: string, body: Uint8Array, codec: Codec<T>): Promise<T> {
    const reply = decodeValue(codec, await this.#init.ask(method, body));
    if (reply !== undefined) return reply;
    throw new RpcMethodError("a server's answer cannot be read", false);
  }
}

interface Entry<T> {
  readonly value: T;
  readonly until: number;
}

/** What servers have said, for a time. */
class TtlCache<T> {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #max: number;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(clock: Clock, ttlMs: number, max: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#max = max;
  }

  /** @param fetch what is not there, or was there too long */
  async all(
    keys: readonly string[],
    fetch: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ): Promise<readonly T[]> {
    const found = new Map<string, T>();
    const now = this.#clock.now();
    const old = keys.filter((key) => {
      const entry = this.#entries.get(key);
      if (entry === undefined || entry.until < now) return true;
      found.set(key, entry.value);
      return false;
    });
    if (old.length > 0)
      for (const [key, value] of await this.#news(old, fetch)) found.set(key, value);
    return keys.flatMap((key) => {
      const value = found.get(key);
      return value === undefined ? [] : [value];
    });
  }

  async #news(
    keys: readonly string[],
    fetch: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ): Promise<ReadonlyMap<string, T>> {
    try {
      const news = await fetch(keys);
      for (const [key, value] of news) this.#keep(key, value);
      return news;
    } catch (error) {
      const known = keys.flatMap((key) => {
        const entry = this.#entries.get(key);
        return entry === undefined ? [] : [[key, entry.value] as const];
      });
      if (!isAnswer(error) && known.length === keys.length) return new Map(known);
      for (const key of keys) this.#entries.delete(key);
      throw error;
    }
  }

  #keep(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: this.#clock.now() + this.#ttlMs });
    if (this.#entries.size <= this.#max) return;
    const [first] = this.#entries.keys();
    if (first !== undefined) this.#entries.delete(first);
  }
}

/** A server has said so, and not that there is none to say it. */
function isAnswer(error: unknown): boolean {
  const isError = error instanceof RpcRemoteError || error instanceof RpcMethodError;
  return isError && !/No cluster leader|no known servers/.test(error.message);
}
