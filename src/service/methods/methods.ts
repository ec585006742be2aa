/**
 * The RPC methods that are served, and where a request for another server goes
 * (wire/rpc-and-raft.md §4.2, §5.1). What they say comes from the agent.
 *
 * @module
 */
import { errorText } from "../../host/error-text.ts";
import { structOf } from "../../wire/codec.ts";
import type { QueryOptions, RaftStats, ServerMembers } from "../../wire/rpc-status.ts";
import {
  decodeNodeNamed,
  decodeQueryOptions,
  encodeEmpty,
  encodeNodeConn,
  encodeQueryOptions,
  encodeRaftStats,
  encodeServerMembers,
  encodeText,
  encodeTexts,
  queryOptions,
  withField,
} from "../../wire/rpc-status.ts";
import type { ForwardedRequest, RpcForwarder } from "../rpc/client/forward.ts";
import { type RpcCaller, RpcMethodError } from "../rpc/method-error.ts";
import type { NodeLines } from "../rpc/node-lines.ts";
import {
  BY_THE_NODE,
  clientName,
  isClient,
  isForProvenServers,
  mayCall,
  OF_NODES,
} from "../rpc/roles.ts";
import type { MethodGuard } from "./method-guard.ts";

interface RpcMethodsInit {
  readonly region: string;
  readonly members: () => ServerMembers;
  readonly regions: () => readonly string[];
  /** Addresses of the Raft configuration; none while there is no Raft. */
  readonly raftPeers: () => readonly string[];
  /** Its address; "" while there is none. */
  readonly leader: () => string;
  readonly raftStats: () => RaftStats;
  /** Resolves while we still lead. @throws Error when we do not */
  readonly verify: () => Promise<unknown>;
  /** Nodes that are connected here. */
  readonly lines: NodeLines;
  /** Is that the secret of the node with this id? */
  readonly isNode: (id: string, token: string) => boolean;
  /** All but Status and Region. */
  readonly others: ReadonlyMap<string, Method>;
  readonly forwarder: RpcForwarder;
  /** Looks at the tokens of calls; undefined: nobody has any. */
  readonly guard?: Pick<MethodGuard, "check" | "enabled">;
  /** A call that is refused for its certificate, and why. */
  readonly refused?: (why: string) => void;
}

export interface Method {
  /** "region": any server of the region that is asked for. */
  readonly where: "here" | "leader" | "region";
  /** Like Nomad's Status methods: without a region it means the own one. */
  readonly fillsRegion?: boolean;
  /** Reads the replicated state: a leader first makes sure that it still is one. */
  readonly consistent?: boolean;
  /** Of its request; undefined: of a query's. */
  readonly bytesMax?: number;
  /** Where it is answered, whatever the request says; undefined: what the request says counts. */
  readonly regionOf?: (body: Uint8Array) => string | undefined;
  /** @param signal aborted when nobody waits for the answer any more */
  readonly run: (
    options: QueryOptions,
    body: Uint8Array,
    signal?: AbortSignal,
  ) => Uint8Array | Promise<Uint8Array>;
}

/** Calls that succeed only for the node which the request names. */
const FROM_NODES: ReadonlySet<string> = new Set(["Node.GetClientAllocs", "Node.UpdateStatus"]);
/** Of a query: options, an id, a filter. */
const QUERY_BYTES_MAX = 64 * 1024;
/** Of what another region may serve, and we only pass on. */
const FOREIGN_BYTES_MAX = 1024 * 1024;

export class RpcMethods {
  readonly #init: RpcMethodsInit;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #services: ReadonlySet<string>;

  /** Their names, all of which ACLs have an answer to. */
  get names(): Iterable<string> {
    return this.#methods.keys();
  }

  constructor(init: RpcMethodsInit) {
    this.#init = init;
    const local = (run: Method["run"]): Method => ({ where: "here", run });
    const status = (run: Method["run"]): Method => ({ where: "leader", fillsRegion: true, run });
    this.#methods = new Map<string, Method>([
      ["Status.Ping", local(() => encodeEmpty())],
      ["Status.Members", local(() => encodeServerMembers(init.members()))],
      ["Status.HasNodeConn", local((_options, body) => this.#hasNode(body))],
      ["Status.RaftStats", local(() => encodeRaftStats(init.raftStats()))],
      ["Region.List", local(() => encodeTexts(init.regions()))],
      ["Status.Peers", status(() => encodeTexts(init.raftPeers()))],
      ["Status.Leader", status(() => encodeText(init.leader()))],
      ...init.others,
    ]);
    this.#services = new Set([...this.#methods.keys()].map((name) => serviceOf(name)));
  }

  /** What a request's body may have: known from its name, before it comes. */
  bodyBytesMax(name: string): number {
    const method = this.#methods.get(name);
    return method === undefined ? FOREIGN_BYTES_MAX : (method.bytesMax ?? QUERY_BYTES_MAX);
  }

