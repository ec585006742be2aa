/**
 * By what a client proves which node it is: the node's secret, or an identity that a server of the
 * region has signed; and what lets one in that nobody knows yet (wire/rpc-and-raft.md §4.5, §6.3,
 * §6.4).
 *
 * @module
 */
import type { ClientIntroductionConfig } from "../../config/config.ts";
import { isSameSecret } from "../../host/digest.ts";
import type { Clock, Log, LogFields } from "../../host/host.ts";
import type { Node } from "../../state/node.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { type Claims, looksLikeToken } from "../../wire/jwt.ts";
import {
  introduces,
  introductionClaims,
  isFresh,
  isMeant,
  nodeClaims,
  nodeOf,
} from "../identity/claims.ts";
import type { IdentityKeys, SignedIdentity } from "../identity/identity-keys.ts";
import { countRefusal, RefusalLog } from "../refusals.ts";
import { RpcMethodError } from "../rpc/method-error.ts";

interface NodeAuthInit {
  readonly region: string;
  readonly machine: Pick<StateMachine, "nodes" | "pools" | "signingKeys">;
  readonly keys: IdentityKeys;
  readonly introduction: ClientIntroductionConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Nodes that came without being introduced, by level and reason. */
  readonly uninvited: Map<string, number>;
}

/** What a token proves. */
type Proof =
  | { readonly kind: "nothing" }
  | { readonly kind: "node"; readonly id: string; readonly claims: Claims; readonly keyId: string }
  | { readonly kind: "introduction"; readonly claims: Claims }
  /** It has the form of a token, and proves nothing; of an introduction it says that it is one. */
  | { readonly kind: "refused"; readonly why: string; readonly introduces: boolean };

/** What a client keeps instead of an identity that does not hold: none, and its secret counts. */
const NO_IDENTITY = "";
const FOREIGN_IDENTITY =
  "a client has an identity that does not hold here: it is to register again, by its secret";
const DAY_MS = 86_400_000;

export class NodeAuth {
  readonly #init: NodeAuthInit;
  readonly #refusals: RefusalLog;

  constructor(init: NodeAuthInit) {
    this.#init = init;
    this.#refusals = new RefusalLog(init.clock, init.log);
  }

  proofOf(token: string): Proof {
    if (!looksLikeToken(token)) return { kind: "nothing" };
    const judged = this.#init.keys.judge(token);
    const { claims } = judged;
    if (!judged.ok) {
      const { why } = judged;
      return { kind: "refused", why, introduces: claims !== undefined && introduces(claims) };
    }
    if (introduces(judged.claims)) return { kind: "introduction", claims: judged.claims };
    const id = nodeOf(judged.claims);
    const { keyId } = judged;
    if (id !== "") return { kind: "node", id, claims: judged.claims, keyId };
    return { kind: "refused", why: "of no node", introduces: false };
  }

  /** Of a node that is there; undefined: the token is nobody's identity, or does not hold. */
  nodeOf(token: string): string | undefined {
    const proof = this.proofOf(token);
    const isKnown = proof.kind === "node" && this.#init.machine.nodes.get(proof.id) !== undefined;
    return isKnown ? proof.id : undefined;
  }

  /** Is that the secret of the node with this id, or its identity? */
  isNode(id: string, token: string): boolean {
    const known = this.#init.machine.nodes.get(id);
    if (known === undefined || token === "") return false;
    const proof = this.proofOf(token);
    return proof.kind === "node" ? proof.id === id : isSameSecret(token, known.SecretID);
  }

  /** @throws RpcMethodError: no such node, or none of the tokens proves that it is this one */
  node(id: string, ...tokens: readonly string[]): Node {
    const known = this.#init.machine.nodes.get(id);
    if (known === undefined) throw new RpcMethodError("node not found", false);
    if (!tokens.some((token) => this.isNode(id, token))) throw denied();
    return known;
  }

