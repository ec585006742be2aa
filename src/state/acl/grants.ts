/**
 * Policies added up to what a token may do, as Nomad adds them: capabilities unite and the higher
 * level counts, but a `deny` beats all else that is said of the same name. Of names with asterisks
 * the one counts that leaves least open; a name without any beats them all.
 *
 * @module
 */
import type { Grants } from "./need.ts";
import type { NamedRules, PolicyRules } from "./rules.ts";

/** A management token's. */
export const ALL_GRANTS: Grants = {
  isManagement: true,
  level: () => "write",
  nodePool: () => true,
  namespace: () => true,
};

const DENY = "deny";
/** The first that anybody says is what counts. */
const LEVELS = [DENY, "write", "read", "list"];

export function grantsOf(policies: readonly PolicyRules[]): Grants {
  const pools = new NamedGrants(policies.flatMap(({ NodePools }) => NodePools ?? []));
  const namespaces = new NamedGrants(policies.flatMap(({ Namespaces }) => Namespaces ?? []));
  const levels = new Map(
    Object.entries({
      agent: highest(policies.map(({ Agent }) => Agent?.Policy)),
      node: highest(policies.map(({ Node }) => Node?.Policy)),
      operator: highest(policies.map(({ Operator }) => Operator?.Policy)),
      plugin: highest(policies.map(({ Plugin }) => Plugin?.Policy)),
      quota: highest(policies.map(({ Quota }) => Quota?.Policy)),
    }),
  );
  return {
    isManagement: false,
    level: (area) => levels.get(area) ?? "",
    nodePool: (name, capability) => pools.allows(name, capability),
    namespace: (name, capability) => {
      return (
        (name === "*" && namespaces.anyAllows(capability)) || namespaces.allows(name, capability)
      );
    },
  };
}

function highest(said: readonly (string | undefined)[]): string {
  return LEVELS.find((level) => said.includes(level)) ?? "";
}

interface Named {
  readonly Name: string;
  readonly Capabilities: NamedRules["Capabilities"];
}

class NamedGrants {
  readonly #exact = new Map<string, Set<string>>();
  /** The ones with asterisks. */
  readonly #patterns = new Map<string, Set<string>>();

  constructor(rules: readonly (Named | null)[]) {
    for (const one of rules) {
      if (one === null) continue;
      const into = one.Name.includes("*") ? this.#patterns : this.#exact;
      const granted = into.get(one.Name) ?? new Set<string>();
      for (const capability of one.Capabilities ?? []) granted.add(capability);
      into.set(one.Name, granted);
    }
  }

  allows(name: string, capability: string): boolean {
    const granted = this.#exact.get(name) ?? this.#closest(name);
    return granted !== undefined && isGranted(granted, capability);
  }

  /** In whatever name. */
  anyAllows(capability: string): boolean {
    const all = [...this.#exact.values(), ...this.#patterns.values()];
    return all.some((granted) => isGranted(granted, capability));
  }

  /**
   * What the pattern that leaves least open grants. Of two that leave as much it is the later one
   * in the order of their bytes, as with Nomad, but for one that denies: that one counts.
   */
  #closest(name: string): ReadonlySet<string> | undefined {
    let best: { readonly open: number; readonly granted: ReadonlySet<string> } | undefined;
    for (const [pattern, granted] of [...this.#patterns].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!matchesPattern(pattern, name)) continue;
      const open = name.length - pattern.replaceAll("*", "").length;
      const isAsClose = open === best?.open && best.granted.has(DENY) === false;
      if (best === undefined || open < best.open || isAsClose) best = { open, granted };
    }
    return best?.granted;
  }
}

function isGranted(granted: ReadonlySet<string>, capability: string): boolean {
  return granted.has(capability) && !granted.has(DENY) && capability !== DENY;
}

/** An asterisk stands for any characters, also for none. It takes linear time. */
export function matchesPattern(pattern: string, name: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.pop();
  if (tail === undefined) return head === name;
  if (!name.startsWith(head) || !name.endsWith(tail)) return false;
  const end = name.length - tail.length;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return at <= end;
}
