/**
 * The HTTP API as an Elysia app: routes to `api/`, errors to Nomad's texts. No socket: the server
 * hands it requests, tests hand it `new Request(...)`.
 *
 * @module
 */
import { Elysia } from "elysia";
import {
  agentForceLeave,
  agentHealth,
  agentJoin,
  agentMembers,
  agentSelf,
  regions,
} from "../api/agent.ts";
import { askedOf } from "../api/ask.ts";
import { autopilotSettings, setAutopilot } from "../api/autopilot.ts";
import type { ApiContext, ReloadReport } from "../api/context.ts";
import { encryptionReport } from "../api/encryption.ts";
import { ApiError } from "../api/errors.ts";
import { changeKeys, listFingerprints, listKeys } from "../api/keyring.ts";
import {
  raftConfiguration,
  removePeer,
  statusLeader,
  statusPeers,
  transferLeadership,
} from "../api/raft.ts";
import { statusReport } from "../api/status.ts";
import { systemTask } from "../api/system.ts";
import { withToken } from "../api/token.ts";
import { systemClock } from "../host/clock.ts";
import { errorText } from "../host/error-text.ts";
import type { Log } from "../host/host.ts";
import { RefusalLog } from "../service/refusals.ts";
import {
  type AccessRequest,
  type Caller,
  type OwnIdentity,
  refuseChange,
  refuseRead,
  STRANGER,
} from "./access.ts";
import { answer, type ContextOf, invalidMethod, plain } from "./answers.ts";
import { addIdentities } from "./identity-answers.ts";
import { addOwnAnswers } from "./own-answers.ts";
import { pageAnswer } from "./page.ts";
import { tokenOf } from "./token.ts";

interface HttpAppInit {
  readonly context: ApiContext;
  readonly log: Log;
  /** Who sent it; a request that nobody vouches for is a stranger. */
  readonly callerOf: (request: Request) => Caller | undefined;
  readonly own: () => OwnIdentity;
}

export interface HttpApp {
  handle(request: Request): Promise<Response>;
}

const KEYRING = "/v1/agent/keyring/";

/** Read by GET, replaced by PUT. */
const AUTOPILOT = "/v1/operator/autopilot/configuration";

type Reader = (url: URL, body: string) => unknown;

/** Reading endpoints: GET only. */
function readers(context: ApiContext): Readonly<Record<string, Reader>> {
  const asked = (url: URL): ReturnType<typeof askedOf> => askedOf(context, url.searchParams);
  return {
    "/v1/agent/health": (url) => agentHealth(context, url.searchParams.get("type") ?? undefined),
    "/v1/agent/members": () => agentMembers(context),
    "/v1/agent/self": () => agentSelf(context),
    "/v1/operator/encryption": () => encryptionReport(context),
    [AUTOPILOT]: (url) => autopilotSettings(context, asked(url)),
    "/v1/operator/raft/configuration": (url) => raftConfiguration(context, asked(url)),
    "/v1/status/leader": (url) => statusLeader(context, asked(url)),
    "/v1/status/peers": (url) => statusPeers(context, asked(url)),
    "/v1/regions": () => regions(context),
    "/v1/status": () => statusReport(context),
  };
}

/** The gossip keys of all members: secrets, unless fingerprints are asked for. */
function keyList(context: ApiContext): Reader {
  return (url) => {
    const safe = url.searchParams.get("fingerprints") === "true";
    return safe ? listFingerprints(context) : listKeys(context);
  };
}

/** Endpoints for operators: PUT or POST, by a caller who may change things. */
function changers(context: ApiContext): Readonly<Record<string, Reader>> {
  return {
    "/v1/agent/force-leave": (url) => {
      const { searchParams } = url;
      const prune = searchParams.get("prune") ?? undefined;
      agentForceLeave(context, searchParams.get("node") ?? undefined, prune);
    },
    "/v1/agent/keyring/list": keyList(context),
    "/v1/agent/keyring/install": (_url, body) => changeKeys(context, "install", body),
    "/v1/agent/keyring/remove": (_url, body) => changeKeys(context, "remove", body),
    "/v1/agent/keyring/use": (_url, body) => changeKeys(context, "use", body),
    "/v1/agent/reload": () => reload(context),
    "/v1/system/gc": ({ searchParams }) =>
      systemTask(context, "System.GarbageCollect", askedOf(context, searchParams)),
    "/v1/system/reconcile/summaries": ({ searchParams }) =>
      systemTask(context, "System.ReconcileJobSummaries", askedOf(context, searchParams)),
    "/v1/operator/raft/transfer-leadership": ({ searchParams }) =>
      transferLeadership(context, askedOf(context, searchParams), searchParams),
    "/v1/agent/join": (url) => agentJoin(context, url.searchParams.getAll("address")),
  };
}