  /**
   * Who says that it lives. Whoever proves itself by an identity that does not hold is told to
   * register: there its secret is.
   *
   * @throws RpcMethodError
   */
  heardFrom(id: string, token: string): { readonly known: Node; readonly proof: Proof } {
    const known = this.#init.machine.nodes.get(id);
    if (known === undefined) throw new RpcMethodError("node not found", false);
    const proof = this.proofOf(token);
    if (proof.kind === "refused") {
      const fields = { node_id: id, name: known.Name, why: proof.why };
      this.#refusals.note("identity", FOREIGN_IDENTITY, () => fields);
      throw new RpcMethodError("node not found", false);
    }
    const isIt = proof.kind === "node" ? proof.id === id : isSameSecret(token, known.SecretID);
    if (!isIt || token === "") throw denied();
    return { known, proof };
  }

  /**
   * A node that nobody knows yet: may it come?
   *
   * @throws RpcMethodError
   */
  admit(given: Node, proof: Proof): void {
    // It was here before, and has been forgotten since.
    if (proof.kind === "node" && proof.id === given.ID) return;
    if (proof.kind === "introduction" && isMeant(proof.claims, given)) return;
    const { enforcement } = this.#init.introduction;
    const fields = {
      ...{ enforcement_level: enforcement, node_id: given.ID },
      ...{ node_pool: given.NodePool, node_name: given.Name },
    };
    // What is there and wrong is refused whatever the level is, as by Nomad.
    if (proof.kind === "introduction" || proof.kind === "node") {
      throw this.#uninvited("claims mismatch", "introduction claims mismatch", fields);
    }
    if (proof.kind === "refused" && proof.introduces) {
      const more = { ...fields, error: proof.why };
      throw this.#uninvited("bad token", "introduction authentication failure", more);
    }
    if (enforcement === "strict") {
      throw this.#uninvited("no token", "without introduction token", fields);
    }
    if (enforcement === "none") return;
    this.#count("no token");
    this.#init.log.warn("node registration without introduction token", fields);
  }

  #uninvited(reason: string, what: string, fields: LogFields): RpcMethodError {
    this.#count(reason);
    this.#refusals.note(reason, `node registration ${what}`, () => fields);
    return denied();
  }

  #count(reason: string): void {
    const { uninvited, introduction } = this.#init;
    countRefusal(uninvited, `${introduction.enforcement}: ${reason}`);
  }

  /**
   * The identity that a node shall have from now on.
   *
   * @param force the node asks for another one
   * @returns undefined: it keeps what it has
   */
  async identityFor(
    node: Node,
    proof: Proof,
    force = false,
  ): Promise<SignedIdentity | { readonly token: typeof NO_IDENTITY } | undefined> {
    const { keys, machine, region, clock } = this.#init;
    const keeps =
      proof.kind === "node" &&
      proof.id === node.ID &&
      proof.keyId === machine.signingKeys.active?.KeyID &&
      isFresh(proof.claims, node, clock.wallMs());
    if (keeps && !force) return undefined;
    const nanos = machine.pools.get(node.NodePool)?.NodeIdentityTTL ?? 0n;
    const lifetimeMs = nanos > 0n ? Number(nanos / 1_000_000n) : DAY_MS;
    const signed = await keys.sign((life) => nodeClaims(region, node, life), lifetimeMs);
    if (signed !== undefined) return signed;
    return proof.kind === "refused" && !proof.introduces ? { token: NO_IDENTITY } : undefined;
  }

  /**
   * A token by which a new node may come.
   *
   * @param askedMs 0: as the servers are configured
   * @throws RpcMethodError
   */
  async introduce(pool: string, name: string, askedMs: number): Promise<string> {
    const { keys, region, introduction, log } = this.#init;
    const { defaultLifetimeMs, maxLifetimeMs } = introduction;
    if (askedMs > maxLifetimeMs) {
      log.warn("an introduction token lives no longer than max_identity_ttl", {
        ...{ asked_ms: askedMs, max_ms: maxLifetimeMs },
      });
    }
    const lifetimeMs = Math.min(askedMs > 0 ? askedMs : defaultLifetimeMs, maxLifetimeMs);
    const signed = await keys.sign(
      (life) => introductionClaims(region, pool, name, life),
      lifetimeMs,
    );
    if (signed !== undefined) return signed.token;
    throw new RpcMethodError("there is no key that signs identities yet: try again", false);
  }
}

function denied(): RpcMethodError {
  return new RpcMethodError("Permission denied", false);
}
