/**
 * Changes of what belongs to a scheduler of jobs, in a region whose servers have one: each goes
 * there as the RPC that Nomad makes of it. What Nomad's agents first make another thing of, a job
 * that is registered say, is refused: it takes an agent of that region.
 *
 * @module
 */
import { isObject } from "../config/tree.ts";
import { exactJsonOf } from "../wire/msgpack-json.ts";
import { MsgpackWriter } from "../wire/msgpack-writer.ts";
import { ask, askedOf } from "./ask.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { refuseScheduling } from "./elsewhere.ts";
import { ApiError } from "./errors.ts";
import type { IndexedAnswer } from "./nodes.ts";

interface ChangeQuery {
  readonly region?: string;
  readonly namespace?: string;
  readonly purge?: string;
  readonly global?: string;
}

interface ChangeRequest {
  readonly method: "PUT" | "DELETE";
  readonly path: string;
  readonly query: ChangeQuery;
  readonly body: string;
}

interface Change {
  readonly method: "PUT" | "DELETE";
  readonly path: RegExp;
  readonly rpc: string;
  /** Where the path's name goes. */
  readonly key: string;
}

const CHANGES: readonly Change[] = [
  change("PUT", "/v1/job/(.+)/evaluate", "Job.Evaluate", "JobID"),
  change("PUT", "/v1/job/(.+)/dispatch", "Job.Dispatch", "JobID"),
  change("PUT", "/v1/job/(.+)/revert", "Job.Revert", "JobID"),
  change("PUT", "/v1/job/(.+)/stable", "Job.Stable", "JobID"),
  change("PUT", "/v1/job/(.+)/periodic/force", "Periodic.Force", "JobID"),
  change("DELETE", "/v1/job/(.+)", "Job.Deregister", "JobID"),
  change("PUT", "/v1/allocation/(.+)/stop", "Alloc.Stop", "AllocID"),
  change("PUT", "/v1/deployment/fail/(.+)", "Deployment.Fail", "DeploymentID"),
  change("PUT", "/v1/deployment/pause/(.+)", "Deployment.Pause", "DeploymentID"),
  change("PUT", "/v1/deployment/promote/(.+)", "Deployment.Promote", "DeploymentID"),
  change("PUT", "/v1/deployment/unblock/(.+)", "Deployment.Unblock", "DeploymentID"),
  change("DELETE", "/v1/service/[^/]+/(.+)", "ServiceRegistration.DeleteByID", "ID"),
];

function change(method: "PUT" | "DELETE", path: string, rpc: string, key: string): Change {
  return { method, path: new RegExp(`^${path}$`), rpc, key };
}

/** Bytes, which JSON has as base64. */
const BYTES = "Payload";
const DEPTH_MAX = 64;

/** @throws ApiError 501 for our own region, and for what is not simply passed on */
export async function changeScheduler(
  context: AgentFacts & Servers,
  { method, path, query, body }: ChangeRequest,
): Promise<IndexedAnswer> {
  const { region } = askedOf(context, query);
  if (region === context.config.region) refuseScheduling();
  for (const one of CHANGES) {
    const [, name] = (one.method === method && one.path.exec(path)) || [];
    if (name === undefined) continue;
    const fields = { ...fieldsOf(body), ...flagsOf(query), Region: region };
    const request = {
      ...fields,
      Namespace: query.namespace || "default",
      [one.key]: decoded(name),
    };
    const reply = exactJsonOf(await ask(context, one.rpc, pack(request, "", 0).take()));
    const { Index = 0 } = Object(reply);
    return { value: reply, headers: { "X-Nomad-Index": String(Index) } };
  }
  const what = `this is not passed on to region ${JSON.stringify(region)}`;
  throw new ApiError(501, `${what}: ask an agent there`);
}

function flagsOf({ purge, global }: ChangeQuery): object {
  return {
    ...(purge === undefined ? {} : { Purge: purge === "true" }),
    ...(global === undefined ? {} : { Global: global === "true" }),
  };
}

function decoded(name: string): string {
  return decodeURIComponent(name);
}

/** @throws ApiError */
function fieldsOf(body: string): object {
  if (body.trim() === "") return {};
  let tree: unknown;
  try {
    tree = JSON.parse(body);
  } catch {
    throw new ApiError(400, "the body is not JSON");
  }
  return isObject(tree) ? tree : notAnObject();
}

function notAnObject(): never {
  throw new ApiError(400, "the body is not a JSON object");
}

/** @param name of the field that it is in */
function pack(value: unknown, name: string, depth: number): MsgpackWriter {
  const out = new MsgpackWriter();
  if (depth > DEPTH_MAX) throw new ApiError(400, "the body has too many levels");
  if (typeof value === "boolean") return out.bool(value);
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? out.int(value) : out.float64(value);
  }
  if (typeof value === "string") {
    return name === BYTES ? out.raw(new Uint8Array(Buffer.from(value, "base64"))) : out.text(value);
  }
  if (Array.isArray(value)) {
    out.array(value.length);
    for (const one of value) out.append(pack(one, "", depth + 1).take());
    return out;
  }
  if (!isObject(value)) return out.nil();
  const entries = Object.entries(value);
  out.map(entries.length);
  for (const [key, one] of entries) out.text(key).append(pack(one, key, depth + 1).take());
  return out;
}
