/**
 * What belongs to the scheduler of jobs, which this agent has not: lists are empty, and a thing is
 * not there. A region of servers that have one is asked as Nomad would, by RPC, and its answer
 * comes back as Nomad's JSON.
 *
 * @module
 */
import { isObject } from "../config/tree.ts";
import { bool, encodeValue, list, struct, structOf, text } from "../wire/codec.ts";
import { exactJsonOf } from "../wire/msgpack-json.ts";
import { MsgpackWriter } from "../wire/msgpack-writer.ts";
import { nodeAllocsReply, nodeRequest } from "../wire/rpc-node.ts";
import { encodeQueryOptions, withField } from "../wire/rpc-status.ts";
import { ask, askedOf, decode } from "./ask.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { ApiError } from "./errors.ts";
import { JsonBody } from "./json-body.ts";
import { type IndexedAnswer, metaHeaders, readOptions } from "./nodes.ts";
import type { ReadQuery } from "./query.ts";

/** How servers with a scheduler are asked. */
export interface SchedulerRead {
  readonly method: string;
  /** Where the path's name goes in the request. */
  readonly key?: string;
  /** What of the reply is shown. */
  readonly field: string;
  /** It is how many there are: shown under that name, and 0 where there are none. */
  readonly isCount?: boolean;
  /** What Nomad says where that is not there; undefined: it is a list, which then is empty. */
  readonly missing?: string;
  /** What else the request has, by their names. */
  readonly fields?: Readonly<Record<string, Uint8Array>>;
}

const namedJob = struct({ ID: text, Namespace: text });

/** Said to whoever wants something scheduled. */
const NO_SCHEDULER = "this agent has no job scheduler";

/**
 * @param name that the path has in it; "": it is not about one
 * @param signal aborted when nobody waits for the answer any more
 * @throws ApiError 404 where one thing is asked for that is not there
 */
export async function readScheduler(
  context: AgentFacts & Servers,
  read: SchedulerRead,
  name: string,
  query: ReadQuery,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const { region } = askedOf(context, query);
  if (region === context.config.region) return nothing(context, read, query, signal);
  const options = encodeQueryOptions({
    ...readOptions(context, query),
    Namespace: query.namespace || "default",
    Reverse: query.reverse === "true",
  });
  const { key, field, fields = {}, method } = read;
  const all = { ...fields, ...(key === undefined ? {} : { [key]: textBytes(name) }) };
  const body = Object.entries(all).reduce((body, one) => withField(body, ...one), options);
  const bytes = await asked(context, method, body, signal);
  // A region of servers like ours has not got it either.
  if (bytes === undefined) return nothing(context, read, query, signal);
  const reply = exactJsonOf(bytes);
  if (!isObject(reply)) throw new ApiError(500, "the server's answer cannot be read");
  const headers = metaHeaders(metaOf(reply));
  const value = reply[field] ?? none(read);
  return { value: read.isCount === true ? { [field]: value } : value, headers };
}

/** How the jobs are that the body names. @throws ApiError */
export async function jobStatuses(
  context: AgentFacts & Servers,
  query: ReadQuery,
  body: string,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const given = JsonBody.parse(body);
  const withChildren = given.flag("IncludeChildren");
  const jobs = (given.bodies("Jobs") ?? []).map((one) => {
    return { ID: one.text("ID"), Namespace: one.text("Namespace") || "default" };
  });
  if (jobs.length === 0) throw new ApiError(400, "no jobs in request");
  const fields = {
    IncludeChildren: encodeValue(bool, withChildren),
    Jobs: encodeValue(list(namedJob), jobs),
  };
  const read = { method: "Job.Statuses", field: "Jobs", fields };
  // Each job says which its namespace is.
  return readScheduler(context, read, "", { ...query, namespace: query.namespace || "*" }, signal);
}

/** @throws ApiError */
export function refuseScheduling(): never {
  throw new ApiError(501, NO_SCHEDULER);
}

/** @param rest of the path: `ls/ID`, `ID/stats` @throws ApiError: nothing is placed here */
export function noAllocation(rest: string): never {
  const id = /[\da-f]{8}-[\da-f-]{27}/.exec(rest)?.[0] ?? rest.split("/")[0] ?? "";
  throw new ApiError(404, `Unknown allocation ${JSON.stringify(id)}`);
}

const UNKNOWN = { ...nodeAllocsReply.zero, Index: 1n, KnownLeader: true };

/** Never changes, and is as fresh as what is known of allocations: there are none. */
async function nothing(
  context: AgentFacts & Servers,
  read: SchedulerRead,
  query: ReadQuery,
  signal: AbortSignal | undefined,
): Promise<IndexedAnswer> {
  const value = read.isCount === true ? { [read.field]: 0 } : none(read);
  const request = encodeValue(nodeRequest, structOf(nodeRequest, readOptions(context, query)));
  const answer = await asked(context, "Alloc.List", request, signal);
  // A server of ours of before does not know it.
  const meta = answer === undefined ? UNKNOWN : decode(nodeAllocsReply, answer);
  return { value, headers: metaHeaders(meta) };
}

/** @throws ApiError where it should be one thing */
function none({ missing }: SchedulerRead): readonly never[] {
  if (missing !== undefined) throw new ApiError(404, missing);
  return [];
}

/** undefined: nobody there knows the method. */
async function asked(
  context: Servers,
  method: string,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  try {
    return await ask(context, method, body, signal);
  } catch (error) {
    if (error instanceof Error && error.message.includes("rpc: can't find ")) return undefined;
    throw error;
  }
}

function textBytes(value: string): Uint8Array {
  return new MsgpackWriter(value.length + 8).text(value).take();
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