function peerRemover(context: ApiContext): Reader {
  return ({ searchParams }) => removePeer(context, askedOf(context, searchParams), searchParams);
}

function autopilotSetter(context: ApiContext): Reader {
  return ({ searchParams }, body) => {
    return setAutopilot(context, askedOf(context, searchParams), searchParams, body);
  };
}

/** As SIGHUP, but whoever asks hears what came of it. */
async function reload(context: ApiContext): Promise<ReloadReport> {
  return context.reload().catch((error: unknown) => {
    throw new ApiError(500, `${errorText(error)}\nthe old configuration stays in force`);
  });
}

export function createHttpApp(init: HttpAppInit): HttpApp {
  const { context, log, callerOf, own } = init;
  // A path with a slash behind it is another one, and not there.
  const app = new Elysia({ strictPath: true });
  // Whoever can cause one can cause many.
  const failures = new RefusalLog(systemClock, log);
  app.onError(({ error, request, code }) => {
    const { pathname } = new URL(request.url);
    const status = error instanceof ApiError ? error.status : code === "NOT_FOUND" ? 404 : 500;
    const text = error instanceof Error && code !== "NOT_FOUND" ? error.message : "";
    const line = { method: request.method, path: pathname, error: text, code: status };
    // What a caller can cause with bad parameters is an answer, not an event.
    if (status < 500 || error instanceof ApiError) log.debug("request failed", line);
    else failures.note("failed", "request failed", () => line);
    return plain(status, text);
  });
  const contextOf: ContextOf = (request) => withToken(context, tokenOf(request));
  for (const path of Object.keys(readers(context))) {
    app.get(path, async ({ request }) => {
      const read = readers(contextOf(request))[path];
      return answer(request, await read?.(new URL(request.url), ""));
    });
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      if (path !== AUTOPILOT || method !== "PUT") app.route(method, path, invalidMethod);
    }
  }
  const allow = (request: Request): void => {
    const refusal = refuseChange(originOf(request), callerOf(request) ?? STRANGER, own());
    if (refusal !== undefined) throw new ApiError(403, refusal);
  };
  addOwnAnswers(app, contextOf, allow);
  addIdentities(app, contextOf, allow);
  const guarded = (change: (context: ApiContext) => Reader | undefined) => {
    return async ({ request }: { request: Request }): Promise<Response> => {
      allow(request);
      const body = await request.text();
      return answer(request, await change(contextOf(request))?.(new URL(request.url), body));
    };
  };
  app.delete("/v1/operator/raft/peer", guarded(peerRemover));
  app.put(AUTOPILOT, guarded(autopilotSetter));
  for (const path of Object.keys(changers(context))) {
    const handler = guarded((context) => changers(context)[path]);
    app.put(path, handler).post(path, handler);
    // Nomad's keyring endpoints take any method, and its own client uses DELETE to remove.
    const others = path.startsWith(KEYRING) ? [] : ["GET", "DELETE", "PATCH"];
    if (path.startsWith(KEYRING)) app.delete(path, handler).get(path, handler);
    for (const method of others) app.route(method, path, invalidMethod);
  }
  return {
    async handle(request) {
      const origin = originOf(request);
      if (!isText(origin.path)) return plain(400, "the path is not text in UTF-8");
      const refusal = refuseRead(origin, callerOf(request) ?? STRANGER, own());
      if (refusal !== undefined) return plain(403, refusal);
      return (await pageAnswer(request)) ?? app.handle(request);
    },
  };
}

/** Percent signs and what they stand for; the router throws at what is none. */
function isText(path: string): boolean {
  try {
    return decodeURIComponent(path) !== "";
  } catch {
    return false;
  }
}

function originOf({ headers, url }: Request): AccessRequest {
  const header = (name: string): string | undefined => headers.get(name) ?? undefined;
  const [host, origin, fetchSite] = ["host", "origin", "sec-fetch-site"].map(header);
  return { path: new URL(url).pathname, host, origin, fetchSite };
}
