/** Policies parsed, and added up, once: until they are others, whatever their names are. */
import type { AclPolicy } from "../../state/acl/acl.ts";
import { grantsOf } from "../../state/acl/grants.ts";
import type { Grants } from "../../state/acl/need.ts";
import type { PolicyRules } from "../../state/acl/rules.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { parsePolicy } from "./parse-policy.ts";

/** Sets of policies that are kept added up; with more, those that were not asked for go. */
const SETS_MAX = 512;

export class PolicyCache {
  /** A changed policy is another object, in the state as in an answer. */
  readonly #parsed = new WeakMap<AclPolicy, { readonly rules: PolicyRules; readonly id: number }>();
  readonly #sets = new Map<string, Grants>();
  #last = 0;

  /**
   * @throws RpcMethodError for one that cannot be read: what it denies, nobody may do
   */
  grants(policies: readonly AclPolicy[]): Grants {
    const all = policies.map((one) => this.#parse(one));
    const key = all.map(({ id }) => id).join(" ");
    const known = this.#sets.get(key);
    const grants = known ?? grantsOf(all.map(({ rules }) => rules));
    // The one that was asked for last stands last.
    this.#sets.delete(key);
    this.#sets.set(key, grants);
    if (this.#sets.size > SETS_MAX) this.#sets.delete(this.#sets.keys().next().value ?? "");
    return grants;
  }

  #parse(policy: AclPolicy): { readonly rules: PolicyRules; readonly id: number } {
    const known = this.#parsed.get(policy);
    if (known !== undefined) return known;
    const rules = parsePolicy(policy.Rules, false);
    if (typeof rules === "string") {
      throw new RpcMethodError(
        `ACL policy ${policy.Name} cannot be read: Permission denied`,
        false,
      );
    }
    this.#last += 1;
    const parsed = { rules, id: this.#last };
    this.#parsed.set(policy, parsed);
    return parsed;
  }
}
