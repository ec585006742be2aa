/**
 * What the servers of a group ask each other about it: who is there, and to be let go. Methods of
 * our own; Nomad's servers have neither.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { encodeValue } from "../../wire/codec.ts";
import {
  encodeSelf,
  GROUP_LEAVE,
  GROUP_SELF,
  type GroupSelf,
  leaveReply,
  leaveRequest,
} from "../../wire/rpc-group.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";

interface GroupMethodsInit {
  readonly self: () => GroupSelf;
  /**
   * @returns why it stays in the group although it goes; "" when it is out of it
   * @throws Error when it may not go by this way
   */
  readonly leave: (id: string) => Promise<string>;
}

export function groupMethods(init: GroupMethodsInit): ReadonlyMap<string, Method> {
  const leave = async (body: Uint8Array): Promise<Uint8Array> => {
    const { ID } = readRequest(leaveRequest, body);
    try {
      return encodeValue(leaveReply, { Kept: await init.leave(ID) });
    } catch (error) {
      throw new RpcMethodError(errorText(error), false);
    }
  };
  return new Map<string, Method>([
    [GROUP_SELF, { where: "here", run: () => encodeSelf(init.self()) }],
    [GROUP_LEAVE, { where: "leader", run: (_options, body) => leave(body) }],
  ]);
}
