/**
 * Policies, roles, global tokens and namespaces of the authoritative region, copied into this one
 * by its leader, as they are there and as soon as they change. What is of this region only stays.
 *
 * Asked with the replication token, which is one of the tokens there: a region that has lost its
 * state does not know it, denies everything, and so takes nothing away from others.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import type { Clock, Log } from "../../host/host.ts";
import {
  policyDeleteRequest,
  policyUpsertRequest,
  rolesDeleteRequest,
  rolesUpsertRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "../../state/acl/acl.ts";
import { AclMessage } from "../../state/acl/acl-changes.ts";
import { command, MessageType } from "../../state/command.ts";
import {
  namespaceDeleteRequest,
  namespaceListReply,
  namespaceMapReply,
  namespaceUpsertRequest,
} from "../../state/namespace.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { type Codec, decodeValue, encodeValue, structOf } from "../../wire/codec.ts";
import {
  policySetRequest,
  roleSetRequest,
  tokenListRequest,
  tokenSetRequest,
} from "../../wire/rpc-acl.ts";
import { namespacesRequest } from "../../wire/rpc-search.ts";
import { queryOptions } from "../../wire/rpc-status.ts";
import {
  policyListReply,
  policySetReply,
  roleListReply,
  roleSetReply,
  tokenListReply,
  tokenSetReply,
} from "./replies.ts";

/** After a failure; and at the least between two looks. */
const RETRY_MS = 30_000;
const PAUSE_MS = 100;
/** At once: neither the request nor the answer, which is one entry of the log, gets too long. */
const FETCHED_MAX = 256;

interface AclReplicationInit {
  /** Where they come from. */
  readonly region: string;
  readonly token: string;
  readonly machine: Pick<StateMachine, "acl" | "namespaces">;
  /** A call to that region. @throws Error */
  readonly ask: (method: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
  /** @throws Error when the log does not take it */
  readonly apply: (data: Uint8Array) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Listed {
  readonly id: string;
  readonly hash: Uint8Array | null;
}

interface Listing {
  readonly index: bigint;
  readonly all: readonly Listed[];
}

/** One kind of what is copied. */
interface Copied {
  readonly name: string;
  /** Waits for something newer than `index`. */
  readonly list: (index: bigint, signal: AbortSignal) => Promise<Listing>;
  /** A command that takes over these, as they are there. */
  readonly fetch: (ids: readonly string[], signal: AbortSignal) => Promise<Uint8Array>;
  readonly local: () => readonly Listed[];
  readonly remove: (ids: readonly string[]) => Uint8Array;
}

export class AclReplication {
  readonly #init: AclReplicationInit;
  #stop: AbortController | undefined;

  constructor(init: AclReplicationInit) {
    this.#init = init;
  }

  /** We lead from now on. */
  start(): void {
    this.stop();
    const { token, log, region } = this.#init;
    if (token === "") {
      const next = "set acl.replication_token to a management token of that region";
      return log.warn("ACLs of the authoritative region are not copied", { region, next });
    }
    const stop = new AbortController();
    this.#stop = stop;
    const all = [this.#policies(), this.#roles(), this.#tokens(), this.#namespaces()];
    for (const one of all) {
      void this.#follow(one, stop.signal);
    }
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #follow(copied: Copied, signal: AbortSignal): Promise<void> {
    const { log, region } = this.#init;
    for (let seen = 0n; !signal.aborted; ) {
      try {
        const { index, all } = await copied.list(seen, signal);
        if (signal.aborted) return;
        await this.#copy(copied, all, signal);
        seen = index;
        await this.#pause(PAUSE_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        const fields = { what: copied.name, region, error: errorText(error) };
        log.error("cannot copy ACLs from the authoritative region", fields);
        seen = 0n;
        await this.#pause(RETRY_MS, signal);
      }
    }
  }

  async #copy(copied: Copied, all: readonly Listed[], signal: AbortSignal): Promise<void> {
    const { apply } = this.#init;
    const local = new Map(copied.local().map(({ id, hash }) => [id, hash]));
    const there = new Set(all.map(({ id }) => id));
    const gone = [...local.keys()].filter((id) => !there.has(id));
    if (gone.length > 0) {
      await this.#mustSeeAll(signal);
      await apply(copied.remove(gone));
    }
    const changed = all.filter(({ id, hash }) => {
      const known = local.get(id);
      return known === undefined || !isSame(known, hash);
    });
    for (let at = 0; at < changed.length && !signal.aborted; at += FETCHED_MAX) {
      const some = changed.slice(at, at + FETCHED_MAX).map(({ id }) => id);
      const data = await copied.fetch(some, signal);
      if (!signal.aborted) await apply(data);
    }
  }

  /**
   * Of policies and roles everybody is shown the own ones only: by a token that is no management
   * token any more all others would seem to be gone.
   *
   * @throws Error
   */
  async #mustSeeAll(signal: AbortSignal): Promise<void> {
    const body = this.#body(tokenListRequest, { GlobalOnly: true, PerPage: 1 });
    await this.#ask("ACL.ListTokens", body, tokenListReply, signal);
  }

  #policies(): Copied {
    const { acl } = this.#init.machine;
    return {
      name: "policies",
      list: async (index, signal) => {
        const reply = await this.#list("ACL.ListPolicies", policyListReply, index, signal);
        const all = (reply.Policies ?? []).flatMap((one) =>
          one === null ? [] : [{ id: one.Name, hash: one.Hash }],
        );
        return { index: reply.Index, all };
      },
      fetch: async (Names, signal) => {
        const body = this.#body(policySetRequest, { Names });
        const reply = await this.#ask("ACL.GetPolicies", body, policySetReply, signal);
        const Policies = [...(reply.Policies ?? new Map()).values()];
        const request = structOf(policyUpsertRequest, { Policies });
        return command(AclMessage.policyUpsert, policyUpsertRequest, request);
      },
      local: () => acl.policies().map(({ Name: id, Hash: hash }) => ({ id, hash })),
      remove: (Names) => {
        const request = structOf(policyDeleteRequest, { Names });
        return command(AclMessage.policyDelete, policyDeleteRequest, request);
      },
    };
  }

