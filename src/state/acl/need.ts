/**
 * What a request needs of its token, as data: one word an endpoint, or several of which one is
 * enough. HTTP endpoints and RPC methods are declared with it and judged by the same function.
 *
 * @module
 */
import type { NamespaceCapability, NodePoolCapability } from "./capability.ts";

/**
 * - `anonymous`: nobody's token is looked at, a wrong one neither.
 * - `token`: one that is valid, or none (the anonymous policy's rights); what may be seen or done
 *   with it depends on the request, and its handler decides.
 * - `management`: a management token.
 * - the others: what a policy grants. A node pool and a namespace are the request's own.
 */
export type Need =
  | "anonymous"
  | "token"
  | "management"
  | `${"agent" | "node" | "operator" | "quota"}:${"read" | "write"}`
  | `plugin:${"list" | "read"}`
  | `node_pool:${NodePoolCapability}`
  | `namespace:${NamespaceCapability}`;

/** What a token may do: its policies, added up. */
export interface Grants {
  readonly isManagement: boolean;
  /**
   * @param area agent, node, operator, plugin, quota
   * @returns deny, write, read, list, or "" where no policy says anything
   */
  level(area: string): string;
  nodePool(name: string, capability: string): boolean;
  /** @param name of a namespace; `*`: any that it may do this in */
  namespace(name: string, capability: string): boolean;
}

/** What the request is about. */
interface Subject {
  readonly nodePool?: string;
  /** Left out: Nomad's own, `default`. */
  readonly namespace?: string;
}

/** Levels of a policy that are enough for a level that is needed. */
const ENOUGH: Readonly<Record<string, readonly string[]>> = {
  "plugin:list": ["list", "read"],
  // A plugin policy may say `write`, and grants nothing by it: in Nomad neither.
  "plugin:read": ["read"],
  read: ["read", "write"],
  write: ["write"],
};

/**
 * @param needs several: one of them is enough; an empty list needs a management token
 * @returns false: permission denied
 */
export function mayUse(
  grants: Grants,
  needs: Need | readonly Need[],
  subject: Subject = {},
): boolean {
  if (grants.isManagement) return true;
  const all: readonly Need[] = typeof needs === "string" ? [needs] : needs;
  return all.some((need) => isGranted(grants, need, subject));
}

function isGranted(grants: Grants, need: Need, subject: Subject): boolean {
  if (need === "anonymous" || need === "token") return true;
  const [area = "", what = ""] = need.split(":");
  switch (area) {
    case "management":
      return false;
    case "node_pool":
      return subject.nodePool !== undefined && grants.nodePool(subject.nodePool, what);
    case "namespace":
      return grants.namespace(subject.namespace ?? "default", what);
    default:
      return (ENOUGH[need] ?? ENOUGH[what] ?? []).includes(grants.level(area));
  }
}
