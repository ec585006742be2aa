/**
 * Who a request is from, by its token: looked up in this server's own state, as it is now. What
 * expires, expires to the millisecond.
 *
 * @module
 */
import type { Clock } from "../../host/host.ts";
import {
  type AclToken,
  ANONYMOUS_TOKEN,
  isExpired,
  MANAGEMENT_TOKEN,
} from "../../state/acl/acl.ts";
import { ALL_GRANTS } from "../../state/acl/grants.ts";
import type { Grants } from "../../state/acl/need.ts";
import type { Node } from "../../state/node.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { timeOf } from "../../wire/codec.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { PolicyCache } from "./policy-cache.ts";
import { SecretIndex } from "./secret-index.ts";

/** Whoever has a token. */
export interface Identity {
  readonly grants: Grants;
  /** Undefined: it is a client node. */
  readonly token: AclToken | undefined;
  /** The client node that proved itself. */
  readonly nodeId?: string | undefined;
}

/** What a client node may see, by its secret; what it may do is for its own methods to say. */
export const NODE_GRANTS: Grants = {
  isManagement: false,
  level: (area) => (area === "node" ? "read" : ""),
  nodePool: (_name, capability) => capability === "read",
  namespace: () => false,
};

export const TOKEN_NOT_FOUND = "ACL token not found";
export const TOKEN_EXPIRED = "ACL token expired";

interface AclResolverInit {
  readonly enabled: boolean;
  readonly machine: Pick<StateMachine, "acl"> & {
    readonly nodes: Pick<StateMachine["nodes"], "all" | "get" | "secretsRevision">;
  };
  readonly clock: Clock;
  /** The node whose signed identity (a JWT) it is; undefined: it is nobody's. */
  readonly nodeOf?: ((identity: string) => string | undefined) | undefined;
}

/** Without ACLs everybody may do everything, as far as tokens are concerned. */
export const EVERYBODY: Identity = { grants: ALL_GRANTS, token: undefined };

export class AclResolver {
  readonly #init: AclResolverInit;
  readonly #policies = new PolicyCache();
  readonly #tokens: SecretIndex<AclToken>;
  readonly #nodes: SecretIndex<Node>;

  constructor(init: AclResolverInit) {
    this.#init = init;
    const { acl, nodes } = init.machine;
    this.#tokens = new SecretIndex({
      all: () => acl.tokens(),
      revision: () => acl.tokensRevision,
      idOf: (one) => one.AccessorID,
      secretOf: (one) => one.SecretID,
      get: (id) => acl.token(id),
    });
    this.#nodes = new SecretIndex({
      all: () => nodes.all(),
      revision: () => nodes.secretsRevision,
      idOf: (one) => one.ID,
      secretOf: (one) => one.SecretID,
      get: (id) => nodes.get(id),
    });
  }

  get enabled(): boolean {
    return this.#init.enabled;
  }

  /** @throws RpcMethodError with Nomad's text: not found, expired */
  resolve(secret: string): Identity {
    const { enabled, nodeOf } = this.#init;
    if (!enabled) return EVERYBODY;
    if (secret === "") return this.#ofToken(ANONYMOUS_TOKEN);
    const token = this.token(secret);
    if (token !== undefined) return this.#ofToken(token);
    const nodeId = this.#nodes.find(secret)?.ID ?? nodeOf?.(secret);
    // An identity outlives its node: what is not there any more sees nothing.
    const isThere = nodeId !== undefined && this.#init.machine.nodes.get(nodeId) !== undefined;
    if (isThere) return { grants: NODE_GRANTS, token: undefined, nodeId };
    throw new RpcMethodError(TOKEN_NOT_FOUND, false);
  }

  /** @throws RpcMethodError */
  grants(secret: string): Grants {
    return this.resolve(secret).grants;
  }

  /** undefined: there is none with this secret. @throws RpcMethodError when it has expired */
  token(secret: string): AclToken | undefined {
    const found = this.#tokens.find(secret);
    if (found === undefined || !isExpired(found, timeOf(this.#init.clock.wallMs()))) return found;
    throw new RpcMethodError(TOKEN_EXPIRED, false);
  }

  #ofToken(token: AclToken): Identity {
    if (token.Type === MANAGEMENT_TOKEN) return { grants: ALL_GRANTS, token };
    const policies = this.#init.machine.acl.policiesOf(token);
    return { grants: this.#policies.grants(policies), token };
  }
}
