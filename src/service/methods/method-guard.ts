/**
 * Looks at the token of a call before its method runs, at the server that answers it. One that
 * passes a call on does not: it may know less, and in another region there are other tokens.
 *
 * @module
 */
import type { Grants } from "../../state/acl/need.ts";
import { decodeNodeNamed } from "../../wire/rpc-status.ts";
import type { AclResolver, Identity } from "../acl/resolver.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { mayCallWith, methodNeed } from "./method-needs.ts";

/** What a client node may do to itself, by its secret. */
const OF_ITSELF: ReadonlySet<string> = new Set(["Node.UpdateDrain"]);
/** Who asks for itself hears what is wrong with its token. */
const TELLING: ReadonlySet<string> = new Set(["ACL.GetToken", "ACL.GetTokens", "ACL.WhoAmI"]);

export class MethodGuard {
  readonly #resolver: Pick<AclResolver, "enabled" | "resolve">;

  constructor(resolver: Pick<AclResolver, "enabled" | "resolve">) {
    this.#resolver = resolver;
  }

  /** Otherwise certificates decide. */
  get enabled(): boolean {
    return this.#resolver.enabled;
  }

  /** @throws RpcMethodError: Permission denied */
  check(name: string, token: string, body: Uint8Array): void {
    if (!this.#resolver.enabled || methodNeed(name) === "anonymous") return;
    const { grants, nodeId } = this.#identity(name, token);
    if (mayCallWith(grants, name)) return;
    if (nodeId !== undefined && OF_ITSELF.has(name) && decodeNodeNamed(body) === nodeId) return;
    throw denied();
  }

  /** What the bearer of a token may do, for methods that judge by themselves. @throws */
  grants(token: string): Grants {
    return this.#identity("", token).grants;
  }

  #identity(name: string, token: string): Identity {
    try {
      return this.#resolver.resolve(token);
    } catch (error) {
      // As Nomad: to find out which tokens there are, nobody gets help.
      if (TELLING.has(name)) throw error;
      throw denied();
    }
  }
}

export function denied(): RpcMethodError {
  return new RpcMethodError("Permission denied", false);
}
