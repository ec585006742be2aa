/**
 * The Search methods: what begins with a text, or has it somewhere, among nodes, node pools and
 * namespaces. Contexts of Nomad's that are empty here are known, and find nothing.
 *
 * @module
 */
import type { SearchConfig } from "../../config/config.ts";
import { ALL_GRANTS } from "../../state/acl/grants.ts";
import { type Grants, mayUse, type Need } from "../../state/acl/need.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { encodeValue } from "../../wire/codec.ts";
import { fuzzyReply, fuzzyRequest, searchReply, searchRequest } from "../../wire/rpc-search.ts";
import type { QueryOptions } from "../../wire/rpc-status.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { denied, type MethodGuard } from "./method-guard.ts";
import { readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { maySeeNamespace } from "./namespace-methods.ts";
import { StateReads, type StateReadsInit } from "./state-reads.ts";

/** Nomad's contexts, in its order. */
const CONTEXTS = [
  ...["allocs", "jobs", "nodes", "node_pools", "evals", "deployment", "plugins", "volumes"],
  ...["host_volumes", "scaling_policy", "vars", "namespaces"],
];
const ALL_CONTEXTS = "all";

/** Of a token, for what has no rules of its own by name. */
const CONTEXT_NEEDS: ReadonlyMap<string, Need> = new Map<string, Need>([
  ["nodes", "node:read"],
  ["allocs", "namespace:read-job"],
  ["jobs", "namespace:read-job"],
  ["evals", "namespace:read-job"],
  ["deployment", "namespace:read-job"],
  ["scaling_policy", "namespace:list-scaling-policies"],
  ["plugins", "plugin:list"],
  ["volumes", "namespace:csi-list-volume"],
  ["host_volumes", "namespace:host-volume-read"],
  ["vars", "management"],
]);

/** Matches of one context by prefix, as Nomad has them. */
const PREFIX_MATCHES_MAX = 20;

interface SearchMethodsInit extends StateReadsInit {
  readonly search: SearchConfig;
  /** What the bearer of a token may do; undefined: everything. */
  readonly guard?: Pick<MethodGuard, "grants">;
  readonly machine: Pick<StateMachine, "namespaces" | "nodes" | "pools" | "watch">;
}

/** What is looked through: by what it is found, and by a part of what. */
interface Item {
  readonly key: string;
  readonly name: string;
  /** Where the name belongs, from the widest on. */
  readonly scope: readonly string[];
}

export class SearchMethods {
  readonly #init: SearchMethodsInit;
  readonly #reads: StateReads;

  constructor(init: SearchMethodsInit) {
    this.#init = init;
    this.#reads = new StateReads(init);
  }

  methods(): ReadonlyMap<string, Method> {
    const reading = (run: Method["run"]): Method => ({ where: "leader", consistent: true, run });
    return new Map<string, Method>([
      [
        "Search.PrefixSearch",
        reading((options, body, signal) => this.#prefix(options, body, signal)),
      ],
      [
        "Search.FuzzySearch",
        reading((options, body, signal) => this.#fuzzy(options, body, signal)),
      ],
    ]);
  }

  #prefix(
    options: QueryOptions,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Uint8Array | Promise<Uint8Array> {
    const { Prefix, Context } = readRequest(searchRequest, body);
    const grants = this.#init.guard?.grants(options.AuthToken) ?? ALL_GRANTS;
    const contexts = allowed(contextsOf(Context), grants);
    return this.#reads.whenNewer(options, signal, this.#index(contexts), () => {
      const found = contexts.map((context) => {
        const keys = this.#items(context, grants).map(({ key }) => key);
        return [context, keys.filter((key) => key.startsWith(Prefix))] as const;
      });
      const meta = this.#reads.meta(this.#index(contexts)());
      const { Matches, Truncations } = cut(found, PREFIX_MATCHES_MAX);
      return encodeValue(searchReply, { ...meta, Matches, Truncations });
    });
  }

  #fuzzy(
    options: QueryOptions,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Uint8Array | Promise<Uint8Array> {
    const { Text, Context } = readRequest(fuzzyRequest, body);
    const text = Text.toLowerCase();
    const { fuzzyEnabled, minTermLength, limitResults } = this.#init.search;
    if (!fuzzyEnabled) throw new RpcMethodError("fuzzy search is not enabled", false);
    if (text.length < minTermLength) {
      const least = `fuzzy search query must be at least ${minTermLength} characters`;
      throw new RpcMethodError(`${least}, got ${text.length}`, false);
    }
    const grants = this.#init.guard?.grants(options.AuthToken) ?? ALL_GRANTS;
    const contexts = allowed(contextsOf(Context), grants);
    return this.#reads.whenNewer(options, signal, this.#index(contexts), () => {
      const found = contexts.map((context) => {
        return [context, matching(this.#items(context, grants), text)] as const;
      });
      const meta = this.#reads.meta(this.#index(contexts)());
      // Where nothing is found, the context is not named.
      const some = found.filter(([, matches]) => matches.length > 0);
      const { Matches, Truncations } = cut(some, limitResults);
      return encodeValue(fuzzyReply, { ...meta, Matches, Truncations });
    });
  }

  /** Those that the bearer of these grants may see. */
  #items(context: string, grants: Grants): readonly Item[] {
    const { namespaces, nodes, pools } = this.#init.machine;
    const named = ({ Name }: { readonly Name: string }): Item => {
      return { key: Name, name: Name, scope: [] };
    };
    switch (context) {
      case "nodes":
        return nodes.all().map(({ ID, Name }) => ({ key: ID, name: Name, scope: [ID] }));
      case "node_pools":
        return pools
          .all()
          .filter(({ Name }) => mayUse(grants, "node_pool:read", { nodePool: Name }))
          .map(named);
      case "namespaces":
        return namespaces
          .all()
          .filter(({ Name }) => maySeeNamespace(grants, Name))
          .map(named);
      default:
        return [];
    }
  }

  /** Of the last change of what is looked through. */
  #index(contexts: readonly string[]): () => number {
    const { namespaces, nodes, pools } = this.#init.machine;
    const tables = new Map<string, { readonly index: number }>([
      ["nodes", nodes],
      ["node_pools", pools],
      ["namespaces", namespaces],
    ]);
    return () => Math.max(1, ...contexts.map((context) => tables.get(context)?.index ?? 1));
  }
}

