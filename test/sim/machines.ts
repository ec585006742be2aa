/** The production machines behind the simulator's interface. */
import type { Address, Instant, Prng } from "../../src/protocol/ports.ts";
import { NOMAD_SERF } from "../../src/protocol/serf/config.ts";
import type { KeyKeeper } from "../../src/protocol/serf/key-queries.ts";
import { Serf } from "../../src/protocol/serf/serf.ts";
import { LAN, type SwimConfig } from "../../src/protocol/swim/config.ts";
import type { NameTable } from "../../src/protocol/swim/members.ts";
import type { Message, PeerState } from "../../src/protocol/swim/message.ts";
import { Swim } from "../../src/protocol/swim/swim.ts";
import { encodeMessage } from "../../src/wire/gossip-message.ts";
import { serfCodec } from "../../src/wire/serf-message.ts";
import type { SimMachine } from "./world.ts";

const NO_KEYS: KeyKeeper = {
  install: () => "no",
  use: () => "no",
  remove: () => "no",
  list: () => [],
};
const sizeOf = (message: Message): number => encodeMessage(message).length;
const NOTHING = new Uint8Array(0);

export interface SerfNode extends SimMachine {
  readonly serf: Serf;
}

/** Serf and SWIM together, as the agent runs them. */
export function serfMachine(name: string, address: Address, prng: Prng, swim = LAN): SerfNode {
  const serf = new Serf({
    name,
    address,
    tags: new Map([["role", "nomad"]]),
    swim,
    config: NOMAD_SERF,
    prng,
    codec: serfCodec,
    keys: NO_KEYS,
    sizeOf,
    overheadBytes: () => 29,
    refuseMember: () => undefined,
  });
  return {
    serf,
    start: (now) => serf.start(now),
    receive: (from, message, now) => void serf.receive(from, message, now),
    expire: (now) => serf.expire(now),
    deadline: () => serf.deadline(),
    drain: () => serf.drain(),
    streamAck: (seqNo, ok) => serf.streamAck(seqNo, ok),
    snapshot: () => ({ states: serf.swim.states(), userState: serf.pushPullState() }),
    merge: (states, userState, joining, now) =>
      void serf.merge(states, userState, { joining, ignoreOld: false }, now),
    joined: (now) => serf.joined(now),
    leave: (now) => serf.leave(now),
  };
}

export interface SwimNode extends SimMachine {
  readonly swim: Swim;
}

/** SWIM alone, for thousands of nodes; `known` are its members from the start. */
export function swimMachine(
  name: string,
  address: Address,
  prng: Prng,
  shared: { names: NameTable; known: readonly PeerState[]; now: Instant; config: SwimConfig },
): SwimNode {
  const swim = new Swim({
    name,
    address,
    meta: NOTHING,
    versions: Uint8Array.of(1, 5, 2, 0, 0, 0),
    config: shared.config,
    prng,
    sizeOf,
    overheadBytes: () => 29,
    delegate: {
      refuseAlive: () => undefined,
      refuseMerge: () => undefined,
      changed: () => undefined,
      userMessage: () => undefined,
      broadcasts: () => [],
      ackPayload: () => null,
      pinged: () => undefined,
    },
    names: shared.names,
    known: { states: shared.known, now: shared.now },
  });
  return {
    swim,
    start: (now) => swim.start(now),
    receive: (from, message, now) => void swim.receive(from, message, now),
    expire: (now) => swim.expire(now),
    deadline: () => swim.deadline(),
    drain: () => swim.drain(),
    streamAck: (seqNo, ok) => swim.streamAck(seqNo, ok),
    snapshot: () => ({ states: swim.states(), userState: NOTHING }),
    merge: (states, _userState, joining, now) => void swim.merge(states, joining, now),
    joined: () => undefined,
    leave: (now) => swim.leave(now),
  };
}
