/**
 * What tokens of client nodes say, in Nomad's names (wire/rpc-and-raft.md §4.5, §6.3, §6.4): who a
 * node is, and which new one somebody has introduced.
 *
 * @module
 */
import type { Node } from "../../state/node.ts";
import type { Claims } from "../../wire/jwt.ts";

const AUDIENCE = "nomadproject.io";
/** How servers' clocks may differ. */
const LEEWAY_SECONDS = 60;
/** Of the life of an identity, what has to be over before it gets another. */
const RENEWED_AFTER = 2 / 3;

/** How long, and by which name of its own. */
export interface Lifetime {
  readonly nowMs: number;
  readonly lifetimeMs: number;
  /** A UUID. */
  readonly id: string;
}

export function nodeClaims(region: string, node: Node, life: Lifetime): Claims {
  const { ID, NodePool, NodeClass, Datacenter } = node;
  return {
    ...standard(`node:${region}:${NodePool}:${ID}:default`, life),
    ...(NodeClass === "" ? {} : { nomad_node_class: NodeClass }),
    ...{ nomad_node_datacenter: Datacenter, nomad_node_id: ID, nomad_node_pool: NodePool },
  };
}

/** @param name "": any node of that pool */
export function introductionClaims(
  region: string,
  pool: string,
  name: string,
  life: Lifetime,
): Claims {
  return {
    ...standard(`${INTRODUCTION}:${region}:${pool}:${name}:default`, life),
    ...(name === "" ? {} : { nomad_node_name: name }),
    nomad_node_pool: pool,
  };
}

const INTRODUCTION = "node-introduction";

function standard(sub: string, { nowMs, lifetimeMs, id }: Lifetime): Claims {
  const now = Math.floor(nowMs / 1000);
  const exp = now + Math.floor(lifetimeMs / 1000);
  return { aud: AUDIENCE, exp, iat: now, jti: id, nbf: now, sub };
}

/** Is it one that introduces? */
export function introduces(claims: Claims): boolean {
  return textClaim(claims, "sub").startsWith(`${INTRODUCTION}:`);
}

/** The node whose identity it is; "" if it is none. */
export function nodeOf(claims: Claims): string {
  return textClaim(claims, "sub").startsWith("node:") ? textClaim(claims, "nomad_node_id") : "";
}

/** Does the introduction mean this node? */
export function isMeant(claims: Claims, { Name, NodePool }: Node): boolean {
  const name = textClaim(claims, "nomad_node_name");
  return textClaim(claims, "nomad_node_pool") === NodePool && (name === "" || name === Name);
}

/** Does it say what is true of the node now, and has it long enough to live? */
export function isFresh(claims: Claims, node: Node, nowMs: number): boolean {
  const says = (name: string, value: string): boolean => textClaim(claims, name) === value;
  const [from, until] = [numberClaim(claims, "iat"), numberClaim(claims, "exp")];
  return (
    says("nomad_node_pool", node.NodePool) &&
    says("nomad_node_class", node.NodeClass) &&
    says("nomad_node_datacenter", node.Datacenter) &&
    nowMs / 1000 < from + (until - from) * RENEWED_AFTER
  );
}

/** @returns why it does not count now; undefined: it does */
export function timeFault(claims: Claims, nowMs: number): "expired" | "not yet valid" | undefined {
  const now = nowMs / 1000;
  if (numberClaim(claims, "exp") <= now) return "expired";
  return numberClaim(claims, "nbf") > now + LEEWAY_SECONDS ? "not yet valid" : undefined;
}

export function isForNomad({ aud }: Claims): boolean {
  return aud === AUDIENCE || (Array.isArray(aud) && aud.includes(AUDIENCE));
}

/** Unix time; undefined: it does not say. */
export function expiryMsOf(claims: Claims): number | undefined {
  const { exp } = claims;
  return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
}

function textClaim(claims: Claims, name: string): string {
  const value = claims[name];
  return typeof value === "string" ? value : "";
}

/** A token that says no time is over. */
function numberClaim(claims: Claims, name: string): number {
  const value = claims[name];
  return typeof value === "number" ? value : 0;
}
