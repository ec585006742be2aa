/** What begins with a text: nodes, pools, and whatever else an agent finds. */
import { isObject } from "../config/tree.ts";
import { errorText } from "../host/error-text.ts";
import { PATHS } from "../paths.ts";
import type { ApiClient } from "./api-client.ts";
import { listField, parseAnswer, textField } from "./json-read.ts";
import { CommandError, printError } from "./output.ts";

/** One thing that was found. */
interface Match {
  /** Nomad's word for its kind: nodes, node_pools, jobs. */
  readonly context: string;
  readonly id: string;
}

type Matches = Readonly<Record<string, readonly string[]>>;

/** @throws CommandError unless exactly one thing is meant */
export async function findOne(client: ApiClient, prefix: string): Promise<Match> {
  const matches = await search(client, prefix);
  const found = Object.entries(matches).filter(([, ids]) => ids.length > 0);
  if (found.length === 0) {
    throw new CommandError(`No matches returned for query: ${JSON.stringify(prefix)}`);
  }
  // The whole name of one thing may be the beginning of others.
  const exact = found.filter(([, ids]) => ids.includes(prefix));
  const [[context, ids] = ["", []], ...others] = exact.length > 0 ? exact : found;
  const id = exact.length > 0 ? prefix : ids[0];
  if (others.length > 0 || id === undefined || (exact.length === 0 && ids.length > 1)) {
    printError(`Multiple matches found for id ${JSON.stringify(prefix)}`);
    for (const [kind, all] of found) {
      printError(`\n${kind.charAt(0).toUpperCase()}${kind.slice(1)}:\n${all.join("\n")}`);
    }
    throw new CommandError("");
  }
  return { context, id };
}

/** @throws CommandError */
async function search(client: ApiClient, prefix: string): Promise<Matches> {
  const fail = (why: string): never => {
    throw new CommandError(`Error querying search with id: ${JSON.stringify(why)}`);
  };
  const body = JSON.stringify({ Prefix: prefix, Context: "all" });
  const answer = await client
    .send("PUT", PATHS.search, { body })
    .catch((error: unknown) => fail(errorText(error)));
  if (answer.status === 404)
    return searchLists(client, prefix).catch((error) => fail(errorText(error)));
  if (answer.status !== 200) {
    return fail(`Unexpected response code: ${answer.status} (${answer.body.trim()})`);
  }
  const found = parseAnswer(answer.body, `${client.addressText}${PATHS.search}`);
  const matches = isObject(found) ? found["Matches"] : undefined;
  if (!isObject(matches)) return {};
  return Object.fromEntries(
    Object.keys(matches).map((kind) => [kind, listField(matches, kind).map(String)]),
  );
}

/** Of an agent that does not search: what it lists. */
async function searchLists(client: ApiClient, prefix: string): Promise<Matches> {
  const namesIn = async (path: string, name: string): Promise<readonly string[]> => {
    const all = await client.get(`${path}?prefix=${encodeURIComponent(prefix)}`);
    return listField({ all }, "all").map((one) => textField(one, name));
  };
  const nodes = await namesIn(PATHS.nodes, "ID");
  return { nodes, node_pools: await namesIn(PATHS.nodePools, "Name") };
}
