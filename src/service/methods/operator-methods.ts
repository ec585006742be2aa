/**
 * The Operator methods of the Raft group and autopilot (wire/rpc-and-raft.md §5.2).
 *
 * @module
 */

import { errorText } from "../../host/error-text.ts";
import type { RaftServer } from "../../protocol/raft/message.ts";
import { autopilotCommand, autopilotConfig, autopilotRequest } from "../../state/command.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { bool, encodeValue, list, raw, struct, text, uint64 } from "../../wire/codec.ts";
import { encodeEmpty, writeFields } from "../../wire/rpc-status.ts";
import { healthOf, healthReply, type ServerState } from "../raft/autopilot-health.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { committed, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";

const raftServer = struct({
  Address: text,
  ID: text,
  Leader: bool,
  Node: text,
  RaftProtocol: text,
  Voter: bool,
});
export const raftConfiguration = struct({ Index: uint64, Servers: list(raftServer) });

/** Of RaftRemovePeerByID and TransferLeadershipToPeer. */
export const peerRequest = struct({ ...writeFields, Address: text, ID: text });

const peerName = struct({ Address: text, ID: text });
/** Err is a Go error: whoever decodes it can only take nil. */
export const transferReply = struct({ Err: raw, From: peerName, Noop: bool, To: peerName });

interface OperatorMethodsInit {
  readonly consensus: Consensus;
  readonly machine: StateMachine;
  /** Gossip's name for a server's id; undefined: gossip does not know it. */
  readonly nameOf: (id: string) => string | undefined;
  /** As the leader has seen them last; empty before it has looked. */
  readonly health: () => readonly ServerState[];
}

export function operatorMethods(init: OperatorMethodsInit): ReadonlyMap<string, Method> {
  const leader = (run: Method["run"]): Method => ({ where: "leader", run });
  return new Map<string, Method>([
    ["Operator.RaftGetConfiguration", leader(() => configuration(init))],
    ["Operator.RaftRemovePeerByID", leader((_options, body) => removePeer(init, body))],
    [
      "Operator.RaftRemovePeerByAddress",
      leader(() => {
        throw refusal(400, "Operator.RaftRemovePeerByAddress has been removed");
      }),
    ],
    ["Operator.TransferLeadershipToPeer", leader((_options, body) => transfer(init, body))],
    [
      "Operator.AutopilotGetConfiguration",
      { where: "leader", consistent: true, run: () => autopilot(init) },
    ],
    ["Operator.AutopilotSetConfiguration", leader((_options, body) => setAutopilot(init, body))],
    ["Operator.ServerHealth", leader(() => serverHealth(init))],
  ]);
}

/** An error whose code the HTTP API gives, however many servers it passes. */
function refusal(code: number, message: string): RpcMethodError {
  return new RpcMethodError(`RPC Error:: ${code},${message}`, false);
}

function configuration({ consensus, nameOf }: OperatorMethodsInit): Uint8Array {
  const servers = consensus.servers.map((server) => ({
    Address: server.address,
    ID: server.id,
    Leader: server.id === consensus.leader?.id,
    Node: nameOf(server.id) ?? "(unknown)",
    RaftProtocol: "3",
    Voter: server.suffrage === "voter",
  }));
  const reply = { Index: 0n, Servers: servers.length === 0 ? null : servers };
  return encodeValue(raftConfiguration, reply);
}

async function removePeer(
  { consensus }: OperatorMethodsInit,
  body: Uint8Array,
): Promise<Uint8Array> {
  const { ID: id } = readRequest(peerRequest, body);
  if (!consensus.servers.some((one) => one.id === id)) {
    throw new RpcMethodError(
      `id ${JSON.stringify(id)} was not found in the Raft configuration`,
      false,
    );
  }
  await committed(consensus.change({ kind: "remove", id }));
  return encodeEmpty();
}

async function transfer({ consensus }: OperatorMethodsInit, body: Uint8Array): Promise<Uint8Array> {
  const { Address, ID } = readRequest(peerRequest, body);
  const target = consensus.servers.find((one) => one.id === ID || one.address === Address);
  if (target === undefined) {
    const what = ID === "" ? `address ${JSON.stringify(Address)}` : `id ${JSON.stringify(ID)}`;
    throw refusal(400, `${what} was not found in the Raft configuration`);
  }
  const name = (server: RaftServer | { id: string; address: string } | undefined) => ({
    Address: server?.address ?? "",
    ID: server?.id ?? "",
  });
  const From = name(consensus.leader);
  const Noop = target.id === consensus.leader?.id;
  try {
    if (!Noop) consensus.transfer(target.id);
  } catch (error) {
    throw new RpcMethodError(errorText(error), false);
  }
  return encodeValue(transferReply, { Err: null, From, Noop, To: name(target) });
}

function autopilot({ machine }: OperatorMethodsInit): Uint8Array {
  if (machine.autopilot === undefined) {
    throw new RpcMethodError("autopilot config not initialized yet", false);
  }
  return encodeValue(autopilotConfig, machine.autopilot);
}

/** Only the leader looks: a follower that is asked for what it knows has nothing. */
function serverHealth({ consensus, health }: OperatorMethodsInit): Uint8Array {
  if (consensus.role !== "leader") throw new RpcMethodError("No cluster leader", false);
  return encodeValue(healthReply, healthOf(health()));
}

/** @returns was it taken: with CAS only if nobody changed it meanwhile */
async function setAutopilot(
  { consensus }: OperatorMethodsInit,
  body: Uint8Array,
): Promise<Uint8Array> {
  const request = { ...readRequest(autopilotRequest, body), AuthToken: "" };
  const { outcome } = await committed(consensus.apply(autopilotCommand(request)));
  return encodeValue(bool, outcome === "applied");
}
