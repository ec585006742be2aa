/** The Namespace methods: which there are, and operators' changes to them. */
import { sha256 } from "../../host/digest.ts";
import { NAMESPACE_CAPABILITIES } from "../../state/acl/capability.ts";
import { ALL_GRANTS } from "../../state/acl/grants.ts";
import type { Grants } from "../../state/acl/need.ts";
import { command, MessageType } from "../../state/command.ts";
import {
  DEFAULT_NAMESPACE,
  type Namespace,
  namespace,
  namespaceDeleteRequest,
  namespaceListReply,
  namespaceMapReply,
  namespaceUpsertRequest,
  singleNamespaceReply,
} from "../../state/namespace.ts";
import type { StateMachine } from "../../state/state-machine.ts";
import { encodeValue, mapOf, text } from "../../wire/codec.ts";
import { indexReply } from "../../wire/rpc-node.ts";
import { namespaceRequest, namespacesRequest } from "../../wire/rpc-search.ts";
import { type QueryOptions, queryOptions } from "../../wire/rpc-status.ts";
import type { Consensus } from "../raft/consensus.ts";
import { RpcMethodError } from "../rpc/method-error.ts";
import { denied, type MethodGuard } from "./method-guard.ts";
import { committed, readRequest } from "./method-tools.ts";
import type { Method } from "./methods.ts";
import { pageOf } from "./paging.ts";
import { StateReads, type StateReadsInit } from "./state-reads.ts";
import { wantedBy } from "./wanted.ts";

/** They stay in the state of every server. */
const NAMESPACES_MAX = 4096;
const DESCRIPTION_LENGTH_MAX = 256;
const META_BYTES_MAX = 16 * 1024;
const NAME = /^[a-zA-Z0-9-]{1,128}$/;

interface NamespaceMethodsInit extends StateReadsInit {
  /** What the bearer of a token may do; undefined: everything. */
  readonly guard?: Pick<MethodGuard, "grants">;
  /** Where they are changed, and copied from; undefined: here. */
  readonly authoritativeRegion?: string | undefined;
  readonly consensus: Pick<Consensus, "apply" | "leader" | "stats">;
  readonly machine: Pick<StateMachine, "namespaces" | "watch">;
}

type Answer = Uint8Array | Promise<Uint8Array>;
type Signal = AbortSignal | undefined;

export class NamespaceMethods {
  readonly #init: NamespaceMethodsInit;
  readonly #reads: StateReads;

  constructor(init: NamespaceMethodsInit) {
    this.#init = init;
    this.#reads = new StateReads(init);
  }

