/** ACL.CreateClientIntroductionToken: by it a client comes that no server knows yet. */
import { DEFAULT_POOL, isPoolName } from "../../state/node-pool.ts";
import { encodeValue } from "../../wire/codec.ts";
import { introductionReply, introductionRequest } from "../../wire/rpc-keyring.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import type { NodeAuth } from "./node-auth.ts";

const NAME_CHARS_MAX = 255;

export function introductionMethods(auth: NodeAuth): ReadonlyMap<string, Method> {
  const run = async (body: Uint8Array): Promise<Uint8Array> => {
    const { NodeName, NodePool, TTL } = readRequest(introductionRequest, body);
    const pool = NodePool || DEFAULT_POOL;
    if (!isPoolName(pool)) {
      throw new RpcMethodError(`invalid node pool: invalid name ${JSON.stringify(pool)}`, false);
    }
    if (NodeName.length > NAME_CHARS_MAX) {
      throw new RpcMethodError(`a node's name has at most ${NAME_CHARS_MAX} characters`, false);
    }
    if (TTL < 0n) throw new RpcMethodError("the time to live must not be negative", false);
    const JWT = await auth.introduce(pool, NodeName, Number(TTL / 1_000_000n));
    return encodeValue(introductionReply, { JWT });
  };
  return new Map<string, Method>([
    ["ACL.CreateClientIntroductionToken", { where: "leader", run: (_options, body) => run(body) }],
  ]);
}
