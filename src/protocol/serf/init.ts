/** What a Serf machine is made from. */

import type { Address, Prng } from "../ports.ts";
import type { SwimConfig } from "../swim/config.ts";
import type { Message } from "../swim/message.ts";
import type { RefuseMember } from "./admission.ts";
import type { SerfConfig } from "./config.ts";
import type { KeyKeeper } from "./key-queries.ts";
import type { SerfCodec, Tags } from "./message.ts";

export interface SerfInit {
  readonly name: string;
  readonly address: Address;
  readonly tags: Tags;
  readonly swim: SwimConfig;
  readonly config: SerfConfig;
  readonly prng: Prng;
  readonly codec: SerfCodec;
  readonly keys: KeyKeeper;
  readonly sizeOf: (message: Message) => number;
  readonly overheadBytes: () => number;
  /** Why a node may not be a member (Nomad: not a server), or undefined. */
  readonly refuseMember: RefuseMember;
}

/** The numbers of `serf info`, by their names there. */
export type SerfStats = Readonly<Record<string, number | bigint>>;
