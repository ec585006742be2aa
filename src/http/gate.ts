/** The one place where a request is let in, or not, before anything is done for it. */
import { ApiError } from "../api/errors.ts";
import {
  type AccessRequest,
  type Caller,
  type OwnIdentity,
  refuseChange,
  refuseRead,
  STRANGER,
} from "./access.ts";
import type { Endpoint } from "./endpoint.ts";

interface GateInit {
  /** Who sent it; a request that nobody vouches for is a stranger's. */
  readonly callerOf: (request: Request) => Caller | undefined;
  readonly own: () => OwnIdentity;
}

export class Gate {
  readonly #init: GateInit;

  constructor(init: GateInit) {
    this.#init = init;
  }

  /** @returns why this request may not even ask, or undefined */
  refusal(request: Request): string | undefined {
    return refuseRead(originOf(request), this.#callerOf(request), this.#init.own());
  }

  /** @throws ApiError when the request may not do what the endpoint does */
  async check(request: Request, { guarded = request.method !== "GET" }: Endpoint): Promise<void> {
    const refusal = guarded ? this.refusalToChange(request) : undefined;
    if (refusal !== undefined) throw new ApiError(403, refusal);
  }

  /** @returns why this request would not change anything, or undefined */
  refusalToChange(request: Request): string | undefined {
    return refuseChange(originOf(request), this.#callerOf(request), this.#init.own());
  }

  #callerOf(request: Request): Caller {
    return this.#init.callerOf(request) ?? STRANGER;
  }
}

function originOf({ headers, url }: Request): AccessRequest {
  const header = (name: string): string | undefined => headers.get(name) ?? undefined;
  const [host, origin, fetchSite] = ["host", "origin", "sec-fetch-site"].map(header);
  return { path: new URL(url).pathname, host, origin, fetchSite };
}
