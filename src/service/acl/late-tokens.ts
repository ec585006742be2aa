/**
 * A token that this server does not know may be newer than its state: a follower asks whoever
 * leads, and waits until it has applied as much. So a token can be used everywhere as soon as
 * whoever made it has the answer.
 *
 * @module
 */
import type { Clock } from "../../host/host.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { decodeValue, encodeValue, structOf } from "../../wire/codec.ts";
import { queryOptions } from "../../wire/rpc-status.ts";
import { whenPast } from "../blocking-query.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { whoAmIReply } from "./replies.ts";
import { type AclResolver, type Identity, TOKEN_NOT_FOUND } from "./resolver.ts";

/** Looked for at once: whoever sends wrong tokens in bulk does not ask the leader as often. */
const ASKED_MAX = 16;
/** For the leader's answer, and for our own state to come as far. */
const [ANSWER_MS, APPLIED_MS] = [2000, 2000];

interface LateTokensInit {
  readonly resolver: Pick<AclResolver, "enabled" | "resolve">;
  readonly region: string;
  readonly machine: Pick<StateMachine, "index" | "watch">;
  readonly isLeader: () => boolean;
  /** A call as if it had come to our port. @throws Error */
  readonly call: (method: string, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
  readonly clock: Clock;
}

export class LateTokens {
  readonly #init: LateTokensInit;
  #asked = 0;

  constructor(init: LateTokensInit) {
    this.#init = init;
  }

  get enabled(): boolean {
    return this.#init.resolver.enabled;
  }

  /** @throws Error, now or later: there is no such token, or it has expired */
  readonly resolve = (secret: string): Identity | Promise<Identity> => {
    const { resolver, isLeader } = this.#init;
    try {
      return resolver.resolve(secret);
    } catch (error) {
      const isUnknown = error instanceof RpcMethodError && error.message === TOKEN_NOT_FOUND;
      if (!isUnknown || isLeader() || this.#asked >= ASKED_MAX) throw error;
    }
    this.#asked += 1;
    return this.#catchUp(secret)
      .catch(() => undefined)
      .then(() => resolver.resolve(secret))
      .finally(() => {
        this.#asked -= 1;
      });
  };

  /** @throws Error: it is nobody's there either, or nobody leads */
  async #catchUp(AuthToken: string): Promise<void> {
    const { region: Region, call } = this.#init;
    const body = encodeValue(queryOptions, structOf(queryOptions, { AuthToken, Region }));
    const bytes = await call("ACL.WhoAmI", body, AbortSignal.timeout(ANSWER_MS));
    const reply = decodeValue(whoAmIReply, bytes);
    const token = reply?.Identity?.ACLToken ?? undefined;
    if (token === undefined) return;
    const { machine, clock } = this.#init;
    const own = { index: () => machine.index, watch: (on: () => void) => machine.watch(on) };
    await whenPast(token.ModifyIndex - 1n, () => APPLIED_MS, own, clock);
  }
}