/** @throws RpcMethodError with Nomad's text */
function contextsOf(context: string): readonly string[] {
  if (context === "" || context === ALL_CONTEXTS) return CONTEXTS;
  if (CONTEXTS.includes(context)) return [context];
  const known = `one of [${CONTEXTS.join(" ")}] or 'all' for all contexts`;
  throw new RpcMethodError(`context must be ${known}; got ${JSON.stringify(context)}`, false);
}

/**
 * Contexts in which the bearer of these grants may see anything; of pools and namespaces each is
 * asked for itself.
 *
 * @throws RpcMethodError: Permission denied
 */
function allowed(contexts: readonly string[], grants: Grants): readonly string[] {
  const found = contexts.filter((context) => {
    const need = CONTEXT_NEEDS.get(context);
    return need === undefined || mayUse(grants, need, { namespace: "*" });
  });
  if (found.length === 0) throw denied();
  return found;
}

/** Those that have the text nearest to their beginning come first. */
function matching(
  items: readonly Item[],
  text: string,
): readonly { readonly ID: string; readonly Scope: readonly string[] | null }[] {
  return items
    .map(({ name, scope }) => ({ name, scope, at: name.toLowerCase().indexOf(text) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1))
    .map(({ name, scope }) => ({ ID: name, Scope: scope.length === 0 ? null : scope }));
}

function cut<T>(
  found: readonly (readonly [string, readonly T[]])[],
  max: number,
): { readonly Matches: Map<string, readonly T[]>; readonly Truncations: Map<string, boolean> } {
  return {
    Matches: new Map(found.map(([context, all]) => [context, all.slice(0, max)])),
    Truncations: new Map(found.map(([context, all]) => [context, all.length > max])),
  };
}
