/**
 * The ACL methods that are about policies and roles (wire/rpc-and-raft.md §5.4). Both are the same
 * in all regions: they are changed in the authoritative one. Whoever has no management token sees
 * those of its own token.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import {
  type AclPolicy,
  type AclRole,
  ANONYMOUS_POLICY,
  aclPolicyStub,
  namesOf,
  policyDeleteRequest,
  policyUpsertRequest,
  rolesDeleteRequest,
  rolesUpsertRequest,
} from "../../state/acl/acl.ts";
import { encodeValue, structOf } from "../../wire/codec.ts";
import {
  policyRequest,
  policySetRequest,
  roleByNameRequest,
  roleRequest,
  roleSetRequest,
} from "../../wire/rpc-acl.ts";
import { indexReply } from "../../wire/rpc-node.ts";
import { type QueryOptions, queryOptions } from "../../wire/rpc-status.ts";
import { parsePolicy } from "../acl/parse-policy.ts";
import {
  policyListReply,
  policySetReply,
  roleListReply,
  roleSetReply,
  rolesUpsertReply,
  singlePolicyReply,
  singleRoleReply,
} from "../acl/replies.ts";
import { policyFault, policyHash, roleFault, roleHash } from "../acl/validate.ts";
import { ACL_BYTES_MAX, type AclMethodsInit, coded, commitAcl } from "./acl-tools.ts";
import { denied } from "./method-guard.ts";
import { readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { pageOf } from "./paging.ts";
import { StateReads } from "./state-reads.ts";

type Answer = Uint8Array | Promise<Uint8Array>;
type Signal = AbortSignal | undefined;
type Reading = (options: QueryOptions, body: Uint8Array, signal: Signal) => Answer;

export class AclPolicyMethods {
  readonly #init: AclMethodsInit;
  readonly #reads: StateReads;

  constructor(init: AclMethodsInit) {
    this.#init = init;
    this.#reads = new StateReads(init);
  }

  methods(): ReadonlyMap<string, Method> {
    const { authoritativeRegion } = this.#init;
    const bytesMax = ACL_BYTES_MAX;
    const reading = (run: Reading): Method => ({
      ...{ where: "leader", consistent: true, bytesMax, run },
    });
    const writing = (run: (body: Uint8Array) => Answer): Method => ({
      ...{ where: "leader", consistent: true, bytesMax, regionOf: () => authoritativeRegion },
      run: (_options, body) => run(body),
    });
    return new Map<string, Method>([
      ["ACL.UpsertPolicies", writing((body) => this.#upsertPolicies(body))],
      ["ACL.DeletePolicies", writing((body) => this.#deletePolicies(body))],
      ["ACL.ListPolicies", reading((...all) => this.#listPolicies(...all))],
      ["ACL.GetPolicy", reading((...all) => this.#getPolicy(...all))],
      ["ACL.GetPolicies", reading((...all) => this.#getPolicies(...all))],
      ["ACL.UpsertRoles", writing((body) => this.#upsertRoles(body))],
      ["ACL.DeleteRolesByID", writing((body) => this.#deleteRoles(body))],
      ["ACL.ListRoles", reading((...all) => this.#listRoles(...all))],
      ["ACL.GetRolesByID", reading((...all) => this.#getRoles(...all))],
      ["ACL.GetRoleByID", reading((...all) => this.#getRoleById(...all))],
      ["ACL.GetRoleByName", reading((...all) => this.#getRoleByName(...all))],
    ]);
  }

  async #upsertPolicies(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(policyUpsertRequest, body);
    const given = (request.Policies ?? []).filter((one) => one !== null);
    if (given.length === 0) throw coded(400, "must specify as least one policy");
    const Policies = given.map((one, index) => {
      const fault = policyFault(one);
      if (fault !== undefined) throw coded(400, `policy ${index} invalid: ${fault}`);
      return { ...one, RulesJSON: null, Hash: policyHash(one) };
    });
    const refusal = "the policies cannot be written";
    const whole = { ...request, Policies };
    const Index = await commitAcl(this.#init, "policyUpsert", policyUpsertRequest, whole, refusal);
    return encodeValue(indexReply, { Index });
  }

  async #deletePolicies(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(policyDeleteRequest, body);
    if ((request.Names ?? []).length === 0) throw coded(400, "must specify as least one policy");
    const refusal = "the policies cannot be deleted";
    const Index = await commitAcl(
      ...([this.#init, "policyDelete", policyDeleteRequest, request, refusal] as const),
    );
    return encodeValue(indexReply, { Index });
  }

  #listPolicies(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const request = readRequest(queryOptions, body);
    // Never 0: nobody could wait for the first one.
    const index = (): number => Math.max(1, acl.policiesIndex);
    return this.#reads.whenNewer(options, signal, index, async () => {
      const mayRead = this.#readable(options.AuthToken);
      const meta = this.#reads.meta(index());
      const isWanted = ({ Name }: AclPolicy): boolean => mayRead(Name);
      const keyOf = (one: AclPolicy): string => one.Name;
      const turns = this.#reads.turns(signal);
      const all = acl.policies();
      const { items, next } = await pageOf({ all, keyOf, options: request, isWanted, turns });
      const Policies = items.map((one) => structOf(aclPolicyStub, one));
      return encodeValue(policyListReply, { ...meta, NextToken: next, Policies });
    });
  }

  /** What everybody has, everybody may read. */
  #getPolicy(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const { Name } = readRequest(policyRequest, body);
    const mayRead = this.#readable(options.AuthToken);
    if (Name !== ANONYMOUS_POLICY && !mayRead(Name)) throw denied();
    const index = (): number => Number(acl.policy(Name)?.ModifyIndex ?? acl.policiesIndex);
    return this.#reads.whenNewer(options, signal, index, () => {
      const found = acl.policy(Name);
      const rules = found === undefined ? "" : parsePolicy(found.Rules, false);
      const RulesJSON = typeof rules === "string" ? null : rules;
      const Policy = found === undefined ? null : { ...found, RulesJSON };
      return encodeValue(singlePolicyReply, { ...this.#reads.meta(index()), Policy });
    });
  }

  #getPolicies(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const names = readRequest(policySetRequest, body).Names ?? [];
    const index = (): number => acl.policiesIndex;
    return this.#reads.whenNewer(options, signal, index, () => {
      const mayRead = this.#readable(options.AuthToken);
      const found = names.flatMap((name) => acl.policy(name) ?? []);
      if (!found.every(({ Name }) => mayRead(Name))) throw denied();
      const Policies = new Map(found.map((one) => [one.Name, one]));
      return encodeValue(policySetReply, { ...this.#reads.meta(index()), Policies });
    });
  }

  /** @throws RpcMethodError */
  #readable(secret: string): (name: string) => boolean {
    const { resolver, machine } = this.#init;
    const { grants, token } = resolver.resolve(secret);
    if (grants.isManagement) return () => true;
    const own = token === undefined ? [] : machine.acl.policiesOf(token);
    const names = new Set(own.map(({ Name }) => Name));
    return (name) => names.has(name);
  }

  async #upsertRoles(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(rolesUpsertRequest, body);
    const given = (request.ACLRoles ?? []).filter((one) => one !== null);
    if (given.length === 0) throw coded(400, "must specify as least one role");
    const ACLRoles = given.map((one, index) => {
      return this.#prepared(one, index, request.AllowMissingPolicies);
    });
    const refusal = "a role of that name is there, or a policy of it is not";
    const whole = { ...request, ACLRoles };
    const Index = await commitAcl(this.#init, "rolesUpsert", rolesUpsertRequest, whole, refusal);
    const stored = ACLRoles.map(({ ID }) => this.#init.machine.acl.role(ID) ?? null);
    return encodeValue(rolesUpsertReply, { ACLRoles: stored, Index });
  }

  #prepared(given: AclRole, index: number, missingAllowed: boolean): AclRole {
    const { acl } = this.#init.machine;
    const fault = roleFault(given);
    if (fault !== undefined) throw coded(400, `role ${index} invalid: ${fault}`);
    const holder = acl.roleNamed(given.Name);
    if (given.ID !== "" && acl.role(given.ID) === undefined) {
      throw coded(400, `cannot find role ${given.ID.slice(0, 64)}`);
    }
    if (holder !== undefined && holder.ID !== given.ID) {
      throw coded(400, `role with name ${given.Name} already exists`);
    }
    const names = [...new Set(namesOf(given.Policies))];
    const missing = names.find((name) => acl.policy(name) === undefined);
    if (missing !== undefined && !missingAllowed) {
      throw coded(400, `cannot find policy ${missing.slice(0, 128)}`);
    }
    const ID = given.ID || randomUUID();
    const role = { ...given, ID, Policies: names.map((Name) => ({ Name })) };
    return { ...role, Hash: roleHash(role) };
  }

  async #deleteRoles(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(rolesDeleteRequest, body);
    const refusal = "ACL role not found";
    const Index = await commitAcl(
      ...([this.#init, "rolesDelete", rolesDeleteRequest, request, refusal] as const),
    );
    return encodeValue(indexReply, { Index });
  }

  #listRoles(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const request = readRequest(queryOptions, body);
    const index = (): number => Math.max(1, acl.rolesIndex);
    return this.#reads.whenNewer(options, signal, index, async () => {
      const mayRead = this.#readableRoles(options.AuthToken);
      const meta = this.#reads.meta(index());
      const turns = this.#reads.turns(signal);
      const keyOf = (one: AclRole): string => one.ID;
      const isWanted = ({ ID }: AclRole): boolean => mayRead(ID);
      const all = acl.roles();
      const { items, next } = await pageOf({ all, keyOf, options: request, isWanted, turns });
      return encodeValue(roleListReply, { ...meta, NextToken: next, ACLRoles: items });
    });
  }

  /** Asked by other regions' leaders, and by agents for the token that they have been shown. */
  #getRoles(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { acl } = this.#init.machine;
    const ids = readRequest(roleSetRequest, body).ACLRoleIDs ?? [];
    const mayRead = this.#readableRoles(options.AuthToken);
    if (!ids.every(mayRead)) throw denied();
    const index = (): number => Math.max(1, acl.rolesIndex);
    return this.#reads.whenNewer(options, signal, index, () => {
      const found = ids.flatMap((id) => acl.role(id) ?? []);
      const ACLRoles = new Map(found.map((one) => [one.ID, one]));
      return encodeValue(roleSetReply, { ...this.#reads.meta(index()), ACLRoles });
    });
  }

  #getRoleById(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { RoleID } = readRequest(roleRequest, body);
    return this.#getRole(options, signal, () => this.#init.machine.acl.role(RoleID), RoleID);
  }

  #getRoleByName(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { RoleName } = readRequest(roleByNameRequest, body);
    return this.#getRole(options, signal, () => this.#init.machine.acl.roleNamed(RoleName), "");
  }

  /** @param id where it is known without looking */
  #getRole(
    options: QueryOptions,
    signal: Signal,
    find: () => AclRole | undefined,
    id: string,
  ): Answer {
    const { acl } = this.#init.machine;
    if (!this.#readableRoles(options.AuthToken)(find()?.ID ?? id)) throw denied();
    const index = (): number => Number(find()?.ModifyIndex ?? Math.max(1, acl.rolesIndex));
    return this.#reads.whenNewer(options, signal, index, () => {
      return encodeValue(singleRoleReply, {
        ...this.#reads.meta(index()),
        ACLRole: find() ?? null,
      });
    });
  }

  /** @throws RpcMethodError */
  #readableRoles(secret: string): (id: string) => boolean {
    const { grants, token } = this.#init.resolver.resolve(secret);
    if (grants.isManagement) return () => true;
    const ids = new Set((token?.Roles ?? []).map((link) => link?.ID ?? ""));
    return (id) => id !== "" && ids.has(id);
  }
}
