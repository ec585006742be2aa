/** What methods have in common: reading a request, and waiting until the log has it. */
import { type Codec, decodeValue } from "../../wire/codec.ts";
import { ConsensusError } from "../raft/consensus-error.ts";
import { RpcMethodError } from "../rpc/method-error.ts";

/** @throws RpcMethodError as Go's decoder would */
export function readRequest<T>(codec: Codec<T>, body: Uint8Array): T {
  const value = decodeValue(codec, body);
  if (value !== undefined) return value;
  throw new RpcMethodError("msgpack decode error: the request body is not what it must be", true);
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
