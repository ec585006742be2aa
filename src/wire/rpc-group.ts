/**
 * What servers of ours ask each other about their Raft group. Nomad's servers have none of these
 * methods, and say so.
 *
 * @module
 */
import {
  bool,
  decodeValue,
  encodeValue,
  raw,
  struct,
  structOf,
  text,
  type ValueOf,
} from "./codec.ts";
import { queryFields, writeFields } from "./rpc-status.ts";

/** Who is there: answered by whoever is asked, and by nobody else. */
export const GROUP_SELF = "Group.Self";
/** A server leaves for good: the leader takes it out of the group. */
export const GROUP_LEAVE = "Group.Leave";
/** What opens a signing key of the state: a secret, for servers of the region only. */
export const GROUP_SEALING_KEY = "Group.SealingKey";

const selfRequest = struct(queryFields);

/** Address is what Raft calls it. Leaving: it asks, or has asked, to be let go. */
const selfReply = struct({ Address: text, ID: text, Leaving: bool });
export type GroupSelf = ValueOf<typeof selfReply>;

export const leaveRequest = struct({ ...writeFields, ID: text });
/** Kept: why it stays in the group although it goes; "" when it was let go. */
export const leaveReply = struct({ Kept: text });

export const sealingKeyRequest = struct({ ...queryFields, KeyID: text });
/** Nil: it has none for this id. */
export const sealingKeyReply = struct({ Key: raw });

export function encodeSealingKeyRequest(Region: string, KeyID: string): Uint8Array {
  const fields = { AllowStale: true, Region, KeyID };
  return encodeValue(sealingKeyRequest, structOf(sealingKeyRequest, fields));
}

export function encodeSelfRequest(region: string): Uint8Array {
  return encodeValue(selfRequest, structOf(selfRequest, { AllowStale: true, Region: region }));
}

export function encodeSelf(self: GroupSelf): Uint8Array {
  return encodeValue(selfReply, self);
}

/** undefined: not what it must be. */
export function decodeSelf(body: Uint8Array): GroupSelf | undefined {
  return decodeValue(selfReply, body);
}

export function encodeLeave(region: string, id: string): Uint8Array {
  return encodeValue(leaveRequest, structOf(leaveRequest, { Region: region, ID: id }));
}
