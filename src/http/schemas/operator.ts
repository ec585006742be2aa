/** Answers and bodies of what operators do: Raft, autopilot, keys, snapshots. */
import { t } from "elysia";
import {
  anything,
  atLeast,
  count,
  duration,
  exactly,
  flag,
  mapOf,
  orNull,
  text,
  texts,
  whole,
} from "./shapes.ts";

const place = exactly({ Address: text, ID: text });

const signingKey = exactly({
  Algorithm: text,
  CreateIndex: whole,
  CreateTime: whole,
  KeyID: text,
  ModifyIndex: whole,
  PublishTime: whole,
  State: text,
});

const autopilot = {
  CleanupDeadServers: flag,
  CreateIndex: whole,
  DisableUpgradeMigration: flag,
  EnableCustomUpgrades: flag,
  EnableRedundancyZones: flag,
  LastContactThreshold: text,
  MaxTrailingLogs: whole,
  MinQuorum: whole,
  ModifyIndex: whole,
  ServerStabilizationTime: text,
};

const server = exactly({
  Address: text,
  Healthy: flag,
  ID: text,
  LastContact: text,
  LastIndex: whole,
  LastTerm: whole,
  Leader: flag,
  Name: text,
  SerfStatus: text,
  StableSince: text,
  Version: text,
  Voter: flag,
});

export const operatorSchemas = {
  AutopilotConfiguration: exactly(autopilot),
  AutopilotHealth: exactly({
    FailureTolerance: whole,
    Healthy: flag,
    Leader: text,
    Servers: t.Array(server),
    Voters: texts,
  }),
  /** What is not there becomes zero; indexes are not looked at. */
  AutopilotRequest: t.Partial(
    atLeast({
      CleanupDeadServers: flag,
      DisableUpgradeMigration: flag,
      EnableCustomUpgrades: flag,
      EnableRedundancyZones: flag,
      LastContactThreshold: duration,
      MaxTrailingLogs: count,
      MinQuorum: count,
      ServerStabilizationTime: duration,
    }),
  ),
  Introduction: exactly({ JWT: text }),
  IntroductionRequest: atLeast({
    NodeName: t.Optional(text),
    NodePool: t.Optional(text),
    TTL: t.Optional(duration),
  }),
  LeadershipTransfer: exactly({ Err: orNull(text), From: place, Noop: flag, To: place }),
  PublicKeys: exactly({
    keys: t.Array(exactly({ alg: text, crv: text, kid: text, kty: text, use: text, x: text })),
  }),
  RaftConfiguration: exactly({
    Index: whole,
    Servers: orNull(
      t.Array(
        exactly({
          Address: text,
          ID: text,
          Leader: flag,
          Node: text,
          RaftProtocol: text,
          Voter: flag,
        }),
      ),
    ),
  }),
  RestoreReport: exactly({ Kept: mapOf(whole), LeftOut: mapOf(whole) }),
  SigningKeyList: t.Array(signingKey),
  SigningKeyRotation: exactly({ Index: whole, Key: orNull(signingKey) }),
  UpgradeCheck: exactly({
    JobsWithoutVaultIdentity: t.Array(anything),
    OutdatedNodes: t.Array(anything),
    VaultTokens: t.Array(anything),
  }),
};
