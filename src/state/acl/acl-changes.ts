/** Commands of the log that are about ACLs, done to their table. */
import { type Codec, decodeValue } from "../../wire/codec.ts";
import {
  policyDeleteRequest,
  policyUpsertRequest,
  rolesDeleteRequest,
  rolesUpsertRequest,
  tokenBootstrapRequest,
  tokenDeleteRequest,
  tokenUpsertRequest,
} from "./acl.ts";
import type { AclTable } from "./acl-table.ts";

/** Nomad's numbers (wire/rpc-and-raft.md §9). */
export const AclMessage = {
  policyUpsert: 19,
  policyDelete: 20,
  tokenUpsert: 21,
  tokenDelete: 22,
  tokenBootstrap: 23,
  rolesUpsert: 53,
  rolesDelete: 54,
} as const;

type Outcome = "applied" | "refused" | "skipped";
type Change = (acl: AclTable, body: Uint8Array, index: bigint) => Outcome;

const CHANGES: ReadonlyMap<number, Change> = new Map([
  [
    AclMessage.policyUpsert,
    change(policyUpsertRequest, (acl, { Policies }, index) => {
      return outcome(acl.upsertPolicies(index, Policies ?? []));
    }),
  ],
  [
    AclMessage.policyDelete,
    change(policyDeleteRequest, (acl, { Names }, index) => {
      return outcome(acl.deletePolicies(index, Names ?? []));
    }),
  ],
  [
    AclMessage.tokenUpsert,
    change(tokenUpsertRequest, (acl, { Tokens }, index) => {
      return outcome(acl.upsertTokens(index, Tokens ?? []));
    }),
  ],
  [
    AclMessage.tokenDelete,
    change(tokenDeleteRequest, (acl, { AccessorIDs }, index) => {
      return outcome(acl.deleteTokens(index, AccessorIDs ?? []));
    }),
  ],
  [
    AclMessage.tokenBootstrap,
    change(tokenBootstrapRequest, (acl, { Token, ResetIndex }, index) => {
      return acl.bootstrap(index, Token, ResetIndex);
    }),
  ],
  [
    AclMessage.rolesUpsert,
    change(rolesUpsertRequest, (acl, { ACLRoles, AllowMissingPolicies }, index) => {
      return acl.upsertRoles(index, ACLRoles ?? [], AllowMissingPolicies);
    }),
  ],
  [
    AclMessage.rolesDelete,
    change(rolesDeleteRequest, (acl, { ACLRoleIDs }, index) => {
      return outcome(acl.deleteRoles(index, ACLRoleIDs ?? []));
    }),
  ],
]);

/** undefined: not about ACLs. */
export function changeAcls(
  acl: AclTable,
  type: number,
  body: Uint8Array,
  index: bigint,
): Outcome | undefined {
  return CHANGES.get(type)?.(acl, body, index);
}

function outcome(isDone: boolean): Outcome {
  return isDone ? "applied" : "skipped";
}

function change<T>(
  codec: Codec<T>,
  run: (acl: AclTable, request: T, index: bigint) => Outcome,
): Change {
  return (acl, body, index) => {
    const request = decodeValue(codec, body);
    return request === undefined ? "skipped" : run(acl, request, index);
  };
}
