/**
 * ACL tokens, policies and roles, changed by committed commands only. A change that names something
 * that is not there, or twice the same name, changes nothing at all, as Nomad's transactions.
 *
 * @module
 */
import { structOf } from "../../wire/codec.ts";
import { type Announce, nobodyHears } from "../change.ts";
import { type AclPolicy, type AclRole, type AclToken, aclToken, namesOf } from "./acl.ts";
import { policyChange, roleChange, tokenChange } from "./acl-events.ts";

/** What an image has of them. */
export interface AclContent {
  readonly tokens: readonly AclToken[];
  readonly policies: readonly AclPolicy[];
  readonly roles: readonly AclRole[];
  /** Of the last change of each; 0: never changed. */
  readonly tokensIndex: bigint;
  readonly policiesIndex: bigint;
  readonly rolesIndex: bigint;
  /** Of the last bootstrap; 0: there was none. */
  readonly bootstrapIndex: bigint;
}

export class AclTable {
  readonly #announce: Announce;
  #tokens = new Map<string, AclToken>();
  #policies = new Map<string, AclPolicy>();
  #roles = new Map<string, AclRole>();
  #tokensIndex = 0n;
  #policiesIndex = 0n;
  #rolesIndex = 0n;
  #bootstrapIndex = 0n;
  /** Changes with the tokens, also where an image brings some with the same index. */
  tokensRevision = 0;

  constructor(announce: Announce = nobodyHears) {
    this.#announce = announce;
  }