  methods(): ReadonlyMap<string, Method> {
    const leader = (run: (body: Uint8Array) => Promise<Uint8Array>): Method => {
      const regionOf = (): string | undefined => this.#init.authoritativeRegion;
      return { where: "leader", regionOf, run: (_options, body) => run(body) };
    };
    const reading = (run: Method["run"]): Method => ({ where: "leader", consistent: true, run });
    return new Map<string, Method>([
      ["Namespace.UpsertNamespaces", leader((body) => this.#upsert(body))],
      ["Namespace.DeleteNamespaces", leader((body) => this.#delete(body))],
      [
        "Namespace.ListNamespaces",
        reading((options, body, signal) => this.#list(options, body, signal)),
      ],
      [
        "Namespace.GetNamespace",
        reading((options, body, signal) => this.#get(options, body, signal)),
      ],
      [
        "Namespace.GetNamespaces",
        reading((options, body, signal) => this.#some(options, body, signal)),
      ],
    ]);
  }

  #list(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { namespaces } = this.#init.machine;
    const request = readRequest(queryOptions, body);
    const grants = this.#init.guard?.grants(options.AuthToken) ?? ALL_GRANTS;
    const passes = wantedBy(request.Filter, namespace);
    const isWanted = (one: Namespace): boolean => {
      return maySeeNamespace(grants, one.Name) && passes(one);
    };
    const index = (): number => namespaces.index;
    return this.#reads.whenNewer(options, signal, index, async () => {
      const turns = this.#reads.turns(signal);
      const meta = this.#reads.meta(index());
      const keyOf = (one: Namespace): string => one.Name;
      const { items, next } = await pageOf({
        ...{ all: namespaces.all(), keyOf, options: request, isWanted, turns },
      });
      return encodeValue(namespaceListReply, { ...meta, NextToken: next, Namespaces: items });
    });
  }

  #get(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { namespaces } = this.#init.machine;
    const { Name } = readRequest(namespaceRequest, body);
    const grants = this.#init.guard?.grants(options.AuthToken) ?? ALL_GRANTS;
    if (!maySeeNamespace(grants, Name)) throw denied();
    const index = (): number => {
      return Number(namespaces.get(Name)?.ModifyIndex ?? BigInt(namespaces.index));
    };
    return this.#reads.whenNewer(options, signal, index, () => {
      const reply = { ...this.#reads.meta(index()), Namespace: namespaces.get(Name) ?? null };
      return encodeValue(singleNamespaceReply, reply);
    });
  }

  /** Those of these names that there are. */
  #some(options: QueryOptions, body: Uint8Array, signal: Signal): Answer {
    const { namespaces } = this.#init.machine;
    const { Namespaces: names } = readRequest(namespacesRequest, body);
    const index = (): number => namespaces.index;
    return this.#reads.whenNewer(options, signal, index, () => {
      const found = (names ?? []).flatMap((name) => namespaces.get(name) ?? []);
      const Namespaces = new Map(found.map((one) => [one.Name, one]));
      return encodeValue(namespaceMapReply, { ...this.#reads.meta(index()), Namespaces });
    });
  }

  async #upsert(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(namespaceUpsertRequest, body);
    const given = (request.Namespaces ?? []).filter((one) => one !== null);
    if (given.length === 0) throw refused("must specify at least one namespace");
    const { consensus, machine } = this.#init;
    for (const one of given) {
      const wrong = faultOf(one);
      if (wrong === undefined) continue;
      throw refused(`Invalid namespace ${JSON.stringify(one.Name)}: ${wrong}`);
    }
    const fresh = given.filter(({ Name }) => machine.namespaces.get(Name) === undefined);
    if (fresh.length > 0 && machine.namespaces.size + fresh.length > NAMESPACES_MAX) {
      throw refused(`there are at most ${NAMESPACES_MAX} namespaces`);
    }
    // The log is no place for a caller's token.
    const Namespaces = given.map((one) => ({ ...one, Hash: hashOf(one) }));
    const value = { ...request, Namespaces, AuthToken: "" };
    const data = command(MessageType.namespaceUpsert, namespaceUpsertRequest, value);
    return reply(await committed(consensus.apply(data)));
  }

  async #delete(body: Uint8Array): Promise<Uint8Array> {
    const request = readRequest(namespaceDeleteRequest, body);
    const names = request.Namespaces ?? [];
    if (names.length === 0) throw refused("must specify at least one namespace to delete");
    const { consensus, machine } = this.#init;
    for (const name of names) {
      if (name === DEFAULT_NAMESPACE) throw refused("can not delete default namespace");
      if (machine.namespaces.get(name) !== undefined) continue;
      throw refused(`namespace ${JSON.stringify(name)} not found`);
    }
    const value = { ...request, AuthToken: "" };
    const data = command(MessageType.namespaceDelete, namespaceDeleteRequest, value);
    return reply(await committed(consensus.apply(data)));
  }
}

/** @throws RpcMethodError when it came to nothing */
function reply({ index, outcome }: Awaited<ReturnType<Consensus["apply"]>>): Uint8Array {
  // It was there when we looked: somebody has deleted it since.
  if (outcome !== "applied") throw refused("namespace not found");
  return encodeValue(indexReply, { Index: BigInt(index) });
}

/** Whoever may do anything in it. */
export function maySeeNamespace(grants: Grants, name: string): boolean {
  if (grants.isManagement) return true;
  return NAMESPACE_CAPABILITIES.some((one) => one !== "deny" && grants.namespace(name, one));
}

function refused(why: string): RpcMethodError {
  return new RpcMethodError(why, false);
}

function hashOf(one: Namespace): Uint8Array {
  const itself = { ...one, CreateIndex: 0n, ModifyIndex: 0n, Hash: null };
  return sha256(encodeValue(namespace, itself));
}

/** Nomad's texts. */
function faultOf({ Name, Description, Meta }: Namespace): string | undefined {
  if (!NAME.test(Name)) {
    return `invalid name ${JSON.stringify(Name)}. Must match regex ${NAME.source}`;
  }
  if (Description.length > DESCRIPTION_LENGTH_MAX) {
    return `description longer than ${DESCRIPTION_LENGTH_MAX}`;
  }
  const metaBytes = Meta === null ? 0 : encodeValue(mapOf(text), Meta).length;
  return metaBytes > META_BYTES_MAX ? `metadata longer than ${META_BYTES_MAX} bytes` : undefined;
}
