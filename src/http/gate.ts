/** The one place where a request is let in, or not, before anything is done for it. */
import type { AclAccess } from "../api/context.ts";
import { ApiError, statusOf } from "../api/errors.ts";
import { errorText } from "../host/error-text.ts";
import type { Identity } from "../service/acl/resolver.ts";
import { mayUse } from "../state/acl/need.ts";
import {
  type AccessRequest,
  type Caller,
  type OwnIdentity,
  refuseChange,
  refuseRead,
  STRANGER,
} from "./access.ts";
import { type Asked, pathAsked } from "./asked.ts";
import type { Declared, Endpoint } from "./endpoint.ts";
import { tokenOf } from "./token.ts";

interface GateInit {
  /** Who sent it; a request that nobody vouches for is a stranger's. */
  readonly callerOf: (request: Asked) => Caller | undefined;
  readonly own: () => OwnIdentity;
  readonly acl: AclAccess;
  /** Our own; what is asked of another one is judged there. */
  readonly region: string;
  /** Is there a token that decides in that region? */
  readonly hasAcls: (region: string) => Promise<boolean>;
}

const NO_QUERY = new URLSearchParams();
const DENIED = "Permission denied";

/** What the bearer of a request's token may do. @throws Error with Nomad's text */
type Rights = () => Promise<Identity>;

export class Gate {
  readonly #init: GateInit;
  #table: readonly Declared[] = [];

  constructor(init: GateInit) {
    this.#init = init;
  }

  /** All that there is to be let in to. */
  guards(table: readonly Declared[]): void {
    this.#table = table;
  }

  /** @returns why this request may not even ask, or undefined */
  refusal(request: Asked): string | undefined {
    return refuseRead(originOf(request), this.#callerOf(request), this.#init.own());
  }

  /** @throws ApiError, now or later, when the request may not do what the endpoint does */
  check(request: Asked, endpoint: Endpoint): Promise<void> | undefined {
    const guarded = this.#guard(request, request.method, endpoint);
    if (!this.#init.acl.enabled) return undefined;
    return this.#judge(request, endpoint, this.#rightsOf(request), guarded);
  }

  /** Where there are ACLs: has it a management token? */
  async isOperators(request: Request): Promise<boolean> {
    if (!this.#init.acl.enabled) return false;
    const rights = this.#rightsOf(request);
    return rights().then(
      ({ grants }) => grants.isManagement,
      () => false,
    );
  }

  /**
   * For whoever draws buttons.
   *
   * @returns what this caller is refused ("PUT /v1/agent/reload"), and why
   */
  async refusals(request: Asked): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {};
    const rights = this.#rightsOf(request);
    for (const endpoint of this.#table) {
      const { method, path } = endpoint;
      const why = await this.#check(request, method, endpoint, rights).then(() => "", errorText);
      if (why !== "") found[`${method} ${path}`] = why;
    }
    return found;
  }

  /** Looked up once, and only if somebody asks: a client's servers may have to be asked for it. */
  #rightsOf(request: Asked): Rights {
    let found: Promise<Identity> | undefined;
    return () => {
      found ??= (async () => this.#init.acl.resolve(tokenOf(request)))();
      return found;
    };
  }

  async #check(request: Asked, method: string, endpoint: Endpoint, rights: Rights): Promise<void> {
    const guarded = this.#guard(request, method, endpoint);
    if (this.#init.acl.enabled) await this.#judge(request, endpoint, rights, guarded);
  }

  /**
   * @returns whether the endpoint is guarded
   * @throws ApiError when the request's connection is not enough, or where it comes from
   */
  #guard(request: Asked, method: string, endpoint: Endpoint): boolean {
    const changes = method !== "GET";
    const { guarded = changes, cors = false } = endpoint;
    const { acl } = this.#init;
    // A token decides who may; but no page of another origin may send what the browser has not.
    const isGuarded = acl.enabled ? (guarded || changes) && !cors : guarded;
    const refusal = isGuarded ? this.#refusalToChange(request) : undefined;
    if (refusal !== undefined) throw new ApiError(403, refusal);
    return guarded;
  }

  /** @throws ApiError when the token that came with the request is not enough */
  async #judge(
    request: Asked,
    { needs, from }: Endpoint,
    rights: Rights,
    guarded: boolean,
  ): Promise<void> {
    const all = typeof needs === "string" ? [needs] : needs;
    if (all.includes("anonymous")) return;
    const { url } = request;
    const searchParams = url.includes("?") ? new URL(url).searchParams : NO_QUERY;
    const region = searchParams.get("region") || this.#init.region;
    const isPassedOn = from !== "agent";
    if (isPassedOn && region !== this.#init.region)
      return this.#judgeThere(request, region, guarded);
    // Which pool it is about is for whoever looks into the request.
    const asksMore = all.some((need) => need === "token" || need.startsWith("node_pool:"));
    const namespace = searchParams.get("namespace") || "default";
    try {
      const { grants } = await rights();
      if (asksMore || mayUse(grants, all, { namespace })) return;
    } catch (error) {
      const text = errorText(error);
      // As Nomad: servers help nobody to find out which tokens there are.
      const isTold = asksMore || !isPassedOn || statusOf(text) !== 403;
      throw new ApiError(statusOf(text), isTold ? text : DENIED);
    }
    throw new ApiError(403, DENIED);
  }

  /**
   * A token is for the servers of that region. Where nobody looks at one, a change is taken as
   * without ACLs here: it would be from our servers, which are believed.
   *
   * @throws ApiError
   */
  async #judgeThere(request: Asked, region: string, guarded: boolean): Promise<void> {
    if (!guarded) return;
    const own = { ...this.#init.own(), byToken: false };
    const refusal = refuseChange(originOf(request), this.#callerOf(request), own);
    if (refusal === undefined || (await this.#init.hasAcls(region))) return;
    throw new ApiError(403, refusal);
  }

  /** @returns why this request would not change anything, or undefined */
  #refusalToChange(request: Asked): string | undefined {
    return refuseChange(originOf(request), this.#callerOf(request), this.#init.own());
  }

  #callerOf(request: Asked): Caller {
    return this.#init.callerOf(request) ?? STRANGER;
  }
}

function originOf(request: Asked): AccessRequest {
  const { headers } = request;
  const header = (name: string): string | undefined => headers.get(name) ?? undefined;
  const [host, origin] = [header("host"), header("origin")];
  return { path: pathAsked(request), host, origin, fetchSite: header("sec-fetch-site") };
}
