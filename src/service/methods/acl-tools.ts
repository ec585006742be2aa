/** What the ACL methods have in common. */
import type { Clock, Log } from "../../host/host.ts";
import type { Prng } from "../../protocol/ports.ts";
import { AclMessage } from "../../state/acl/acl-changes.ts";
import { command } from "../../state/command.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import type { Codec } from "../../wire/codec.ts";
import type { AclResolver } from "../acl/resolver.ts";
import type { ExpirationLimits } from "../acl/validate.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { ABSENT, ABSENT_METHODS } from "./acl-absent.ts";
import { committed } from "./method-tools.ts";
import type { Method } from "./methods.ts";

export interface AclMethodsInit {
  readonly region: string;
  /** Where global tokens, policies and roles are changed. */
  readonly authoritativeRegion: string;
  readonly limits: ExpirationLimits;
  readonly resolver: AclResolver;
  readonly consensus: Pick<Consensus, "apply" | "leader" | "stats">;
  readonly machine: Pick<StateMachine, "acl" | "nodes" | "watch">;
  /** The index that an operator has written into the reset file; 0: none. */
  readonly resetIndex: () => bigint;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

/** Policies have texts, and lists of tokens are long. */
export const ACL_BYTES_MAX = 1024 * 1024;

/** @throws RpcMethodError when there are no ACLs, before anything else is looked at */
export function withAcls(
  { resolver }: Pick<AclMethodsInit, "resolver">,
  methods: ReadonlyMap<string, Method>,
): ReadonlyMap<string, Method> {
  const absent = (): never => {
    throw coded(501, ABSENT);
  };
  const none = ABSENT_METHODS.map((name): [string, Method] => [
    name,
    { where: "here", run: absent },
  ]);
  if (resolver.enabled) return new Map([...methods, ...none]);
  const disabled = (): never => {
    throw coded(400, "ACL support disabled");
  };
  return new Map([...methods.keys()].map((name) => [name, { where: "here", run: disabled }]));
}

export function coded(code: number, message: string): RpcMethodError {
  return new RpcMethodError(`RPC Error:: ${code},${message}`, false);
}

/**
 * Writes it to the log, without the caller's token.
 *
 * @returns its index
 * @throws RpcMethodError when what was true a moment ago is not any more
 */
export async function commitAcl<T extends { readonly AuthToken: string }>(
  { consensus }: Pick<AclMethodsInit, "consensus">,
  type: keyof typeof AclMessage,
  codec: Codec<T>,
  request: T,
  refusal: string,
): Promise<bigint> {
  const data = command(AclMessage[type], codec, { ...request, AuthToken: "" });
  const { index, outcome } = await committed(consensus.apply(data));
  if (outcome !== "applied") throw coded(400, refusal);
  return BigInt(index);
}
