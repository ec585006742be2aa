/** Registers in the replicated state of a group: a setting of autopilot's, and the names of nodes. */

import { singleNodeReply } from "../../src/service/methods/node-methods.ts";
import type { RpcPool } from "../../src/service/rpc/client/pool.ts";
import {
  AUTOPILOT_DEFAULTS,
  autopilotConfig,
  autopilotRequest,
  nodeRegisterRequest,
} from "../../src/state/command.ts";
import { mapBytes, node } from "../../src/state/node.ts";
import { decodeValue, encodeValue, structOf } from "../../src/wire/codec.ts";
import { nodeRequest } from "../../src/wire/rpc-node.ts";
import { encodeQueryOptions } from "../../src/wire/rpc-status.ts";

const target = (ip: string) => ({
  address: { ip: Uint8Array.from(ip.split(".").map(Number)), port: 4647 },
  region: "global",
});

/** Through any server: it passes a write on to the leader. */
export async function writeRegister(pool: RpcPool, ip: string, value: bigint): Promise<void> {
  const Config = { ...AUTOPILOT_DEFAULTS, MaxTrailingLogs: value };
  const request = structOf(autopilotRequest, { Config, Region: "global" });
  const body = encodeValue(autopilotRequest, request);
  pool.forgive(target(ip).address);
  // Longer than a server holds it, so that a late one cannot land after its successor.
  await pool.call(target(ip), "Operator.AutopilotSetConfiguration", body, 15_000, false);
}

export async function readRegister(pool: RpcPool, ip: string): Promise<bigint> {
  const body = encodeQueryOptions({ Region: "global" });
  const method = "Operator.AutopilotGetConfiguration";
  pool.forgive(target(ip).address);
  const answer = await pool.call(target(ip), method, body, 8000, true);
  return decodeValue(autopilotConfig, answer)?.MaxTrailingLogs ?? 0n;
}

const idOf = (register: number): string =>
  `${register.toString(16).padStart(8, "0")}-aaaa-4000-8000-000000000000`;
const Attributes = mapBytes(new Map([["nomad.version", "2.0.5"]]));

/** A client node that is renamed: as many registers as one likes. */
export async function writeNode(
  pool: RpcPool,
  ip: string,
  register: number,
  value: string,
): Promise<void> {
  const named = { ID: idOf(register), Name: value, SecretID: "secret", Datacenter: "dc1" };
  const Node = structOf(node, { ...named, Attributes });
  const request = structOf(nodeRegisterRequest, { Node, Region: "global", Forwarded: true });
  const body = encodeValue(nodeRegisterRequest, request);
  pool.forgive(target(ip).address);
  await pool.call(target(ip), "Node.Register", body, 15_000, false);
}

export async function readNode(pool: RpcPool, ip: string, register: number): Promise<string> {
  const request = structOf(nodeRequest, { NodeID: idOf(register), Region: "global" });
  pool.forgive(target(ip).address);
  const body = encodeValue(nodeRequest, request);
  const answer = await pool.call(target(ip), "Node.GetNode", body, 8000, true);
  return decodeValue(singleNodeReply, answer)?.Node?.Name ?? "";
}