  get tokensIndex(): number {
    return Number(this.#tokensIndex);
  }

  get policiesIndex(): number {
    return Number(this.#policiesIndex);
  }

  get rolesIndex(): number {
    return Number(this.#rolesIndex);
  }

  /** Of the last bootstrap: an operator has to name it to do it again. 0: there was none. */
  get bootstrapIndex(): bigint {
    return this.#bootstrapIndex;
  }

  /** As kept: links to roles may lead nowhere, and say what a role was called once. */
  tokens(): Iterable<AclToken> {
    return this.#tokens.values();
  }

  /** With the names that its roles have now, and without those that are gone. */
  token(accessor: string): AclToken | undefined {
    const found = this.#tokens.get(accessor);
    return found === undefined ? undefined : this.linked(found);
  }

  linked(token: AclToken): AclToken {
    if (token.Roles === null || token.Roles.length === 0) return token;
    const Roles = token.Roles.flatMap((link) => {
      const role = this.#roles.get(link?.ID ?? "");
      return role === undefined ? [] : [{ ID: role.ID, Name: role.Name }];
    });
    return { ...token, Roles };
  }

  /** In the order of their names. */
  policies(): readonly AclPolicy[] {
    return [...this.#policies.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  policy(name: string): AclPolicy | undefined {
    return this.#policies.get(name);
  }

  /** In the order of their ids. */
  roles(): readonly AclRole[] {
    return [...this.#roles.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1));
  }

  role(id: string): AclRole | undefined {
    return this.#roles.get(id);
  }

  roleNamed(name: string): AclRole | undefined {
    for (const one of this.#roles.values()) if (one.Name === name) return one;
    return undefined;
  }

  /** Its policies, and those of its roles; what is not there grants nothing. */
  policiesOf(token: AclToken): readonly AclPolicy[] {
    const roles = (token.Roles ?? []).map((link) => this.#roles.get(link?.ID ?? ""));
    const names = [
      ...(token.Policies ?? []),
      ...roles.flatMap((role) => namesOf(role?.Policies ?? null)),
    ];
    return [...new Set(names)].flatMap((name) => this.#policies.get(name) ?? []);
  }

  upsertPolicies(index: bigint, given: readonly (AclPolicy | null)[]): boolean {
    const all = given.filter((one) => one !== null);
    if (all.length === 0) return false;
    for (const one of all) {
      const CreateIndex = this.#policies.get(one.Name)?.CreateIndex ?? index;
      const policy = { ...one, RulesJSON: null, CreateIndex, ModifyIndex: index };
      this.#policies.set(one.Name, policy);
      this.#announce(policyChange("ACLPolicyUpserted", policy));
    }
    this.#policiesIndex = index;
    return true;
  }

  /** Deleting what is not there is no mistake. */
  deletePolicies(index: bigint, names: readonly string[]): boolean {
    for (const name of names) {
      const gone = this.#policies.get(name);
      if (gone !== undefined) this.#announce(policyChange("ACLPolicyDeleted", gone));
      this.#policies.delete(name);
    }
    this.#policiesIndex = index;
    return true;
  }

  upsertTokens(index: bigint, given: readonly (AclToken | null)[]): boolean {
    const all = given.filter((one) => one !== null && one.AccessorID !== "");
    if (all.length === 0) return false;
    for (const one of all) {
      if (one === null) continue;
      const known = this.#tokens.get(one.AccessorID);
      // Whoever changes a token cannot take over its secret.
      const {
        CreateIndex = index,
        SecretID = one.SecretID,
        CreateTime = one.CreateTime,
      } = known ?? {};
      const kept = { CreateIndex, SecretID, CreateTime, ModifyIndex: index };
      this.#setToken({ ...one, ...kept });
    }
    this.#tokensChanged(index);
    return true;
  }

  deleteTokens(index: bigint, accessors: readonly string[]): boolean {
    for (const accessor of accessors) {
      const gone = this.#tokens.get(accessor);
      if (gone !== undefined) this.#announce(tokenChange("ACLTokenDeleted", gone));
      this.#tokens.delete(accessor);
    }
    this.#tokensChanged(index);
    return true;
  }

  /** @returns refused: it was done before, and this is not the index of that time */
  bootstrap(
    index: bigint,
    token: AclToken | null,
    resetIndex: bigint,
  ): "applied" | "refused" | "skipped" {
    if (token === null) return "skipped";
    if (this.#bootstrapIndex !== 0n && resetIndex !== this.#bootstrapIndex) return "refused";
    const made = structOf(aclToken, { ...token, CreateIndex: index, ModifyIndex: index });
    this.#setToken(made);
    this.#tokensChanged(index);
    this.#bootstrapIndex = index;
    return "applied";
  }

  /** @returns refused: a policy is not there, or another role has the name */
  upsertRoles(
    index: bigint,
    given: readonly (AclRole | null)[],
    missingAllowed: boolean,
  ): "applied" | "refused" | "skipped" {
    const all = given.filter((one) => one !== null);
    if (all.length === 0) return "skipped";
    const names = new Set<string>();
    for (const one of all) {
      const holder = this.roleNamed(one.Name);
      const isTaken = holder !== undefined && holder.ID !== one.ID;
      if (one.ID === "" || isTaken || names.has(one.Name)) return "refused";
      names.add(one.Name);
      const known = namesOf(one.Policies).every((name) => this.#policies.has(name));
      if (!missingAllowed && !known) return "refused";
    }
    for (const one of all) {
      const CreateIndex = this.#roles.get(one.ID)?.CreateIndex ?? index;
      const role = { ...one, CreateIndex, ModifyIndex: index };
      this.#roles.set(one.ID, role);
      this.#announce(roleChange("ACLRoleUpserted", role));
    }
    this.#rolesIndex = index;
    return "applied";
  }

  /** @returns false: one of them is not there, and nothing has changed */
  deleteRoles(index: bigint, ids: readonly string[]): boolean {
    if (ids.length === 0 || ids.some((id) => !this.#roles.has(id))) return false;
    for (const id of ids) {
      const gone = this.#roles.get(id);
      if (gone !== undefined) this.#announce(roleChange("ACLRoleDeleted", gone));
      this.#roles.delete(id);
    }
    this.#rolesIndex = index;
    return true;
  }

  content(): AclContent {
    return {
      tokens: [...this.#tokens.values()],
      policies: this.policies(),
      roles: this.roles(),
      tokensIndex: this.#tokensIndex,
      policiesIndex: this.#policiesIndex,
      rolesIndex: this.#rolesIndex,
      bootstrapIndex: this.#bootstrapIndex,
    };
  }

  /** @param limit nothing of the past may be newer than the entry that brings it */
  replace(content: AclContent, limit: bigint): void {
    const capped = (value: bigint): bigint => (value > limit ? limit : value);
    const within = <T extends { readonly CreateIndex: bigint; readonly ModifyIndex: bigint }>(
      one: T,
    ): T => ({
      ...one,
      CreateIndex: capped(one.CreateIndex),
      ModifyIndex: capped(one.ModifyIndex),
    });
    this.#tokens = new Map(content.tokens.map((one) => [one.AccessorID, within(one)]));
    this.#policies = new Map(content.policies.map((one) => [one.Name, within(one)]));
    this.#roles = new Map(content.roles.map((one) => [one.ID, within(one)]));
    this.#tokensChanged(capped(content.tokensIndex));
    this.#policiesIndex = capped(content.policiesIndex);
    this.#rolesIndex = capped(content.rolesIndex);
    this.#bootstrapIndex = capped(content.bootstrapIndex);
  }
  #setToken(token: AclToken): void {
    this.#tokens.set(token.AccessorID, token);
    this.#announce(tokenChange("ACLTokenUpserted", token));
  }

  #tokensChanged(index: bigint): void {
    this.#tokensIndex = index;
    this.tokensRevision += 1;
  }
}
