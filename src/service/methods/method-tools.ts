/** What methods have in common: reading a request, and waiting until the log has it. */
import { command } from "../../state/command.ts";
import { NODES_BYTES_MAX } from "../../state/node-table.ts";
import { type Codec, decodeValue } from "../../wire/codec.ts";
import type { Consensus } from "../raft/consensus.ts";
import { ConsensusError } from "../raft/consensus-error.ts";
import { RpcMethodError } from "../rpc/method-error.ts";

/** @throws RpcMethodError as Go's decoder would */
export function readRequest<T>(codec: Codec<T>, body: Uint8Array): T {
  const value = decodeValue(codec, body);
  if (value !== undefined) return value;
  throw new RpcMethodError("msgpack decode error: the request body is not what it must be", true);
}

/**
 * Is there room for so many more bytes of nodes, which all servers keep?
 *
 * @throws RpcMethodError
 */
export function mustFit({ bytes }: { readonly bytes: number }, more: number): void {
  if (more <= 0 || bytes + more <= NODES_BYTES_MAX) return;
  const most = `${NODES_BYTES_MAX / 2 ** 20} MiB`;
  throw new RpcMethodError(`there are ${most} of client nodes, and no room for more`, false);
}

/** @throws RpcMethodError when the log does not take it */
export async function committed<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof ConsensusError) throw new RpcMethodError(error.message, false);
    throw error;
  }
}

/**
 * Writes a request about nodes to the log, without the caller's token, for which it is no place.
 *
 * @param refused what was true when we looked is not any more
 * @returns its index
 * @throws RpcMethodError
 */
export async function committedRequest<T extends { readonly AuthToken: string }>(
  consensus: Pick<Consensus, "apply">,
  type: number,
  codec: Codec<T>,
  request: T,
  refused?: () => RpcMethodError,
): Promise<number> {
  const data = command(type, codec, { ...request, AuthToken: "" });
  const { index, outcome } = await committed(consensus.apply(data));
  if (outcome === "refused" && refused !== undefined) throw refused();
  // It was there when we looked: somebody has deregistered it since.
  if (outcome !== "applied") throw new RpcMethodError("node not found", false);
  return index;
}
