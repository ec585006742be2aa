/** Bodies of the Keyring methods, and of what is told of identities (wire/rpc-and-raft.md §5.3). */
import {
  any,
  bool,
  int64,
  list,
  mapOf,
  pointer,
  raw,
  struct,
  text,
  uint64,
  type ValueOf,
} from "./codec.ts";
import { queryMeta, writeFields } from "./rpc-status.ts";

/** What may be told of a key to whoever may see that there is one. */
const rootKeyMeta = struct({
  Algorithm: text,
  CreateIndex: uint64,
  CreateTime: int64,
  KeyID: text,
  ModifyIndex: uint64,
  PublishTime: int64,
  State: text,
});
export type RootKeyMeta = ValueOf<typeof rootKeyMeta>;

export const keyringListReply = struct({ ...queryMeta, Keys: list(pointer(rootKeyMeta)) });

const publicKey = struct({
  Algorithm: text,
  CreateTime: int64,
  KeyID: text,
  PublicKey: raw,
  Use: text,
});

export const publicKeysReply = struct({
  ...queryMeta,
  PublicKeys: list(pointer(publicKey)),
  RotationThreshold: int64,
});

/** There is no issuer: nil. */
export const keyringConfigReply = struct({ OIDCDiscovery: any });

export const keyringRotateRequest = struct({
  ...writeFields,
  Algorithm: text,
  Full: bool,
  PublishTime: int64,
});
export const keyringRotateReply = struct({ Index: uint64, Key: pointer(rootKeyMeta) });

export const keyringDeleteRequest = struct({ ...writeFields, Force: bool, KeyID: text });

export const introductionRequest = struct({
  ...writeFields,
  NodeName: text,
  NodePool: text,
  TTL: int64,
});
export const introductionReply = struct({ JWT: text });

/** Of NodeIdentity.Get; each claim as it is. */
export const nodeIdentityReply = struct({ Claims: mapOf(any) });
