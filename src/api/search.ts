/** POST /v1/search and /v1/search/fuzzy: what begins with a text, or has it somewhere. */
import { fuzzyReply, fuzzyRequest, searchReply, searchRequest } from "../wire/rpc-search.ts";
import { ask, decode, requestOf } from "./ask.ts";
import type { AgentFacts, Servers } from "./context.ts";
import { JsonBody } from "./json-body.ts";
import { type IndexedAnswer, metaHeaders, readOptions } from "./nodes.ts";
import type { ReadQuery } from "./query.ts";

/** @throws ApiError */
export async function search(
  context: AgentFacts & Servers,
  query: ReadQuery,
  body: string,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const asked = JsonBody.parse(body);
  const bytes = requestOf(searchRequest, {
    ...readOptions(context, query),
    Context: asked.text("Context"),
    Prefix: asked.text("Prefix"),
  });
  const reply = decode(searchReply, await ask(context, "Search.PrefixSearch", bytes, signal));
  return answerOf(reply, Object.fromEntries(reply.Matches ?? []));
}

/** @throws ApiError */
export async function fuzzySearch(
  context: AgentFacts & Servers,
  query: ReadQuery,
  body: string,
  signal?: AbortSignal,
): Promise<IndexedAnswer> {
  const asked = JsonBody.parse(body);
  const bytes = requestOf(fuzzyRequest, {
    ...readOptions(context, query),
    Context: asked.text("Context"),
    Text: asked.text("Text"),
  });
  const reply = decode(fuzzyReply, await ask(context, "Search.FuzzySearch", bytes, signal));
  const matches = [...(reply.Matches ?? [])].map(([context, found]) => {
    const shown = (found ?? []).map(({ ID, Scope }) => (Scope === null ? { ID } : { ID, Scope }));
    return [context, shown];
  });
  return answerOf(reply, Object.fromEntries(matches));
}

type Reply = Omit<typeof searchReply.zero, "Matches">;

/** As Nomad's: how fresh it is stands in the body, too. */
function answerOf(reply: Reply, Matches: object): IndexedAnswer {
  const { Index, KnownLeader, LastContact } = reply;
  const value = {
    Index: Number(Index),
    KnownLeader,
    LastContact: Number(LastContact),
    Matches,
    Truncations: Object.fromEntries(reply.Truncations ?? []),
  };
  return { value, headers: metaHeaders(reply) };
}
