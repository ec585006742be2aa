/**
 * What is asked of a client node by way of its servers: figures of the machine, metadata, identity.
 * The server that holds the node's connection asks on it, any other passes the request on
 * (wire/rpc-and-raft.md §6.5).
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import {
  decodeNodeConn,
  decodeNodeNamed,
  encodeNodeNamed,
  encodeText,
  withField,
} from "../../wire/rpc-status.ts";
import { CallStream, RpcRemoteError } from "../rpc/call.ts";
import type { RpcForwarder } from "../rpc/client/forward.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { RpcMode } from "../rpc/mode.ts";
import type { Method } from "./methods.ts";
import type { NodeAccess } from "./monitor-method.ts";

/** For the node's answer; Nomad's servers wait for ever. */
const ANSWER_MS = 10_000;
/** Of what an operator changes of a node's metadata. */
const BYTES_MAX = 64 * 1024;

const RELAYED = [
  "Agent.Host",
  "ClientStats.Stats",
  "NodeIdentity.Get",
  "NodeIdentity.Renew",
  "NodeMeta.Apply",
  "NodeMeta.Read",
];

interface NodeRelayInit {
  readonly region: string;
  readonly nodes: NodeAccess;
  readonly forwarder: RpcForwarder;
}

export function nodeRelayMethods(init: NodeRelayInit): ReadonlyMap<string, Method> {
  return new Map(
    RELAYED.map((name): [string, Method] => [
      name,
      {
        where: "region",
        bytesMax: BYTES_MAX,
        run: (options, body, signal) => relay(init, { name, body, options, signal }),
      },
    ]),
  );
}

async function relay(
  init: NodeRelayInit,
  request: Parameters<RpcForwarder["toServer"]>[1],
): Promise<Uint8Array> {
  const { region, nodes, forwarder } = init;
  const { name, body, options, signal } = request;
  const id = decodeNodeNamed(body);
  if (id === "") throw new RpcMethodError("missing NodeID", false);
  if (!nodes.isKnown(id)) throw new RpcMethodError(`Unknown node ${JSON.stringify(id)}`, false);
  const near = nodes.lines.stream(id, RpcMode.nomad);
  if (near !== undefined) {
    const call = new CallStream(near, true);
    try {
      return await call.call(name, withoutToken(body), ANSWER_MS, signal);
    } catch (error) {
      const text = errorText(error);
      const isTheirs = error instanceof RpcRemoteError;
      throw new RpcMethodError(isTheirs ? text : `the node does not answer: ${text}`, false);
    } finally {
      call.close();
    }
  }
  // Passed on once: whoever said that it has the node had it a moment ago.
  const asking = encodeNodeNamed(id, region);
  const far = options.Forwarded
    ? undefined
    : await forwarder.whoSays(region, "Status.HasNodeConn", asking, decodeNodeConn);
  if (far === undefined) throw new RpcMethodError("No path to node", false);
  return forwarder.toServer(far, request);
}

/**
 * The server has judged it. A node gets no token to see: whoever has taken one over would have
 * those of all operators that look at it.
 */
function withoutToken(body: Uint8Array): Uint8Array {
  return withField(body, "AuthToken", encodeText(""));
}
