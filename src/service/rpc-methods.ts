/**
 * The RPC methods that are served: names to functions over bytes. What they say comes from `api`.
 *
 * @module
 */
import {
  decodeQueryOptions,
  encodeEmpty,
  encodeServerMembers,
  encodeTexts,
  type ServerMembers,
} from "../wire/rpc-status.ts";

/** An error for the caller; its text is part of the protocol. */
export class RpcMethodError extends Error {
  override readonly name = "RpcMethodError";
  readonly endsStream: boolean;

  constructor(message: string, endsStream: boolean) {
    super(message);
    this.endsStream = endsStream;
  }
}

export interface RpcMethodsInit {
  readonly members: () => ServerMembers;
  /** Addresses of the Raft configuration; none while there is no Raft. */
  readonly raftPeers: () => readonly string[];
}

type Handler = (body: Uint8Array) => Uint8Array;

export class RpcMethods {
  readonly #handlers: ReadonlyMap<string, Handler>;

  constructor(init: RpcMethodsInit) {
    this.#handlers = new Map<string, Handler>([
      ["Status.Ping", () => encodeEmpty()],
      ["Status.Members", () => encodeServerMembers(init.members())],
      ["Status.Peers", () => encodeTexts(init.raftPeers())],
    ]);
  }

  /** @throws RpcMethodError */
  async call(method: string, body: Uint8Array): Promise<Uint8Array> {
    const dot = method.lastIndexOf(".");
    if (dot < 0)
      throw new RpcMethodError(`rpc: service/method request ill-formed: ${method}`, true);
    const handler = this.#handlers.get(method);
    if (handler === undefined) throw new RpcMethodError(this.#unknown(method, dot), true);
    if (decodeQueryOptions(body) === undefined) {
      throw new RpcMethodError("msgpack decode error: the request body is not a struct", true);
    }
    return handler(body);
  }

  #unknown(method: string, dot: number): string {
    const service = method.slice(0, dot);
    const known = [...this.#handlers.keys()].some((name) => name.startsWith(`${service}.`));
    return known ? `rpc: can't find method ${method}` : `rpc: can't find service ${method}`;
  }
}