  #roles(): Copied {
    const { acl } = this.#init.machine;
    return {
      name: "roles",
      list: async (index, signal) => {
        const reply = await this.#list("ACL.ListRoles", roleListReply, index, signal);
        const all = (reply.ACLRoles ?? []).flatMap((one) =>
          one === null ? [] : [{ id: one.ID, hash: one.Hash }],
        );
        return { index: reply.Index, all };
      },
      fetch: async (ACLRoleIDs, signal) => {
        const body = this.#body(roleSetRequest, { ACLRoleIDs });
        const reply = await this.#ask("ACL.GetRolesByID", body, roleSetReply, signal);
        const ACLRoles = [...(reply.ACLRoles ?? new Map()).values()];
        // Their policies come by themselves, before them or behind.
        const fields = { ACLRoles, AllowMissingPolicies: true };
        const request = structOf(rolesUpsertRequest, fields);
        return command(AclMessage.rolesUpsert, rolesUpsertRequest, request);
      },
      local: () => acl.roles().map(({ ID: id, Hash: hash }) => ({ id, hash })),
      remove: (ACLRoleIDs) => {
        const request = structOf(rolesDeleteRequest, { ACLRoleIDs });
        return command(AclMessage.rolesDelete, rolesDeleteRequest, request);
      },
    };
  }

  #tokens(): Copied {
    const { acl } = this.#init.machine;
    return {
      name: "tokens",
      list: async (MinQueryIndex, signal) => {
        const body = this.#body(tokenListRequest, { GlobalOnly: true, MinQueryIndex });
        const reply = await this.#ask("ACL.ListTokens", body, tokenListReply, signal);
        const all = (reply.Tokens ?? []).flatMap((one) =>
          one?.Global === true ? [{ id: one.AccessorID, hash: one.Hash }] : [],
        );
        return { index: reply.Index, all };
      },
      fetch: async (AccessorIDS, signal) => {
        const body = this.#body(tokenSetRequest, { AccessorIDS });
        const reply = await this.#ask("ACL.GetTokens", body, tokenSetReply, signal);
        const Tokens = [...(reply.Tokens ?? new Map()).values()];
        const request = structOf(tokenUpsertRequest, { Tokens });
        return command(AclMessage.tokenUpsert, tokenUpsertRequest, request);
      },
      local: () =>
        [...acl.tokens()].flatMap((one) =>
          one.Global ? [{ id: one.AccessorID, hash: one.Hash }] : [],
        ),
      remove: (AccessorIDs) => {
        const request = structOf(tokenDeleteRequest, { AccessorIDs });
        return command(AclMessage.tokenDelete, tokenDeleteRequest, request);
      },
    };
  }

  #namespaces(): Copied {
    const { namespaces } = this.#init.machine;
    return {
      name: "namespaces",
      list: async (index, signal) => {
        const method = "Namespace.ListNamespaces";
        const reply = await this.#list(method, namespaceListReply, index, signal);
        const all = (reply.Namespaces ?? []).flatMap((one) =>
          one === null ? [] : [{ id: one.Name, hash: one.Hash }],
        );
        return { index: reply.Index, all };
      },
      fetch: async (names, signal) => {
        const body = this.#body(namespacesRequest, { Namespaces: names });
        const reply = await this.#ask("Namespace.GetNamespaces", body, namespaceMapReply, signal);
        const Namespaces = [...(reply.Namespaces ?? new Map()).values()];
        const request = structOf(namespaceUpsertRequest, { Namespaces });
        return command(MessageType.namespaceUpsert, namespaceUpsertRequest, request);
      },
      local: () => namespaces.all().map(({ Name: id, Hash: hash }) => ({ id, hash })),
      remove: (Namespaces) => {
        const request = structOf(namespaceDeleteRequest, { Namespaces });
        return command(MessageType.namespaceDelete, namespaceDeleteRequest, request);
      },
    };
  }

  #list<T>(
    method: string,
    codec: Codec<T>,
    MinQueryIndex: bigint,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#ask(method, this.#body(queryOptions, { MinQueryIndex }), codec, signal);
  }

  /** Never a stale answer: a server that is behind would have tokens deleted. */
  #body<T extends { readonly AuthToken: string; readonly Region: string }>(
    codec: Codec<T>,
    fields: Partial<T>,
  ): Uint8Array {
    const { token: AuthToken, region: Region } = this.#init;
    return encodeValue(codec, { ...structOf(codec, fields), AuthToken, Region });
  }

  async #ask<T>(
    method: string,
    body: Uint8Array,
    codec: Codec<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const reply = decodeValue(codec, await this.#init.ask(method, body, signal));
    if (reply === undefined) throw new Error(`the answer to ${method} cannot be read`);
    return reply;
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#init;
    return new Promise((resolve) => {
      const over = (): void => {
        cancel();
        signal.removeEventListener("abort", over);
        resolve();
      };
      const cancel = clock.schedule(clock.now() + ms, over);
      signal.addEventListener("abort", over);
    });
  }
}

function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  const [a, b] = [one ?? new Uint8Array(0), other ?? new Uint8Array(0)];
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
