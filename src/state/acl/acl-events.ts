/** What changes of ACLs are called in the event stream; the secrets of tokens are not in it. */
import { type Change, sizeOf } from "../change.ts";
import type { AclPolicy, AclRole, AclToken } from "./acl.ts";
import { policyJson, roleJson, tokenStubJson } from "./acl-json.ts";

export function tokenChange(type: string, token: AclToken): Change {
  return {
    ...{ topic: "ACLToken", type, key: token.AccessorID, bytes: sizeOf(token) },
    payload: () => ({ ACLToken: tokenStubJson(token) }),
  };
}

export function policyChange(type: string, policy: AclPolicy): Change {
  return {
    ...{ topic: "ACLPolicy", type, key: policy.Name, bytes: sizeOf(policy) },
    payload: () => ({ ACLPolicy: policyJson(policy) }),
  };
}

export function roleChange(type: string, role: AclRole): Change {
  return {
    ...{ topic: "ACLRole", type, key: role.ID, filterKeys: [role.Name], bytes: sizeOf(role) },
    payload: () => ({ ACLRole: roleJson(role) }),
  };
}
