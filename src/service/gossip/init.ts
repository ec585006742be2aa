/** What the gossip engine is made of, and whom it tells. */

import type { Clock, Entropy, Log, Network } from "../../host/host.ts";
import type { Address } from "../../protocol/ports.ts";
import type { SerfEvent } from "../../protocol/serf/action.ts";
import type { RefuseMember } from "../../protocol/serf/admission.ts";
import type { SerfConfig } from "../../protocol/serf/config.ts";
import type { KeyKeeper } from "../../protocol/serf/key-queries.ts";
import type { Tags } from "../../protocol/serf/message.ts";
import type { SwimConfig } from "../../protocol/swim/config.ts";
import type { KnownMembersFile } from "./known-members-file.ts";
import type { Sealer } from "./sealer.ts";

export interface GossipInit {
  /** `<name>.<region>` */
  readonly name: string;
  readonly bind: Address;
  readonly advertise: Address;
  readonly tags: Tags;
  readonly swim: SwimConfig;
  readonly serf: SerfConfig;
  readonly label: Uint8Array;
  /** For a TCP exchange, dial and answer each. */
  readonly streamTimeoutMs: number;
  readonly sealer: Sealer;
  readonly keys: KeyKeeper;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly network: Network;
  readonly log: Log;
  readonly refuseMember: RefuseMember;
  /** Whom we do not even tell of ourselves; undefined: we tell everybody. */
  readonly refuseAtSight?: RefuseMember;
  readonly onEvent: (event: SerfEvent) => void;
  /** Where to remember the members; undefined: nowhere (dev mode). */
  readonly knownMembers: KnownMembersFile | undefined;
}
