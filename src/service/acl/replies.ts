/** Answers of the ACL methods: what servers write, and agents read. */
import { aclPolicy, aclPolicyStub, aclRole, aclToken, aclTokenStub } from "../../state/acl/acl.ts";
import { any, list, mapOf, pointer, struct, uint64 } from "../../wire/codec.ts";
import { identityFields } from "../../wire/rpc-acl.ts";
import { queryMeta } from "../../wire/rpc-status.ts";

export const tokenListReply = struct({ ...queryMeta, Tokens: list(pointer(aclTokenStub)) });
export const singleTokenReply = struct({ ...queryMeta, Token: pointer(aclToken) });
export const tokenSetReply = struct({ ...queryMeta, Tokens: mapOf(pointer(aclToken)) });
export const tokenUpsertReply = struct({ Index: uint64, Tokens: list(pointer(aclToken)) });

export const policyListReply = struct({ ...queryMeta, Policies: list(pointer(aclPolicyStub)) });
export const singlePolicyReply = struct({ ...queryMeta, Policy: pointer(aclPolicy) });
export const policySetReply = struct({ ...queryMeta, Policies: mapOf(pointer(aclPolicy)) });

export const roleListReply = struct({ ...queryMeta, ACLRoles: list(pointer(aclRole)) });
export const singleRoleReply = struct({ ...queryMeta, ACLRole: pointer(aclRole) });
export const roleSetReply = struct({ ...queryMeta, ACLRoles: mapOf(pointer(aclRole)) });
export const rolesUpsertReply = struct({ ACLRoles: list(pointer(aclRole)), Index: uint64 });

export const whoAmIReply = struct({
  ...queryMeta,
  Identity: pointer(struct({ ...identityFields, ACLToken: pointer(aclToken), Claims: any })),
});
