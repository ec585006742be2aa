/** Bodies of the ACL methods that are not in the log (wire/rpc-and-raft.md §5.4). */
import { bool, list, raw, struct, text } from "./codec.ts";
import { queryFields } from "./rpc-status.ts";

export const tokenListRequest = struct({ ...queryFields, GlobalOnly: bool });
export const tokenRequest = struct({ ...queryFields, AccessorID: text });
export const tokenSetRequest = struct({ ...queryFields, AccessorIDS: list(text) });
export const resolveTokenRequest = struct({ ...queryFields, SecretID: text });
export const policyRequest = struct({ ...queryFields, Name: text });
export const policySetRequest = struct({ ...queryFields, Names: list(text) });
export const roleRequest = struct({ ...queryFields, RoleID: text });
export const roleByNameRequest = struct({ ...queryFields, RoleName: text });
export const roleSetRequest = struct({ ...queryFields, ACLRoleIDs: list(text) });

/** Of whoever asks, beside its token. */
export const identityFields = { ClientID: text, RemoteIP: raw, TLSName: text };
