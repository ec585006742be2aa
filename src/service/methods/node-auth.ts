/** A client proves by its node's secret which node it is (wire/rpc-and-raft.md §4.5). */
import { isSameSecret } from "../../host/digest.ts";
import type { Node } from "../../state/node.ts";
import type { NodeTable } from "../../state/node-table.ts";
import { RpcMethodError } from "../rpc/method-error.ts";

/** @throws RpcMethodError: no such node, or the token is not its secret */
export function authenticatedNode(nodes: Pick<NodeTable, "get">, id: string, token: string): Node {
  const known = nodes.get(id);
  if (known === undefined) throw new RpcMethodError("node not found", false);
  if (!isSecretOf(known, token)) throw new RpcMethodError("Permission denied", false);
  return known;
}

export function isSecretOf(known: Node | undefined, token: string): boolean {
  return known !== undefined && token !== "" && isSameSecret(token, known.SecretID);
}

/**
 * Is it a signed identity (a JWT) rather than a secret? Servers here sign none: a client that has
 * one has it from elsewhere, and would never fall back to its secret by itself.
 */
export function isIdentity(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

/** What a client keeps instead of such an identity: none, so that its secret counts again. */
export const NO_IDENTITY = "";
