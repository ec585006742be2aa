/**
 * Endpoints of Nomad that we have not, asked of a region whose servers may have them: the request
 * goes there as the RPC that Nomad makes of it, and its answer comes back as Nomad's JSON.
 *
 * @module
 */
import { isObject } from "../config/tree.ts";
import { jsonOf } from "../wire/msgpack-json.ts";
import { MsgpackWriter } from "../wire/msgpack-writer.ts";
import { encodeQueryOptions, withField } from "../wire/rpc-status.ts";
import { ask, askedOf } from "./ask.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { type IndexedAnswer, metaHeaders, readOptions } from "./nodes.ts";

interface Endpoint {
  readonly path: RegExp;
  readonly method: string;
  /** Where the path's name goes in the request; undefined: there is none. */
  readonly key?: string;
  /** What of the reply is shown. */
  readonly field: string;
  /** What Nomad says where that is nil; undefined: it is a list, which then is empty. */
  readonly missing?: string;
}

const LISTS: Readonly<Record<string, readonly [method: string, field: string]>> = {
  "/v1/jobs": ["Job.List", "Jobs"],
  "/v1/allocations": ["Alloc.List", "Allocations"],
  "/v1/evaluations": ["Eval.List", "Evaluations"],
  "/v1/deployments": ["Deployment.List", "Deployments"],
  "/v1/namespaces": ["Namespace.ListNamespaces", "Namespaces"],
  "/v1/plugins": ["CSIPlugin.List", "Plugins"],
  "/v1/scaling/policies": ["Scaling.ListPolicies", "Policies"],
  "/v1/services": ["ServiceRegistration.List", "Services"],
  "/v1/acl/policies": ["ACL.ListPolicies", "Policies"],
  "/v1/acl/roles": ["ACL.ListRoles", "ACLRoles"],
  "/v1/acl/tokens": ["ACL.ListTokens", "Tokens"],
  "/v1/operator/keyring/keys": ["Keyring.List", "Keys"],
};

/** The more particular ones first: names of jobs may have slashes in them. */
const PATHS: readonly Endpoint[] = [
  below("/v1/job/*/allocations", "Job.Allocations", "JobID", "Allocations"),
  below("/v1/job/*/deployments", "Job.Deployments", "JobID", "Deployments"),
  below("/v1/job/*/evaluations", "Job.Evaluations", "JobID", "Evaluations"),
  below("/v1/job/*/summary", "Job.Summary", "JobID", "JobSummary", "job not found"),
  below("/v1/job/*", "Job.GetJob", "JobID", "Job", "job not found"),
  below("/v1/node/pool/*/jobs", "NodePool.ListJobs", "Name", "Jobs"),
  below("/v1/allocation/*", "Alloc.GetAlloc", "AllocID", "Alloc", "alloc not found"),
  below("/v1/evaluation/*/allocations", "Eval.Allocations", "EvalID", "Allocations"),
  below("/v1/evaluation/*", "Eval.GetEval", "EvalID", "Eval", "eval not found"),
  below("/v1/deployment/allocations/*", "Deployment.Allocations", "DeploymentID", "Allocations"),
  below(
    "/v1/deployment/*",
    "Deployment.GetDeployment",
    "DeploymentID",
    "Deployment",
    "deployment not found",
  ),
  below("/v1/namespace/*", "Namespace.GetNamespace", "Name", "Namespace", "Namespace not found"),
  below("/v1/service/*", "ServiceRegistration.GetService", "ServiceName", "Services"),
];

function below(
  path: string,
  method: string,
  key: string,
  field: string,
  missing?: string,
): Endpoint {
  const form = new RegExp(`^${path.replace("*", "(.+)")}$`);
  return { path: form, method, key, field, ...(missing === undefined ? {} : { missing }) };
}

/** @throws ApiError 404 for our own region, and for what even Nomad has not */
export async function askElsewhere(
  context: AgentFacts & Servers,
  url: URL,
): Promise<IndexedAnswer> {
  const query = url.searchParams;
  const { region } = askedOf(context, query);
  const found = region === context.config.region ? undefined : endpointOf(url.pathname);
  if (found === undefined) throw new ApiError(404, "");
  const { endpoint, name } = found;
  const options = encodeQueryOptions({
    ...readOptions(context, query),
    Namespace: query.get("namespace") || "default",
    Reverse: query.get("reverse") === "true",
  });
  const { key, field, method, missing } = endpoint;
  const body = key === undefined ? options : withField(options, key, textBytes(name));
  const reply = jsonOf(await asked(context, method, body));
  if (!isObject(reply)) throw new ApiError(500, "the server's answer cannot be read");
  const value: unknown = reply[field] ?? null;
  if (value === null && missing !== undefined) throw new ApiError(404, missing);
  return { value: value ?? [], headers: metaHeaders(metaOf(reply)) };
}

function endpointOf(path: string): { endpoint: Endpoint; name: string } | undefined {
  const list = LISTS[path];
  if (list !== undefined) {
    const [method, field] = list;
    return { endpoint: { path: /^$/, method, field }, name: "" };
  }
  for (const endpoint of PATHS) {
    const name = endpoint.path.exec(path)?.[1];
    if (name !== undefined) return { endpoint, name: decodeName(name) };
  }
  return undefined;
}

/** @throws ApiError */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new ApiError(400, "the path is not valid percent-encoding");
  }
}

/** A region of servers like ours has not got it either: as if the path were not there. */
async function asked(context: Servers, method: string, body: Uint8Array): Promise<Uint8Array> {
  try {
    return await ask(context, method, body);
  } catch (error) {
    const isUnknown = error instanceof Error && error.message.includes("rpc: can't find ");
    throw isUnknown ? new ApiError(404, "") : error;
  }
}

function textBytes(text: string): Uint8Array {
  return new MsgpackWriter(text.length + 8).text(text).take();
}

function metaOf(reply: Readonly<Record<string, unknown>>): Parameters<typeof metaHeaders>[0] {
  const number = (name: string): bigint => BigInt(Math.trunc(Number(reply[name] ?? 0)) || 0);
  return {
    Index: number("Index"),
    KnownLeader: reply["KnownLeader"] === true,
    LastContact: number("LastContact"),
    NextToken: String(reply["NextToken"] ?? ""),
  };
}