  /**
   * The answer; at once where nobody else has to be asked.
   *
   * @throws RpcMethodError, here or later
   */
  call(name: string, body: Uint8Array, caller: RpcCaller): Uint8Array | Promise<Uint8Array> {
    if (!name.includes(".")) {
      throw new RpcMethodError(`rpc: service/method request ill-formed: ${name}`, true);
    }
    const { names } = caller;
    if (names === undefined && isForProvenServers(name)) {
      throw new RpcMethodError("Permission denied", false);
    }
    const byToken = this.#init.guard?.enabled === true;
    if (names !== undefined && !mayCall(name, names, this.#init.region, byToken)) {
      if (!BY_THE_NODE.has(name) || !this.#isOwn(body)) {
        throw new RpcMethodError("Permission denied", false);
      }
    }
    const method = this.#methods.get(name);
    const options = decodeQueryOptions(body);
    if (options === undefined) {
      throw new RpcMethodError("msgpack decode error: the request body is not a struct", true);
    }
    if (names !== undefined && !options.Forwarded) this.#checkNode(name, names);
    const request = moved({ name, body, options, signal: caller.signal }, method);
    if (method?.where === "here") return this.#run(request, method);
    const isRefused = names !== undefined && !mayCall(name, names, this.#init.region);
    if (byToken && isRefused && this.#isAbroad(request)) return this.#judgedThere(request);
    const answer = this.#route(request, method);
    const { line } = caller;
    if (line === undefined || options.Forwarded || !FROM_NODES.has(name)) return answer;
    return Promise.resolve(answer).then((bytes) => {
      this.#init.lines.heard(decodeNodeNamed(body), line);
      return bytes;
    });
  }

  /**
   * Whoever has a server's certificate may do everything: that a node has one is a mistake.
   *
   * @throws RpcMethodError
   */
  #checkNode(name: string, names: readonly string[]): void {
    const { region, refused } = this.#init;
    if (!OF_NODES.has(name) || isClient(names, region)) return;
    const wanted = clientName(region);
    const why = `a client node must prove ${wanted}, and this certificate is for ${names.join(", ")}`;
    refused?.(`${name}: ${why}`);
    throw new RpcMethodError(`Permission denied: ${why}`, false);
  }

  /** Is it about the node whose secret it has? Asked here: passed on, it comes from a server. */
  #isOwn(body: Uint8Array): boolean {
    const token = decodeQueryOptions(body)?.AuthToken ?? "";
    return this.#init.isNode(decodeNodeNamed(body), token);
  }

  #hasNode(body: Uint8Array): Uint8Array {
    return encodeNodeConn(this.#init.lines.since(decodeNodeNamed(body)));
  }

  #isAbroad({ options: { Region, Forwarded } }: ForwardedRequest): boolean {
    return Region !== "" && Region !== this.#init.region && !Forwarded;
  }

  /**
   * What a token has to let in, and not this certificate, in a region whose servers believe ours:
   * it must look at tokens.
   *
   * @throws RpcMethodError
   */
  async #judgedThere(request: ForwardedRequest): Promise<Uint8Array> {
    const { forwarder } = this.#init;
    const { Region } = request.options;
    const options = structOf(queryOptions, { Region, AllowStale: true });
    const asking = { name: "ACL.ListPolicies", body: encodeQueryOptions(options), options };
    try {
      await forwarder.toRegion(Region, { ...asking, signal: request.signal });
    } catch (error) {
      if (errorText(error).includes("ACL support disabled")) {
        throw new RpcMethodError("Permission denied", false);
      }
    }
    return forwarder.toRegion(Region, request);
  }

  #route(request: ForwardedRequest, method: Method | undefined): Uint8Array | Promise<Uint8Array> {
    const { forwarder, region } = this.#init;
    const { name, options } = request;
    const { fillsRegion = false } = method ?? {};
    const wanted = options.Region === "" && fillsRegion ? region : options.Region;
    if (wanted === "" && method !== undefined) {
      throw new RpcMethodError("missing region for target RPC", false);
    }
    // Another region may serve what this one does not: whoever asks hears it from there.
    if (wanted !== "" && wanted !== region) {
      // Twice sent on: two servers disagree about their regions, and would play ball with it.
      if (options.Forwarded) throw new RpcMethodError("No path to region", false);
      return forwarder.toRegion(wanted, request);
    }
    if (method === undefined) throw new RpcMethodError(this.#unknown(name), true);
    const run = (): Uint8Array | Promise<Uint8Array> => this.#run(request, method);
    if (options.AllowStale || method.where === "region") return run();
    if (method.consistent === true) {
      return forwarder.toLeader(request, run, this.#init.verify);
    }
    return forwarder.toLeader(request, run);
  }

  /** Here, and for whoever may. @throws RpcMethodError */
  #run(request: ForwardedRequest, method: Method): Uint8Array | Promise<Uint8Array> {
    const { name, body, options, signal } = request;
    this.#init.guard?.check(name, options.AuthToken, body);
    return method.run(options, body, signal);
  }

  #unknown(name: string): string {
    const known = this.#services.has(serviceOf(name));
    return known ? `rpc: can't find method ${name}` : `rpc: can't find service ${name}`;
  }
}

/** The same request, where its method has a region of its own. */
function moved(request: ForwardedRequest, method: Method | undefined): ForwardedRequest {
  const Region = method?.regionOf?.(request.body);
  if (Region === undefined || Region === request.options.Region) return request;
  const body = withField(request.body, "Region", encodeText(Region));
  return { ...request, body, options: { ...request.options, Region } };
}

/** The last dot parts them, as in Go. */
function serviceOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}
